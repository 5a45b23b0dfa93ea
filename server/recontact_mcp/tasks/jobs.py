"""Our jobs as tasks: bound in the ledger, looked at through the job tools, so that both always say the same."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from secrets import token_hex
from typing import Any, Final, TypeAlias

from mcp.server.subscriptions import SubscriptionBus
from mcp.shared.subscriptions import ResourceUpdated
from mcp_types import CallToolRequestParams, CallToolResult

from recontact_mcp.opening import Opening
from recontact_mcp.refusing import unreadable
from recontact_mcp.scopes import READING, Scope, check_scopes, of_request
from recontact_mcp.tasks.judging import judged, running
from recontact_mcp.tasks.wire import Asking, TaskState
from recontact_tools.catalog import OPERATIONS
from recontact_tools.errors import RecontactError
from recontact_tools.handles import GETTER
from recontact_tools.ledger import IntentState, LedgerFault, Task
from recontact_tools.models import JobKind
from recontact_tools.replacement_reports import KIND as REPLACEMENT
from recontact_tools.runtime import Runtime
from recontact_tools.uris import group_in, job_uri, replacement_uri

logger = logging.getLogger(__name__)

# ours: a job is followed for 25 hours at most; what was begun on a Friday can still be read after the weekend.
LIFETIME: Final = timedelta(days=7)
_ID_BYTES: Final = 16  # source: issue 4, ids of 128 random bits
# A replacement is followed with the tool of upload jobs.
_KINDS: Final = {**{kind.value: kind for kind in JobKind}, REPLACEMENT: JobKind.UPLOAD}
_ENDED: Final = frozenset({IntentState.FINISHED, IntentState.REFUSED})

JobTool: TypeAlias = Callable[[Asking, str, dict[str, Any]], Awaitable[CallToolResult]]
"""Call a job tool as the client of a request could call it."""


def new_task_id() -> str:
    """Return an id that cannot be guessed."""
    return token_hex(_ID_BYTES)


class JobTasks:
    """The `Work` of this server. One job has one task for a principal, however often the call is repeated."""

    def __init__(self, opening: Opening, bus: SubscriptionBus, job_tool: JobTool) -> None:
        self._opening = opening
        self._bus = bus
        self._job_tool = job_tool

    async def begun(self, ctx: Asking, params: CallToolRequestParams, result: CallToolResult) -> TaskState | None:
        """See `Work.begun`; the job runs by now, so its handle is the answer where a task cannot be written down."""
        del ctx  # whose task it is, the runtime knows
        handle = started_by(params.name, result)
        if handle is None:
            return None
        try:
            runtime = await self._opening.runtime()
            task = await runtime.ledger.tasks.bind(new_task(runtime, handle))
        except (LedgerFault, RecontactError) as fault:
            logger.error("A job has no task: %s", type(fault).__name__)  # noqa: TRY400 - texts hold paths
            return None
        return running(task, handle)

    async def state(self, ctx: Asking, task_id: str) -> TaskState | None:
        """See `Work.state`; looks as the job tool does, which costs a request while the job runs."""
        runtime = await self._runtime()
        task = await _own(runtime, task_id)
        if task is None:
            return None
        arguments = {
            "target_group_id": task.group.target_group_id,
            "job_id": task.job_id,
            "project_id": task.group.project_id,
            "account_id": task.group.account_id,
        }
        result = await self._job_tool(ctx, GETTER[task.kind], arguments)
        intent = await runtime.ledger.find_job(task.kind, task.job_id, task.group)
        return judged(task, intent, result, now=runtime.clock.now(), pace=runtime.rules.pace)

    async def answer(self, ctx: Asking, task_id: str, responses: Mapping[str, Any]) -> bool:
        """See `Work.answer`; our tasks ask nothing, for all questions come before the job."""
        del ctx, responses
        return await _own(await self._runtime(), task_id) is not None

    async def cancel(self, ctx: Asking, task_id: str) -> bool:
        """See `Work.cancel`; why a job goes on is told by its state from then on."""
        del ctx
        runtime = await self._runtime(of_request("tasks/cancel", None))
        task = await _own(runtime, task_id)
        if task is None:
            return False
        intent = await runtime.ledger.find_job(task.kind, task.job_id, task.group)
        if intent is None or intent.state not in _ENDED:
            await runtime.ledger.tasks.note(task_id, await _stop(runtime, task), now=runtime.clock.now())
            await self._bus.publish(ResourceUpdated(uri=await _uri(runtime, task)))
        return True

    async def watched(self, ctx: Asking, task_id: str) -> str | None:
        """See `Work.watched`."""
        del ctx
        runtime = await self._runtime()
        task = await _own(runtime, task_id)
        return None if task is None else await _uri(runtime, task)

    async def _runtime(self, needed: frozenset[Scope] = READING) -> Runtime:
        try:
            check_scopes(self._opening.caller().scopes, needed)
            return await self._opening.runtime()
        except RecontactError as error:
            raise unreadable(error) from None


def started_by(tool: str, result: CallToolResult) -> dict[str, Any] | None:
    """Return the handle in the answer of a tool that starts jobs; None in the answer of any other, or in a refusal."""
    operation = OPERATIONS.get(tool)
    if result.is_error or operation is None or operation.read_only:
        return None
    handle: dict[str, Any] = result.structured_content or {}
    return handle if handle.get("kind") in _KINDS and handle.keys() >= {"job_id", "resource_uri"} else None


def new_task(runtime: Runtime, handle: Mapping[str, Any]) -> Task:
    """Make a task for the job of a handle."""
    group = group_in(handle["resource_uri"])
    if group is None:
        raise AssertionError("the URI of a handle is made by our own builder")
    now = runtime.clock.now()
    return Task(
        task_id=new_task_id(),
        principal=runtime.principal,
        kind=_KINDS[handle["kind"]],
        group=group,
        job_id=handle["job_id"],
        created_at=now,
        expires_at=now + LIFETIME,
        updated_at=now,
    )


async def _uri(runtime: Runtime, task: Task) -> str:
    """Return the resource of what a task is a view of."""
    if await runtime.ledger.replacements.get(task.job_id) is not None:
        return replacement_uri(task.group, task.job_id)
    return job_uri(task.group, task.kind, task.job_id)


async def _own(runtime: Runtime, task_id: str) -> Task | None:
    return await runtime.ledger.tasks.find(task_id, principal=runtime.principal, now=runtime.clock.now())


async def _stop(runtime: Runtime, task: Task) -> str:
    # Imported here: hardly any client asks for it.
    from recontact_tools.cancelling import cancel_job  # noqa: PLC0415 (the reason is the line above)

    try:
        return (await cancel_job(runtime, task.group, task.job_id)).explanation
    except RecontactError as refusal:
        return refusal.message
