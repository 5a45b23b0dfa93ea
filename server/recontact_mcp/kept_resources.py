"""What is kept for an undo, as resources: snapshots, replacements, and how a list and its target group differ."""

from mcp.server.mcpserver import MCPServer

from recontact_mcp.opening import Opening
from recontact_mcp.resources import addressed, unheard
from recontact_tools import uris
from recontact_tools.comparing import COMPARE_SECONDS
from recontact_tools.errors import NotFound
from recontact_tools.looking import LOOK_SECONDS, look_soon
from recontact_tools.missing import differing_ids
from recontact_tools.models import JobKind
from recontact_tools.plan_reports import plan_report, plan_seen
from recontact_tools.policy import check_read
from recontact_tools.replacement_reports import replacement_report, replacement_seen
from recontact_tools.restoring import kept_list_of


def add_kept_resources(server: MCPServer[Opening], opening: Opening) -> None:
    """Register one template for each; the URIs are those of `uris`."""

    async def differences(account_id: str, project_id: str, target_group_id: str, job_id: str) -> str:
        """What an upload sent and what is stored now do not share, as CSV: personal data; reads both lists."""
        runtime, group = await addressed(opening, account_id, project_id, target_group_id)
        seen = await look_soon(runtime, group, JobKind.UPLOAD, job_id, seconds=LOOK_SECONDS)
        differing = await differing_ids(runtime, group, seen, seconds=COMPARE_SECONDS)
        return "".join(f"{what},{line}\n" for what, line in differing)

    async def replacement(account_id: str, project_id: str, target_group_id: str, replacement_id: str) -> str:
        """Where a replacement stands, and what a restart would do, as JSON."""
        runtime, group = await addressed(opening, account_id, project_id, target_group_id)
        found = await replacement_seen(runtime, unheard, group, replacement_id, seconds=0)
        if found is None:
            raise NotFound(
                "This server knows no such replacement of this target group.",
                next_step="Use the job_id that replace_recontacts answered.",
            )
        return (await replacement_report(runtime, found)).model_dump_json()

    async def snapshot(account_id: str, project_id: str, target_group_id: str, snapshot_id: str) -> str:
        """The RSIDs that were stored before a removal, one a line: personal data."""
        runtime, group = await addressed(opening, account_id, project_id, target_group_id)
        check_read(runtime.rules.policy, group)
        kept = await kept_list_of(runtime, group, snapshot_id=snapshot_id, upload_job_id=None)
        return kept.file.content.decode()

    async def plan(account_id: str, project_id: str, target_group_id: str, plan_id: str) -> str:
        """How a plan stands that a person is asked about outside the client, as JSON."""
        runtime, group = await addressed(opening, account_id, project_id, target_group_id)
        asked = await plan_seen(runtime, unheard, group, plan_id, seconds=0)
        if asked is None:
            raise NotFound(
                "This server knows no such plan of this target group.",
                next_step="Use the plan_id that APPROVAL_REQUIRED answered.",
            )
        return plan_report(runtime, asked).model_dump_json()

    json_type, csv_type = "application/json", "text/csv"
    register = server.resource
    register(uris.DIFFERENCES, title="Differences after an upload", mime_type=csv_type)(differences)
    register(uris.REPLACEMENT, title="Replacement", mime_type=json_type)(replacement)
    register(uris.PLAN, title="Plan that a person is asked about", mime_type=json_type)(plan)
    register(uris.SNAPSHOT, title="Snapshot before a removal", mime_type=csv_type)(snapshot)
