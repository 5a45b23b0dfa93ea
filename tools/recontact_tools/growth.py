"""What an upload came to: the count before and after it, and what may account for the difference."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import anyio

from recontact_tools.errors import Refused, Unreachable
from recontact_tools.ledger import Intent
from recontact_tools.models import IdType, Job
from recontact_tools.partial_success import PartialCounts, partial_counts
from recontact_tools.runtime import Runtime
from recontact_tools.schedule import look_delay

# ours: a count that follows its job within some seconds is waited for; a later one would have to be explained anyway.
LOOKS = 4
# ours: the count of a job that ended longer ago has had its time.
FRESH = timedelta(minutes=1)

NOT_FROM_HERE = "This upload was not started here, so what it sent and what was stored before it are not known."
CHANGED_SINCE = "Another job was started on this target group since, so the counts are not comparable."
NOT_READ = "The count after the upload could not be read yet; repeat the call in a minute."
LESS = "Fewer IDs are stored than before the upload: somebody removed some, so the counts are not comparable."
MORE = "The count grew by more than was sent: somebody else added some, so the counts are not comparable."


@dataclass(frozen=True, slots=True)
class Growth:
    """The counts around a finished upload; *by* is None where they are not comparable, and *explanation* says why."""

    stored_before: int | None
    stored_after: int | None
    by: int | None
    explanation: str


def counts_of(job: Job) -> PartialCounts | None:
    """Return the API's own numbers, if it gave any."""
    return partial_counts(job.partial_success_reason.description) if job.partial_success_reason else None


async def settled(runtime: Runtime, intent: Intent | None, job: Job, *, seconds: float) -> Growth:
    """Return what a finished upload came to; its count is read once, kept, and the same ever after.

    Takes about *seconds* at most. A count that cannot be read now is read by a later call.
    """
    if intent is None:
        return Growth(None, None, None, NOT_FROM_HERE)
    after, changed = intent.stored_after, False
    if after is None:
        changed = await runtime.ledger.changed_since(intent.intent_id)
        if not changed:
            after = await _noted(runtime, intent, job, seconds=seconds)
    if after is None:
        return Growth(intent.stored_before, None, None, CHANGED_SINCE if changed else NOT_READ)
    return growth(intent, job, after)


async def _noted(runtime: Runtime, intent: Intent, job: Job, *, seconds: float) -> int | None:
    """Read the count after a job and keep it, unless another job began meanwhile; return the one that is kept."""
    counts: list[int] = []
    with anyio.move_on_after(seconds), suppress(Refused, Unreachable):
        await _count(runtime, intent, job, counts)
    if not counts or await runtime.ledger.changed_since(intent.intent_id):
        return None
    await runtime.ledger.note_stored_after(intent.intent_id, counts[-1])
    kept = await runtime.ledger.get(intent.intent_id)
    return kept.stored_after if kept else counts[-1]  # somebody else's, if they were first


async def _count(runtime: Runtime, intent: Intent, job: Job, counts: list[int]) -> None:
    """Add the count to *counts*, and again a few times if the job has just ended and more is to be expected.

    A list, because what was read is worth having even if there is no time to read it again.

    source: cint-api.md section 5, row 15: whether the count follows the end of a job at once is not documented.
    """
    counts.append(await runtime.gateway.get_overview(intent.group))
    for attempt in range(LOOKS - 1):
        if not _may_still_grow(intent, job, counts[-1]) or _age(runtime, job) > FRESH:
            break
        await runtime.clock.sleep(look_delay(attempt, pace=runtime.rules.pace))
        counts.append(await runtime.gateway.get_overview(intent.group))


def _may_still_grow(intent: Intent, job: Job, count: int) -> bool:
    if not job.is_completed:
        return False
    counts = counts_of(job)
    return count < (intent.stored_before or 0) + (intent.ids or 0) - (counts.failed if counts else 0)


def _age(runtime: Runtime, job: Job) -> timedelta:
    return timedelta(0) if job.completed_at is None else runtime.clock.now() - job.completed_at


def growth(intent: Intent, job: Job, after: int) -> Growth:
    """Say what an upload came to after which *after* ids are stored."""
    before, sent = intent.stored_before or 0, intent.ids or 0
    by = after - before
    if by < 0:
        return Growth(before, after, None, LESS)
    if by > sent:
        return Growth(before, after, None, MORE)
    if job.is_failed:
        return Growth(before, after, by, f"The job failed; the count grew by {by} of {sent} IDs.")
    counts = counts_of(job)
    return Growth(before, after, by, _explained(sent, by, counts.failed if counts else None, intent.id_type))


def _explained(sent: int, by: int, failed: int | None, id_type: IdType | None) -> str:
    if by == sent and not failed:
        return f"The count grew by exactly the {sent} IDs sent."
    grew = f"The count grew by {by} of {sent} IDs."
    rest = sent - by - (failed or 0)
    if rest < 0:
        return f"{grew} With the {failed} that failed this is more than was sent, so others changed the list, too."
    told = f" The API says that {failed} failed." if failed else ""
    if rest == 0:
        return f"{grew}{told} That accounts for the difference."
    same = " or are of the same respondent as another RID" if id_type is IdType.RID else ""
    return f"{grew}{told} It is normal for IDs that were stored already{same} to add nothing: that may be {rest}."
