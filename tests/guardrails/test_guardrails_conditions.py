"""Checks against what is stored and what runs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recontact_tools.errors import ErrorCode, InvalidInput, JobRunning, Unreachable
from recontact_tools.guardrails import (
    IDS_PER_TARGET_GROUP,
    NoJobKnown,
    RunningJob,
    check_capacity,
    check_no_job,
    check_something_stored,
)
from recontact_tools.models import JobKind


@settings(deadline=None)
@given(st.integers(0, 150_000), st.integers(0, 150_000))
def test_what_does_not_fit_is_refused_with_the_exact_room(stored: int, new: int) -> None:
    if stored + new <= IDS_PER_TARGET_GROUP:
        assert check_capacity(stored, new) == stored
        return
    with pytest.raises(InvalidInput) as refused:
        check_capacity(stored, new)
    details = refused.value.details
    room = max(0, IDS_PER_TARGET_GROUP - stored)
    assert refused.value.code is ErrorCode.CAPACITY_EXCEEDED
    assert details == {"stored": stored, "new": new, "room": room, "over": stored + new - IDS_PER_TARGET_GROUP}
    assert (f"at most {room} IDs" if room else "no room left") in refused.value.next_step
    if room:
        assert check_capacity(stored, room) == stored


@pytest.mark.parametrize("unknown", [None, -1])
def test_a_removal_is_refused_while_the_count_is_unknown(unknown: int | None) -> None:
    with pytest.raises(Unreachable) as refused:
        check_something_stored(unknown)
    assert (refused.value.code, refused.value.changed) == (ErrorCode.UNAVAILABLE, "no")


def test_nothing_stored_is_nothing_to_remove() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_something_stored(0)
    assert refused.value.code is ErrorCode.NOTHING_TO_REMOVE
    assert check_something_stored(1) == 1


@pytest.mark.parametrize("kind", JobKind)
def test_a_running_job_is_named_with_its_handle(kind: JobKind) -> None:
    with pytest.raises(JobRunning) as refused:
        check_no_job(RunningJob("JOB1", kind, "recontact://job"))
    assert refused.value.details == {"job_id": "JOB1", "kind": kind.value, "resource_uri": "recontact://job"}
    assert f"get_{kind.value}_job" in refused.value.next_step
    assert refused.value.safe_to_repeat


def test_a_job_may_start_when_none_is_known() -> None:
    assert check_no_job(None) == NoJobKnown()
