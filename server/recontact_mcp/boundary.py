"""The one boundary of the server: errors keep their fields, and only our own words leave."""

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
    INVALID_PARAMS,
    CallToolResult,
    GetPromptResult,
    InputRequiredResult,
    Tool,
)
from pydantic import AnyUrl

from recontact_mcp.auditing import record_failure
from recontact_mcp.opening import Opening
from recontact_mcp.refusing import no_such_resource, refused, translated, unfinished, unreadable
from recontact_mcp.schemas import arguments_schema, result_schema
from recontact_mcp.scopes import READING, Scope, check_scopes, of_tool
from recontact_mcp.subjects import explained_call, explained_read
from recontact_tools.catalog import OPERATIONS, hidden_argument
from recontact_tools.errors import (
    ErrorCode,
    InvalidInput,
    NotAllowed,
    RecontactError,
)
from recontact_tools.reading_source import not_read_from_here

logger = logging.getLogger(__name__)

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
            error = unfinished(name, "took too long", ErrorCode.UNAVAILABLE)
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


def _check_carried(needed: frozenset[Scope], context: Context[Opening, Any] | None) -> None:
    """Refuse a caller whose token does not carry the scopes; the edge asks too, but this cannot be got round.

    Raises:
        NotAllowed: One is missing, or nobody that is known here asks.
    """
    if context is not None:
        check_scopes(context.request_context.lifespan_context.caller().scopes, needed)


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
