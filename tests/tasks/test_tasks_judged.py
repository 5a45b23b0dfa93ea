"""What a look at a job makes of its task: final only what is final for the job."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mcp_types import CallToolResult

from recontact_mcp.refusing import refused
from recontact_mcp.tasks.judging import judged
from recontact_tools.errors import (
    ErrorCode,
    NotAllowed,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    RecontactError,
    Unreachable,
)
from recontact_tools.ledger import Intent, IntentState, Task
from recontact_tools.models import JobKind, TargetGroup

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
TASK = Task(
    task_id="a1",
    principal="ann",
    kind=JobKind.UPLOAD,
    group=GROUP,
    job_id="JOB1",
    created_at=NOW,
    expires_at=NOW + timedelta(days=7),
    updated_at=NOW,
)
UNREACHABLE = Unreachable("Nobody answers.", next_step="Wait.")
LIMITED = RateLimited("Too many.", next_step="Wait.", details={"retry_after_seconds": 90})
MISSING = NotFound("There is no such job.", next_step="Look.")
LOST = OutcomeUnknown("Nobody knows.", next_step="Look.")
STOPPED = NotAllowed("It was stopped.", next_step="Nothing.", code=ErrorCode.CANCELLED)


def intent(state: IntentState) -> Intent:
    """Return an intent that was last seen in a state, a minute after its task was made."""
    return Intent(
        intent_id="INTENT1",
        kind=JobKind.UPLOAD,
        principal="ann",
        group=GROUP,
        ids=3,
        stored_before=0,
        state=state,
        created_at=NOW,
        updated_at=NOW + timedelta(minutes=1),
    )


@pytest.mark.parametrize(
    ("state", "error", "status"),
    [
        pytest.param(IntentState.STARTED, UNREACHABLE, "working", id="no connection"),
        pytest.param(IntentState.STARTED, MISSING, "working", id="not listed yet"),
        pytest.param(IntentState.SENDING, LOST, "working", id="on its way"),
        pytest.param(IntentState.UNKNOWN, UNREACHABLE, "working", id="given up, and nobody could look"),
        pytest.param(IntentState.UNKNOWN, LOST, "completed", id="given up"),
        pytest.param(IntentState.UNKNOWN, MISSING, "completed", id="given up and gone"),
        pytest.param(IntentState.REFUSED, LIMITED, "completed", id="never begun"),
        pytest.param(IntentState.REFUSED, STOPPED, "cancelled", id="stopped"),
        pytest.param(None, UNREACHABLE, "working", id="of no intent, no connection"),
        pytest.param(None, MISSING, "completed", id="of no intent, gone"),
    ],
)
def test_an_error_ends_a_task_only_where_it_is_how_the_job_ended(
    state: IntentState | None, error: RecontactError, status: str
) -> None:
    result = refused(error)
    seen = judged(TASK, None if state is None else intent(state), result, now=NOW, pace=1.0)
    assert (seen.status, seen.message) == (status, error.message)
    assert seen.result == (result if status == "completed" else None)
    assert seen.is_over is (status != "working")
    assert seen.updated_at == (NOW + timedelta(minutes=1) if state else NOW)


@pytest.mark.parametrize(
    ("error", "minutes", "pace", "seconds"),
    [
        pytest.param(UNREACHABLE, 0, 1.0, 15, id="soon at first"),
        pytest.param(UNREACHABLE, 2, 1.0, 60, id="then a minute"),
        pytest.param(UNREACHABLE, 20, 1.0, 300, id="then fewer"),
        pytest.param(UNREACHABLE, 20, 0.0, 1, id="full speed"),
        pytest.param(LIMITED, 0, 1.0, 90, id="as the API asks"),
    ],
)
def test_after_a_look_in_vain_the_next_one_is_asked_for_as_for_a_job_of_which_no_time_is_known(
    error: RecontactError, minutes: int, pace: float, seconds: float
) -> None:
    now = NOW + timedelta(minutes=minutes)
    seen = judged(TASK, intent(IntentState.STARTED), refused(error), now=now, pace=pace)
    assert seen.poll_seconds == seconds


def test_a_failed_job_completes_its_task_without_an_error_as_the_job_tool_answers() -> None:
    body: dict[str, Any] = {"poll_after_seconds": 0, "status": "Failed", "next_step": "Tell the user."}
    result = CallToolResult(content=[], structured_content=body)
    seen = judged(TASK, intent(IntentState.FINISHED), result, now=NOW, pace=1.0)
    assert (seen.status, seen.result, seen.message) == ("completed", result, "Tell the user.")
    assert seen.poll_seconds is None


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        pytest.param("CANCELLED: It was stopped in time.", "cancelled", id="stopped"),
        pytest.param("PLAN_DRIFTED: The number has changed.", "completed", id="refused"),
        pytest.param(None, "completed", id="done"),
    ],
)
def test_a_replacement_that_was_stopped_is_a_task_that_was(reason: str | None, status: str) -> None:
    body = {"poll_after_seconds": 0, "failure_reason": reason, "next_step": "Tell the user."}
    result = CallToolResult(content=[], structured_content=body)
    assert judged(TASK, None, result, now=NOW, pace=1.0).status == status
