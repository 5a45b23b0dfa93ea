"""Asking to stop a task: what was not sent is stopped, and of anything else is said why it goes on."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from recontact_mcp.tasks.jobs import LIFETIME, new_task_id
from recontact_tools.ledger import Task
from recontact_tools.models import JobKind, TargetGroup

if TYPE_CHECKING:
    from task_speaker import Json
    from tests.tasks.conftest import Speaking, World

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
# A thousand times as slow as Cint: a few IDs take minutes.
SLOW = 1_000.0
GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
ACKNOWLEDGED = {"resultType": "complete"}


async def task_for(world: "World", job_id: str) -> "Json":
    """Write down a task for a job, as the call that started it would have."""
    task = Task(
        task_id=new_task_id(),
        principal="local",
        kind=JobKind.UPLOAD,
        group=GROUP,
        job_id=job_id,
        created_at=world.now(),
        expires_at=world.now() + LIFETIME,
        updated_at=world.now(),
    )
    async with world.ledger() as ledger:
        await ledger.tasks.bind(task)
    return {"taskId": task.task_id}


async def test_a_job_that_was_not_sent_yet_is_stopped_and_nothing_is_sent(
    speaking: "Speaking", world: "World", planned: Callable[[], Awaitable[str]]
) -> None:
    async with speaking(pace=SLOW) as speaker:
        await speaker.call("get_recontact_overview")
        task = await task_for(world, await planned())
        waiting = await speaker.look(task)
        acknowledged = await speaker.ask("tasks/cancel", taskId=task["taskId"])
        seen = await speaker.look(task)
        again = await speaker.ask("tasks/cancel", taskId=task["taskId"])
        still = await speaker.look(task)
    assert (waiting["status"], waiting["pollIntervalMs"]) == ("working", 15_000)
    assert "still awaited" in waiting["statusMessage"]
    assert acknowledged == again == ACKNOWLEDGED
    assert seen["status"] == "cancelled"
    assert "before anything was sent" in seen["statusMessage"]
    assert not seen.keys() & {"result", "error"}
    assert (still, world.posts) == (seen, 0)


async def test_a_job_that_was_sent_goes_on_and_its_task_says_why(
    speaking: "Speaking", world: "World", identifiers: Identifiers
) -> None:
    async with speaking(pace=SLOW) as speaker:
        task = await speaker.start(ids=identifiers(3))
        world.pass_time(seconds=1)
        acknowledged = await speaker.ask("tasks/cancel", taskId=task["taskId"])
        seen = await speaker.look(task)
        world.pass_time(hours=1)
        done = await speaker.until_over(task)
    assert acknowledged == ACKNOWLEDGED
    assert seen["status"] == "working"
    assert "whose API cannot cancel a job" in seen["statusMessage"]
    assert seen["lastUpdatedAt"] > task["lastUpdatedAt"]
    assert (done["status"], done["result"]["structuredContent"]["growth"]) == ("completed", 3)


async def test_a_task_that_has_ended_stays_as_it_ended(speaking: "Speaking", identifiers: Identifiers) -> None:
    async with speaking() as speaker:
        task = await speaker.start(ids=identifiers(3))
        done = await speaker.until_over(task)
        acknowledged = await speaker.ask("tasks/cancel", taskId=task["taskId"])
        still = await speaker.look(task)
    assert acknowledged == ACKNOWLEDGED
    assert still == done


async def test_a_server_that_may_change_nothing_stops_nothing(
    speaking: "Speaking", world: "World", planned: Callable[[], Awaitable[str]]
) -> None:
    async with speaking(pace=SLOW, read_only=True) as speaker:
        await speaker.call("get_recontact_overview")
        task = await task_for(world, await planned())
        acknowledged = await speaker.ask("tasks/cancel", taskId=task["taskId"])
        seen = await speaker.look(task)
    assert (acknowledged, seen["status"]) == (ACKNOWLEDGED, "working")
    assert "RECONTACT_READ_ONLY" in seen["statusMessage"]
