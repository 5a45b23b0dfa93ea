"""The table of 2025 subscriptions: bounded, and no session waits for another one or holds a place it does not use."""

from typing import Any, cast

import anyio
import pytest
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.subscriptions import ResourcesListChanged, ResourceUpdated

from recontact_mcp.legacy_subscriptions import SHARES, LegacySubscriptions
from recontact_tools.errors import Unreachable
from recontact_tools.watched import Watched

pytestmark = pytest.mark.anyio


class Session:
    """A session as the table sees it: one that hears, one that has gone, or one that reads no more."""

    def __init__(self, *, alive: bool = True, reads: bool = True) -> None:
        self.client_params = object()
        self.alive = alive
        self.reading = anyio.Event()
        if reads:
            self.reading.set()
        self.heard: list[str] = []
        self.begun = 0

    async def send_resource_updated(self, uri: str) -> None:
        self.begun += 1
        if not self.alive:
            raise anyio.ClosedResourceError
        await self.reading.wait()
        self.heard.append(uri)

    async def send_request(self, *_request: Any, **_named: Any) -> None:
        if not self.alive:
            raise TimeoutError
        await anyio.lowlevel.checkpoint()


def of(session: Session) -> ServerSession:
    """Show a session to the table as the SDK's."""
    return cast("ServerSession", session)


class Setting:
    """A table over a bus."""

    def __init__(self, limit: int = 4) -> None:
        self.bus = InMemorySubscriptionBus()
        self.watched = Watched()
        self.table = LegacySubscriptions(self.bus, self.watched, limit=limit)

    async def tell(self, uri: str) -> None:
        """Publish an update, and let everybody who can hear it."""
        await self.bus.publish(ResourceUpdated(uri=uri))
        await anyio.wait_all_tasks_blocked()


async def test_a_session_that_does_not_read_keeps_nobody_waiting_and_is_told_once_of_all_it_missed() -> None:
    setting, slow, quick = Setting(), Session(reads=False), Session()
    async with setting.table.running():
        await setting.table.subscribe(of(slow), "a")
        await setting.table.subscribe(of(quick), "a")
        for _ in range(5):
            await setting.tell("a")
        waiting = (slow.begun, quick.heard)
        slow.reading.set()
        await anyio.wait_all_tasks_blocked()
    assert waiting == (1, ["a"] * 5)
    assert slow.heard == ["a"] * 2


async def test_a_session_that_has_gone_is_dropped_with_all_it_watched() -> None:
    setting, gone, other = Setting(), Session(alive=False), Session()
    async with setting.table.running():
        for uri in ("a", "b"):
            await setting.table.subscribe(of(gone), uri)
        await setting.table.subscribe(of(other), "b")
        await setting.tell("a")
        await setting.tell("b")
        watched = setting.watched.uris
    assert (gone.begun, other.heard) == (1, ["b"])
    assert watched == {"b"}


async def test_a_full_table_makes_room_from_sessions_that_have_gone_and_else_refuses() -> None:
    setting, gone, alive, late = Setting(limit=2), Session(), Session(), Session()
    async with setting.table.running():
        await setting.table.subscribe(of(gone), "a")
        await setting.table.subscribe(of(alive), "a")
        with pytest.raises(Unreachable):
            await setting.table.subscribe(of(late), "a")
        await setting.table.subscribe(of(alive), "a")  # is there already
        gone.alive = False
        await setting.table.subscribe(of(late), "a")
        await setting.tell("a")
    assert (gone.heard, alive.heard, late.heard) == ([], ["a"], ["a"])


async def test_of_several_callers_one_does_not_get_the_whole_table_however_many_sessions_it_has() -> None:
    setting, session, other = Setting(limit=4 * SHARES), Session(), Session()
    async with setting.table.running():
        for uri in ("a", "b", "c"):
            await setting.table.subscribe(of(session), uri, owner="ann")
        await setting.table.subscribe(of(other), "a", owner="ann")
        with pytest.raises(Unreachable):
            await setting.table.subscribe(of(other), "b", owner="ann")
        await setting.table.subscribe(of(Session()), "b", owner="bob")
        for number in range(2 * SHARES):  # the only caller has no share
            await setting.table.subscribe(of(Session()), str(number))


async def test_a_subscription_that_ends_while_it_is_told_is_told_no_more() -> None:
    setting, slow = Setting(), Session(reads=False)
    async with setting.table.running():
        await setting.table.subscribe(of(slow), "a")
        await setting.tell("a")
        await setting.tell("a")
        setting.table.unsubscribe(of(slow), "a")
        slow.reading.set()
        await anyio.wait_all_tasks_blocked()
    assert slow.heard == ["a"]


async def test_other_events_and_other_resources_are_no_news() -> None:
    setting, session = Setting(), Session()
    async with setting.table.running():
        await setting.table.subscribe(of(session), "a")
        await setting.bus.publish(ResourcesListChanged())
        await setting.tell("b")
    assert session.heard == []


async def test_when_the_server_stops_nothing_is_watched_any_more() -> None:
    setting = Setting()
    async with setting.table.running():
        await setting.table.subscribe(of(Session(reads=False)), "a")
        await setting.tell("a")
    assert setting.watched.uris == frozenset()


async def test_what_several_watch_is_watched_until_the_last_of_them_goes() -> None:
    watched = Watched()
    with watched.watching(["a", "a"]):
        with watched.watching(["a", "b"]):
            pass
        assert watched.uris == {"a"}
        with anyio.fail_after(5):
            await watched.some()
    assert watched.uris == frozenset()
    with anyio.move_on_after(0.01) as scope:
        await watched.some()
    assert scope.cancelled_caught
