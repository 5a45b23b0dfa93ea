"""A started job is looked at until it has ended, and not for ever."""

from datetime import timedelta

import anyio
import pytest
from desk_setting import IDS, Setting

from recontact_service.faults import Fault, FaultKind
from recontact_service.operations import Operation
from recontact_tools.following import FOLLOWED_AT_MOST, MISSES_AT_MOST, note
from recontact_tools.ledger import IntentState
from recontact_tools.models import Job, JobKind
from recontact_tools.runtime import Clock
from recontact_tools.stages import follow, send
from recontact_tools.uris import changed_uris

pytestmark = pytest.mark.anyio

LOOK = Operation.GET_RSIDS_UPLOAD


async def started(setting: Setting) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    await send(setting.desk, "A")


async def test_following_outlasts_reads_that_fail(setting: Setting) -> None:
    await started(setting)
    setting.faults.script(LOOK, Fault(FaultKind.ERROR), times=9)
    setting.faults.script(LOOK, Fault(FaultKind.RATE_LIMITED, seconds=90), times=2)

    await follow(setting.desk, "A")

    assert (await setting.recorded("A")).state is IntentState.FINISHED


async def test_a_job_that_stays_hidden_is_given_up_as_unknown(setting: Setting) -> None:
    await started(setting)
    setting.faults.script(LOOK, Fault(FaultKind.EXPIRED_TOKEN), times=10 * MISSES_AT_MOST)

    await follow(setting.desk, "A")

    state, error = await setting.failure("A")
    assert (state, error["code"]) == (IntentState.UNKNOWN, "OUTCOME_UNKNOWN")
    assert error["job_id"] == (await setting.recorded("A")).job_id


async def test_a_job_is_not_followed_for_ever(setting: Setting) -> None:
    await started(setting)
    setting.faults.script(LOOK, Fault(FaultKind.ERROR), times=10)
    setting.moment += FOLLOWED_AT_MOST

    await follow(setting.desk, "A")

    assert (await setting.recorded("A")).state is IntentState.UNKNOWN


async def test_the_looks_at_a_job_back_off(setting: Setting) -> None:
    await started(setting)
    setting.faults.script(LOOK, Fault(FaultKind.EXPIRED_TOKEN), times=2 * MISSES_AT_MOST - 4)
    setting.waits.clear()

    await follow(setting.desk, "A")

    assert setting.waits == sorted(setting.waits)
    assert len(setting.waits) > len(set(setting.waits))


async def test_looks_that_meet_an_outage_become_rarer_at_once(setting: Setting) -> None:
    await started(setting)
    setting.desk.pace = 1.0
    setting.faults.script(LOOK, Fault(FaultKind.ERROR), times=4 * 4)  # each look tries four times
    setting.waits.clear()

    await follow(setting.desk, "A")

    # As long as the job has run, and 15 seconds later on: doubled by one look without an answer, else fourfold.
    assert setting.waits == [1, 1 * 2, 3 * 4, 15 * 4, 15 * 4]


async def test_no_look_comes_sooner_than_the_api_asked_for(setting: Setting) -> None:
    await started(setting)
    setting.desk.pace = 1.0
    setting.faults.script(LOOK, Fault(FaultKind.RATE_LIMITED, seconds=90), times=2)
    setting.waits.clear()

    await follow(setting.desk, "A")

    assert setting.waits == [1, 90, 90]


async def test_whoever_takes_an_old_job_over_looks_soon_and_then_rarely(setting: Setting) -> None:
    await started(setting)
    setting.desk.pace = 1.0
    setting.moment += timedelta(hours=3)
    setting.faults.script(LOOK, Fault(FaultKind.EXPIRED_TOKEN), times=2 * 2)  # each look tries two tokens
    setting.waits.clear()

    await follow(setting.desk, "A")

    assert setting.waits == [1, 60 * 2, 60 * 4]


async def test_a_clock_that_is_set_back_does_not_bring_the_quick_looks_back(setting: Setting) -> None:
    await started(setting)
    setting.desk.pace = 1.0
    setting.moment -= timedelta(hours=1)
    setting.faults.script(LOOK, Fault(FaultKind.EXPIRED_TOKEN), times=2 * 5)
    setting.waits.clear()

    await follow(setting.desk, "A")

    assert setting.waits == [1, 1 * 2, 3 * 4, 15 * 4, 15 * 4, 15 * 4]


async def test_a_closing_desk_begins_no_effect_and_waits_for_those_under_way(setting: Setting) -> None:
    desk, ended = setting.desk, anyio.Event()
    await setting.intend("A", JobKind.UPLOAD, IDS)

    async def effect() -> None:
        async with desk.at_work():
            await anyio.sleep(0.02)
            ended.set()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(effect)
            await anyio.wait_all_tasks_blocked()
            await desk.close()
            assert ended.is_set()
            with anyio.move_on_after(0.02) as late:
                await send(desk, "A")
            assert late.cancelled_caught


async def test_a_workflow_without_an_intent_is_a_fault_of_ours(setting: Setting) -> None:
    with pytest.raises(AssertionError):
        await follow(setting.desk, "never written")


async def test_an_unchanged_status_is_not_told_twice(setting: Setting) -> None:
    await started(setting)
    intent = await setting.recorded("A")
    job = Job(intent.job_id or "", "Processing")

    await note(setting.desk, intent, job)
    told = len(setting.published)
    await note(setting.desk, intent, job)

    assert (told, len(setting.published)) == (3, 3)


async def test_an_end_that_a_callers_look_saw_first_is_told_without_another_look(setting: Setting) -> None:
    await started(setting)
    intent = await setting.recorded("A")
    job = Job(intent.job_id or "", "Completed")
    await setting.desk.ledger.mark_finished("A", job, now=setting.moment, settled_by="job")

    await follow(setting.desk, "A")

    assert setting.published == [*changed_uris(intent.group, JobKind.UPLOAD, job.job_id)]
    assert setting.faults.requests[LOOK] == 0


async def test_an_end_that_a_caller_sees_between_two_looks_is_told_without_another_look(setting: Setting) -> None:
    await started(setting)
    intent = await setting.recorded("A")

    async def meanwhile(seconds: float) -> None:
        await setting.sleep(seconds)
        job = Job(intent.job_id or "", "Completed")
        await setting.desk.ledger.mark_finished("A", job, now=setting.moment, settled_by="job")

    setting.desk.clock = Clock(now=setting.now, sleep=meanwhile)
    await follow(setting.desk, "A")

    assert len(setting.published) == 3
    assert setting.faults.requests[LOOK] == 0
