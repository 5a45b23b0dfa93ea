"""The one-job rule, seen from here: is a job known to run on this target group, and which?"""

from contextlib import suppress

import anyio

from recontact_tools.errors import JobRunning, Refused, Unreachable
from recontact_tools.guardrails import RunningJob, check_no_job, job_in_the_way
from recontact_tools.job_reads import read_started
from recontact_tools.ledger import ActiveIntent, ActiveReplacement, Intent, IntentState
from recontact_tools.models import JobKind, TargetGroup
from recontact_tools.runtime import Runtime
from recontact_tools.schedule import settled_within
from recontact_tools.uris import job_uri, replacement_uri

# ours: the list usually answers in well under a second, and a caller waits for it before every start.
COURTESY_SECONDS = 5.0


async def check_no_job_runs(runtime: Runtime, group: TargetGroup) -> None:
    """Refuse when the ledger or the API's list knows of a job that still runs.

    Raises:
        JobRunning: With the handle of the running job.
    """
    replacement = await runtime.ledger.replacements.active(group)
    if replacement is not None:
        check_no_job(running_replacement(group, replacement.replacement_id))
    active = await runtime.ledger.active(group)
    if active is not None and not await _has_ended(runtime, active):
        check_no_job(running_job(runtime, active))
    check_no_job(await _listed(runtime, group))


async def with_running_job(runtime: Runtime, group: TargetGroup, refusal: JobRunning) -> JobRunning:
    """Give an API's 409 the handle of the job that caused it, where that can be found."""
    active = await runtime.ledger.active(group)
    running = await _listed(runtime, group) if active is None else running_job(runtime, active)
    return refusal if running is None else job_in_the_way(running)


def in_the_way(runtime: Runtime, group: TargetGroup, other: ActiveIntent | ActiveReplacement) -> JobRunning:
    """Say what the ledger has found to work on a target group already."""
    if isinstance(other, ActiveIntent):
        return job_in_the_way(running_job(runtime, other.intent))
    return job_in_the_way(running_replacement(group, other.replacement_id))


def running_job(runtime: Runtime, intent: Intent) -> RunningJob:
    """Return the handle of the job that an active intent stands for."""
    job_id = intent.job_id or intent.intent_id
    uri = job_uri(intent.group, intent.kind, job_id)
    if intent.job_id is not None:
        return RunningJob(job_id, intent.kind, uri)
    latest = settled_within(intent.kind, intent.ids or 0, pace=runtime.rules.pace)
    elapsed = (runtime.clock.now() - intent.created_at).total_seconds()
    return RunningJob(job_id, intent.kind, uri, answered=False, settled_in=max(0.0, latest - elapsed))


def running_replacement(group: TargetGroup, replacement_id: str) -> RunningJob:
    """Return the handle of the replacement that works on a target group; get_upload_job follows it."""
    return RunningJob(replacement_id, JobKind.UPLOAD, replacement_uri(group, replacement_id))


async def _has_ended(runtime: Runtime, intent: Intent) -> bool:
    """Look at a job that the follower may not have looked at for a while."""
    if intent.state is not IntentState.STARTED:
        return False
    try:
        job = await read_started(runtime.gateway, runtime.ledger, intent, now=runtime.clock.now())
    except (Unreachable, Refused):
        return False
    return job.is_finished


async def _listed(runtime: Runtime, group: TargetGroup) -> RunningJob | None:
    """Return the upload job that the API lists as running; None when it does not say so soon.

    The list is a courtesy, which some accounts do not have: the API's own 409 decides.
    """
    with anyio.move_on_after(COURTESY_SECONDS), suppress(Unreachable, Refused):
        page = await runtime.gateway.list_upload_jobs(group, page_size=10, cursor=None)
        running = (job.job_id for job in page.jobs if job.status.casefold() == "processing")
        return next(
            (RunningJob(job_id, JobKind.UPLOAD, job_uri(group, JobKind.UPLOAD, job_id)) for job_id in running), None
        )
    return None
