"""One look for all who wait, and honest progress: what the count of stored IDs shows, and nothing else."""

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client
from mcp_types import ReadResourceResult, TextResourceContents

from recontact_mcp.freshness import ENDED_MS, SETTLING_MS, ttl_of
from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
Heard = tuple[float, float | None, str | None]
GROUP_ID = "01BTGNYV6HRNK8K8VKZASZCFP1"
HERE = f"recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/{GROUP_ID}/"
LOOK, COUNT = Operation.GET_RSIDS_UPLOAD, Operation.OVERVIEW
Moving = Callable[[Client, str], Awaitable[dict[str, Any]]]
WAITERS = 50


async def wait_for_it(client: Client, job_id: str, statuses: list[str]) -> None:
    """Wait for a job as an agent does."""
    arguments = {"target_group_id": GROUP_ID, "job_id": job_id, "wait_seconds": 45}
    result = await client.call_tool("get_upload_job", arguments)
    assert result.structured_content is not None
    statuses.append(str(result.structured_content["status"]))


async def test_fifty_who_wait_for_a_job_started_elsewhere_cost_the_api_as_much_as_one(
    era: str, connect: "Connect", effects: Effects, api: "Api", identifiers: Identifiers
) -> None:
    costs: list[int] = []
    job_id = await api.upload_elsewhere(identifiers(10), finished=False)
    async with connect(era, effects=effects, pace=1.0) as client:
        for waiters in (1, WAITERS):
            before, statuses = api.asked(LOOK), list[str]()
            async with anyio.create_task_group() as tasks:
                for _ in range(waiters):
                    tasks.start_soon(wait_for_it, client, job_id, statuses)
            assert statuses == ["Processing"] * waiters
            costs.append(api.asked(LOOK) - before)
    one, many = costs
    # Time stands still here, so that a look may be late for some on a busy machine; each for themselves would be 50.
    assert one <= 8
    assert many <= 5 * one + 4


async def test_who_asks_again_at_once_is_shown_the_same_look(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    job_id = await api.upload_elsewhere(identifiers(10_000), finished=False)
    async with connect(era, effects=effects, pace=1.0) as client:
        api.pass_time(seconds=20)
        for _ in range(10):
            await call(client, "get_upload_job", job_id=job_id)
        soon = api.asked(LOOK)
        api.pass_time(seconds=15)
        await call(client, "get_upload_job", job_id=job_id)
    assert (soon, api.asked(LOOK)) == (1, 2)


@pytest.fixture
def moving(settings: Settings, api: "Api", call: "Call", identifiers: Identifiers) -> Moving:
    """Start an upload, or a removal, of 3,000 IDs, and let a third of it show in the count."""

    async def moved(client: Client, kind: str) -> dict[str, Any]:
        ids = identifiers(3_000)
        if kind == "upload":
            (settings.upload_roots[0] / "wave1.csv").write_text("\n".join(ids))
            started = await call(client, "upload_recontacts", path="wave1.csv")
        else:
            await api.upload_elsewhere(ids)
            started = await call(client, "remove_all_recontacts")
        assert await api.count() == (0 if kind == "upload" else 3_000)
        while await api.count() in {0, 3_000}:
            api.pass_time(seconds=1)
            await anyio.sleep(0.01)
        return started

    return moved


@pytest.mark.parametrize("kind", ["upload", "removal"])
async def test_a_job_that_moves_the_count_says_how_far_it_is(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    replying: "Replying",
    moving: Moving,
    kind: str,
) -> None:
    heard: list[Heard] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    async with connect(era, effects=effects, pace=1.0, answer=replying()) as client:
        started = await moving(client, kind)
        job = await call(client, f"get_{kind}_job", job_id=started["job_id"])
        arguments = {"target_group_id": GROUP_ID, "job_id": started["job_id"], "wait_seconds": 45}
        await client.call_tool(f"get_{kind}_job", arguments, progress_callback=hear)
        resource = await read(client, started["resource_uri"])
        api.pass_time(hours=1)
        ended = await call(client, f"get_{kind}_job", job_id=started["job_id"], wait_seconds=45)
    assert (job["status"], job["ids_total"], 0 < job["ids_done"] < 3_000) == ("Processing", 3_000, True)
    assert (resource["ids_done"], resource["ids_total"]) == (job["ids_done"], 3_000)
    # The count stands still during the wait, and a number that does not grow is not told again.
    assert heard == [(job["ids_done"], 3_000, f"{kind} job: Processing, {job['ids_done']} of 3000 IDs")]
    assert (ended["status"], ended["ids_done"], ended["ids_total"]) == ("Completed", None, None)


async def test_a_job_that_does_not_move_the_count_says_nothing_of_how_far_it_is(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects, pace=1.0) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(10))
        before = api.asked(COUNT)
        job = await call(client, "get_upload_job", job_id=started["job_id"])
    assert (job["ids_done"], job["ids_total"], api.asked(COUNT) - before) == (None, None, 1)


async def test_a_count_that_cannot_be_read_keeps_nobody_from_the_answer(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects, pace=1.0) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(10))
        api.meet(COUNT, FaultKind.ERROR, times=4)
        job = await call(client, "get_upload_job", job_id=started["job_id"])
    assert (job["status"], job["ids_done"]) == ("Processing", None)


async def test_what_a_job_reads_as_is_fresh_until_it_should_be_asked_for_again_and_for_long_once_it_has_ended(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects, pace=1.0) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(10))
        running = await client.read_resource(started["resource_uri"], cache_mode="refresh")
        count = await client.read_resource(f"{HERE}overview", cache_mode="refresh")
        api.pass_time(hours=1)
        await api.until_count(10)
        ended = await client.read_resource(started["resource_uri"], cache_mode="refresh")
    polls = [json.loads(text_of(result))["poll_after_seconds"] for result in (running, ended)]
    expected = [15_000, 0, ENDED_MS] if era == "auto" else [0, 0, 0]
    assert polls == [15, 0]
    assert [result.ttl_ms for result in (running, count, ended)] == expected


def text_of(result: ReadResourceResult) -> str:
    """Return the one text of a resource."""
    [content] = result.contents
    assert isinstance(content, TextResourceContents)
    return content.text


async def read(client: Client, uri: str) -> dict[str, Any]:
    """Read a resource of JSON."""
    answer: dict[str, Any] = json.loads(text_of(await client.read_resource(uri)))
    return answer


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        pytest.param([], None, id="nothing"),
        pytest.param([{"mimeType": "text/csv", "text": "x"}], None, id="no JSON"),
        pytest.param([{"mimeType": "application/json", "text": '{"room_left": 1}'}], None, id="no job"),
        pytest.param(
            [{"mimeType": "application/json", "text": '{"poll_after_seconds": 570}'}], 570_000, id="a job that runs"
        ),
        pytest.param(
            [{"mimeType": "application/json", "text": '{"poll_after_seconds": 0}'}], ENDED_MS, id="a job that ended"
        ),
        pytest.param(
            [
                {
                    "mimeType": "application/json",
                    "text": '{"poll_after_seconds": 0, "stored_before": 1, "stored_after": null}',
                }
            ],
            SETTLING_MS,
            id="an upload that is not counted yet",
        ),
    ],
)
def test_an_answer_is_fresh_for_as_long_as_it_says(contents: list[dict[str, Any]], expected: int | None) -> None:
    assert ttl_of(contents) == expected
