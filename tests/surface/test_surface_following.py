"""A job of hours, followed by us and by an agent that asks when it is told to, in a time that only the test moves."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_service.faults import Fault, FaultKind, Faults
from recontact_service.operations import Operation
from recontact_service.running import running
from recontact_service.settings import ServiceSettings
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.runtime import Clock

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
FULL = 100_000
# The documented 15 minutes for 10,000 IDs, of which the service takes the middle, 12.5 minutes.
SLOWEST = 1.2
QUICKEST = 0.8


@dataclass
class Hours:
    """Time that passes only when a test lets it; whoever was woken works until it sleeps again or has ended."""

    moment: datetime = datetime(2030, 1, 1, 12, tzinfo=UTC)
    slept: list[float] = field(default_factory=list[float])
    _asleep: "dict[asyncio.Task[Any], tuple[datetime, anyio.Event]]" = field(
        default_factory=dict["asyncio.Task[Any]", tuple[datetime, anyio.Event]]
    )
    _awake: "set[asyncio.Task[Any]]" = field(default_factory=set["asyncio.Task[Any]"])

    def now(self) -> datetime:
        """Return this test's time."""
        return self.moment

    async def sleep(self, seconds: float) -> None:
        """Sleep until the test has let so much time pass."""
        task = asyncio.current_task()
        assert task is not None
        event = anyio.Event()
        self._asleep[task] = (self.moment + timedelta(seconds=seconds), event)
        self._awake.discard(task)
        try:
            await event.wait()
        finally:
            self._asleep.pop(task, None)
            self._awake.add(task)

    async def nap_or_sleep(self, seconds: float) -> None:
        """Sleep; but a tool call that waits for the engine waits for a moment of ours."""
        if seconds < 1:
            await anyio.sleep(0.001)
            return
        self.slept.append(seconds)
        await self.sleep(seconds)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, from one moment at which somebody wakes to the next."""
        end = self.moment + timedelta(seconds=seconds)
        while True:
            await self.settle()
            due = min((deadline for deadline, _ in self._asleep.values()), default=end)
            self.moment = min(due, end)
            for task, (deadline, event) in [*self._asleep.items()]:
                if deadline <= self.moment:
                    del self._asleep[task]
                    self._awake.add(task)
                    event.set()
            if due > end:
                return

    async def settle(self) -> None:
        """Wait until everybody who was woken has done what there was to do."""
        while any(not task.done() for task in self._awake):  # noqa: ASYNC110 - threads are at work, too
            await anyio.sleep(0.001)

    async def until_asleep_for(self, seconds: float, *, sleepers: int = 1) -> None:
        """Wait until so many sleep for so long from now."""
        deadline = self.moment + timedelta(seconds=seconds)
        while [until for until, _ in self._asleep.values()].count(deadline) < sleepers:  # noqa: ASYNC110 - as above
            await anyio.sleep(0.001)


@dataclass
class World:
    """An API that takes its time, and a server that follows its jobs."""

    pace: float
    hours: Hours = field(default_factory=Hours)
    faults: Faults = field(default_factory=Faults)

    @property
    def reads(self) -> int:
        """How many requests the API has seen, tokens and all."""
        return self.faults.requests.total()

    @property
    def effects(self) -> Effects:
        """What a server of this world is given."""
        return Effects(clock=Clock(now=self.hours.now, sleep=self.hours.nap_or_sleep), gateway=self.gateway)

    @asynccontextmanager
    async def gateway(self, settings: Settings) -> AsyncGenerator[Gateway]:
        """Serve the API in this world's time; sweeping rarely and in one step, for only the end is looked at."""
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        database = settings.data_dir / "service.sqlite"
        clients = {"robot": "open sesame"}
        service_settings = ServiceSettings(
            database=database, pace=self.pace, clients=clients, sweep_seconds=600.0, chunk_ids=FULL
        )
        connection = Connection("http://api.example/v1", "http://api.example/oauth/token", "robot", "open sesame")
        serving = running(service_settings, now=self.hours.now, sleep=self.hours.sleep, faults=self.faults)
        async with serving as service:
            transport = httpx.ASGITransport(app=service.app)
            way = Gateway(
                connection, transport=transport, now=lambda: self.hours.now().timestamp(), sleep=self.hours.sleep
            )
            async with way as gateway:
                yield gateway


def in_reach(answer: dict[str, Any], elapsed: float, end: float) -> bool:
    """Tell whether an answer after so many seconds promised the true end."""
    eta = answer["eta_seconds"]
    return bool(elapsed + eta["low"] <= end <= elapsed + eta["high"] + 1)


@pytest.mark.parametrize("pace", [QUICKEST, SLOWEST], ids=["100 minutes", "150 minutes"])
async def test_a_full_upload_costs_an_obedient_agent_four_calls_and_the_api_two_hundred_reads(
    era: str, connect: "Connect", call: "Call", settings: Settings, identifiers: Identifiers, pace: float
) -> None:
    world = World(pace)
    hours, begun, end = world.hours, world.hours.moment, 7_500 * pace
    (settings.upload_roots[0] / "wave1.csv").write_text("\n".join(identifiers(FULL)))
    async with connect(era, effects=world.effects, pace=1.0) as client:
        answer = await call(client, "upload_recontacts", path="wave1.csv")
        await hours.until_asleep_for(1)  # the follower, before its first look
        calls, promises = 1, [in_reach(answer, 0, end)]
        while answer["poll_after_seconds"]:
            assert answer["poll_after_seconds"] >= 15
            await hours.pass_time(answer["poll_after_seconds"])
            answer = await call(client, "get_upload_job", job_id=answer["job_id"])
            calls += 1
            promises.append(answer["status"] == "Completed" or in_reach(answer, (hours.moment - begun).seconds, end))
        stored = (await call(client, "get_recontact_overview"))["saved_respondent_ids_count"]
    assert (answer["status"], stored) == ("Completed", FULL)
    assert calls <= 4
    assert world.reads <= 200, world.faults.requests
    assert all(promises)


async def test_what_an_account_has_shown_changes_what_it_is_promised_and_how_it_is_followed(
    era: str, connect: "Connect", call: "Call", settings: Settings, identifiers: Identifiers
) -> None:
    world = World(pace=0.16)  # 2 minutes for 10,000 IDs
    ids = identifiers(50_000)
    promised: list[dict[str, int]] = []
    looked: list[Counter[float]] = []
    async with connect(era, effects=world.effects, pace=1.0) as client:
        for part in range(5):
            world.hours.slept.clear()
            (settings.upload_roots[0] / "part.csv").write_text("\n".join(ids[part * 10_000 : (part + 1) * 10_000]))
            answer = await call(client, "upload_recontacts", path="part.csv")
            await world.hours.until_asleep_for(1)
            await world.hours.pass_time(185)  # a minute longer than it takes: the follower has seen the end
            done = await call(client, "get_upload_job", job_id=answer["job_id"])
            assert done["status"] == "Completed"
            promised.append(answer["eta_seconds"])
            looked.append(Counter(world.hours.slept))
    assert promised[0] == {"low": 600, "high": 900}
    assert promised[-1]["low"] < 300
    assert promised[-1]["high"] < 450
    assert looked[0][60] > looked[-1][60]  # its end was far then, by all that was known
    assert looked[-1][15] > looked[0][15]


async def test_the_next_step_of_a_long_job_names_minutes_and_every_other_way_to_hear_of_it(
    era: str, connect: "Connect", call: "Call", settings: Settings, identifiers: Identifiers
) -> None:
    world = World(SLOWEST)
    (settings.upload_roots[0] / "wave1.csv").write_text("\n".join(identifiers(10_000)))
    async with connect(era, effects=world.effects, pace=1.0) as client:
        started = await call(client, "upload_recontacts", path="wave1.csv")
        await world.hours.until_asleep_for(1)
        await world.hours.pass_time(30)
        job = await call(client, "get_upload_job", job_id=started["job_id"])
    assert started["poll_after_seconds"] == 15
    assert "after 15 s" in started["next_step"]
    assert job["poll_after_seconds"] == 570
    assert "after about 10 minutes" in job["next_step"]
    assert "wait_seconds=45" in job["next_step"]
    assert "resource_uri" in job["next_step"]


async def test_a_job_of_unknown_size_is_promised_no_more_than_the_longest_time(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    job_id = await api.upload_elsewhere(identifiers(10), finished=False)
    async with connect(era, effects=effects, pace=1.0) as client:
        job = await call(client, "get_upload_job", job_id=job_id)
    assert job["eta_seconds"] == {"low": 0, "high": 9_000}


async def test_a_wait_goes_on_through_a_rate_limit_that_ends_in_it(
    era: str, connect: "Connect", call: "Call", identifiers: Identifiers
) -> None:
    world = World(QUICKEST)
    async with connect(era, effects=world.effects, pace=1.0) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(10))
        await world.hours.until_asleep_for(1)
        # The wait is the first to look: the follower sleeps for another second.
        world.faults.script(Operation.GET_RSIDS_UPLOAD, Fault(FaultKind.RATE_LIMITED, seconds=30))
        jobs: list[dict[str, Any]] = []
        async with anyio.create_task_group() as tasks:

            async def wait() -> None:
                jobs.append(await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45))

            tasks.start_soon(wait)
            await world.hours.until_asleep_for(30)
            await world.hours.pass_time(31)
        assert [job["status"] for job in jobs] == ["Completed"]


async def test_a_wait_that_the_api_forbids_for_longer_is_not_begun(
    era: str, connect: "Connect", call: "Call", refused: "Call", identifiers: Identifiers
) -> None:
    world = World(QUICKEST)
    async with connect(era, effects=world.effects, pace=1.0) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(10))
        await world.hours.until_asleep_for(1)
        world.faults.script(Operation.GET_RSIDS_UPLOAD, Fault(FaultKind.RATE_LIMITED, seconds=60))
        error = await refused(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
    assert (error["code"], error["retry_after_seconds"]) == ("RATE_LIMITED", 60)


@pytest.mark.parametrize("waiters", [1, 50])
async def test_fifty_who_wait_for_a_job_cost_the_api_as_much_as_one(
    era: str, connect: "Connect", call: "Call", settings: Settings, identifiers: Identifiers, waiters: int
) -> None:
    world = World(SLOWEST)
    (settings.upload_roots[0] / "wave1.csv").write_text("\n".join(identifiers(10_000)))
    statuses: list[str] = []
    async with connect(era, effects=world.effects, pace=1.0) as client:
        started = await call(client, "upload_recontacts", path="wave1.csv")
        await world.hours.until_asleep_for(1)
        await world.hours.pass_time(200)
        asked = world.faults.requests.copy()

        async def wait() -> None:
            job = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
            statuses.append(job["status"])

        async with anyio.create_task_group() as tasks:
            for _ in range(waiters):
                tasks.start_soon(wait)
            await world.hours.until_asleep_for(15, sleepers=waiters)
            await world.hours.pass_time(45)
        cost = world.faults.requests - asked
    assert statuses == ["Processing"] * waiters
    # At 0, 15, 30 and 45 seconds, and one or two of the follower.
    assert cost[Operation.GET_RSIDS_UPLOAD] <= 6, cost
    assert cost[Operation.OVERVIEW] <= 4, cost
