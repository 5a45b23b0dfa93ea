"""Following a job: waiting with progress, returning early, and hearing of changes without asking."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest
from mcp import Client
from mcp.client.subscriptions import ResourceUpdated
from mcp_types import CallToolResult

from recontact_mcp.opening import Effects
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
Heard = tuple[float, float | None, str | None]
GROUP_ID = "01BTGNYV6HRNK8K8VKZASZCFP1"
KINDS = pytest.mark.parametrize("kind", ["upload", "removal"])


def answer_of(result: CallToolResult) -> dict[str, object]:
    """Return the answer of a call that must have succeeded."""
    assert not result.is_error
    return result.structured_content or {}


async def test_a_wait_tells_its_progress_and_ends_with_the_callers_patience(
    era: str, connect: "Connect", effects: Effects, api: "Api", identifiers: Identifiers
) -> None:
    heard: list[Heard] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    job_id = await api.upload_elsewhere(identifiers(10), finished=False)
    arguments = {"target_group_id": GROUP_ID, "job_id": job_id, "wait_seconds": 45}
    async with connect(era, effects=effects, pace=1.0) as client:
        job = answer_of(await client.call_tool("get_upload_job", arguments, progress_callback=hear))
    # The looks of a job at Cint's pace: as long after the last as it has run, 15 seconds at most, and at the end.
    assert heard == [(done, None, "upload job: Processing") for done in (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 31.0)]
    assert job["status"] == "Processing"


@KINDS
async def test_a_wait_ends_as_soon_as_the_job_does(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    kind: str,
) -> None:
    heard: list[float] = []
    waiting, told = anyio.Event(), anyio.Event()

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        del total, message
        heard.append(progress)
        told.set()

    async def until_it_ends(seconds: float) -> None:
        await effects.clock.sleep(seconds)
        if waiting.is_set() and seconds >= 1:
            # The follower sleeps as well, and must not let the job end amid the call's first look.
            await told.wait()
            api.pass_time(seconds=10)
            await api.until_count(10 if kind == "upload" else 0)

    patient = replace(effects, clock=replace(effects.clock, sleep=until_it_ends))
    async with connect(era, effects=patient, pace=1.0, answer=replying()) as client:
        if kind == "upload":
            started = await call(client, "upload_recontacts", ids=identifiers(10))
        else:
            await api.upload_elsewhere(identifiers(10))
            started = await call(client, "remove_all_recontacts")
        arguments = {"target_group_id": GROUP_ID, "job_id": started["job_id"], "wait_seconds": 45}
        waiting.set()
        job = answer_of(await client.call_tool(f"get_{kind}_job", arguments, progress_callback=hear))
    assert (job["status"], job["poll_after_seconds"]) == ("Completed", 0)
    assert heard == [0.0]


@KINDS
async def test_a_job_that_ends_amid_a_look_is_told_as_all_done_before_its_end_is(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    kind: str,
) -> None:
    heard: list[Heard] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    async with connect(era, effects=effects, pace=1.0, answer=replying()) as client, anyio.create_task_group() as tasks:
        if kind == "upload":
            started = await call(client, "upload_recontacts", ids=identifiers(10))
        else:
            await api.upload_elsewhere(identifiers(10))
            started = await call(client, "remove_all_recontacts")
        # Of the two requests of a look the job's comes first, and the count's later.
        count = api.hold("/overview")

        async def end_amid() -> None:
            await count.arrive()
            api.pass_time(seconds=10)
            await api.until_count(10 if kind == "upload" else 0)
            count.release()

        tasks.start_soon(end_amid)
        arguments = {"target_group_id": GROUP_ID, "job_id": started["job_id"], "wait_seconds": 45}
        job = answer_of(await client.call_tool(f"get_{kind}_job", arguments, progress_callback=hear))
        assert (job["status"], job["poll_after_seconds"]) == ("Completed", 0)
    assert heard == [(10.0, 10.0, f"{kind} job: Processing, 10 of 10 IDs")]


async def test_without_a_wait_one_look_is_all(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    job_id = await api.upload_elsewhere(identifiers(10), finished=False)
    async with connect(era, effects=effects, pace=1.0) as client:
        job = await call(client, "get_upload_job", job_id=job_id)
    assert (job["status"], api.asked(Operation.GET_RSIDS_UPLOAD)) == ("Processing", 1)


async def test_a_wait_goes_on_through_an_outage(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    job_id = await api.upload_elsewhere(identifiers(10))
    api.meet(Operation.GET_RSIDS_UPLOAD, FaultKind.ERROR, times=5)  # more than one look tries
    async with connect(era, effects=effects) as client:
        job = await call(client, "get_upload_job", job_id=job_id, wait_seconds=45)
    assert (job["status"], api.asked(Operation.GET_RSIDS_UPLOAD)) == ("Completed", 6)


async def test_a_finished_job_is_answered_without_asking_the_api_again(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(2))
        first = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
        api.meet(Operation.GET_RSIDS_UPLOAD, FaultKind.ERROR, times=100)
        second = await call(client, "get_upload_job", job_id=started["job_id"])
    assert first == second


async def test_a_job_is_still_known_after_a_restart(
    era: str, connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(2))
        before = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
    async with connect(era, effects=effects) as restarted:
        after = await call(restarted, "get_upload_job", job_id=started["job_id"])
    assert before == after
    assert after["ids_sent"] == 2


@KINDS
async def test_a_modern_client_that_listens_hears_of_the_jobs_end(
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    kind: str,
) -> None:
    async with connect("auto", effects=effects, pace=1.0, answer=replying()) as client:
        if kind == "upload":
            started = await call(client, "upload_recontacts", ids=identifiers(10))
        else:
            await api.upload_elsewhere(identifiers(10))
            started = await call(client, "remove_all_recontacts")
        overview = (await call(client, "get_recontact_overview"))["resource_uri"]
        wanted = {started["resource_uri"], overview}
        async with client.listen(resource_subscriptions=sorted(wanted)) as updates:
            api.pass_time(hours=1)
            heard: set[str] = set()
            async for event in updates:
                assert isinstance(event, ResourceUpdated)
                heard.add(event.uri)
                # That the job runs may be news as well, if the follower's first look came after the subscription.
                if heard == wanted and await job_status(client, started["resource_uri"]) == "Completed":
                    break


async def job_status(client: Client, uri: str) -> str:
    """Read the status of a job from its resource."""
    [content] = (await client.read_resource(uri)).contents
    return str(json.loads(content.model_dump()["text"])["status"])
