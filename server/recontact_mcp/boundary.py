"""The one boundary of the server: errors keep their fields, and only our own words leave."""

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

import anyio
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import (
    ResourceNotFoundError,
    ToolError,
    UnexpectedResourceError,
)
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolResult,
    GetPromptResult,
    InputRequiredResult,
    TextContent,
    Tool,
)
from pydantic import AnyUrl, ValidationError

from recontact_mcp.auditing import record_failure
from recontact_mcp.opening import Opening
from recontact_mcp.schemas import arguments_schema, result_schema
from recontact_mcp.scopes import READING, Scope, check_scopes, of_tool
from recontact_mcp.subjects import explained_call, explained_read
from recontact_tools.catalog import EVERYTHING, hidden_argument
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
from recontact_tools.reading_source import not_read_from_here

logger = logging.getLogger(__name__)

OPERATIONS = {operation.name: operation for operation in EVERYTHING}
LOOK_WITH = {
    "upload_recontacts": "list_upload_jobs and get_recontact_overview",
    "remove_all_recontacts": "get_recontact_overview",
    "restore_recontacts": "list_upload_jobs and get_recontact_overview",
    "replace_recontacts": "get_recontact_overview",
    "cancel_recontact_job": "get_upload_job or get_removal_job",
}
# ours: hosts give a call up after about 60 s, and the longest wait of a job tool is 45 s and one look of 10 s.
CALL_SECONDS = 57.0


class RecontactServer(MCPServer[Opening]):
    """The SDK's server with our boundary: errors keep their fields, and the list of tools is made once."""

    # Whether clients run the server on their own machine, whose files it may read.
    local_files: bool = True
    # What the server holds, for what is served beside MCP.
    opening: Opening
    listed: tuple[Tool, ...] = ()
    call_seconds: float = CALL_SECONDS
    # How long a call may take besides, while a person is asked inside it.
    asking_seconds: float = 0.0

    async def list_tools(self) -> list[Tool]:
        """Return the tools with schemas that every host can take."""
        if not self.listed:
            self.listed = tuple(portable(tool, self._hidden) for tool in await super().list_tools())
        return list(self.listed)

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Opening, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool; whatever goes wrong comes back as our own words, never the exception's.

        Raises:
            MCPError: There is no tool of this name.
        """
        if self._tool_input_schema(name) is None:
            raise MCPError(code=INVALID_PARAMS, message="There is no such tool: tools/list shows all.")
        try:
            _check_carried(of_tool(name), context)
            self._check_names(name, arguments)
            if OPERATIONS[name].read_only:  # the reads of one call, and its waits, have bounds of their own
                return await super().call_tool(name, arguments, context)
            with anyio.move_on_after(self.call_seconds + self.asking_seconds * OPERATIONS[name].destructive):
                return await super().call_tool(name, arguments, context)
        except RecontactError as failure:
            error = failure
        except ToolError as failure:
            error = await explained_call(translated(name, failure), name, arguments, context)
        else:
            error = _unfinished(name, "took too long", ErrorCode.UNAVAILABLE)
        if context is not None and not OPERATIONS[name].read_only:
            await record_failure(error, name, arguments, context)
        return refused(error)

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[Opening, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        """Read a resource; a refusal becomes a JSON-RPC error that carries its fields.

        Raises:
            MCPError: The read was refused.
        """
        try:
            _check_carried(READING, context)
            return await super().read_resource(uri, context)
        except NotAllowed as refusal:
            raise unreadable(refusal) from None
        except ResourceNotFoundError:
            raise no_such_resource(str(uri)) from None
        except UnexpectedResourceError as failure:
            raise unreadable(await explained_read(failure.__cause__, str(uri), context)) from None

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[Opening, Any] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        """Return a prompt's text.

        Raises:
            MCPError: There is no such prompt, or its arguments do not fit.
        """
        try:
            return await super().get_prompt(name, arguments, context)
        except ValueError as error:
            raise MCPError(
                code=INVALID_PARAMS,
                message="There is no such prompt, or its arguments do not fit: prompts/list shows both.",
            ) from error

    @property
    def _hidden(self) -> str:
        return hidden_argument(local_files=self.local_files)

    def _check_names(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Refuse arguments that no parameter has: one that is ignored would be believed to have worked."""
        known = set((self._tool_input_schema(name) or {})["properties"])
        if not self.local_files and "path" in known & set(arguments):
            raise not_read_from_here()
        known.discard(self._hidden)
        if set(arguments) - known:
            raise InvalidInput(
                f"{name} was called with an argument that it does not have; nothing was sent.",
                next_step=f"Use only: {', '.join(sorted(known))}.",
                safe_to_repeat=True,
            )


def no_such_resource(uri: str) -> MCPError:
    """Return the refusal of a URI that names nothing here, with that URI, as the protocol asks."""
    message = "There is no such resource: resources/templates/list shows what can be read."
    return MCPError(code=INVALID_PARAMS, message=message, data={"uri": uri})


def _check_carried(needed: frozenset[Scope], context: Context[Opening, Any] | None) -> None:
    """Refuse a caller whose token does not carry the scopes; the edge asks too, but this cannot be got round.

    Raises:
        NotAllowed: One is missing, or nobody that is known here asks.
    """
    if context is not None:
        check_scopes(context.request_context.lifespan_context.caller().scopes, needed)


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
        return _unfinished(name, "had no answer from the server's database", ErrorCode.UNAVAILABLE)
    logger.error("Tool %s failed unexpectedly", name, exc_info=cause)
    return _unfinished(name, "failed unexpectedly", ErrorCode.INTERNAL_ERROR)


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


def _unfinished(name: str, happened: str, code: ErrorCode) -> RecontactError:
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


def portable(tool: Tool, hidden: str) -> Tool:
    """Return a tool with schemas that every host can take, without the argument *hidden*."""
    arguments = arguments_schema(tool.input_schema)
    arguments["properties"].pop(hidden, None)
    return tool.model_copy(
        update={
            "input_schema": arguments,
            "output_schema": result_schema(tool.output_schema or {}),
        }
    )
