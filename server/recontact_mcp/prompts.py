"""Prompts: the whole recontact workflow, step by step, for a person to start from."""

from typing import Annotated

from mcp.server.mcpserver import MCPServer
from pydantic import Field

from recontact_mcp.opening import Opening

STEPS = """\
Help me recontact respondents of an earlier survey in target group {target_group_id}.{source} Go step by step, \
say what you found after each step, and stop for me where a step says so.

1. Readiness. Call check_recontact_readiness and tell me what blocks and what is a risk, with how to mend it. The \
study type cannot be changed after launch; only I can change settings.
2. IDs. Ask me for the CSV or TXT file (one column of RSIDs, or of RIDs: ask which).{staging}
3. Preview. Call preview_upload with its {by}. Tell me how many IDs are new, already stored and dropped (with the \
line numbers), whether they fit, and how long it takes. Stop: I decide.
4. Upload. Call upload_recontacts with the same arguments.
5. Follow. Call get_upload_job with wait_seconds=45; between calls wait poll_after_seconds. At Cint 10,000 IDs \
take 10 to 15 minutes, so tell me when to come back rather than calling all the time.
6. Verify. When the job has ended tell me growth and explanation; with compare=true it counts the RSIDs that are \
not stored. Then call check_recontact_readiness again: the completes goal must not be above the stored count, \
which is a ceiling, not a forecast.
7. Launch is mine to do. Say what is ready and what is not.

To replace the list later: pause the target group, remove_all_recontacts (I will be asked to type a phrase), \
follow the job, upload the new list in the same way, check the count (get_recontact_overview), resume. Never list \
respondent IDs unless I ask for them."""


STAGING = " Call stage_upload, show me its page_url, and wait until I say that I have uploaded the file."


def add_prompts(server: MCPServer[Opening], *, local_files: bool) -> None:
    """Register the prompts: over HTTP a file is staged, for the server cannot read it where it is."""
    prompt = server.prompt("recontact_a_survey", title="Recontact a survey")
    prompt(recontact_a_survey if local_files else recontact_a_survey_from_afar)


def recontact_a_survey(
    target_group_id: Annotated[str, Field(description="ULID of the recontact target group")],
    path: Annotated[str, Field(description="CSV or TXT file with the IDs, if it is at hand")] = "",
) -> str:
    """Go through a whole recontact: readiness, preview, upload, follow, verify."""
    source = f" The file with the IDs is {path}." if path else ""
    return STEPS.format(target_group_id=target_group_id, source=source, staging="", by="path")


def recontact_a_survey_from_afar(
    target_group_id: Annotated[str, Field(description="ULID of the recontact target group")],
) -> str:
    """Go through a whole recontact: readiness, preview, upload, follow, verify."""
    return STEPS.format(target_group_id=target_group_id, source="", staging=STAGING, by="ticket")
