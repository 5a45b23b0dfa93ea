"""What an agent may look at later: jobs, counts, files and lists as resources."""

import json
from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
from mcp.server.mcpserver import MCPServer

from recontact_mcp.access import LOCAL_PRINCIPAL
from recontact_mcp.opening import Opening
from recontact_tools import uris
from recontact_tools.comparing import COMPARE_SECONDS
from recontact_tools.errors import Unreachable
from recontact_tools.get_recontact_overview import get_recontact_overview
from recontact_tools.get_removal_job import get_removal_job
from recontact_tools.get_upload_job import get_upload_job
from recontact_tools.guardrails import is_number, target_group_checked
from recontact_tools.looking import LOOK_SECONDS, look_soon
from recontact_tools.missing import missing_ids
from recontact_tools.models import JobKind, TargetGroup
from recontact_tools.policy import check_read
from recontact_tools.runtime import Runtime

# ours: hosts give a request up after about 60 s, and half a list must never look like a whole one.
LIST_SECONDS = 45.0


async def unheard(_done: float, _total: float | None, _message: str) -> None:
    """Tell nobody about progress: reading a resource never waits."""


def add_resources(server: MCPServer[Opening], opening: Opening, *, list_seconds: float = LIST_SECONDS) -> None:
    """Register one template for everything that can be read; the URIs are those of `uris`.

    *list_seconds* is how long the reading of a whole list may take.
    """

    async def overview(account_id: str, project_id: str, target_group_id: str) -> str:
        """The number of respondent IDs stored for recontact, and the room left, as JSON."""
        runtime, group = await addressed(opening, account_id, project_id, target_group_id)
        found = await get_recontact_overview(runtime, group.target_group_id, group.project_id, group.account_id)
        return found.model_dump_json()

    async def upload_job(account_id: str, project_id: str, target_group_id: str, job_id: str) -> str:
        """One upload job and how to go on with it, as JSON."""
        runtime, group = await addressed(opening, account_id, project_id, target_group_id)
        found = await get_upload_job(
            runtime,
            unheard,
            group.target_group_id,
            job_id,
            project_id=group.project_id,
            account_id=group.account_id,
        )
        return found.model_dump_json()

    async def removal_job(account_id: str, project_id: str, target_group_id: str, job_id: str) -> str:
        """One removal job and how to go on with it, as JSON."""
        runtime, group = await addressed(opening, account_id, project_id, target_group_id)
        found = await get_removal_job(
            runtime, unheard, group.target_group_id, job_id, 0, group.project_id, group.account_id
        )
        return found.model_dump_json()

    async def upload_file(account_id: str, project_id: str, target_group_id: str, job_id: str) -> str:
        """The file of an upload job as it was sent: respondent IDs, which are personal data."""
        runtime, group = await addressed(opening, account_id, project_id, target_group_id)
        check_read(runtime.rules.policy, group)
        content = await runtime.gateway.download_upload_file(group, job_id)
        return content.decode("utf-8", errors="replace")

    async def missing(account_id: str, project_id: str, target_group_id: str, job_id: str) -> str:
        """The RSIDs of a finished upload that are not stored, one a line: personal data; reads both lists."""
        runtime, group = await addressed(opening, account_id, project_id, target_group_id)
        seen = await look_soon(runtime, group, JobKind.UPLOAD, job_id, seconds=LOOK_SECONDS)
        lines = await missing_ids(runtime, group, seen, seconds=COMPARE_SECONDS)
        return "".join(f"{line}\n" for line in lines)

    async def respondents(account_id: str, project_id: str, target_group_id: str) -> str:
        """All stored respondent IDs as CSV, one a line: personal data, up to 100,000 lines."""
        runtime, group = await addressed(opening, account_id, project_id, target_group_id)
        check_read(runtime.rules.policy, group)
        return await _all_respondents(runtime, group, seconds=list_seconds)

    json_type, csv_type = "application/json", "text/csv"
    register = server.resource
    register(uris.OVERVIEW, title="Recontact overview", mime_type=json_type)(overview)
    register(uris.UPLOAD_JOB, title="Upload job", mime_type=json_type)(upload_job)
    register(uris.REMOVAL_JOB, title="Removal job", mime_type=json_type)(removal_job)
    register(uris.UPLOAD_FILE, title="File of an upload job", mime_type=csv_type)(upload_file)
    register(uris.MISSING, title="RSIDs of an upload that are not stored", mime_type=csv_type)(missing)
    register(uris.RESPONDENTS, title="Stored respondent IDs", mime_type=csv_type)(respondents)
    _add_audit(server, opening)


def _add_audit(server: MCPServer[Opening], opening: Opening) -> None:
    async def audit(account_id: str, project_id: str, target_group_id: str) -> str:
        """Your newest entries of the audit trail about one target group, as JSON; no respondent IDs."""
        return await _audited(*await addressed(opening, account_id, project_id, target_group_id))

    async def whole_audit() -> str:
        """Your newest entries of the audit trail, and whether its chain of hashes holds, as JSON; no respondent IDs."""
        return await _audited(await opening.runtime(), None)

    server.resource(uris.AUDIT, title="Audit trail of a target group", mime_type="application/json")(audit)
    server.resource(uris.WHOLE_AUDIT, title="Audit trail", mime_type="application/json")(whole_audit)


async def addressed(
    opening: Opening, account_id: str, project_id: str, target_group_id: str
) -> tuple[Runtime, TargetGroup]:
    """Check the ids of a URI; one that no builder of ours makes is not a resource.

    Raises:
        InvalidInput: An id is malformed.
    """
    runtime = await opening.runtime()
    account = int(account_id) if is_number(account_id) else -1
    return runtime, target_group_checked(target_group_id, project_id, account)


async def _audited(runtime: Runtime, group: TargetGroup | None) -> str:
    from recontact_tools.audit_page import audit_page  # noqa: PLC0415 - no part of a cold start

    return json.dumps(await audit_page(runtime, group, alone=runtime.principal == LOCAL_PRINCIPAL))


async def _all_respondents(runtime: Runtime, group: TargetGroup, *, seconds: float) -> str:
    """Read every page; a list that would be cut short is an error.

    Raises:
        Unreachable: The list could not be read whole in the time that hosts wait.
    """
    lines: list[str] = []
    with anyio.move_on_after(seconds):
        async for page in _pages(runtime, group):
            lines.extend(page)
        return "".join(f"{line}\n" for line in lines)
    raise Unreachable(
        "The list is too long to be read in one piece here.",
        next_step="Read it page by page with list_recontacts (page_size 100).",
    )


async def _pages(runtime: Runtime, group: TargetGroup) -> AsyncIterator[tuple[str, ...]]:
    cursor = None
    while True:
        page = await runtime.gateway.list_respondents(group, page_size=100, cursor=cursor)
        yield page.respondent_ids
        await anyio.lowlevel.checkpoint()  # the embedded service answers without ever giving way to others
        cursor = page.next_cursor
        if cursor is None:
            return
