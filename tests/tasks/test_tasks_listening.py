"""A stream of tasks at its edges: it ends as the SDK ends it, and what goes wrong with one task ends nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import anyio
import pytest
from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated
from mcp_types import (
    INTERNAL_ERROR,
    CallToolRequestParams,
    CallToolResult,
    ClientCapabilities,
    SubscriptionFilter,
    SubscriptionsAcknowledgedNotification,
    SubscriptionsAcknowledgedNotificationParams,
    SubscriptionsListenResult,
)

from recontact_mcp.tasks.listening import TaskListening
from recontact_mcp.tasks.wire import Asking, TaskState

pytestmark = pytest.mark.anyio

TASKS = "io.modelcontextprotocol/tasks"
PATIENCE = 30.0


@dataclass
class Session:
    """A session that keeps what it is to send."""

    client_capabilities: ClientCapabilities = field(default_factory=lambda: ClientCapabilities(extensions={TASKS: {}}))
    sent: list[Any] = field(default_factory=list[Any])

    async def send_notification(self, notification: object, related_request_id: object = None) -> None:
        """Keep a notification."""
        assert related_request_id == 1
        self.sent.append(notification)


@dataclass
class Broken:
    """A `Work` whose looks go wrong, one after the other as they are given."""

    outcomes: list[Exception | None]
    looked: anyio.Event = field(default_factory=anyio.Event)

    async def state(self, ctx: Asking, task_id: str) -> TaskState | None:
        """Go wrong; the last time, let the test know."""
        del ctx, task_id
        outcome = self.outcomes.pop(0)
        if not self.outcomes:
            self.looked.set()
        if outcome is not None:
            raise outcome
        return None

    async def watched(self, ctx: Asking, task_id: str) -> str | None:
        """Know every task."""
        del ctx
        return f"fixture://{task_id}"

    async def begun(self, ctx: Asking, params: CallToolRequestParams, result: CallToolResult) -> TaskState | None:
        """Begin nothing."""
        raise AssertionError((ctx, params, result))

    async def answer(self, ctx: Asking, task_id: str, responses: Mapping[str, Any]) -> bool:
        """Take no answers."""
        raise AssertionError((ctx, task_id, responses))

    async def cancel(self, ctx: Asking, task_id: str) -> bool:
        """Stop nothing."""
        raise AssertionError((ctx, task_id))


def listening(session: Session) -> Asking:
    """Return the context of a request to listen for one task."""
    return ServerRequestContext(
        session=cast("Any", session),
        lifespan_context=None,
        protocol_version="2026-07-28",
        method="subscriptions/listen",
        params={"notifications": {"taskIds": ["a1"]}},
        request_id=1,
    )


async def acknowledge(ctx: Asking) -> None:
    """Acknowledge as the SDK does."""
    params = SubscriptionsAcknowledgedNotificationParams(notifications=SubscriptionFilter())
    await ctx.session.send_notification(SubscriptionsAcknowledgedNotification(params=params), 1)


async def test_a_stream_ends_with_the_result_of_the_sdk_and_one_task_in_trouble_does_not_end_it() -> None:
    bus, session = InMemorySubscriptionBus(), Session()
    work = Broken([ValueError("the disk is full"), None, MCPError(code=INTERNAL_ERROR, message="no")])
    ended = SubscriptionsListenResult(_meta={})

    async def serve(ctx: Asking) -> HandlerResult:
        await acknowledge(ctx)
        while not work.looked.is_set():
            await bus.publish(ResourceUpdated(uri="fixture://a1"))
        return ended

    with anyio.fail_after(PATIENCE):
        assert await TaskListening(work, bus)(listening(session), serve) is ended
    assert [sent.method for sent in session.sent] == ["notifications/subscriptions/acknowledged"]


async def test_a_stream_that_the_sdk_refuses_is_refused_in_its_words() -> None:
    refusal = MCPError(code=INTERNAL_ERROR, message="Subscription limit reached")

    async def serve(_ctx: Asking) -> HandlerResult:
        raise refusal

    bus = InMemorySubscriptionBus()
    with pytest.raises(MCPError) as caught:
        await TaskListening(Broken([]), bus)(listening(Session()), serve)
    assert caught.value is refusal


async def test_a_change_before_the_acknowledgement_is_told_after_it() -> None:
    bus, session, work = InMemorySubscriptionBus(), Session(), Broken([None])

    async def serve(ctx: Asking) -> HandlerResult:
        await bus.publish(ResourceUpdated(uri="fixture://a1"))
        assert not work.looked.is_set()
        await acknowledge(ctx)
        await work.looked.wait()
        return None

    with anyio.fail_after(PATIENCE):
        await TaskListening(work, bus)(listening(session), serve)
    assert work.outcomes == []
