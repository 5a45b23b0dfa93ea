"""The tasks of the ledger: one a job and principal, for as long as it lives."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest
from ledger_places import Place

from recontact_tools.ledger import Ledger, Task
from recontact_tools.models import JobKind, TargetGroup

pytestmark = pytest.mark.anyio

LIFE = timedelta(days=7)


@pytest.fixture
def task(now: datetime, group: TargetGroup) -> Callable[..., Task]:
    """Make a task of an upload; fields can be given."""

    def make(task_id: str = "a1", **fields: Any) -> Task:
        usual: dict[str, Any] = {
            "principal": "ann",
            "kind": JobKind.UPLOAD,
            "group": group,
            "job_id": "JOB1",
            "created_at": now,
            "expires_at": now + LIFE,
            "updated_at": now,
        }
        return Task(task_id=task_id, **{**usual, **fields})

    return make


async def test_a_task_is_found_by_its_principal_until_it_expires(
    ledger: Ledger, task: Callable[..., Task], now: datetime
) -> None:
    made = await ledger.tasks.bind(task())
    last = now + LIFE - timedelta(microseconds=1)
    assert made == task()
    assert await ledger.tasks.find("a1", principal="ann", now=last) == made
    assert await ledger.tasks.find("a1", principal="ann", now=now + LIFE) is None
    assert await ledger.tasks.find("a1", principal="bob", now=now) is None
    assert await ledger.tasks.find("a2", principal="ann", now=now) is None


async def test_a_job_has_one_task_of_each_principal_however_many_ask_at_once(
    ledger: Ledger, task: Callable[..., Task]
) -> None:
    bound: list[Task] = []

    async def bind(task_id: str) -> None:
        bound.append(await ledger.tasks.bind(task(task_id)))

    async with anyio.create_task_group() as asking:
        for number in range(8):
            asking.start_soon(bind, f"a{number}")
    theirs = await ledger.tasks.bind(task("b1", principal="bob"))
    assert len({one.task_id for one in bound}) == 1
    assert theirs.task_id == "b1"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"job_id": "JOB2"}, id="another job"),
        pytest.param({"kind": JobKind.REMOVAL}, id="another kind"),
        pytest.param(
            {"group": TargetGroup(102, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")}, id="place"
        ),
    ],
)
async def test_another_job_has_another_task(ledger: Ledger, task: Callable[..., Task], other: dict[str, Any]) -> None:
    await ledger.tasks.bind(task())
    assert (await ledger.tasks.bind(task("a2", **other))).task_id == "a2"


async def test_an_expired_task_is_forgotten_when_the_next_one_is_written(
    ledger: Ledger, task: Callable[..., Task], now: datetime
) -> None:
    await ledger.tasks.bind(task())
    later = now + LIFE
    again = await ledger.tasks.bind(task("a2", created_at=later, updated_at=later, expires_at=later + LIFE))
    assert again.task_id == "a2"
    assert await ledger.tasks.find("a1", principal="ann", now=now) is None


async def test_what_was_said_last_is_kept_with_its_time_and_seen_by_the_next_process(
    ledger: Ledger, task: Callable[..., Task], now: datetime, place: Place
) -> None:
    later = now + timedelta(minutes=1)
    await ledger.tasks.bind(task())
    await ledger.tasks.note("a1", "first", now=now)
    await ledger.tasks.note("a1", "It runs.", now=later)
    beside = await place.open()
    found = await beside.tasks.find("a1", principal="ann", now=later)
    await beside.aclose()
    assert found is not None
    assert (found.note, found.updated_at, found.created_at) == ("It runs.", later, now)
