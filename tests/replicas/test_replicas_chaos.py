"""Replicas that are killed and started again under load, or replaced one by one: nothing is lost or done twice."""

import os
import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from replicas import Fleet, Json, Refused, Replica

if TYPE_CHECKING:
    from tests.replicas.conftest import Fleeting

pytestmark = pytest.mark.anyio

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
# 20 IDs in some half a second: most replicas are killed while they are at something.
SLOWLY = "0.3"
IDS = [f"5a3b2ada-0000-4000-8000-{number:012x}" for number in range(20)]
GROUPS, REPLICAS = 4, 3
KILL_EVERY_SECONDS = 3.0
KILLS = 20 if THOROUGH else 4
# ours: twenty kills took 450 s on a machine with six times as much to do as it could.
PATIENCE = 60.0 + 30.0 * KILLS
# Refusals after which the same call is repeated: nothing was changed, or the earlier call's job is answered.
REPEATED = {"JOB_RUNNING", "UNAVAILABLE", "UNREACHABLE", "RATE_LIMITED"}


@dataclass
class Load:
    """Clients that upload to one target group each, over and over, on whichever replica is there."""

    fleet: Fleet
    http: httpx.AsyncClient
    there: list[Replica] = field(default_factory=list[Replica])
    finished: Counter[str] = field(default_factory=Counter[str])
    unknown: int = 0
    reads: int = 0
    retried: int = 0
    lost: int = 0
    over: bool = False

    @asynccontextmanager
    async def replica(self, **variables: str) -> AsyncGenerator[Replica]:
        """Have one replica more for as long as the block lasts, or until it is taken away."""
        async with self.fleet.replica(**variables) as replica:
            self.there.append(replica)
            yield replica

    async def call(self, tool: str, /, **arguments: object) -> Json:
        """Call a tool until some replica answers; the call is the same each time.

        Raises:
            Refused: It answered with an error.
        """
        while True:
            try:
                return await random.choice(self.there).call(self.http, tool, **arguments)  # noqa: S311 - any will do
            except httpx.HTTPError:
                self.lost += 1
                await anyio.sleep(0.05)

    async def upload_over_and_over(self, group: str) -> None:
        """Upload, follow the job to its end, and begin anew, until it is over."""
        number = 0
        while not self.over:
            number += 1
            try:
                job_id = await self._started(group, f"{group}-{number}")
            except Refused as refused:
                if refused.error["code"] != "OUTCOME_UNKNOWN":
                    raise
                self.unknown += 1  # killed between its mark and its POST: it is told, and not sent again by itself
                continue
            await self._followed(group, job_id)
            self.finished[group] += 1

    async def _started(self, group: str, key: str) -> str:
        while True:
            try:
                started = await self.call("upload_recontacts", target_group_id=group, ids=IDS, idempotency_key=key)
            except Refused as refused:
                if refused.error["code"] not in REPEATED:
                    raise
                await anyio.sleep(0.1)
                continue
            return str(started["job_id"])

    async def _followed(self, group: str, job_id: str) -> None:
        while True:
            report = await self.call("get_upload_job", target_group_id=group, job_id=job_id, wait_seconds=2)
            if not report["poll_after_seconds"]:
                assert report["status"] == "Completed"
                return

    async def read_over_and_over(self) -> None:
        """Read, on another replica where one went away, but no more than once."""
        while not self.over:
            self.reads += 1
            first, *others = random.sample(self.there, k=min(2, len(self.there)))
            try:
                await first.call(self.http, "get_recontact_overview")
            except httpx.HTTPError:
                self.retried += 1
                await others[0].call(self.http, "get_recontact_overview")
            await anyio.sleep(0.01)

    async def nothing_lost(self) -> None:
        """Compare what the ledger says, what the API did and what the clients were told."""
        await self.fleet.settled()
        states = Counter(state for [state] in self.fleet.rows("SELECT state FROM intents"))
        jobs = [job for [job] in self.fleet.rows("SELECT job_id FROM intents WHERE state = 'finished'")]
        _requests, made = await self.fleet.api.counts()
        assert len(set(jobs)) == len(jobs) == made["upload-rsids-by-file"] == sum(self.finished.values())
        assert states["finished"] + states["unknown"] + states["refused"] == sum(states.values())
        assert states["unknown"] == self.unknown
        for group in self.finished:
            overview = await self.call("get_recontact_overview", target_group_id=group)
            assert overview["saved_respondent_ids_count"] == len(IDS)


@asynccontextmanager
async def load_on(fleet: Fleet) -> AsyncGenerator[Load]:
    """Have clients for as long as the block lasts."""
    async with httpx.AsyncClient(timeout=60) as http:
        yield Load(fleet, http)


@pytest.mark.timeout(PATIENCE + 30)
async def test_replicas_killed_every_few_seconds_under_load_lose_nothing_and_do_nothing_twice(
    fleeting: "Fleeting",
) -> None:
    async with (
        fleeting(SLOWLY, patience=PATIENCE) as fleet,
        load_on(fleet) as load,
        AsyncExitStack() as stack,
    ):
        groups = fleet.api.groups(GROUPS)
        for _ in range(REPLICAS):
            await stack.enter_async_context(load.replica())
        async with anyio.create_task_group() as tasks:
            for group in groups:
                tasks.start_soon(load.upload_over_and_over, group)
            for _ in range(KILLS):
                await anyio.sleep(KILL_EVERY_SECONDS)
                dying = load.there.pop(random.randrange(len(load.there)))  # noqa: S311 - any will do
                await dying.kill()
                await stack.enter_async_context(load.replica())
            load.over = True
        await load.nothing_lost()

    assert load.finished.keys() == set(groups)


async def test_replicas_that_are_replaced_one_by_one_fail_no_call(fleeting: "Fleeting") -> None:
    ends: list[int | None] = []
    async with fleeting(SLOWLY) as fleet, load_on(fleet) as load, AsyncExitStack() as stack:
        groups = fleet.api.groups(2)
        # For as long as a balancer needs to notice, a replica that was told to stop still takes requests.
        for _ in range(2):
            await stack.enter_async_context(load.replica(RECONTACT_LINGER_SECONDS="1"))
        async with anyio.create_task_group() as tasks:
            for group in groups:
                tasks.start_soon(load.upload_over_and_over, group)
            tasks.start_soon(load.read_over_and_over)
            for old in tuple(load.there):
                await stack.enter_async_context(load.replica(RECONTACT_LINGER_SECONDS="1"))
                old.process.terminate()
                await anyio.sleep(0.5)
                load.there.remove(old)
                await old.process.wait()
                ends.append(old.process.returncode)
            load.over = True
        await load.nothing_lost()

    assert ends == [0, 0]
    assert load.finished.keys() == set(groups)
    assert load.unknown == 0
    assert (load.lost, load.retried) == (0, 0)  # it lingers, so a balancer that asks has taken it out by then
