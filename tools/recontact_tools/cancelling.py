"""Stopping what can be stopped: work that was not sent. What runs at the API, it runs to its end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from recontact_tools.errors import ErrorCode, NotFound, OutcomeUnknown
from recontact_tools.handles import GETTER
from recontact_tools.job_reads import read_job
from recontact_tools.ledger import IntentState, Stage
from recontact_tools.ledger.entries import Event, about
from recontact_tools.models import JobKind
from recontact_tools.policy import check_write
from recontact_tools.snapshotting import cancelled

if TYPE_CHECKING:
    from recontact_tools.errors import Detail
    from recontact_tools.ledger import Intent, Replacement
    from recontact_tools.models import TargetGroup
    from recontact_tools.runtime import Runtime

_ENDED = "The job has ended already; there was nothing left to stop."
_GOES_ON_UPSTREAM = "it runs at Cint, whose API cannot cancel a job: it goes on to its end."


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Whether work was stopped, and what is true now; *is_known* is whether it was started here."""

    stopped: bool
    explanation: str
    is_known: bool = True


async def cancel_job(runtime: Runtime, group: TargetGroup, job_id: str) -> Cancelled:
    """Stop a job or a replacement, if it can be stopped before it changes anything more.

    Raises:
        NotAllowed: The policy does not let this target group be changed.
        NotFound: Neither this server nor the API knows such a job.
        RecontactError: It was not started here, and the API could not be asked.
    """
    check_write(runtime.rules.policy, group)
    outcome = await _cancelled(runtime, group, job_id)
    event = Event.CANCELLATION_DONE if outcome.stopped else Event.CANCELLATION_REFUSED
    entry = about(group, event, "cancellation", at=runtime.clock.now(), principal=runtime.principal)
    await runtime.ledger.audit.record(replace(entry, job_id=job_id if outcome.is_known else None))
    return outcome


async def _cancelled(runtime: Runtime, group: TargetGroup, job_id: str) -> Cancelled:
    replacement = await runtime.ledger.replacements.get(job_id)
    if replacement is not None and replacement.group == group:
        return await _cancel_replacement(runtime, replacement)
    for kind in JobKind:
        intent = await runtime.ledger.find_job(kind, job_id, group)
        if intent is not None:
            return await _cancel_intent(runtime, intent)
    return await _elsewhere(runtime, group, job_id)


async def _elsewhere(runtime: Runtime, group: TargetGroup, job_id: str) -> Cancelled:
    """Look for a job that was not started here: as an upload, then as a removal.

    Raises:
        NotFound: The API knows neither.
        RecontactError: The API could not be asked.
    """
    try:
        job = await read_job(runtime.gateway, group, JobKind.UPLOAD, job_id)
    except NotFound:
        job = await read_job(runtime.gateway, group, JobKind.REMOVAL, job_id)
    told = _ENDED if job.is_finished else f"It was not started here: {_GOES_ON_UPSTREAM}"
    return Cancelled(stopped=False, explanation=told, is_known=False)


async def _cancel_intent(runtime: Runtime, intent: Intent) -> Cancelled:
    if intent.parent_id is not None:
        return Cancelled(
            stopped=False,
            explanation="This job is a part of a replacement: cancel the replacement, by its own job_id.",
        )
    now = runtime.clock.now()
    if await runtime.ledger.withdraw(intent.intent_id, cancelled().as_dict(), now=now):
        await runtime.ledger.snapshots.delete(intent.intent_id, now=now)  # nothing was removed that could come back
        return Cancelled(stopped=True, explanation=cancelled().message)
    current = await runtime.ledger.get(intent.intent_id) or intent
    return Cancelled(stopped=False, explanation=_too_late(current))


def _too_late(intent: Intent) -> str:
    if intent.state is IntentState.SENDING:
        return f"It was just being sent: if it arrived, {_GOES_ON_UPSTREAM}"
    if intent.state is IntentState.STARTED:
        return f"The job was sent: {_GOES_ON_UPSTREAM} {GETTER[intent.kind]} follows it."
    if intent.state is IntentState.UNKNOWN:
        return f"Nobody knows what became of it: if it arrived, {_GOES_ON_UPSTREAM}"
    return _ENDED


async def _cancel_replacement(runtime: Runtime, replacement: Replacement) -> Cancelled:
    replacements, now = runtime.ledger.replacements, runtime.clock.now()
    error = cancelled().as_dict()
    if await replacements.withdraw(replacement.replacement_id, error, now=now):
        await runtime.ledger.snapshots.delete(replacement.removal_id, now=now)
        return Cancelled(stopped=True, explanation="It was stopped before anything was removed; nothing was changed.")
    if await replacements.turn_back(replacement.replacement_id, turned_back(), now=now):
        return Cancelled(
            stopped=True,
            explanation="The old list is removed already and the new one was not sent: the old one is uploaded again "
            "from its snapshot. Follow that with get_upload_job.",
        )
    current = await replacements.get(replacement.replacement_id) or replacement
    if current.has_ended:
        return Cancelled(stopped=False, explanation="It has ended already; there was nothing left to stop.")
    return Cancelled(stopped=False, explanation=_GOES_ON[current.stage])


def turned_back() -> dict[str, Detail]:
    """Say that a replacement was cancelled when its old list was removed already."""
    return OutcomeUnknown(
        "The replacement was cancelled after the old list had been removed, so the old one is uploaded again.",
        code=ErrorCode.CANCELLED,
        next_step="Follow it until the old list is restored. If the user still wants the new one, ask again then.",
    ).as_dict()


_GOES_ON = {
    Stage.REMOVING: "The removal runs at Cint, whose API cannot cancel a job. Call again once it has ended, before the "
    "new list is uploaded, and the old one is put back instead.",
    Stage.UPLOADING: "The upload of the new list runs at Cint, whose API cannot cancel a job. Once it has ended, "
    "replace_recontacts or restore_recontacts can bring another list back.",
    Stage.VERIFYING: "The new list is stored already and is only being read.",
    Stage.RESTORING: "The old list is being put back; stopping that would leave neither list.",
}
