"""One job at a time: whoever comes second is told which job runs and where to follow it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client

from recontact_mcp.opening import Effects
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
HERE = "recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/"


def handle_of(error: dict[str, Any]) -> tuple[str, str, str, str, bool]:
    """Return the fields of a conflict that a client acts on."""
    return (error["code"], error["changed"], error["kind"], error["resource_uri"], error["safe_to_repeat"])


async def test_a_second_job_is_refused_with_the_handle_of_the_upload_that_runs(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    async with connect(era, effects=effects, pace=1.0, answer=replying()) as client:
        running = await call(client, "upload_recontacts", ids=identifiers(10))
        upload = await refused(client, "upload_recontacts", ids=identifiers(1))
        removal = await refused(client, "remove_all_recontacts")
        api.pass_time(hours=1)
        ended = await call(client, "get_upload_job", job_id=upload["job_id"], wait_seconds=45)
        await call(client, "upload_recontacts", ids=identifiers(11))
    expected = ("JOB_RUNNING", "no", "upload", running["resource_uri"], True)
    assert [handle_of(upload), handle_of(removal)] == [expected, expected]
    assert "get_upload_job" in upload["next_step"]
    assert (ended["job_id"], ended["status"]) == (running["job_id"], "Completed")
    assert api.asked(Operation.UPLOAD_RSIDS) == 2


async def test_an_upload_is_refused_with_the_handle_of_the_removal_that_runs(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(10))
    async with connect(era, effects=effects, pace=1.0, answer=replying()) as client:
        running = await call(client, "remove_all_recontacts")
        error = await refused(client, "upload_recontacts", ids=identifiers(1))
    assert handle_of(error) == ("JOB_RUNNING", "no", "removal", running["resource_uri"], True)
    assert "get_removal_job" in error["next_step"]
    assert api.asked(Operation.UPLOAD_RSIDS) == 0


async def test_a_job_of_somebody_else_is_seen_before_anything_is_sent(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    job_id = await api.upload_elsewhere(identifiers(10), finished=False)
    async with connect(era, effects=effects, pace=1.0, answer=replying()) as client:
        upload = await refused(client, "upload_recontacts", ids=identifiers(1))
        removal = await refused(client, "remove_all_recontacts")
    expected = ("JOB_RUNNING", "no", "upload", f"{HERE}upload-jobs/{job_id}", True)
    assert [handle_of(upload), handle_of(removal)] == [expected, expected]
    assert api.asked(Operation.UPLOAD_RSIDS) + api.asked(Operation.REMOVE_ALL) == 0


@pytest.mark.parametrize("name", ["upload_recontacts", "remove_all_recontacts"])
async def test_a_conflict_that_only_the_api_knows_of_comes_back_without_a_handle(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    name: str,
) -> None:
    await api.upload_elsewhere(identifiers(2))
    api.meet(Operation.UPLOAD_RSIDS, FaultKind.CONFLICT)
    api.meet(Operation.REMOVE_ALL, FaultKind.CONFLICT)
    arguments = {"ids": identifiers(1)} if name == "upload_recontacts" else {}
    async with connect(era, effects=effects, answer=replying()) as client:
        error = await refused(client, name, **arguments)
        again = await call(client, name, **arguments)
    assert (error["code"], error["changed"], error["http_status"], error["safe_to_repeat"]) == (
        "JOB_RUNNING",
        "no",
        409,
        True,
    )
    assert again["status"] == "Processing"


async def test_a_job_started_between_our_look_and_our_request_is_named_all_the_same(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", identifiers: Identifiers
) -> None:
    api.meet(Operation.LIST_UPLOADS, FaultKind.ERROR, times=4)  # the look before sees nothing
    job_id = await api.upload_elsewhere(identifiers(10), finished=False)
    async with connect(era, effects=effects, pace=1.0) as client:
        error = await refused(client, "upload_recontacts", ids=identifiers(1))
    assert handle_of(error) == ("JOB_RUNNING", "no", "upload", f"{HERE}upload-jobs/{job_id}", True)
    assert api.asked(Operation.UPLOAD_RSIDS) == 1


async def test_of_two_uploads_at_once_one_is_sent(
    era: str, connect: "Connect", effects: Effects, api: "Api", identifiers: Identifiers
) -> None:
    answers: list[dict[str, Any]] = []

    async def upload(client: Client, ids: list[str]) -> None:
        arguments = {"target_group_id": "01BTGNYV6HRNK8K8VKZASZCFP1", "ids": ids}
        answers.append((await client.call_tool("upload_recontacts", arguments)).structured_content or {})

    async with connect(era, effects=effects, pace=1.0) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(upload, client, identifiers(10))
        tasks.start_soon(upload, client, identifiers(11))
    [sent] = [answer for answer in answers if "error" not in answer]
    [error] = [answer["error"] for answer in answers if "error" in answer]
    assert (error["code"], error["changed"]) == ("JOB_RUNNING", "no")
    assert error["job_id"]
    assert sent["status"] == "Processing"
    assert api.asked(Operation.UPLOAD_RSIDS) == 1
