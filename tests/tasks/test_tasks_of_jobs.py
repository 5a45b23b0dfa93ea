"""A job is a task for a client that declares the extension: from the call to what the job tool answers."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from mcp_types import ElicitResult

from recontact_mcp.tasks.jobs import LIFETIME, new_task_id

if TYPE_CHECKING:
    from task_speaker import Json, Speaker
    from tests.tasks.conftest import Speaking, World

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
# A thousand times as slow as Cint: a few IDs take minutes.
SLOW = 1_000.0
GROUP_ID = "01BTGNYV6HRNK8K8VKZASZCFP1"
TASK_FIELDS = {"taskId", "status", "statusMessage", "createdAt", "lastUpdatedAt", "ttlMs", "pollIntervalMs"}


async def start_agreed(speaker: "Speaker", tool: str, **arguments: object) -> "Json":
    """Call a tool that removes as a person does who agrees, round by round."""
    question = await speaker.call(tool, **arguments)
    assert question["resultType"] == "input_required"
    assert "taskId" not in question
    [(key, asked)] = question["inputRequests"].items()
    phrase = asked["params"]["message"].partition("type: ")[2].partition("\n")[0]
    result = await speaker.client.session.call_tool(
        tool,
        {"target_group_id": GROUP_ID, **arguments},
        input_responses={key: ElicitResult(action="accept", content={"phrase": phrase})},
        request_state=question["requestState"],
        allow_claimed=True,
    )
    return result.model_dump(by_alias=True, mode="json", exclude_none=True)


def job_id_in(task: "Json") -> str:
    """Find the job that a task's words name."""
    return str(task["statusMessage"].partition(" job ")[2].partition(":")[0])


async def test_an_upload_is_a_task_that_ends_with_what_the_job_tool_answers(
    speaking: "Speaking", identifiers: Identifiers
) -> None:
    async with speaking() as speaker:
        task = await speaker.start(ids=identifiers(3))
        done = await speaker.until_over(task)
        told = await speaker.call("get_upload_job", job_id=job_id_in(task))
    told.pop("_meta")
    assert (done["status"], done["result"]) == ("completed", told)
    assert (told["structuredContent"]["status"], told["structuredContent"]["growth"]) == ("Completed", 3)


async def test_a_removal_is_a_task_once_a_person_agreed_and_its_questions_pass_through(
    speaking: "Speaking", identifiers: Identifiers
) -> None:
    async def unasked(*_: Any) -> ElicitResult:
        raise AssertionError("this test answers by hand")

    async with speaking(answer=unasked) as speaker:
        await speaker.until_over(await speaker.start(ids=identifiers(3)))
        task = await start_agreed(speaker, "remove_all_recontacts")
        assert task["resultType"] == "task"
        assert "requestState" not in task
        done = await speaker.until_over(task)
        told = await speaker.call("get_removal_job", job_id=job_id_in(task))
    told.pop("_meta")
    assert (done["status"], done["result"]) == ("completed", told)
    assert (told["structuredContent"]["kind"], told["structuredContent"]["ids_to_remove"]) == ("removal", 3)


async def test_a_replacement_is_one_task_of_which_a_client_that_listens_hears_until_all_of_it_is_done(
    speaking: "Speaking", identifiers: Identifiers
) -> None:
    async def unasked(*_: Any) -> ElicitResult:
        raise AssertionError("this test answers by hand")

    before, after = identifiers(3), identifiers(5)[3:]
    async with speaking(answer=unasked) as speaker:
        await speaker.until_over(await speaker.start(ids=before))
        task = await start_agreed(speaker, "replace_recontacts", ids=after)
        async with speaker.listening(taskIds=[task["taskId"]]):
            await speaker.heard.until_over()
        stored = await speaker.call("get_recontact_overview")
    done = speaker.heard.told[-1]
    assert (task["resultType"], done["status"]) == ("task", "completed")
    assert done["result"]["structuredContent"]["kind"] == "replacement"
    assert done["result"]["structuredContent"]["proof"]["equal"] is True
    assert stored["structuredContent"]["saved_respondent_ids_count"] == len(after)


async def test_a_task_that_runs_is_flat_lives_for_a_week_and_asks_for_the_polls_that_the_job_tool_asks_for(
    speaking: "Speaking", world: "World", identifiers: Identifiers
) -> None:
    async with speaking(pace=SLOW) as speaker:
        made = await speaker.start(ids=identifiers(10))
        world.pass_time(seconds=30)
        seen = await speaker.look(made)
        job = (await speaker.call("get_upload_job", job_id=job_id_in(made)))["structuredContent"]
    assert made.keys() == TASK_FIELDS | {"resultType", "_meta"}
    assert seen.keys() == TASK_FIELDS | {"resultType"}
    assert (made["status"], seen["status"], seen["resultType"]) == ("working", "working", "complete")
    assert made["pollIntervalMs"] == 15_000
    assert seen["pollIntervalMs"] == 1_000 * job["poll_after_seconds"]
    assert made["ttlMs"] == seen["ttlMs"] == LIFETIME.total_seconds() * 1_000
    assert datetime.fromisoformat(made["createdAt"]) <= datetime.fromisoformat(seen["lastUpdatedAt"])
    assert job["job_id"] in seen["statusMessage"]
    assert f"{job['eta_seconds']['low']} to {job['eta_seconds']['high']} s left" in seen["statusMessage"]


async def test_a_job_that_fails_completes_its_task_for_that_is_what_the_job_tool_says(speaking: "Speaking") -> None:
    async with speaking() as speaker:
        nobody = ["5a3b2ada-0000-4000-8000-200000000000"]
        done = await speaker.until_over(await speaker.start(ids=nobody, id_type="RID"))
    assert done["status"] == "completed"
    assert done["result"]["isError"] is False
    assert done["result"]["structuredContent"]["status"] == "Failed"


async def test_a_call_that_repeats_an_earlier_one_answers_the_same_task(
    speaking: "Speaking", world: "World", identifiers: Identifiers
) -> None:
    async with speaking(pace=SLOW) as speaker:
        first = await speaker.start(ids=identifiers(3))
        again = await speaker.start(ids=identifiers(3))
    assert (again["taskId"], again["createdAt"]) == (first["taskId"], first["createdAt"])
    assert world.posts == 1


async def test_a_repeated_call_of_a_job_that_has_ended_is_a_task_that_has_ended_at_the_first_look(
    speaking: "Speaking", identifiers: Identifiers
) -> None:
    async with speaking() as speaker:
        await speaker.until_over(await speaker.start(ids=identifiers(3), idempotency_key="wave-1"))
        again = await speaker.start(ids=identifiers(3), idempotency_key="wave-1")
        seen = await speaker.look(again)
    assert (again["status"], again["pollIntervalMs"], seen["status"]) == ("working", 1, "completed")


async def test_a_refusal_is_no_task(speaking: "Speaking", identifiers: Identifiers) -> None:
    async with speaking(pace=SLOW) as speaker:
        await speaker.start(ids=identifiers(3))
        running = await speaker.call("upload_recontacts", ids=identifiers(4)[3:])
        wrong = await speaker.call("upload_recontacts", ids=["not an id"])
    for refusal in (running, wrong):
        assert (refusal["resultType"], refusal["isError"]) == ("complete", True)
        assert json.loads(refusal["content"][0]["text"]) == refusal["structuredContent"]
    assert running["structuredContent"]["error"]["code"] == "JOB_RUNNING"


async def test_reading_is_no_task(speaking: "Speaking", identifiers: Identifiers) -> None:
    async with speaking() as speaker:
        task = await speaker.start(ids=identifiers(3))
        job = await speaker.call("get_upload_job", job_id=job_id_in(task), wait_seconds=45)
        overview = await speaker.call("get_recontact_overview")
    assert (job["resultType"], job["structuredContent"]["status"]) == ("complete", "Completed")
    assert overview["structuredContent"]["saved_respondent_ids_count"] == 3


async def test_answers_to_what_no_task_of_ours_asks_are_passed_over(
    speaking: "Speaking", identifiers: Identifiers
) -> None:
    async with speaking(pace=SLOW) as speaker:
        task = await speaker.start(ids=identifiers(3))
        acknowledged = await speaker.ask("tasks/update", taskId=task["taskId"], inputResponses={"x": {"y": 1}})
        seen = await speaker.look(task)
    assert (acknowledged, seen["status"]) == ({"resultType": "complete"}, "working")


def test_an_id_has_128_bits_and_all_of_them_are_drawn() -> None:
    drawn = [new_task_id() for _ in range(200)]
    ones, zeros = 0, 0
    for task_id in drawn:
        ones |= int(task_id, 16)
        zeros |= ~int(task_id, 16) & (2**128 - 1)
    assert {len(task_id) for task_id in drawn} == {32}
    assert ones == zeros == 2**128 - 1
    assert len(set(drawn)) == 200
