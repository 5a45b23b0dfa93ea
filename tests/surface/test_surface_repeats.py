"""The same call again: the job it started is answered, and nothing is sent twice."""

import json
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
GROUP_ID = "01BTGNYV6HRNK8K8VKZASZCFP1"
KEYS = pytest.mark.parametrize("key", [{}, {"idempotency_key": "wave-1"}], ids=["without a key", "under a key"])
UPLOAD, REMOVE = Operation.UPLOAD_RSIDS, Operation.REMOVE_ALL


@KEYS
async def test_the_same_upload_while_it_runs_and_after_it_has_ended_is_the_same_job(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    identifiers: Identifiers,
    key: dict[str, str],
) -> None:
    ids = identifiers(10)
    async with connect(era, effects=effects, pace=1.0) as client:
        first = await call(client, "upload_recontacts", ids=ids, **key)
        running = await call(client, "upload_recontacts", ids=[ids[0], *ids], **key)  # of the same content once cleaned
        api.pass_time(minutes=5)
        await call(client, "get_upload_job", job_id=first["job_id"], wait_seconds=45)
        ended = await call(client, "upload_recontacts", ids=ids, **key)
    assert [job["job_id"] for job in (running, ended)] == [first["job_id"]] * 2
    assert [job["repeated"] for job in (first, running, ended)] == [False, True, True]
    assert [job["status"] for job in (running, ended)] == ["Processing", "Completed"]
    assert [job["file_name"] for job in (running, ended)] == [first["file_name"]] * 2
    assert (ended["stored_before"], ended["ids_sent"]) == (0, 10)
    assert "idempotency_key" in ended["next_step"]
    assert api.asked(UPLOAD) == 1


async def test_the_same_upload_later_is_a_new_job_unless_its_key_says_otherwise(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects) as client:
        keyed = await call(client, "upload_recontacts", ids=identifiers(2), idempotency_key="k")
        await call(client, "get_upload_job", job_id=keyed["job_id"], wait_seconds=45)
        api.pass_time(minutes=11)
        without = await call(client, "upload_recontacts", ids=identifiers(2))
        await call(client, "get_upload_job", job_id=without["job_id"], wait_seconds=45)
        api.pass_time(hours=1_000)
        again = await call(client, "upload_recontacts", ids=identifiers(2), idempotency_key="k")
    assert (without["repeated"], again["repeated"], again["job_id"]) == (False, True, keyed["job_id"])
    assert api.asked(UPLOAD) == 2


@KEYS
async def test_the_same_upload_at_once_is_one_job_for_every_caller(
    era: str, connect: "Connect", effects: Effects, api: "Api", identifiers: Identifiers, key: dict[str, str]
) -> None:
    answers: list[dict[str, Any]] = []

    async def upload(client: Client) -> None:
        arguments = {"target_group_id": GROUP_ID, "ids": identifiers(10), **key}
        answers.append((await client.call_tool("upload_recontacts", arguments)).structured_content or {})

    async with connect(era, effects=effects, pace=1.0) as client, anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(upload, client)
    assert len({answer["job_id"] for answer in answers}) == 1
    assert sorted(answer["repeated"] for answer in answers) == [False, True, True]
    assert api.asked(UPLOAD) == 1


async def test_a_key_that_stands_for_another_call_is_refused_and_nothing_is_sent(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    key = "5a3b2ada-0000-4000-8000-00000000beef"  # may be anything, even what looks like a respondent id
    others: list[dict[str, Any]] = [{"ids": identifiers(2)}, {"ids": identifiers(1), "id_type": "RID"}]
    async with connect(era, effects=effects, answer=replying()) as client:
        first = await call(client, "upload_recontacts", ids=identifiers(1), idempotency_key=key)
        await call(client, "get_upload_job", job_id=first["job_id"], wait_seconds=45)
        errors = [await refused(client, "upload_recontacts", idempotency_key=key, **other) for other in others]
        errors.append(await refused(client, "remove_all_recontacts", idempotency_key=key))
    assert {(error["code"], error["changed"], error["job_id"], error["kind"]) for error in errors} == {
        ("IDEMPOTENCY_CONFLICT", "no", first["job_id"], "upload")
    }
    assert key not in json.dumps(errors)
    assert (api.asked(UPLOAD), api.asked(Operation.UPLOAD_RESPONDENTS), api.asked(REMOVE)) == (1, 0, 0)


@pytest.mark.parametrize(
    "key",
    ["", " ", "a b", "x" * 256, "\N{SNOWMAN}", "a\n"],
    ids=["empty", "blank", "words", "long", "not ascii", "lines"],
)
@pytest.mark.parametrize("tool", ["upload_recontacts", "remove_all_recontacts"])
async def test_a_key_is_of_1_to_255_visible_characters(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    replying: "Replying",
    tool: str,
    key: str,
) -> None:
    async with connect(era, effects=effects, answer=replying()) as client:
        error = await refused(client, tool, idempotency_key=key)
    assert error["code"] == "INVALID_ARGUMENTS"
    assert "idempotency_key" in json.dumps(error)
    assert (api.asked(UPLOAD), api.asked(REMOVE)) == (0, 0)


@KEYS
async def test_what_the_api_refused_may_be_called_again_as_it_was(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    identifiers: Identifiers,
    key: dict[str, str],
) -> None:
    api.meet(UPLOAD, FaultKind.RATE_LIMITED)
    async with connect(era, effects=effects) as client:
        error = await refused(client, "upload_recontacts", ids=identifiers(1), **key)
        again = await call(client, "upload_recontacts", ids=identifiers(1), **key)
    assert (error["code"], error["changed"], error["safe_to_repeat"]) == ("RATE_LIMITED", "no", True)
    assert (again["repeated"], api.asked(UPLOAD)) == (False, 2)


@KEYS
async def test_a_lost_upload_that_shows_later_is_found_by_the_same_call(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    identifiers: Identifiers,
    key: dict[str, str],
) -> None:
    api.meet(UPLOAD, FaultKind.LOST_ANSWER)
    api.meet(Operation.LIST_UPLOADS, FaultKind.EXPIRED_TOKEN, times=4)  # the looks before and after see nothing
    async with connect(era, effects=effects) as client:
        error = await refused(client, "upload_recontacts", ids=identifiers(2), **key)
        found = await call(client, "upload_recontacts", ids=identifiers(2), **key)
        job = await call(client, "get_upload_job", job_id=found["job_id"], wait_seconds=45)
    assert (error["code"], error["file_name"]) == ("OUTCOME_UNKNOWN", found["file_name"])
    assert (found["repeated"], job["status"], api.asked(UPLOAD)) == (True, "Completed", 1)


async def test_an_emptied_target_group_makes_the_same_list_a_new_upload(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    async with connect(era, effects=effects, answer=replying()) as client:
        for _ in range(2):
            started = await call(client, "upload_recontacts", ids=identifiers(2))
            await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
            removal = await call(client, "remove_all_recontacts")
            await call(client, "get_removal_job", job_id=removal["job_id"], wait_seconds=45)
            assert not started["repeated"]
    assert api.asked(UPLOAD) == 2


async def test_a_removal_under_a_known_key_is_answered_and_nobody_is_asked_again(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect(era, effects=effects, pace=1.0, answer=replying()) as client:
        first = await call(client, "remove_all_recontacts", idempotency_key="k")
    async with connect(era, effects=effects, pace=1.0) as client:  # one that cannot ask anybody
        running = await call(client, "remove_all_recontacts", idempotency_key="k")
        api.pass_time(minutes=10)
        await call(client, "get_removal_job", job_id=first["job_id"], wait_seconds=45)
        ended = await call(client, "remove_all_recontacts", idempotency_key="k")
    assert [(job["job_id"], job["repeated"]) for job in (first, running, ended)] == [
        (first["job_id"], False),
        (first["job_id"], True),
        (first["job_id"], True),
    ]
    assert (running["ids_to_remove"], ended["status"], api.asked(REMOVE)) == (3, "Completed", 1)


async def test_a_removal_that_runs_is_in_the_way_of_one_without_its_key(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect(era, effects=effects, pace=1.0, answer=replying()) as client:
        first = await call(client, "remove_all_recontacts", idempotency_key="k")
        error = await refused(client, "remove_all_recontacts")
    assert (error["code"], error["job_id"], api.asked(REMOVE)) == ("JOB_RUNNING", first["job_id"], 1)


async def test_a_removal_that_nobody_agreed_to_leaves_its_key_free(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect(era, effects=effects, answer=replying(action="decline")) as client:
        declined = await refused(client, "remove_all_recontacts", idempotency_key="k")
    async with connect(era, effects=effects, answer=replying()) as client:
        agreed = await call(client, "remove_all_recontacts", idempotency_key="k")
    assert (declined["code"], agreed["repeated"], api.asked(REMOVE)) == ("CONFIRMATION_DECLINED", False, 1)
