"""The one POST of an intent: sent once, however often it is tried and by whomever."""

from enum import StrEnum

from recontact_tools.desk import Desk
from recontact_tools.errors import OutcomeUnknown, RecontactError
from recontact_tools.job_reads import changed_by
from recontact_tools.ledger import Intent, IntentState
from recontact_tools.ledger.entries import Event, about_intent
from recontact_tools.models import IdType, JobKind
from recontact_tools.objections import objection_to
from recontact_tools.recorded import acting, recorded


class Sent(StrEnum):
    """What is known after sending: the job runs, it was refused, or the answer was lost."""

    STARTED = "started"
    REFUSED = "refused"
    LOST = "lost"


KNOWN = {
    IntentState.STARTED: Sent.STARTED,
    IntentState.FINISHED: Sent.STARTED,
    IntentState.REFUSED: Sent.REFUSED,
    IntentState.UNKNOWN: Sent.REFUSED,
    IntentState.SENDING: Sent.LOST,
}


async def send(desk: Desk, intent_id: str) -> Sent:
    """Make the one POST of an intent, or say what is known of the one that was made.

    The ledger lets exactly one caller pass from planned to sending, and only that one posts: a process
    that dies afterwards leaves an answer to look for, never a reason to post again.
    """
    async with desk.at_work():
        intent = await recorded(desk, intent_id)
    desk = await acting(desk, intent)
    with desk.observer.job(intent.kind.value, "send") as tell:
        objection = await objection_to(desk, intent) if intent.state is IntentState.PLANNED else None
        async with desk.at_work():
            sent = await _sent_once(desk, intent, objection)
            if intent.kind is JobKind.REMOVAL:
                await _tell_of_removal(desk, intent, sent)
        tell(sent.value)
    return sent


async def _sent_once(desk: Desk, intent: Intent, objection: RecontactError | None) -> Sent:
    intent_id = intent.intent_id
    if objection is not None:
        await desk.ledger.withdraw(intent_id, objection.as_dict(), now=desk.clock.now())
    if not await desk.ledger.mark_sending(intent_id, now=desk.clock.now()):
        return KNOWN[(await recorded(desk, intent_id)).state]
    try:
        job_id = await _post(desk, intent)
    except OutcomeUnknown:
        await desk.ledger.audit.record(about_intent(intent, Event.REQUEST_UNANSWERED, desk.clock.now()))
        return Sent.LOST
    except RecontactError as refusal:
        await desk.ledger.mark_refused(intent_id, refusal.as_dict(), now=desk.clock.now())
        return Sent.REFUSED
    await desk.ledger.mark_started(intent_id, job_id=job_id, now=desk.clock.now())
    return Sent.STARTED


async def _tell_of_removal(desk: Desk, intent: Intent, sent: Sent) -> None:
    """Tell whoever watched the snapshot what became of it; one before which nothing was removed is of no use."""
    now_recorded = await recorded(desk, intent.intent_id)
    if sent is Sent.REFUSED and now_recorded.state is IntentState.REFUSED:
        await desk.ledger.snapshots.delete(intent.intent_id, now=desk.clock.now())
    await desk.publish(*changed_by(now_recorded))


async def _post(desk: Desk, intent: Intent) -> str:
    if intent.kind is JobKind.REMOVAL:
        return await desk.gateway.remove_all(intent.group)
    return await desk.gateway.upload_file(
        intent.group,
        file_name=intent.file_name or "",
        content=await desk.ledger.payload(intent.intent_id),
        id_type=intent.id_type or IdType.RSID,
    )
