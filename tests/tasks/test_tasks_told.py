"""Hearing of a task on a stream, instead of asking for it again and again."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from mcp_types import INVALID_PARAMS, MISSING_REQUIRED_CLIENT_CAPABILITY

from recontact_mcp.tasks.jobs import new_task_id
from recontact_mcp.tasks.listening import TASKS_HEARD_MAX

if TYPE_CHECKING:
    from task_speaker import Json
    from tests.tasks.conftest import Speaking, World

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
# A thousand times as slow as Cint: a few IDs take minutes.
SLOW = 1_000.0
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


def bare(told: "Json") -> "Json":
    """Return what was told of a task, without the stream it was told on."""
    return {key: value for key, value in told.items() if key != "_meta"}


async def test_a_client_that_listens_hears_how_a_task_stands_and_when_it_ends(
    speaking: "Speaking", world: "World", identifiers: Identifiers
) -> None:
    async with speaking(pace=SLOW) as speaker:
        task = await speaker.start(ids=identifiers(3))
        async with speaker.listening(taskIds=[task["taskId"]]):
            await speaker.heard.until(1)
            looked = await speaker.look(task)
            world.pass_time(hours=1)
            await speaker.heard.until_over()
            done = await speaker.look(task)
    first, last = bare(speaker.heard.told[0]), bare(speaker.heard.told[-1])
    looked.pop("resultType")
    done.pop("resultType")
    assert (first, last) == (looked, done)
    assert (first["status"], last["status"]) == ("working", "completed")
    assert all(SUBSCRIPTION in told["_meta"] for told in speaker.heard.told)


async def test_a_client_that_listens_after_the_end_hears_of_it_at_once(
    speaking: "Speaking", identifiers: Identifiers
) -> None:
    async with speaking() as speaker:
        task = await speaker.start(ids=identifiers(3))
        await speaker.until_over(task)
        async with speaker.listening(taskIds=[task["taskId"]]):
            await speaker.heard.until(1)
    assert speaker.heard.told[0]["status"] == "completed"


async def test_a_client_that_listens_hears_that_a_task_cannot_be_stopped(
    speaking: "Speaking", identifiers: Identifiers
) -> None:
    async with speaking(pace=SLOW) as speaker:
        task = await speaker.start(ids=identifiers(3))
        async with speaker.listening(taskIds=[task["taskId"]]):
            await speaker.heard.until(1)
            await speaker.ask("tasks/cancel", taskId=task["taskId"])
            while "cannot cancel" not in speaker.heard.told[-1]["statusMessage"]:
                await speaker.heard.until(len(speaker.heard.told) + 1)
    assert speaker.heard.told[-1]["status"] == "working"


async def test_of_a_task_that_is_not_there_nothing_is_told(speaking: "Speaking", identifiers: Identifiers) -> None:
    async with speaking(pace=SLOW) as speaker:
        task = await speaker.start(ids=identifiers(3))
        wanted = [new_task_id(), 7, task["taskId"]]
        async with speaker.listening(taskIds=wanted):
            await speaker.heard.until(1)
    assert [told["taskId"] for told in speaker.heard.told] == [task["taskId"]]


async def test_only_so_many_tasks_are_told_on_one_stream(speaking: "Speaking", identifiers: Identifiers) -> None:
    async with speaking(pace=SLOW) as speaker:
        task = await speaker.start(ids=identifiers(3))
        others = [new_task_id() for _ in range(TASKS_HEARD_MAX)]
        async with (
            speaker.listening(taskIds=[*others, task["taskId"]]),
            speaker.listening(taskIds=[*others[1:], task["taskId"]]),
        ):
            await speaker.heard.until(1)
            await speaker.ask("tasks/cancel", taskId=task["taskId"])
            await speaker.heard.until(2)
    assert len({told["_meta"][SUBSCRIPTION] for told in speaker.heard.told}) == 1


async def test_a_client_that_does_not_declare_the_extension_may_not_listen_for_tasks(speaking: "Speaking") -> None:
    async with speaking(speaks=False) as stranger:
        error = await stranger.refused("subscriptions/listen", notifications={"taskIds": [new_task_id()]})
    assert error.error.code == MISSING_REQUIRED_CLIENT_CAPABILITY


@pytest.mark.parametrize(
    "filters",
    [
        pytest.param({"taskIds": ["x"], "resourceSubscriptions": 7}, id="beside tasks"),
        pytest.param({"taskIds": "x", "resourceSubscriptions": 7}, id="tasks that are no list"),
        pytest.param(None, id="nothing"),
    ],
)
async def test_what_is_malformed_is_refused_as_ever(speaking: "Speaking", filters: object) -> None:
    async with speaking() as speaker:
        error = await speaker.refused("subscriptions/listen", notifications=filters)
    assert error.error.code == INVALID_PARAMS


async def test_resources_are_told_on_the_same_stream_whose_acknowledgement_names_both(
    speaking: "Speaking", world: "World", identifiers: Identifiers
) -> None:
    async with speaking(pace=SLOW) as speaker:
        task = await speaker.start(ids=identifiers(3))
        job_id = task["statusMessage"].partition(" job ")[2].partition(":")[0]
        uri = (await speaker.call("get_upload_job", job_id=job_id))["structuredContent"]["resource_uri"]
        stranger = new_task_id()
        async with speaker.listening(taskIds=[stranger, task["taskId"]], resourceSubscriptions=[uri]):
            await speaker.heard.until(1)
            world.pass_time(hours=1)
            await speaker.heard.until_over()
            await speaker.heard.until_also(2)
    acknowledged, changed = speaker.heard.others[:2]
    agreed = acknowledged.params.notifications.model_dump(by_alias=True, exclude_none=True)
    assert agreed == {"taskIds": [task["taskId"]], "resourceSubscriptions": [uri]}
    assert (changed.method, str(changed.params.uri)) == ("notifications/resources/updated", uri)


async def test_what_else_changes_is_no_change_of_a_task(speaking_to_fixture: "Speaking") -> None:
    async with speaking_to_fixture() as speaker:
        task = (
            await speaker.client.session.call_tool("slow_compute", {"seconds": 3_600}, allow_claimed=True)
        ).model_dump()
        async with speaker.listening(taskIds=[task["taskId"]], toolsListChanged=True):
            await speaker.heard.until(1)
            await speaker.client.call_tool("change_tools")
            await speaker.heard.until_also(2)
    assert speaker.heard.others[1].method == "notifications/tools/list_changed"
    assert len(speaker.heard.told) == 1
