"""The stages of a job's life, each safe to run again: send once, settle a lost answer, follow."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from recontact_tools.desk import Desk
from recontact_tools.errors import (
    Detail,
    ErrorCode,
    InvalidInput,
    NotAllowed,
    OutcomeUnknown,
    RateLimited,
    RecontactError,
    Refused,
    Unreachable,
)
from recontact_tools.guardrails import check_count
from recontact_tools.job_reads import changed_by, read_started
from recontact_tools.ledger import Intent, IntentState
from recontact_tools.ledger.entries import Event, about_intent
from recontact_tools.models import IdType, Job, JobKind
from recontact_tools.policy import check_write
from recontact_tools.proving import prove
from recontact_tools.rates import rate_of
from recontact_tools.schedule import first_look, hindered_look, next_look
from recontact_tools.settling import settle_removal, settle_upload
from recontact_tools.snapshotting import take_snapshot

# ours: ten times the documented 150 minutes of a full upload; what has not ended by then needs a person.
FOLLOWED_AT_MOST = timedelta(hours=25)
# ours: a restart within this time goes on with what was asked; later, nobody may be waiting for it any more, and
# the list behind the count that a person saw before a removal may be another one.
PLANS_HOLD = {JobKind.UPLOAD: timedelta(minutes=10), JobKind.REMOVAL: timedelta(seconds=60)}
# ours: the snapshot of a long list takes minutes, an outage on the way some more; longer ago is another decision.
AGREEMENTS_HOLD = timedelta(hours=1)
# ours: a job may be listed a little late; one that stays away this often is not there.
MISSES_AT_MOST = 10


class Sent(StrEnum):
    """What is known after sending: the job runs, it was refused, or the answer was lost."""

    STARTED = "started"
    REFUSED = "refused"
    LOST = "lost"


_KNOWN = {
    IntentState.STARTED: Sent.STARTED,
    IntentState.FINISHED: Sent.STARTED,
    IntentState.REFUSED: Sent.REFUSED,
    IntentState.UNKNOWN: Sent.REFUSED,
    IntentState.SENDING: Sent.LOST,
}


async def recorded(desk: Desk, intent_id: str) -> Intent:
    """Return an intent that is known to exist."""
    intent = await desk.ledger.get(intent_id)
    if intent is None:
        raise AssertionError("a workflow runs only for an intent that was written first")
    return intent


async def _acting(desk: Desk, intent: Intent) -> Desk:
    """Return the desk as it is for whoever asked for an intent: another person has other rules and credentials."""
    return await desk.acting_for(intent.principal, intent.group.account_id, intent.claims)


async def send(desk: Desk, intent_id: str) -> Sent:
    """Make the one POST of an intent, or say what is known of the one that was made.

    The ledger lets exactly one caller pass from planned to sending, and only that one posts: a process
    that dies afterwards leaves an answer to look for, never a reason to post again.
    """
    async with desk.at_work():
        intent = await recorded(desk, intent_id)
    desk = await _acting(desk, intent)
    with desk.observer.job(intent.kind.value, "send") as tell:
        objection = await _objection(desk, intent) if intent.state is IntentState.PLANNED else None
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
        return _KNOWN[(await recorded(desk, intent_id)).state]
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


async def _objection(desk: Desk, intent: Intent) -> RecontactError | None:
    """Return what speaks against sending a planned intent now, seen from the process that would send it.

    It may be another one than was asked, under other rules, or the same after a crash; and what a person
    agreed to remove may have changed since. A removal is not sent before its snapshot is complete.
    """
    try:
        await _check_fresh(desk, intent)
        _check_allowed(desk, intent)
        if intent.kind is JobKind.REMOVAL:
            await _check_removable(desk, intent)
            _check_allowed(await _acting(desk, intent), intent)  # a snapshot takes minutes
    except RecontactError as objection:
        return objection
    return None


def _check_allowed(desk: Desk, intent: Intent) -> None:
    """Refuse what whoever asked for it may not do any more.

    Raises:
        NotAllowed: They may not, or nobody knows them here any more.
    """
    if desk.objection is not None:
        raise desk.objection
    check_write(desk.policy, intent.group)


async def _check_fresh(desk: Desk, intent: Intent) -> None:
    """Refuse what nobody has worked on for too long, or what somebody agreed to long ago.

    Raises:
        NotAllowed: It is too old.
    """
    now = desk.clock.now()
    snapshot = await desk.ledger.snapshots.get(intent.intent_id)
    worked_on = max(intent.created_at, snapshot.updated_at) if snapshot else intent.created_at
    if now - worked_on > PLANS_HOLD[intent.kind] or now - intent.created_at > AGREEMENTS_HOLD:
        raise _stale(intent.kind)


async def _check_removable(desk: Desk, intent: Intent) -> None:
    """Take the snapshot of a removal, between two looks at the count that a person saw.

    Raises:
        RecontactError: The count has drifted, the snapshot cannot be taken, or it took too long.
    """
    check_count(planned=intent.ids, stored=await desk.gateway.get_overview(intent.group))
    await take_snapshot(desk, intent)
    check_count(planned=intent.ids, stored=await desk.gateway.get_overview(intent.group))
    await _check_fresh(desk, intent)


def _stale(kind: JobKind) -> NotAllowed:
    return NotAllowed(
        "The server stopped before this was sent, and it is too old to be sent now; nothing was changed.",
        code=ErrorCode.PLAN_NOT_VALID,
        next_step=f"If the user still wants the {kind.value}, start it again.",
    )


async def _post(desk: Desk, intent: Intent) -> str:
    if intent.kind is JobKind.REMOVAL:
        return await desk.gateway.remove_all(intent.group)
    return await desk.gateway.upload_file(
        intent.group,
        file_name=intent.file_name or "",
        content=await desk.ledger.payload(intent.intent_id),
        id_type=intent.id_type or IdType.RSID,
    )


async def settle(desk: Desk, intent_id: str) -> Sent:
    """Find out what became of a POST whose answer was lost, by looking only."""
    intent = await recorded(desk, intent_id)
    if intent.state is not IntentState.SENDING:
        return _KNOWN[intent.state]
    desk = await _acting(desk, intent)
    if intent.kind is JobKind.UPLOAD:
        await settle_upload(desk, intent)
    else:
        await settle_removal(desk, intent)
    return _KNOWN[(await recorded(desk, intent_id)).state]


@dataclass(frozen=True, slots=True)
class Looks:
    """How the latest looks at a job went: *vain* ones in a row, of which *misses* were refused.

    *retry_after* is how many seconds the API asks to be left alone.
    """

    vain: int = 0
    misses: int = 0
    retry_after: float = 0.0

    def hindered(self, error: RecontactError) -> "Looks":
        """Count a look in vain; what keeps the API from answering says nothing about the job, and is no miss."""
        if isinstance(error, RateLimited | Unreachable):
            return Looks(self.vain + 1, self.misses, error.retry_after)
        return Looks(self.vain + 1, self.misses + 1)


async def follow(desk: Desk, intent_id: str) -> None:
    """Look at a started job until it has ended, as `_follow` does, and tell how it ended."""
    intent = await recorded(desk, intent_id)
    desk = await _acting(desk, intent)
    with desk.observer.job(intent.kind.value, "follow") as tell:
        tell(_end_of(await _follow(desk, intent)))


def _end_of(intent: Intent) -> str:
    if intent.job is not None and intent.job.is_finished:
        return "completed" if intent.job.is_completed else "failed"
    return "lost sight of"


async def _follow(desk: Desk, intent: Intent) -> Intent:
    """Look at a started job until it has ended, on the schedule of `schedule.next_look`; return it as it is then.

    Whoever takes a job over looks soon, however old it is. Its end is told here even if somebody else saw it first:
    who did may have died before telling.
    """
    intent_id = intent.intent_id
    rate = await rate_of(desk.ledger, intent.kind, intent.group.account_id, pace=desk.pace)
    looks, waited, delay = Looks(), 0.0, first_look(pace=desk.pace)
    while intent.state is IntentState.STARTED:
        await desk.clock.sleep(delay)
        async with desk.at_work():
            intent = await recorded(desk, intent_id)  # a caller's look may have seen the end by now
            if intent.state is not IntentState.STARTED:
                break
            looks = await _look(desk, intent, looks)
            intent = await recorded(desk, intent_id)
            age = desk.clock.now() - intent.created_at
            if intent.state is IntentState.STARTED and (age > FOLLOWED_AT_MOST or looks.misses >= MISSES_AT_MOST):
                await desk.ledger.mark_unknown(intent_id, _lost_sight(intent), now=desk.clock.now())
                break
        waited += delay
        # A clock that is set back must not bring the quick first looks back.
        delay = next_look(rate, intent.ids or 0, max(waited, age.total_seconds()), pace=desk.pace)
        delay = hindered_look(delay, looks.vain, retry_after=looks.retry_after)
    async with desk.at_work():
        await desk.publish(*changed_by(intent))
    return intent


async def _look(desk: Desk, intent: Intent, looks: Looks) -> Looks:
    """Look once, and count how that went."""
    try:
        await note(desk, intent, await read_started(desk.gateway, desk.ledger, intent, now=desk.clock.now()))
    except (RateLimited, Unreachable, Refused, InvalidInput) as error:
        return looks.hindered(error)
    return Looks()


async def note(desk: Desk, intent: Intent, job: Job) -> None:
    """Remember what a look showed, and tell subscribers when the state changed; `follow` tells the end."""
    if await desk.ledger.note_job(intent.intent_id, job, now=desk.clock.now()):
        await desk.publish(*changed_by(intent))


async def ended(desk: Desk, intent_id: str) -> Intent:
    """Go through all stages of an intent, from wherever it is, and return it as it ends."""
    sent = await send(desk, intent_id)
    if sent is Sent.LOST:
        sent = await settle(desk, intent_id)
    if sent is Sent.STARTED:
        await follow(desk, intent_id)
    return await recorded(desk, intent_id)


async def prove_restored(desk: Desk, intent_id: str) -> None:
    """Compare what is stored with what a finished restore has sent; nothing for any other job."""
    intent = await recorded(desk, intent_id)
    await prove(await _acting(desk, intent), intent)


def _lost_sight(intent: Intent) -> dict[str, Detail]:
    return OutcomeUnknown(
        "The job was started, but the API no longer shows how it stands.",
        next_step="Read get_recontact_overview to see how many IDs are stored now.",
        details={"job_id": intent.job_id},
    ).as_dict()
