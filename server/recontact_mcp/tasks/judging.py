"""From what a job tool answered to the state of a task: arithmetic, with every input a parameter."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mcp_types import CallToolResult

from recontact_mcp.tasks.wire import Status, TaskState
from recontact_tools.errors import ErrorCode
from recontact_tools.ledger import Intent, IntentState, Task
from recontact_tools.schedule import Eta, poll_after


def running(task: Task, handle: Mapping[str, Any]) -> TaskState:
    """Return the task of a job from its handle: even one that has ended by now is first looked at."""
    return _state(task, "working", message=_progress(task, handle), poll_seconds=handle["poll_after_seconds"])


def judged(task: Task, intent: Intent | None, result: CallToolResult, *, now: datetime, pace: float) -> TaskState:
    """Return how a task stands after a look that answered *result*.

    *intent* is what the ledger knows of the job. An answer that says nothing final, for want of a connection perhaps,
    leaves the task working.
    """
    body: Mapping[str, Any] = result.structured_content or {}
    updated = max(task.updated_at, intent.updated_at) if intent else task.updated_at
    if not result.is_error:
        if body["poll_after_seconds"]:
            return _state(
                task, "working", updated, message=_progress(task, body), poll_seconds=body["poll_after_seconds"]
            )
        if str(body.get("failure_reason")).startswith(f"{ErrorCode.CANCELLED}: "):  # a replacement tells it so
            return _state(task, "cancelled", updated, message=body["failure_reason"])
        return _state(task, "completed", updated, message=body["next_step"], result=result)
    error: Mapping[str, Any] = body["error"]
    if not _is_final(intent, error):
        elapsed = max(0.0, (now - task.created_at).total_seconds())
        # The way on is the same as for a job of which no time is known.
        poll = error.get("retry_after_seconds") or poll_after(Eta(0, 0), elapsed, pace=pace)
        return _state(task, "working", updated, message=_with_note(task, error["message"]), poll_seconds=poll)
    if error["code"] == ErrorCode.CANCELLED:
        return _state(task, "cancelled", updated, message=error["message"])
    return _state(task, "completed", updated, message=error["message"], result=result)


def _is_final(intent: Intent | None, error: Mapping[str, Any]) -> bool:
    """Whether an error is how the job ended: it never began, or is given up and the look failed for good as well."""
    if intent is not None and intent.state is not IntentState.UNKNOWN:
        return intent.state is IntentState.REFUSED
    return not error["safe_to_repeat"]


def _progress(task: Task, body: Mapping[str, Any]) -> str:
    """Name the job, so that who reads it can use the job tools, and say how long it may still take."""
    left = body["eta_seconds"]
    return _with_note(
        task, f"{task.kind.value} job {body['job_id']}: {body['status']}, {left['low']} to {left['high']} s left."
    )


def _with_note(task: Task, message: str) -> str:
    return f"{message} {task.note}" if task.note else message


def _state(
    task: Task,
    status: Status,
    updated: datetime | None = None,
    *,
    message: str,
    poll_seconds: float | None = None,
    result: CallToolResult | None = None,
) -> TaskState:
    return TaskState(
        task_id=task.task_id,
        status=status,
        created_at=task.created_at,
        updated_at=updated or task.updated_at,
        lifetime=task.expires_at - task.created_at,
        poll_seconds=poll_seconds,
        message=message,
        result=result,
    )
