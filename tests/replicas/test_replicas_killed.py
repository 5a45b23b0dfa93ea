"""kill -9 of any replica: what it was at goes on elsewhere within seconds, ends once, and is told to who watches."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
from ears import Ears
from replicas import GROUP, Fleet, Replica, call

if TYPE_CHECKING:
    from tests.replicas.conftest import Fleeting

pytestmark = pytest.mark.anyio

# 100 IDs in some five seconds: longer than a takeover takes.
SLOWLY = "0.7"
IDS = [f"5a3b2ada-0000-4000-8000-{number:012x}" for number in range(100)]
THERE = "recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups"
# source: the engine's promise (tools/recontact_tools/fleet.py)
TAKEN_OVER_WITHIN = 3
# source: the issue "Trust", 8
TOLD_WITHIN = 2


@asynccontextmanager
async def at_work(fleet: Fleet, replica: Replica, era: str) -> AsyncGenerator[str]:
    """Have a replica start an upload that runs for a while; the URI of its job."""
    async with replica.client(era) as client:
        started = await call(client, "upload_recontacts", ids=IDS)
    while not await anyio.to_thread.run_sync(fleet.executors):  # noqa: ASYNC110 - another process begins it
        await anyio.sleep(0.01)
    yield started["resource_uri"]


async def taken_over(fleet: Fleet, before: set[str]) -> None:
    """Wait until what was begun is in the hands of another replica."""
    now = before
    while not now or now & before:
        await anyio.sleep(0.02)
        now = await anyio.to_thread.run_sync(fleet.executors)


def killed(replica: Replica) -> Awaitable[None]:
    """End a replica without a word."""
    return replica.kill()


def stopped(replica: Replica) -> Awaitable[None]:
    """End a replica as an operator does, and do not wait for it."""
    replica.process.terminate()
    return anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("end", [pytest.param(killed, id="kill -9"), pytest.param(stopped, id="SIGTERM")])
async def test_the_job_of_a_replica_that_ends_goes_on_in_another_and_is_told_there(
    era: str, fleeting: "Fleeting", end: Callable[[Replica], Awaitable[None]]
) -> None:
    ears = Ears()
    async with (
        fleeting(SLOWLY) as fleet,
        fleet.replica() as first,
        fleet.replica() as second,
        second.client(era, hear=ears) as client,
        at_work(fleet, first, era) as uri,
        ears.watching(client, uri),
    ):
        begun = fleet.executors()
        await end(first)
        with anyio.fail_after(TAKEN_OVER_WITHIN):
            await taken_over(fleet, begun)
        await fleet.settled()
        with anyio.fail_after(TOLD_WITHIN):
            await ears.until(uri)
        report = await call(client, "get_upload_job", job_id=uri.rpartition("/")[2])
        posts = (await fleet.api.counts())[0]["recontact_create_upload_rsids_by_file_job"]

    assert (report["status"], posts) == ("Completed", 1)


async def test_what_all_replicas_left_is_finished_by_the_next_one(fleeting: "Fleeting") -> None:
    async with fleeting(SLOWLY) as fleet:
        async with fleet.replica() as first, fleet.replica() as second, at_work(fleet, first, "auto"):
            await second.kill()
            await first.kill()
        async with fleet.replica():
            await fleet.settled()
        _requests, jobs = await fleet.api.counts()
        states = fleet.rows("SELECT state, settled_by FROM intents")

    assert jobs == {"upload-rsids-by-file": 1}
    assert states == [("finished", "job")]


async def test_a_replica_that_was_frozen_finds_its_work_done_and_does_nothing_twice(fleeting: "Fleeting") -> None:
    async with (
        fleeting(SLOWLY) as fleet,
        fleet.replica() as first,
        fleet.replica(),
        at_work(fleet, first, "auto") as uri,
    ):
        # Its lock is lost, as by a network that is cut: the others must believe that it is dead.
        begun = fleet.executors()
        first.freeze()
        [name] = begun
        fleet.cut_off(name)
        with anyio.fail_after(TAKEN_OVER_WITHIN):
            await taken_over(fleet, begun)
        first.thaw()
        await fleet.settled()
        async with first.client() as client:
            report = await call(client, "get_upload_job", job_id=uri.rpartition("/")[2])
        posts = (await fleet.api.counts())[0]["recontact_create_upload_rsids_by_file_job"]

    assert (report["status"], posts) == ("Completed", 1)


async def test_a_job_started_elsewhere_is_followed_by_one_replica_and_after_its_kill_by_the_other(
    era: str, fleeting: "Fleeting"
) -> None:
    ears = Ears()
    one, both, after = set[int](), set[int](), set[int]()
    async with (
        fleeting(SLOWLY) as fleet,
        fleet.replica() as first,
        fleet.replica() as second,
        second.client(era, hear=ears) as client,
        anyio.create_task_group() as tasks,
    ):
        uri = f"{THERE}/{GROUP}/upload-jobs/{await fleet.api.upload(IDS)}"
        tasks.start_soon(watch_until_killed, first, era, uri)
        one = await followed(fleet, set())
        async with ears.watching(client, uri):
            both = await followed(fleet, set())
            await first.kill()
            with anyio.fail_after(TAKEN_OVER_WITHIN):
                after = await followed(fleet, one)
            await ears.until(uri)
        tasks.cancel_scope.cancel()

    assert len(one) == len(after) == 1
    assert one == both != after


async def watch_until_killed(replica: Replica, era: str, uri: str) -> None:
    """Watch a job on a replica that is going to be killed under it."""
    ears = Ears()
    with suppress(Exception, BaseExceptionGroup):
        async with replica.client(era, hear=ears) as client, ears.watching(client, uri):
            await anyio.sleep_forever()


async def followed(fleet: Fleet, but: set[int]) -> set[int]:
    """Wait until a replica follows for all, and return its connection to the database; not by that one."""
    found = but
    while not found or found == but:
        await anyio.sleep(0.02)
        found = await anyio.to_thread.run_sync(fleet.holders, "following")
    return found
