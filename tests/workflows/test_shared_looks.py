"""Looks at one job are shared by all who ask at the same time."""

from datetime import UTC, datetime, timedelta

import anyio
import pytest

from recontact_tools.errors import RecontactError, Unreachable
from recontact_tools.ledger import JobKey
from recontact_tools.models import Job, JobKind, TargetGroup
from recontact_tools.shared_looks import Look, SharedLooks

pytestmark = pytest.mark.anyio

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")


def key(job_id: str = "J") -> JobKey:
    return JobKey(JobKind.UPLOAD, GROUP, job_id)


class Api:
    """An API that answers when it is let, and counts how often it was asked."""

    def __init__(self, status: str = "Processing") -> None:
        self.asked = 0
        self.status = status
        self.answering = anyio.Event()
        self.error: RecontactError | None = None

    async def look(self) -> Look:
        self.asked += 1
        await self.answering.wait()
        if self.error is not None:
            raise self.error
        return Look(Job("J", self.status), NOW + timedelta(seconds=15))


def now() -> datetime:
    return NOW


def later() -> datetime:
    return NOW + timedelta(seconds=15)


async def test_a_look_under_way_is_joined() -> None:
    api, looks, seen = Api(), SharedLooks(), list[Look]()

    async def ask() -> None:
        seen.append(await looks.share(key(), api.look, now=later, after=None))

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        api.answering.set()
    assert (api.asked, len(seen), len({id(look) for look in seen})) == (1, 50, 1)


async def test_a_fresh_look_is_shown_again_but_not_to_who_has_seen_it_and_not_when_it_is_old() -> None:
    api, looks = Api(), SharedLooks()
    api.answering.set()
    first = await looks.share(key(), api.look, now=now, after=None)
    same = await looks.share(key(), api.look, now=now, after=None)
    other = await looks.share(key(), api.look, now=now, after=first)
    for_all = await looks.share(key(), api.look, now=now, after=first)
    late = await looks.share(key(), api.look, now=later, after=None)
    assert (same is first, other is first, for_all is other, late is other) == (True, False, True, False)
    assert api.asked == 3


async def test_what_a_look_met_is_told_to_all_who_joined_it_and_to_nobody_later() -> None:
    api, looks, met = Api(), SharedLooks(), list[RecontactError]()
    api.error = Unreachable("No answer.", next_step="Repeat.")

    async def ask() -> None:
        with pytest.raises(Unreachable) as raised:
            await looks.share(key(), api.look, now=now, after=None)
        met.append(raised.value)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        api.answering.set()
    api.error = None
    assert (api.asked, met) == (1, [met[0]] * 3)
    assert (await looks.share(key(), api.look, now=now, after=None)).job.status == "Processing"


async def test_who_joined_a_look_makes_another_when_its_maker_goes_away() -> None:
    api, looks, seen = Api(), SharedLooks(), list[Look]()

    async def ask() -> None:
        seen.append(await looks.share(key(), api.look, now=now, after=None))

    gone, asked = anyio.CancelScope(), 0

    async def ask_and_go() -> None:
        with gone:
            await looks.share(key(), api.look, now=now, after=None)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask_and_go)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            gone.cancel()
            await anyio.wait_all_tasks_blocked()
            asked = api.asked
            api.answering.set()
    assert (asked, len(seen)) == (2, 1)


async def test_only_so_many_looks_are_remembered_and_no_ends() -> None:
    api, looks = Api(), SharedLooks(limit=1)
    api.answering.set()
    for job_id in ("A", "B", "B", "A"):
        await looks.share(key(job_id), api.look, now=now, after=None)
    asked = api.asked
    api.status = "Completed"
    for _ in range(2):
        await looks.share(key("C"), api.look, now=now, after=None)
    assert (asked, api.asked) == (3, 5)
