"""Telling of tasks on a `subscriptions/listen` stream that asks for it, beside what the SDK tells there."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
from mcp.server.context import CallNext, HandlerResult
from mcp.server.mcpserver import require_client_extension
from mcp.server.subscriptions import SubscriptionBus
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY, ResourceUpdated, ServerEvent
from mcp_types import (
    Notification,
    NotificationParams,
    RequestId,
    ServerNotification,
    SubscriptionsAcknowledgedNotification,
)
from pydantic import ConfigDict

from recontact_mcp.tasks.wire import NOTIFICATION, TASKS, Asking, Work

if TYPE_CHECKING:
    from mcp.server.session import ServerSession

logger = logging.getLogger(__name__)

LISTEN: Final = "subscriptions/listen"
TASKS_HEARD_MAX: Final = 100  # ours: more than anybody follows at once, and each costs a look when it changes


class TaskChangedParams(NotificationParams):
    """A task as `tasks/get` would answer it, and the stream it is told on."""

    model_config = ConfigDict(extra="allow", defer_build=True)


class TaskChanged(Notification[TaskChangedParams, str]):
    """Says that a task has changed."""

    model_config = ConfigDict(defer_build=True)

    method: str = NOTIFICATION


class TaskListening:
    """The middleware that tells of tasks: how each stands at first, and whenever the resource of its job changes."""

    def __init__(self, work: Work, bus: SubscriptionBus) -> None:
        self._work = work
        self._bus = bus

    async def __call__(self, ctx: Asking, call_next: CallNext) -> HandlerResult:
        """Serve a stream that asks for tasks; pass everything else on.

        Raises:
            MCPError: The caller asks for tasks and did not declare the extension.
        """
        wanted = _wanted(ctx) if ctx.method == LISTEN else []
        if not wanted:
            return await call_next(ctx)
        require_client_extension(ctx, TASKS)
        stream = _Stream(ctx, self._work, await self._agreed(ctx, wanted))
        stop = self._bus.subscribe(stream.hear)
        try:
            return await _served(stream, replace(ctx, session=cast("ServerSession", stream)), call_next)
        finally:
            stop()

    async def _agreed(self, ctx: Asking, wanted: list[str]) -> dict[str, str]:
        """Return the tasks that the caller may hear of, with their resources; of the others nothing is said."""
        found = {task_id: await self._work.watched(ctx, task_id) for task_id in wanted[:TASKS_HEARD_MAX]}
        return {task_id: uri for task_id, uri in found.items() if uri is not None}


@dataclass(slots=True)
class _Stream:
    """One stream, standing in for its session: what the SDK acknowledges is completed with the tasks agreed on."""

    ctx: Asking
    work: Work
    tasks: Mapping[str, str]
    _changed: set[str] = field(default_factory=set[str])
    _ended: set[str] = field(default_factory=set[str])
    _wake: anyio.Event = field(default_factory=anyio.Event)
    _acknowledged: anyio.Event = field(default_factory=anyio.Event)

    def hear(self, event: ServerEvent) -> None:
        """Remember which tasks an event is about."""
        if isinstance(event, ResourceUpdated):
            self._changed |= {task_id for task_id, uri in self.tasks.items() if uri == event.uri} - self._ended
            self._wake.set()

    async def send_notification(
        self, notification: ServerNotification, related_request_id: RequestId | None = None
    ) -> None:
        """Send what the SDK says on this stream; the acknowledgement, which comes first, names the tasks as well."""
        if not isinstance(notification, SubscriptionsAcknowledgedNotification):
            await self.ctx.session.send_notification(notification, related_request_id)
            return
        agreed = notification.params.notifications.model_copy(update={"taskIds": [*self.tasks]})
        params = notification.params.model_copy(update={"notifications": agreed})
        await self.ctx.session.send_notification(notification.model_copy(update={"params": params}), related_request_id)
        self._acknowledged.set()

    async def tell(self) -> None:
        """Tell how each task stands, then of every change, once for however many came meanwhile; until cancelled."""
        await self._acknowledged.wait()
        self._changed = set(self.tasks)
        while True:
            changed, self._changed, self._wake = self._changed, set(), anyio.Event()
            for task_id in sorted(changed):
                await self._tell_of(task_id)
            await self._wake.wait()

    async def _tell_of(self, task_id: str) -> None:
        try:
            state = await self.work.state(self.ctx, task_id)
        except Exception as fault:  # noqa: BLE001 - the stream goes on, and who looks is told why
            logger.warning("A task cannot be told: %s", type(fault).__name__)
            return
        if state is None:
            return
        if state.is_over:
            self._ended.add(task_id)
        meta: dict[str, Any] = {SUBSCRIPTION_ID_META_KEY: self.ctx.request_id}
        told = TaskChanged(params=TaskChangedParams.model_validate({**state.detailed(), "_meta": meta}))
        await self.ctx.session.send_notification(cast("ServerNotification", told), self.ctx.request_id)


async def _served(stream: _Stream, ctx: Asking, call_next: CallNext) -> HandlerResult:
    """Let the SDK serve the stream while tasks are told on it; what it refuses is raised as it was."""
    refusal: Exception = AssertionError("what the SDK answers is returned, and what it raises is kept")
    async with anyio.create_task_group() as telling:
        telling.start_soon(stream.tell)
        try:
            return await call_next(ctx)
        except Exception as error:  # noqa: BLE001 - a group would wrap it
            refusal = error
        finally:
            telling.cancel_scope.cancel()
    raise refusal


def _wanted(ctx: Asking) -> list[str]:
    """Return the tasks that a request to listen names; what is malformed besides, the SDK refuses."""
    asked: Any = (ctx.params or {}).get("notifications")
    named: Any = cast("dict[str, object]", asked).get("taskIds") if isinstance(asked, dict) else None
    if not isinstance(named, list):
        return []
    return [task_id for task_id in cast("list[object]", named) if isinstance(task_id, str)]
