"""Look at a job for a caller: once, or until it ends or the caller's patience does."""

from dataclasses import dataclass, replace
from datetime import datetime

import anyio

from recontact_tools.errors import AnswerAwaited, ErrorCode, RateLimited, Unreachable
from recontact_tools.handles import is_preparing, job_of
from recontact_tools.injected import Progress
from recontact_tools.job_reads import read_job, read_started
from recontact_tools.ledger import Intent, IntentState
from recontact_tools.lost_jobs import look_again
from recontact_tools.models import IdType, Job, JobKind, TargetGroup
from recontact_tools.policy import check_read
from recontact_tools.runtime import Runtime
from recontact_tools.schedule import next_waiting_look
from recontact_tools.starting import awaited, revived

# ours: with the longest wait of 45 s still less than the 60 s after which hosts give a call up.
LOOK_SECONDS = 10.0
_UNANSWERED = frozenset({IntentState.PLANNED, IntentState.SENDING})


@dataclass(frozen=True, slots=True)
class Seen:
    """A job as last seen, and the intent it belongs to when it was started here."""

    job: Job
    intent: Intent | None
    started: datetime

    @property
    def ids(self) -> int | None:
        """How many IDs the job is about, where that is known."""
        return self.intent.ids if self.intent else None

    @property
    def failure_reason(self) -> str | None:
        """Why the job failed: the API's code and words, and its trace id for Cint's support."""
        reason = self.job.failure_reason
        if reason is None:
            return None
        code = f"{reason.code}: " if reason.code else ""
        trace = f" (job_trace_id {self.job.job_trace_id})" if self.job.job_trace_id else ""
        return f"{code}{reason.description}{trace}"


async def look_once(runtime: Runtime, group: TargetGroup, kind: JobKind, job_id: str) -> Seen:
    """Return how a job stands; one that has ended is answered from the ledger, for it cannot change.

    *job_id* is the API's, or the id of an intent whose API job is not known yet.

    Raises:
        NotFound: The API knows no such job on this target group.
        AnswerAwaited: The intent's answer may still come.
        OutcomeUnknown: It was lost for good.
    """
    check_read(runtime.rules.policy, group)
    intent = await runtime.ledger.find_job(kind, job_id, group)
    if intent is None:
        job = await read_job(runtime.gateway, group, kind, job_id)
        return Seen(job, None, job.created_at or runtime.clock.now())
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
    job = await read_started(runtime.gateway, runtime.ledger, intent, now=runtime.clock.now())
    return Seen(job, intent, intent.created_at)


async def wait_for(
    runtime: Runtime, progress: Progress, group: TargetGroup, kind: JobKind, job_id: str, *, seconds: int
) -> Seen:
    """Look until the job ends or *seconds* have passed, telling the caller's host that the wait goes on.

    A look that fails for want of a connection or of an answer does not end the wait, unless the API asks to be left
    alone for longer than that; the last one is reported.
    """
    begun, slept, age = runtime.clock.now(), 0.0, 0.0
    while True:
        pause = 0.0
        # Looks take time too; and a clock that is set back must not make the wait longer.
        waited = max(slept, (runtime.clock.now() - begun).total_seconds())
        try:
            seen = await look_soon(runtime, group, kind, job_id, seconds=max(seconds - waited, LOOK_SECONDS))
            if seen.job.is_finished or waited >= seconds:
                return seen
            age = max(0.0, (begun - seen.started).total_seconds())
            await progress(waited, float(seconds), f"{kind.value} job: {seen.job.status}")
        except (Unreachable, RateLimited, AnswerAwaited) as error:
            pause = error.retry_after
            if waited + pause >= seconds:
                raise
        delay = min(max(pause, next_waiting_look(age + waited, pace=runtime.rules.pace)), max(0.0, seconds - waited))
        await runtime.clock.sleep(delay)
        slept += delay


async def proved(runtime: Runtime, seen: Seen, *, seconds: float) -> Seen:
    """Return a finished restore with its proof, which is being made; without it after *seconds*."""
    intent, waited = seen.intent, 0.0
    while intent is not None and _is_being_proved(intent, seen.job) and waited < seconds:
        delay = min(next_waiting_look(waited, pace=0.0), seconds - waited)  # the ledger is near
        await runtime.clock.sleep(delay)
        waited += delay
        intent = await runtime.ledger.get(intent.intent_id)
    return replace(seen, intent=intent)


def _is_being_proved(intent: Intent, job: Job) -> bool:
    is_comparable = intent.restores is not None and intent.id_type is IdType.RSID
    return is_comparable and intent.proof is None and job.is_completed


async def look_soon(runtime: Runtime, group: TargetGroup, kind: JobKind, job_id: str, *, seconds: float) -> Seen:
    """Look once, but not for longer than *seconds*.

    Raises:
        Unreachable: The API did not answer in that time.
    """
    with anyio.move_on_after(seconds):
        return await look_once(runtime, group, kind, job_id)
    raise Unreachable(
        "The API did not say in time how the job stands; nothing was changed.",
        code=ErrorCode.UNAVAILABLE,
        next_step="Repeat the call in a minute: the job goes on meanwhile.",
    )
