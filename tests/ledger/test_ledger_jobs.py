"""What any ledger knows of the jobs that its intents became."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from recontact_tools.ledger import Duration, IllegalTransition, Intent, IntentState, Ledger, UnknownIntent
from recontact_tools.models import Job, JobKind, Reason, TargetGroup

pytestmark = pytest.mark.anyio
PAYLOAD = b"0b7f7e0c-7a3e-4b62-9c57-0f6a2f4f8f10\n"
Upload = Callable[..., Intent]


async def test_a_started_intent_has_a_job_and_no_payload(ledger: Ledger, upload: Upload, now: datetime) -> None:
    await started(ledger, upload(), now)
    later = now + timedelta(seconds=1)
    await ledger.mark_started("INTENT1", job_id="JOB1", now=later)
    expected = upload(state=IntentState.STARTED, job_id="JOB1")
    assert await ledger.get("INTENT1") == expected
    assert await ledger.active(expected.group) == expected
    with pytest.raises(UnknownIntent):
        await ledger.payload("INTENT1")


async def test_a_started_intent_keeps_its_job_id(ledger: Ledger, upload: Upload, now: datetime) -> None:
    await started(ledger, upload(), now)
    with pytest.raises(IllegalTransition):
        await ledger.mark_started("INTENT1", job_id="JOB2", now=now)


async def test_a_look_is_news_when_the_status_changed(ledger: Ledger, upload: Upload, now: datetime) -> None:
    await started(ledger, upload(), now)
    processing = Job("JOB1", "Processing")
    looks = [processing, processing, replace(processing, job_trace_id="0af7"), Job("JOB1", "Verifying")]
    assert [await ledger.note_job("INTENT1", look, now=now) for look in looks] == [True, False, False, True]
    intent = await ledger.get("INTENT1")
    assert intent is not None
    assert intent.job == Job("JOB1", "Verifying")


async def test_a_late_look_does_not_undo_the_end(ledger: Ledger, upload: Upload, now: datetime) -> None:
    await started(ledger, upload(), now)
    done = Job("JOB1", "Completed", created_at=now, completed_at=now)
    await ledger.mark_finished("INTENT1", done, now=now, settled_by="job")
    assert not await ledger.note_job("INTENT1", Job("JOB1", "Processing"), now=now)
    await ledger.mark_finished("INTENT1", Job("JOB1", "Failed"), now=now, settled_by="overview")
    assert await ledger.get("INTENT1") == upload(state=IntentState.FINISHED, job_id="JOB1", job=done, settled_by="job")


async def test_a_look_at_nothing_we_know_is_a_fault(ledger: Ledger, now: datetime) -> None:
    with pytest.raises(UnknownIntent):
        await ledger.note_job("NONE", Job("JOB1", "Processing"), now=now)


async def test_what_the_api_said_is_kept_without_respondent_ids(ledger: Ledger, upload: Upload, now: datetime) -> None:
    await started(ledger, upload(), now)
    job = Job(
        "0b7f7e0c-7a3e-4b62-9c57-0f6a2f4f8f10",
        "Failed",
        failure_reason=Reason("0B7F7E0C-7A3E-4B62-9C57-0F6A2F4F8F10 is bad", code="bad"),
        partial_success_reason=Reason("2 uploaded, 1 failed"),
    )
    await ledger.mark_finished("INTENT1", job, now=now, settled_by="job")
    intent = await ledger.get("INTENT1")
    assert intent is not None
    assert intent.job == replace(job, failure_reason=Reason("[id] is bad", code="bad"))


async def test_a_job_is_found_by_its_id_or_its_intents(
    ledger: Ledger, upload: Upload, group: TargetGroup, now: datetime
) -> None:
    await started(ledger, upload(), now)
    found = await ledger.get("INTENT1")
    other = replace(group, target_group_id="OTHER")
    assert await ledger.find_job(JobKind.UPLOAD, "JOB1", group) == found
    assert await ledger.find_job(JobKind.UPLOAD, "INTENT1", None) == found
    assert await ledger.find_job(JobKind.UPLOAD, "JOB1", other) is None
    assert await ledger.find_job(JobKind.REMOVAL, "JOB1", None) is None


async def test_known_target_groups_and_jobs_complete_a_prefix(
    ledger: Ledger, upload: Upload, group: TargetGroup, now: datetime
) -> None:
    other = replace(group, target_group_id="02OTHER")
    await started(ledger, upload(), now, job_id="J%1")
    await started(ledger, upload("INTENT2", group=other), now, job_id="J22")
    await ledger.open_intent(upload("INTENT3", group=replace(group, target_group_id="03")), payload=None)
    assert await ledger.known_target_groups("", 2) == ("03", "02OTHER")
    assert await ledger.known_target_groups("01btg", 9) == (group.target_group_id,)
    assert await ledger.known_jobs(JobKind.UPLOAD, None, prefix="J", limit=9) == ("J22", "J%1")
    assert await ledger.known_jobs(JobKind.UPLOAD, None, prefix="J%", limit=9) == ("J%1",)
    assert await ledger.known_jobs(JobKind.UPLOAD, other, prefix="", limit=9) == ("J22",)
    assert await ledger.known_jobs(JobKind.REMOVAL, None, prefix="", limit=9) == ()


async def test_only_completed_jobs_with_both_times_tell_how_long_a_job_takes(
    ledger: Ledger, upload: Upload, group: TargetGroup, now: datetime
) -> None:
    later = now + timedelta(seconds=90)
    ends = [
        Job("JOB1", "Completed", created_at=now, completed_at=later),
        Job("JOB2", "Failed", created_at=now, completed_at=later),
        Job("JOB3", "Completed", completed_at=later),
        Job("JOB4", "Completed", created_at=now),
    ]
    for number, job in enumerate(ends, 1):
        await started(ledger, upload(f"INTENT{number}"), now, job_id=job.job_id)
        await ledger.mark_finished(f"INTENT{number}", job, now=later, settled_by="job")
    known = await ledger.durations(JobKind.UPLOAD, group.account_id, ids_min=1, limit=9)
    assert known == (Duration(3, 90.0),)


async def started(ledger: Ledger, intent: Intent, now: datetime, *, job_id: str = "JOB1") -> None:
    await ledger.open_intent(intent, payload=PAYLOAD)
    assert await ledger.mark_sending(intent.intent_id, now=now)
    await ledger.mark_started(intent.intent_id, job_id=job_id, now=now)
