"""A task outlives the process that gave it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.tasks.conftest import Speaking, World

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
# A thousand times as slow as Cint: a few IDs take minutes.
SLOW = 1_000.0


async def test_a_task_is_the_same_after_a_restart(
    speaking: "Speaking", world: "World", identifiers: Identifiers
) -> None:
    async with speaking(pace=SLOW) as speaker:
        task = await speaker.start(ids=identifiers(3))
        await speaker.ask("tasks/cancel", taskId=task["taskId"])
        before = await speaker.look(task)
    async with speaking(pace=SLOW) as speaker:
        after = await speaker.look(task)
        world.pass_time(hours=1)
        done = await speaker.until_over(task)
    assert after == before
    assert done["status"] == "completed"
