"""What became of a POST whose answer was lost: found by looking, never by asking again.

An upload is found by its unique file name in the API's list of jobs. Where an account or an API version has no such
list, only the count of stored IDs is left to look at: it speaks for or against the upload, and proves neither.
A removal, of which there is no list at all, is proved by an empty target group alone.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import Enum
from typing import TypeVar

from recontact_tools.desk import Desk
from recontact_tools.errors import FeatureMissing, InvalidInput, RateLimited, Refused, Unreachable
from recontact_tools.ledger import Intent
from recontact_tools.lost_jobs import emptied, job_named
from recontact_tools.models import JobKind
from recontact_tools.schedule import eta, look_delay, settle_delays
from recontact_tools.unknown_outcomes import count_unknown, removal_unknown, upload_unknown

# ours: an outage of this length is waited out, for only a look can tell; the target group is blocked meanwhile.
OUTAGE_WAITED_OUT = timedelta(hours=1)
# ours: a job that fails at once, or is very quick, has shown by then.
FIRST_COUNT_SECONDS = 5.0

_Found = TypeVar("_Found")


class NotSeen(Enum):
    """Why nothing was learnt: the API could not be looked at, or has nothing to look at."""

    NOT_SEEN = "not seen"
    NO_LIST = "no list"


NOT_SEEN, NO_LIST = NotSeen.NOT_SEEN, NotSeen.NO_LIST


async def settle_upload(desk: Desk, intent: Intent) -> None:
    """Adopt the job that carries the intent's unique file name, or record that the outcome is unknown."""
    job_id: str | NotSeen | None = NOT_SEEN
    for delay in settle_delays(intent.kind, intent.ids or 0, pace=desk.pace):
        await desk.clock.sleep(delay)
        job_id = await _seen(desk, intent, _job_named, until=intent.created_at + OUTAGE_WAITED_OUT)
        if isinstance(job_id, NotSeen):
            break
        if job_id is not None:
            async with desk.at_work():
                await desk.ledger.mark_started(intent.intent_id, job_id=job_id, now=desk.clock.now(), found=True)
            return
    unknown = (
        count_unknown(intent, await _count_around(desk, intent))
        if job_id is NO_LIST
        else upload_unknown(intent, looked=job_id is not NOT_SEEN)
    )
    async with desk.at_work():
        await desk.ledger.mark_unknown(intent.intent_id, unknown, now=desk.clock.now())


async def _count_around(desk: Desk, intent: Intent) -> int | None:
    """Return the count when it has grown by all that was sent, else the last one when the upload must be done.

    None when it could not be read at all.
    """
    count: int | None = None
    for seconds in count_looks(intent.ids or 0, pace=desk.pace):
        due = intent.created_at + timedelta(seconds=seconds)
        await desk.clock.sleep(max(0.0, (due - desk.clock.now()).total_seconds()))
        seen = await _seen(desk, intent, _count, until=desk.clock.now() + OUTAGE_WAITED_OUT)
        count = count if isinstance(seen, NotSeen) else seen
        if count is not None and count >= (intent.stored_before or 0) + (intent.ids or 0):
            break
    return count


def count_looks(ids: int, *, pace: float) -> tuple[float, ...]:
    """Return how many seconds after its sending to count what an upload of *ids* IDs has added.

    Soon, and when an upload of this size may, should and must have ended: nobody knows that it runs at all.
    """
    whole = eta(JobKind.UPLOAD, ids, pace=pace)
    first = FIRST_COUNT_SECONDS * min(1.0, pace)
    return tuple(max(first, at) for at in (first, whole.low, (whole.low + whole.high) / 2, whole.high))


async def settle_removal(desk: Desk, intent: Intent) -> None:
    """Accept an empty target group as proof that the removal ran; anything else stays unknown.

    The API lists no removal jobs, so the count is all there is to look at: now, and once more when a
    removal of this size would have ended.
    """
    count: int | NotSeen = NOT_SEEN
    for delay in settle_delays(intent.kind, intent.ids or 0, pace=desk.pace):
        await desk.clock.sleep(delay)
        count = await _seen(desk, intent, _count, until=intent.created_at + OUTAGE_WAITED_OUT)
        if count is NOT_SEEN:
            break
        if count == 0:
            async with desk.at_work():
                now = desk.clock.now()
                job = emptied(intent, now=now)
                await desk.ledger.mark_finished(intent.intent_id, job, now=now, settled_by="overview")
            return
    async with desk.at_work():
        unknown = removal_unknown(intent, looked=count is not NOT_SEEN)
        await desk.ledger.mark_unknown(intent.intent_id, unknown, now=desk.clock.now())


async def _seen(
    desk: Desk, intent: Intent, look: Callable[[Desk, Intent], Awaitable[_Found]], *, until: datetime
) -> _Found | NotSeen:
    """Look until there is an answer; NOT_SEEN when the outage lasts too long or the API refuses to be looked at."""
    attempt = 0
    while True:
        try:
            async with desk.at_work():
                return await look(desk, intent)
        except (Unreachable, RateLimited) as error:
            if desk.clock.now() >= until:
                return NOT_SEEN
            asked = error.details.get("retry_after_seconds")
            delay = look_delay(attempt, pace=desk.pace)
            await desk.clock.sleep(max(delay, asked) if isinstance(asked, int | float) else delay)
            attempt += 1
        except FeatureMissing:
            return NO_LIST
        except (Refused, InvalidInput):
            return NOT_SEEN


async def _job_named(desk: Desk, intent: Intent) -> str | None:
    return await job_named(desk.gateway, intent)


async def _count(desk: Desk, intent: Intent) -> int:
    return await desk.gateway.get_overview(intent.group)
