"""A job that was started, looked at on a schedule until it has ended."""

from dataclasses import dataclass
from datetime import timedelta

from recontact_tools.desk import Desk
from recontact_tools.errors import (
    Detail,
    InvalidInput,
    OutcomeUnknown,
    RateLimited,
    RecontactError,
    Refused,
    Unreachable,
)
from recontact_tools.job_reads import changed_by, read_started
from recontact_tools.ledger import Intent, IntentState
from recontact_tools.models import Job
from recontact_tools.rates import rate_of
from recontact_tools.recorded import acting, recorded
from recontact_tools.schedule import first_look, hindered_look, next_look

# ours: ten times the documented 150 minutes of a full upload; what has not ended by then needs a person.
FOLLOWED_AT_MOST = timedelta(hours=25)
# ours: a job may be listed a little late; one that stays away this often is not there.
MISSES_AT_MOST = 10


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
    desk = await acting(desk, intent)
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


def _lost_sight(intent: Intent) -> dict[str, Detail]:
    return OutcomeUnknown(
        "The job was started, but the API no longer shows how it stands.",
        next_step="Read get_recontact_overview to see how many IDs are stored now.",
        details={"job_id": intent.job_id},
    ).as_dict()
