"""Stop a job where that is still possible: before anything of it was sent. The API itself cannot cancel one."""

from dataclasses import dataclass

from recontact_tools.errors import ErrorCode, NotAllowed
from recontact_tools.ledger import Intent, IntentState
from recontact_tools.models import JobKind, TargetGroup
from recontact_tools.policy import check_write
from recontact_tools.runtime import Runtime

_ENDED = frozenset({IntentState.FINISHED, IntentState.REFUSED})


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Whether a job was *stopped*, and an *explanation* for whoever asked."""

    stopped: bool
    explanation: str


async def cancel_job(runtime: Runtime, group: TargetGroup, job_id: str) -> Cancelled:
    """Withdraw what was not sent yet; say of anything else why it cannot be stopped.

    *job_id* is the API's, or the id of an intent whose API job is not known yet.

    Raises:
        NotAllowed: The server may not change anything here.
    """
    check_write(runtime.rules.policy, group)
    intent = await _asked_for(runtime, group, job_id)
    if intent is not None and intent.state is IntentState.PLANNED:
        reason = stopped_before_sending()
        if await runtime.ledger.withdraw(intent.intent_id, reason.as_dict(), now=runtime.clock.now()):
            return Cancelled(stopped=True, explanation=reason.message)
        intent = await runtime.ledger.get(intent.intent_id)
    if intent is not None and intent.state in _ENDED:
        return Cancelled(stopped=False, explanation="The job has ended already; there was nothing left to stop.")
    return Cancelled(
        stopped=False,
        explanation="The job was sent and runs at Cint, whose API cannot cancel a job: it goes on to its end.",
    )


def stopped_before_sending() -> NotAllowed:
    """Say that a job was called off in time."""
    return NotAllowed(
        "The job was stopped before anything was sent; nothing was changed.",
        code=ErrorCode.CANCELLED,
        next_step="Tell the user that it was stopped. Start it again only if they ask for it.",
    )


async def _asked_for(runtime: Runtime, group: TargetGroup, job_id: str) -> Intent | None:
    for kind in JobKind:
        intent = await runtime.ledger.find_job(kind, job_id, group)
        if intent is not None:
            return intent
    return None
