"""Look at a job for a caller: once, or until it ends or the caller's patience does."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

import anyio

from recontact_tools.elsewhere import Asked, look_elsewhere, look_of
from recontact_tools.errors import AnswerAwaited, ErrorCode, RateLimited, Refused, Unreachable
from recontact_tools.handles import PREPARING, is_preparing, job_of
from recontact_tools.injected import Progress
from recontact_tools.job_reads import changed_by, read_started
from recontact_tools.ledger import Intent, IntentState, JobKey
from recontact_tools.lost_jobs import look_again
from recontact_tools.models import Job, JobKind, TargetGroup
from recontact_tools.policy import check_read
from recontact_tools.progress import Moved, moved
from recontact_tools.revived import revived
from recontact_tools.runtime import Runtime
from recontact_tools.schedule import first_look, next_waiting_look
from recontact_tools.shared_looks import Look
from recontact_tools.starting import awaited
from recontact_tools.telling import Told

# ours: with the longest wait of 45 s still less than the 60 s after which hosts give a call up.
LOOK_SECONDS = 10.0
# ours: how far a job has come is a courtesy, for which nobody waits long.
COUNT_SECONDS = 3.0
_UNANSWERED = frozenset({IntentState.PLANNED, IntentState.SENDING})
_AT_ONCE = Asked()


@dataclass(frozen=True, slots=True)
class Seen:
    """A job as last seen, and the intent it belongs to when it was started here; *look* is None for one that ended."""

    job: Job
    intent: Intent | None
    started: datetime
    look: Look | None = None

    @property
    def ids(self) -> int | None:
        """How many IDs the job is about, where that is known."""
        return self.intent.ids if self.intent else None

    @property
    def moved(self) -> Moved | None:
        """How far the job has come; None where the count of stored IDs does not show it, and once it has ended."""
        if self.intent is None or self.look is None or self.job.is_finished:
            return None
        before = self.intent.stored_before
        return moved(self.intent.kind, ids=self.ids, before=before, stored=self.look.stored)

    @property
    def failure_reason(self) -> str | None:
        """Why the job failed: the API's code and words, and its trace id for Cint's support."""
        reason = self.job.failure_reason
        if reason is None:
            return None
        code = f"{reason.code}: " if reason.code else ""
        trace = f" (job_trace_id {self.job.job_trace_id})" if self.job.job_trace_id else ""
        return f"{code}{reason.description}{trace}"


async def look_once(runtime: Runtime, group: TargetGroup, kind: JobKind, job_id: str, asked: Asked = _AT_ONCE) -> Seen:
    """Return how a job stands; one that has ended is answered from the ledger, for it cannot change.

    *job_id* is the API's, or the id of an intent whose API job is not known yet. Callers share looks.

    Raises:
        NotFound: The API knows no such job on this target group.
        AnswerAwaited: The intent's answer may still come.
        OutcomeUnknown: It was lost for good.
    """
    check_read(runtime.rules.policy, group)
    intent = await runtime.ledger.find_job(kind, job_id, group)
    if intent is None:
        look = await look_elsewhere(runtime, JobKey(kind, group, job_id), asked)
        return Seen(look.job, None, look.job.created_at or runtime.clock.now(), look)
    if is_preparing(intent):
        return Seen(job_of(intent), intent, intent.created_at)
    if intent.state in _UNANSWERED:
        raise awaited(intent)
    if intent.state is IntentState.UNKNOWN:
        intent = await look_again(runtime.gateway, runtime.ledger, intent, now=runtime.clock.now())
    if intent.state is IntentState.FINISHED and intent.job is not None:
        return Seen(intent.job, intent, intent.created_at)
    if intent.job_id is None and intent.error is not None:
        raise revived(intent.error)
    look = await _look(runtime, intent, asked)
    return Seen(look.job, intent, intent.created_at, look)


async def _look(runtime: Runtime, intent: Intent, asked: Asked) -> Look:
    """Look at a started job and, while it runs, count what is stored."""

    async def look() -> Look:
        job = await read_started(runtime.gateway, runtime.ledger, intent, now=runtime.clock.now())
        if job.is_finished:
            await runtime.publish(*changed_by(intent))
        stored = None if job.is_finished else await _stored(runtime, intent)
        return look_of(runtime, job, intent.created_at, asked.waited, stored=stored)

    key = JobKey(intent.kind, intent.group, intent.job_id or intent.intent_id)
    return await runtime.looks.share(key, look, now=runtime.clock.now, after=asked.after)


async def _stored(runtime: Runtime, intent: Intent) -> int | None:
    """Count what is stored; None when that cannot be read soon."""
    with anyio.move_on_after(COUNT_SECONDS), suppress(Refused, Unreachable):
        return await runtime.gateway.get_overview(intent.group)
    return None


async def wait_for(
    runtime: Runtime, progress: Progress, group: TargetGroup, kind: JobKind, job_id: str, *, seconds: int
) -> Seen:
    """Look until the job ends or *seconds* have passed, telling the caller's host that the wait goes on.

    A look that fails for want of a connection or of an answer does not end the wait, unless the API asks to be left
    alone for longer than that; the last one is reported.
    """
    begun, slept, told = runtime.clock.now(), 0.0, Told(progress, kind)
    asked, first = Asked(), None
    while True:
        pause = 0.0
        # Looks take time too; and a clock that is set back must not make the wait longer.
        waited = max(slept, (runtime.clock.now() - begun).total_seconds())
        # Whoever leaves is content with the look that is fresh: fifty who leave one by one need no fifty looks.
        asked = Asked(asked.after if waited < seconds else None, waited)
        try:
            patience = max(seconds - waited, LOOK_SECONDS)
            seen = await look_soon(runtime, group, kind, job_id, seconds=patience, asked=asked)
            if seen.job.is_finished or waited >= seconds or runtime.ending.begun or _was_sent(first, seen):
                return seen
            first = first or seen
            asked = Asked(seen.look, waited)
            await told(waited, seen.job, seen.moved or await _kept(runtime, seen))
        except (Unreachable, RateLimited, AnswerAwaited) as error:
            pause = error.retry_after
            if waited + pause >= seconds or runtime.ending.begun:
                raise
        delay = min(max(pause, _next_look(runtime, asked)), max(0.0, seconds - waited))
        with runtime.ending.cutting_short():
            await runtime.clock.sleep(delay)
        slept += delay


async def _kept(runtime: Runtime, seen: Seen) -> Moved | None:
    """Return how much of a removal's snapshot is taken; None for any other job, and before the first piece."""
    if seen.intent is None or seen.job.status != PREPARING:
        return None
    snapshot = await runtime.ledger.snapshots.get(seen.intent.intent_id)
    return Moved(snapshot.count, snapshot.expected) if snapshot is not None and snapshot.count else None


def _was_sent(first: Seen | None, seen: Seen) -> bool:
    """Whether a removal that was being prepared runs by now: it has another id, and its caller waits for that news."""
    return first is not None and first.job.status == PREPARING != seen.job.status


async def proved(runtime: Runtime, seen: Seen, *, seconds: float) -> Seen:
    """Return a finished restore with its proof, which is being made; without it after *seconds*."""
    intent, waited = seen.intent, 0.0
    while intent is not None and intent.is_unproved and seen.job.is_completed and waited < seconds:
        waited = await paused(runtime, waited, seconds=seconds)
        intent = await runtime.ledger.get(intent.intent_id)
    return replace(seen, intent=intent)


async def paused(runtime: Runtime, waited: float, *, seconds: float) -> float:
    """Sleep before the ledger, which is near, is read again; return how long was waited then, of at most *seconds*.

    All of them have passed where this process is about to end.
    """
    delay = min(next_waiting_look(waited, pace=0.0), seconds - waited)
    with runtime.ending.cutting_short():
        await runtime.clock.sleep(delay)
    return seconds if runtime.ending.begun else waited + delay


def _next_look(runtime: Runtime, asked: Asked) -> float:
    """Return how many seconds to wait before the next look: until the last one is news no more, for all at once."""
    pace = runtime.rules.pace
    longest = next_waiting_look(float("inf"), pace=pace)
    if asked.after is None:
        return next_waiting_look(asked.waited, pace=pace)
    left = (asked.after.fresh_until - runtime.clock.now()).total_seconds()
    return min(longest, max(first_look(pace=pace), left))


async def look_soon(
    runtime: Runtime, group: TargetGroup, kind: JobKind, job_id: str, *, seconds: float, asked: Asked = _AT_ONCE
) -> Seen:
    """Look once, but not for longer than *seconds*.

    Raises:
        Unreachable: The API did not answer in that time.
    """
    with anyio.move_on_after(seconds):
        return await look_once(runtime, group, kind, job_id, asked)
    raise Unreachable(
        "The API did not say in time how the job stands; nothing was changed.",
        code=ErrorCode.UNAVAILABLE,
        next_step="Repeat the call in a minute: the job goes on meanwhile.",
    )
