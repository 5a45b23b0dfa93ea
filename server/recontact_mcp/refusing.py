"""Refusals as they leave the server: whatever went wrong, in our own words."""

import json
import logging
from typing import Final

from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, CallToolResult, TextContent
from pydantic import ValidationError

from recontact_tools.catalog import OPERATIONS
from recontact_tools.errors import (
    ErrorCode,
    InvalidInput,
    NotAllowed,
    NotFound,
    OutcomeUnknown,
    RecontactError,
    Unreachable,
)
from recontact_tools.ledger import LedgerUnavailable

logger = logging.getLogger(__name__)

LOOK_WITH: Final = {
    "upload_recontacts": "list_upload_jobs and get_recontact_overview",
    "remove_all_recontacts": "get_recontact_overview",
    "restore_recontacts": "list_upload_jobs and get_recontact_overview",
    "replace_recontacts": "get_recontact_overview",
    "cancel_recontact_job": "get_upload_job or get_removal_job",
}


def no_such_resource(uri: str) -> MCPError:
    """Return the refusal of a URI that names nothing here, with that URI, as the protocol asks."""
    message = "There is no such resource: resources/templates/list shows what can be read."
    return MCPError(code=INVALID_PARAMS, message=message, data={"uri": uri})


def refused(error: RecontactError) -> CallToolResult:
    """Return an error as a tool result that says the same in text and in structure."""
    body = {"error": error.as_dict()}
    return CallToolResult(
        content=[TextContent(type="text", text=json.dumps(body, indent=2))],
        structured_content=body,
        is_error=True,
    )


def translated(name: str, failure: ToolError) -> RecontactError:
    """Turn what the SDK raised for one of our tools into an error of ours."""
    cause = failure.__cause__
    if isinstance(cause, RecontactError):
        return cause
    if isinstance(cause, ValidationError):
        return _invalid_arguments(name, cause)
    if isinstance(cause, LedgerUnavailable):
        logger.error("Tool %s: %s", name, cause)
        return unfinished(name, "had no answer from the server's database", ErrorCode.UNAVAILABLE)
    logger.error("Tool %s failed unexpectedly", name, exc_info=cause)
    return unfinished(name, "failed unexpectedly", ErrorCode.INTERNAL_ERROR)


def _invalid_arguments(name: str, invalid: ValidationError) -> InvalidInput:
    """Name the arguments that do not fit and why, without the values: they are the caller's data."""
    problems = {
        ".".join(str(part) for part in problem["loc"][:1]): problem["msg"]
        for problem in invalid.errors(include_input=False, include_url=False)
    }
    return InvalidInput(
        f"{name} was called with arguments that do not fit; nothing was sent.",
        next_step="; ".join(f"{field}: {reason}" for field, reason in sorted(problems.items())),
        safe_to_repeat=True,
        details={"arguments": [*sorted(problems)]},
    )


def unfinished(name: str, happened: str, code: ErrorCode) -> RecontactError:
    """Return what is known of a call that came to no end: nothing changed, or nobody knows whether something did."""
    if name not in LOOK_WITH:  # it starts no job
        return Unreachable(
            f"{'Reading' if OPERATIONS[name].read_only else 'The call'} {happened}; nothing was changed.",
            code=code,
            next_step="Repeat the call once; if it fails again, tell the user and point them to the server's log.",
        )
    return OutcomeUnknown(
        f"The call {happened}, so it is not known whether a job was started.",
        code=code,
        next_step=f"Look with {LOOK_WITH[name]} before trying again.",
    )


def unreadable(error: BaseException | None) -> MCPError:
    """Turn what a read of a resource raised into a JSON-RPC error; a refusal of ours keeps its fields."""
    if isinstance(error, RecontactError):
        code = INVALID_PARAMS if isinstance(error, InvalidInput | NotAllowed | NotFound) else INTERNAL_ERROR
        return MCPError(code=code, message=error.message, data={"error": error.as_dict()})
    if isinstance(error, LedgerUnavailable):
        logger.error("A resource: %s", error)
        return MCPError(code=INTERNAL_ERROR, message="The server's database did not answer; nothing was changed.")
    logger.error("A resource failed unexpectedly", exc_info=error)
    return MCPError(code=INTERNAL_ERROR, message="Reading failed unexpectedly; nothing was changed.")
