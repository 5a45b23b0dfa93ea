"""The Tasks extension (`io.modelcontextprotocol/tasks`), on public interfaces of the SDK alone, which ships none."""

from collections.abc import Sequence
from typing import Any

from mcp.server.context import CallNext, HandlerResult
from mcp.server.mcpserver import Extension, MethodBinding, require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp_types import HEADER_MISMATCH, INVALID_PARAMS, CallToolRequestParams, CallToolResult

from recontact_mcp.tasks.wire import TASKS, VERSIONS, Asking, TaskParams, UpdateParams, Work


class Tasks(Extension):
    """Answers a caller that declared the extension with a task, where a tool answered with the handle of a job.

    Everything else passes through as it is: refusals, questions to a person, and the answers to whoever did not
    declare it. A client that shows MCP Apps keeps the handle, too: their views are made of it.
    """

    identifier = TASKS

    def __init__(self, work: Work) -> None:
        self._work = work

    def methods(self) -> Sequence[MethodBinding]:
        """The three requests about tasks."""
        return (
            MethodBinding("tasks/get", TaskParams, self._get, VERSIONS),
            MethodBinding("tasks/update", UpdateParams, self._update, VERSIONS),
            MethodBinding("tasks/cancel", TaskParams, self._cancel, VERSIONS),
        )

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: Asking, call_next: CallNext
    ) -> HandlerResult:
        """Swap the handle of a job for its task."""
        result = await call_next(ctx)
        if isinstance(result, CallToolResult) and takes_tasks(ctx):
            task = await self._work.begun(ctx, params, result)
            if task is not None:
                return task.created()
        return result

    async def _get(self, ctx: Asking, params: TaskParams) -> dict[str, Any]:
        check_caller(ctx, params.task_id)
        state = await self._work.state(ctx, params.task_id)
        if state is None:
            raise _no_such_task()
        return state.detailed()

    async def _update(self, ctx: Asking, params: UpdateParams) -> dict[str, Any]:
        check_caller(ctx, params.task_id)
        if not await self._work.answer(ctx, params.task_id, params.input_responses):
            raise _no_such_task()
        return {}

    async def _cancel(self, ctx: Asking, params: TaskParams) -> dict[str, Any]:
        check_caller(ctx, params.task_id)
        if not await self._work.cancel(ctx, params.task_id):
            raise _no_such_task()
        return {}


def takes_tasks(ctx: Asking) -> bool:
    """Whether a task may be the answer to this request, by what its caller declared with it."""
    capabilities = ctx.session.client_capabilities
    declared = (capabilities.extensions if capabilities else None) or {}
    if ctx.protocol_version not in VERSIONS or TASKS not in declared:
        return False
    # Imported here: few clients come this far.
    from mcp.server.apps import client_supports_apps  # noqa: PLC0415 (the reason is the line above)

    return not client_supports_apps(ctx)


def check_caller(ctx: Asking, task_id: str) -> None:
    """Refuse a caller that did not declare the extension, or whose header names another task.

    Raises:
        MCPError: One of the two.
    """
    require_client_extension(ctx, TASKS)
    # HTTP has a request with headers; stdio has none.
    named = None if ctx.request is None else ctx.request.headers.get(MCP_NAME_HEADER)
    if named is not None and decode_header_value(named) != task_id:
        raise MCPError(code=HEADER_MISMATCH, message="The Mcp-Name header does not name the task of the request.")


def _no_such_task() -> MCPError:
    """Say the same of a task that never was, has expired, or is somebody else's."""
    return MCPError(code=INVALID_PARAMS, message="There is no such task, or not any more.")
