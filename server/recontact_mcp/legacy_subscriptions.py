"""Subscriptions of 2025 clients: who watches what, and telling them without waiting for one another."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import anyio.abc
from mcp.server.session import ServerSession
from mcp.server.subscriptions import ServerEvent, SubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated
from mcp_types import EmptyResult, PingRequest

from recontact_tools.errors import ErrorCode, Unreachable
from recontact_tools.watched import Watched

# ours: as many as the SDK keeps streams for modern clients.
SUBSCRIPTIONS_MAX = 1_024
# ours: of several callers one may take this part of the table; hundreds of jobs, and three parts are left for others.
SHARES = 4
# ours: writing a line takes microseconds; a client that has not read for so long has gone or will read again later.
SEND_SECONDS = 5.0
# ours: a living client answers at once, but a busy one may be late.
PING_SECONDS = 2.0

Key = tuple[int, str]


@dataclass(slots=True)
class _Subscription:
    """One session that watches one URI; *news* counts what it has still to be told, once however often it happened."""

    session: ServerSession
    uri: str
    owner: str | None
    news: bool = False
    sending: bool = False


class LegacySubscriptions:
    """A bounded table of subscriptions; a session that cannot be told anything is dropped from it."""

    def __init__(self, bus: SubscriptionBus, watched: Watched, *, limit: int = SUBSCRIPTIONS_MAX) -> None:
        self._bus = bus
        self._watched = watched
        self._limit = limit
        self._table: dict[Key, _Subscription] = {}
        self._tasks: anyio.abc.TaskGroup

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Tell subscribers what happens on the bus, until the server stops."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            unsubscribe = self._bus.subscribe(self._hear)
            try:
                yield
            finally:
                unsubscribe()
                for key in [*self._table]:
                    self._drop(key)
                tasks.cancel_scope.cancel()

    async def subscribe(self, session: ServerSession, uri: str, *, owner: str | None = None) -> None:
        """Tell a session of changes of a resource; *owner* is one of several callers, None the only one.

        Raises:
            Unreachable: The table, or the owner's share of it, is full of living sessions.
        """
        key = (_session_id(session), uri)
        if key not in self._table and self._is_full(owner):
            await self._drop_the_dead()
            if self._is_full(owner):
                raise _too_many()
        if key not in self._table:
            self._watched.add([uri])
        self._table[key] = _Subscription(session, uri, owner)

    def unsubscribe(self, session: ServerSession, uri: str) -> None:
        """Tell a session no more of a resource, if it was told."""
        self._drop((_session_id(session), uri))

    def _is_full(self, owner: str | None) -> bool:
        if len(self._table) >= self._limit:
            return True
        share = self._limit // SHARES
        return owner is not None and sum(one.owner == owner for one in self._table.values()) >= share

    def _drop(self, key: Key) -> None:
        dropped = self._table.pop(key, None)
        if dropped is not None:
            self._watched.remove([dropped.uri])

    def _drop_session(self, session_id: int) -> None:
        for key in [key for key in self._table if key[0] == session_id]:
            self._drop(key)

    def _hear(self, event: ServerEvent) -> None:
        """Take note of an event; the bus waits for nobody, and neither does one session for another."""
        if not isinstance(event, ResourceUpdated):
            return
        for key, subscription in self._table.items():
            if subscription.uri == event.uri:
                subscription.news = True
                if not subscription.sending:
                    subscription.sending = True
                    self._tasks.start_soon(self._send, key, subscription)

    async def _send(self, key: Key, subscription: _Subscription) -> None:
        try:
            while subscription.news and self._table.get(key) is subscription:
                subscription.news = False
                with anyio.fail_after(SEND_SECONDS):
                    await subscription.session.send_resource_updated(subscription.uri)
        except (TimeoutError, MCPError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            self._drop_session(key[0])
        finally:
            subscription.sending = False

    async def _drop_the_dead(self) -> None:
        """Ask every session whether it is still there: the SDK does not tell when one has gone."""
        sessions = {key[0]: subscription.session for key, subscription in self._table.items()}
        async with anyio.create_task_group() as tasks:
            for session_id, session in sessions.items():
                tasks.start_soon(self._ask, session_id, session)

    async def _ask(self, session_id: int, session: ServerSession) -> None:
        try:
            await session.send_request(PingRequest(), EmptyResult, request_read_timeout_seconds=PING_SECONDS)
        except (TimeoutError, MCPError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            self._drop_session(session_id)


def _session_id(session: ServerSession) -> int:
    """Return what is the same for every request of a connection, and for no other connection.

    The SDK makes a session anew for each request; what the client said at the handshake is kept for all of them, and
    is kept alive by the session in the table.
    """
    return id(session.client_params)


def _too_many() -> Unreachable:
    return Unreachable(
        "This server keeps no more subscriptions; nothing was changed.",
        code=ErrorCode.UNAVAILABLE,
        next_step="Use the job tool with wait_seconds instead, or unsubscribe from what has ended.",
        safe_to_repeat=True,
    )
