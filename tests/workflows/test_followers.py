"""Jobs that were started elsewhere: followed by one process for all, and not for ever."""

import fcntl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.lowlevel
import httpx
import pytest
from desk_setting import ANYTHING, GROUP, IDS, SEAL, Setting
from desk_setting import KEPT as SNAPSHOTS_KEPT

from recontact_service.faults import Fault, FaultKind, Faults
from recontact_service.operations import Operation
from recontact_service.running import running
from recontact_service.settings import ServiceSettings
from recontact_tools.desk import Desk
from recontact_tools.errors import NotFound, Unreachable
from recontact_tools.followers import FOLLOWED_AT_ONCE, FOLLOWED_FOR_EACH, WANTED_FOR, Followers
from recontact_tools.following import MISSES_AT_MOST
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.ledger import JobKey, Ledger, LedgerUnavailable
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.ledger.updates import KEPT
from recontact_tools.models import IdType, JobKind
from recontact_tools.policy import Policy
from recontact_tools.relay import Relay
from recontact_tools.runtime import Clock, Rules, Runtime
from recontact_tools.seats import FileSeat
from recontact_tools.uris import changed_uris, job_uri
from recontact_tools.watched import Watched

pytestmark = pytest.mark.anyio

LOCAL = "local"

LOOK = Operation.GET_RSIDS_UPLOAD
# source: the issue "Trust", 8: a sibling takes over within 3 s
TAKEN_OVER_WITHIN = 3


class NoEngine:
    """An engine that nothing is handed to."""

    async def submit(self, intent_id: str) -> None:
        raise AssertionError(intent_id)


class Place:
    """One process: what it watches, and whom it has follow."""

    def __init__(self, setting: Setting, folder: Path) -> None:
        rules = Rules(
            policy=Policy(read_only=True, accounts=None, projects=None, target_groups=None),
            account_id=GROUP.account_id,
            project_id=GROUP.project_id,
            upload_roots=(),
            local_files=False,
            pace=0.0,
            plan_seconds=600,
            compare_pages=1,
            snapshots_kept=SNAPSHOTS_KEPT,
            template_id="",
        )
        self.asleep = anyio.Event()
        self.awake = anyio.Event()
        self.setting = setting
        self.told: list[str] = []
        desk, clock = setting.desk, Clock(now=setting.now, sleep=self.sleep)
        self.runtime = Runtime(
            rules, desk.gateway, desk.ledger, NoEngine(), clock, lambda: "NEW", "local", SEAL, publish=self.tell
        )
        self.watched = Watched()
        self.followers = Followers(FileSeat(folder / "follow.lock"), self.runtime, self.watched)

    async def sleep(self, seconds: float) -> None:
        """Sleep until the test wakes this process."""
        del seconds
        self.asleep.set()
        await self.awake.wait()
        await anyio.sleep(0.001)

    async def tell(self, *uris: str) -> None:
        """Hear what changed."""
        self.told.extend(uris)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[anyio.CancelScope]:
        """Follow, or stand by, until the scope is cancelled, which is this process's death."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.followers.run)
            yield tasks.cancel_scope
            tasks.cancel_scope.cancel()

    async def until_told(self) -> None:
        """Wait until something was told."""
        while not self.told:  # noqa: ASYNC110 - it is told from another task at any time
            await anyio.sleep(0.01)


def is_free(lock: Path) -> bool:
    """Tell whether another process could follow."""
    with lock.open() as sibling:
        try:
            fcntl.flock(sibling, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    """Set a desk up over a service whose jobs end when the test lets some time pass, and take it down."""
    faults, behind = Faults(), list[Setting]()
    settings = ServiceSettings(database=tmp_path / "service.sqlite", clients={"test": "secret"}, pace=1.0)
    connection = Connection("http://service.invalid/v1", "http://service.invalid/oauth/token", "test", "secret")

    def now() -> datetime:
        return behind[0].moment if behind else datetime(2026, 11, 23, 12, tzinfo=UTC)

    async with running(settings, faults=faults, now=now, sleep=nap) as service:
        place = Setting(service, faults)
        behind.append(place)
        transport = httpx.ASGITransport(app=service.app)
        way = Gateway(connection, transport=transport, now=lambda: place.now().timestamp(), sleep=nap)
        async with way as gateway:
            ledger = SqlLedger.open(tmp_path / "ledger.sqlite")
            clock = Clock(now=place.now, sleep=place.sleep)
            place.desk = Desk(gateway, ledger, clock, 0.0, ANYTHING, SEAL, SNAPSHOTS_KEPT, publish=place.publish)
            yield place
            await ledger.aclose()


async def nap(_seconds: float) -> None:
    """Sleep for no time to speak of."""
    await anyio.sleep(0.001)


async def let_end(setting: Setting) -> None:
    """Let the job end: three IDs take a quarter of a second, and looks are news for one at most."""
    setting.moment += timedelta(seconds=2)
    await setting.service.advance()


@pytest.fixture
def place(setting: Setting, tmp_path: Path) -> Place:
    return Place(setting, tmp_path)


async def elsewhere(setting: Setting) -> JobKey:
    """Start a job past everything of ours; it runs until the service is let go on."""
    job_id = await setting.desk.gateway.upload_file(
        GROUP, file_name="elsewhere.csv", content="\n".join(IDS).encode(), id_type=IdType.RSID
    )
    return JobKey(JobKind.UPLOAD, GROUP, job_id)


async def test_a_job_is_followed_to_its_end_and_told_once(setting: Setting, place: Place) -> None:
    key = await elsewhere(setting)
    with anyio.fail_after(10):
        async with place.running():
            with place.watched.watching([job_uri(key.group, key.kind, key.job_id)]):
                await place.followers.ask([key], principal=LOCAL)
                await place.asleep.wait()
                await let_end(setting)
                place.awake.set()
                await place.until_told()
    found = await setting.desk.ledger.elsewhere.find(key)
    assert found is not None
    assert found.has_ended
    assert set(place.told) == set(changed_uris(key.group, key.kind, key.job_id))


async def test_when_the_process_that_follows_dies_one_that_watches_too_takes_over(
    setting: Setting, tmp_path: Path
) -> None:
    first, second = Place(setting, tmp_path), Place(setting, tmp_path)
    key = await elsewhere(setting)
    uri = job_uri(key.group, key.kind, key.job_id)
    with anyio.fail_after(20):
        async with second.running():
            async with first.running() as life:
                with first.watched.watching([uri]):
                    await first.followers.ask([key], principal=LOCAL)
                    await first.asleep.wait()
                with second.watched.watching([uri]):
                    await second.followers.ask([key], principal=LOCAL)
                    await anyio.lowlevel.checkpoint()
                    assert not second.asleep.is_set()
                    life.cancel()
            with second.watched.watching([uri]), anyio.fail_after(TAKEN_OVER_WITHIN):
                await second.followers.ask([key], principal=LOCAL)
                await second.asleep.wait()
                second.awake.set()
                await let_end(setting)
                await second.until_told()


async def test_a_job_that_stays_hidden_is_given_up_and_watchers_are_told_to_look(
    setting: Setting, place: Place
) -> None:
    key = await elsewhere(setting)
    with anyio.fail_after(20):
        async with place.running():
            with place.watched.watching([job_uri(key.group, key.kind, key.job_id)]):
                await place.followers.ask([key], principal=LOCAL)
                setting.faults.script(LOOK, Fault(FaultKind.EXPIRED_TOKEN), times=4 * MISSES_AT_MOST)
                setting.moment += timedelta(seconds=1)  # the look of who asked is news no more
                await place.asleep.wait()
                place.awake.set()
                await place.until_told()
    found = await setting.desk.ledger.elsewhere.find(key)
    assert found is not None
    assert (found.has_ended, found.wanted_until) == (False, None)


async def test_what_nobody_watches_any_more_is_followed_no_more_and_the_lock_is_free(
    setting: Setting, place: Place, tmp_path: Path
) -> None:
    key = await elsewhere(setting)
    with anyio.fail_after(20):
        async with place.running():
            with place.watched.watching([job_uri(key.group, key.kind, key.job_id)]):
                await place.followers.ask([key], principal=LOCAL)
                await place.asleep.wait()
            looks = setting.faults.requests[LOOK]
            assert not is_free(tmp_path / "follow.lock")
            setting.moment += WANTED_FOR
            place.awake.set()
            while not is_free(tmp_path / "follow.lock"):  # noqa: ASYNC110 - a lock tells nobody
                await anyio.sleep(0.01)
    assert (place.told, setting.faults.requests[LOOK]) == ([], looks)


async def test_a_job_goes_on_being_wanted_for_as_long_as_it_is_watched(setting: Setting, place: Place) -> None:
    key = await elsewhere(setting)
    with anyio.fail_after(20):
        async with place.running():
            with place.watched.watching([job_uri(key.group, key.kind, key.job_id)]):
                await place.followers.ask([key], principal=LOCAL)
                await place.asleep.wait()
                setting.moment += timedelta(hours=1)  # a machine that slept
                jobs = setting.desk.ledger.elsewhere
                while not await jobs.wanted(now=setting.moment):  # noqa: ASYNC110 - a ledger tells nobody
                    await anyio.sleep(0.01)


async def test_looks_that_meet_an_outage_say_nothing_about_the_job(setting: Setting, place: Place) -> None:
    key = await elsewhere(setting)
    with anyio.fail_after(20):
        async with place.running():
            with place.watched.watching([job_uri(key.group, key.kind, key.job_id)]):
                setting.faults.script(LOOK, Fault(FaultKind.ERROR), times=8)  # two looks, each tries four times
                await place.followers.ask([key], principal=LOCAL)
                await place.asleep.wait()
                place.awake.set()
                await let_end(setting)
                await place.until_told()


async def test_of_many_jobs_only_so_many_are_followed_and_a_job_of_ours_needs_no_place(
    setting: Setting, place: Place
) -> None:
    jobs, now = setting.desk.ledger.elsewhere, setting.moment
    most = (FOLLOWED_AT_ONCE, FOLLOWED_AT_ONCE)
    for number in range(FOLLOWED_AT_ONCE):
        other = JobKey(JobKind.UPLOAD, GROUP, str(number))
        assert await jobs.want(other, None, now=now, until=now + WANTED_FOR, owner=LOCAL, at_most=most)
    await setting.intend("A", JobKind.UPLOAD, IDS)

    await place.followers.ask([JobKey(JobKind.UPLOAD, GROUP, "A")], principal=LOCAL)
    with pytest.raises(Unreachable) as refused:
        await place.followers.ask([await elsewhere(setting)], principal=LOCAL)

    assert "wait_seconds" in refused.value.next_step


async def test_no_caller_takes_the_places_of_all_others(setting: Setting, place: Place) -> None:
    jobs, now = setting.desk.ledger.elsewhere, setting.moment
    for number in range(FOLLOWED_FOR_EACH):
        other = JobKey(JobKind.UPLOAD, GROUP, str(number))
        assert await jobs.want(other, None, now=now, until=now + WANTED_FOR, owner="ann", at_most=(99, 99))
    key = await elsewhere(setting)

    with pytest.raises(Unreachable) as refused:
        await place.followers.ask([key], principal="ann")
    await place.followers.ask([key], principal="bob")
    await place.followers.ask([key], principal="ann")  # it is followed anyway

    assert f"or {FOLLOWED_FOR_EACH} for you" in refused.value.message
    assert len(await jobs.wanted(now=now)) == FOLLOWED_FOR_EACH + 1


async def test_a_job_that_nobody_knows_is_not_followed(place: Place) -> None:
    with pytest.raises(NotFound):
        await place.followers.ask([JobKey(JobKind.UPLOAD, GROUP, "01BTGNYV6HRNK8K8VKZASZCFZZ")], principal=LOCAL)


class Failing:
    """A ledger, or a part of one, of which each method that is named fails once."""

    def __init__(self, ledger: object, names: set[str]) -> None:
        self._ledger = ledger
        self._names = names

    def __getattr__(self, name: str) -> Any:
        part: Any = getattr(self._ledger, name)
        if not callable(part):
            return Failing(part, self._names)

        async def call(*args: Any, **named: Any) -> Any:
            if name in self._names:
                self._names.discard(name)
                raise LedgerUnavailable("the disk is full")
            return await cast("Awaitable[Any]", part(*args, **named))

        return call


async def test_a_ledger_or_a_lock_that_fails_for_a_while_ends_nothing(
    setting: Setting, place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = await elsewhere(setting)
    names = {"wanted", "note"}
    failing = replace(place.runtime, ledger=cast("Ledger", Failing(setting.desk.ledger, names)))
    followers = Followers(FileSeat(tmp_path / "follow.lock"), failing, place.watched)
    (tmp_path / "follow.lock").mkdir()
    await place.followers.ask([key], principal=LOCAL)
    with anyio.fail_after(20), place.watched.watching([job_uri(key.group, key.kind, key.job_id)]):
        await followers.ask([key], principal=LOCAL)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(followers.run)
            while "IsADirectoryError" not in caplog.text:  # noqa: ASYNC110 - a log tells nobody
                await anyio.sleep(0.01)
            (tmp_path / "follow.lock").rmdir()
            await place.asleep.wait()
            await let_end(setting)
            place.awake.set()
            await place.until_told()
            tasks.cancel_scope.cancel()
    assert names == set()
    assert caplog.text.count("LedgerUnavailable") == 2


async def test_a_change_that_cannot_be_announced_is_told_here_all_the_same(
    setting: Setting, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    names = {"announce", "since"}
    ledger = cast("Ledger", Failing(setting.desk.ledger, names))
    relay = Relay(ledger, origin="here", tell=place.tell, watched=place.watched)
    await relay.publish("a")
    with anyio.fail_after(10), place.watched.watching(["b"]):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(relay.run)
            while names:  # noqa: ASYNC110 - as above
                await anyio.sleep(0.01)
            await setting.desk.ledger.updates.announce(["b", "c"], origin="there")
            while "b" not in place.told:  # noqa: ASYNC110 - as above
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
    assert place.told == ["a", "b"]
    assert (caplog.text.count("could not be told"), caplog.text.count("could not be read")) == (1, 1)


async def test_who_slept_through_more_than_is_kept_is_told_to_look_at_all_it_watches(
    setting: Setting, place: Place
) -> None:
    relay = Relay(setting.desk.ledger, origin="here", tell=place.tell, watched=place.watched)
    await setting.desk.ledger.updates.announce(["first"], origin="there")
    await relay.catch_up()
    with anyio.fail_after(10), place.watched.watching(["a", "b"]):
        await relay.catch_up()  # somebody watches: what came meanwhile is still to be told
        await setting.desk.ledger.updates.announce([f"{number}" for number in range(KEPT + 1)], origin="there")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(relay.run)
            await place.until_told()
            tasks.cancel_scope.cancel()
    assert set(place.told) == {"a", "b"}
