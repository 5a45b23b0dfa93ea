"""What following needs of the ledger: news between processes, and jobs that were started elsewhere."""

from datetime import datetime, timedelta

import anyio
import pytest
from ledger_places import Place

from recontact_tools.ledger import JobKey, Ledger, News
from recontact_tools.ledger import elsewhere as elsewhere_part
from recontact_tools.ledger.updates import KEPT
from recontact_tools.models import Job, JobKind, TargetGroup

pytestmark = pytest.mark.anyio

RUNNING = Job("J", "Processing")
ENDED = Job("J", "Completed")


@pytest.fixture
def key(group: TargetGroup) -> JobKey:
    return JobKey(JobKind.UPLOAD, group, "J")


@pytest.fixture
def until(now: datetime) -> datetime:
    return now + timedelta(seconds=30)


async def test_others_read_what_was_announced_once_each_and_nobody_reads_its_own(ledger: Ledger) -> None:
    await ledger.updates.announce(["a", "b"], origin="one")
    await ledger.updates.announce(["a"], origin="one")
    await ledger.updates.announce(["c"], origin="other")

    assert await ledger.updates.since(0, origin="other") == News(4, ("a", "b"), missed=False)
    assert await ledger.updates.since(0, origin="one") == News(4, ("c",), missed=False)
    assert await ledger.updates.since(4, origin="one") == News(4, (), missed=False)


async def test_a_ledger_without_announcements_begins_at_nothing(ledger: Ledger) -> None:
    assert await ledger.updates.latest() == 0
    assert await ledger.updates.since(0, origin="one") == News(0, (), missed=False)


async def test_announcements_reach_a_process_that_opened_the_file_before(ledger: Ledger, place: Place) -> None:
    other = await place.open()
    await other.updates.announce(["a"], origin="other")
    await other.aclose()
    assert await ledger.updates.since(0, origin="one") == News(1, ("a",), missed=False)


async def test_old_announcements_are_forgotten_and_who_slept_through_them_is_told(ledger: Ledger) -> None:
    await ledger.updates.announce([str(number) for number in range(KEPT + 2)], origin="one")

    slept = await ledger.updates.since(1, origin="other")
    in_time = await ledger.updates.since(2, origin="other")

    assert (slept.missed, in_time.missed, len(in_time.uris)) == (True, False, KEPT)


async def test_a_wanted_job_is_followed_until_nobody_has_wanted_it_for_a_while(
    ledger: Ledger, key: JobKey, now: datetime, until: datetime
) -> None:
    jobs = ledger.elsewhere
    assert await jobs.want(key, RUNNING, now=now, until=until, owner="ann", at_most=(1, 1))
    wanted = await jobs.wanted(now=now)
    later = until + timedelta(seconds=5)
    forgotten = await jobs.wanted(now=until)
    await jobs.renew([key], until=later)

    assert [(job.key, job.job, job.has_ended) for job in wanted] == [(key, RUNNING, False)]
    assert forgotten == ()
    assert [job.wanted_until for job in await jobs.wanted(now=until)] == [later]


async def test_only_so_many_jobs_are_followed_at_a_time(
    ledger: Ledger, key: JobKey, group: TargetGroup, now: datetime, until: datetime
) -> None:
    other = JobKey(JobKind.REMOVAL, group, "J")
    want = ledger.elsewhere.want

    assert await want(key, None, now=now, until=until, owner="ann", at_most=(1, 1))
    assert await want(key, None, now=now, until=until, owner="ann", at_most=(1, 1))
    assert not await want(other, None, now=now, until=until, owner="ann", at_most=(1, 1))
    assert await want(other, None, now=until, until=until + timedelta(seconds=1), owner="ann", at_most=(1, 1))


async def test_only_so_many_are_followed_for_one_caller_and_what_is_followed_takes_no_further_place(
    ledger: Ledger, key: JobKey, group: TargetGroup, now: datetime, until: datetime
) -> None:
    want, later = ledger.elsewhere.want, until + timedelta(seconds=1)
    other, third = JobKey(JobKind.REMOVAL, group, "J"), JobKey(JobKind.REMOVAL, group, "K")

    assert await want(key, None, now=now, until=until, owner="ann", at_most=(9, 1))
    assert not await want(other, None, now=now, until=until, owner="ann", at_most=(9, 1))
    assert await want(other, None, now=now, until=until, owner="bob", at_most=(9, 1))
    assert await want(other, None, now=now, until=until, owner="ann", at_most=(9, 1))
    assert not await want(third, None, now=now, until=until, owner="bob", at_most=(9, 1))
    assert await want(other, None, now=until, until=later, owner="ann", at_most=(9, 1))  # bob's place has ended
    assert await want(third, None, now=until, until=later, owner="bob", at_most=(9, 1))


async def test_only_a_change_of_a_wanted_job_is_news(
    ledger: Ledger, key: JobKey, now: datetime, until: datetime
) -> None:
    jobs = ledger.elsewhere
    unwanted = await jobs.note(key, RUNNING)
    await jobs.want(key, None, now=now, until=until, owner="ann", at_most=(1, 1))
    news = [await jobs.note(key, job) for job in (RUNNING, RUNNING, Job("J", "Odd"), ENDED, ENDED, RUNNING)]

    assert unwanted is False
    assert news == [False, False, True, True, False, False]


async def test_an_end_is_kept_for_good_and_followed_no_more(
    ledger: Ledger, key: JobKey, now: datetime, until: datetime
) -> None:
    jobs = ledger.elsewhere
    assert await jobs.note(key, ENDED) is False  # nobody wanted it followed
    assert await jobs.want(key, RUNNING, now=now, until=until, owner="ann", at_most=(0, 0))
    await jobs.renew([key], until=until)

    found = await jobs.find(key)
    assert found is not None
    assert (found.job, found.has_ended, found.wanted_until) == (ENDED, True, None)
    assert await jobs.wanted(now=now) == ()


async def test_of_two_processes_that_see_an_end_at_once_one_tells_it(
    ledger: Ledger, place: Place, key: JobKey, now: datetime, until: datetime
) -> None:
    other, news = await place.open(), list[bool]()
    await ledger.elsewhere.want(key, RUNNING, now=now, until=until, owner="ann", at_most=(1, 1))

    async def see(by: Ledger) -> None:
        news.append(await by.elsewhere.note(key, ENDED))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(see, ledger)
        tasks.start_soon(see, other)
    await other.aclose()

    assert sorted(news) == [False, True]


async def test_what_was_given_up_is_wanted_again_only_when_somebody_asks_anew(
    ledger: Ledger, key: JobKey, now: datetime, until: datetime
) -> None:
    jobs = ledger.elsewhere
    await jobs.want(key, RUNNING, now=now, until=until, owner="ann", at_most=(1, 1))
    await jobs.give_up(key)
    await jobs.renew([key], until=until)
    given_up = await jobs.wanted(now=now)
    await jobs.want(key, RUNNING, now=now, until=until, owner="ann", at_most=(1, 1))

    assert given_up == ()
    assert len(await jobs.wanted(now=now)) == 1


async def test_of_ended_jobs_the_oldest_are_forgotten(ledger: Ledger, key: JobKey, group: TargetGroup) -> None:
    await ledger.elsewhere.note(key, ENDED)
    for number in range(elsewhere_part.KEPT):
        await ledger.elsewhere.note(JobKey(JobKind.UPLOAD, group, str(number)), ENDED)

    assert await ledger.elsewhere.find(key) is None
    assert await ledger.elsewhere.find(JobKey(JobKind.UPLOAD, group, "0")) is not None
