"""From a job to what a caller needs for following it: handle, honest times, and the next step."""

from datetime import datetime
from typing import TypedDict

from recontact_tools.guardrails import IDS_PER_TARGET_GROUP
from recontact_tools.ledger import Intent, IntentState
from recontact_tools.models import Job, JobKind, TargetGroup
from recontact_tools.progress import Moved, narrowed
from recontact_tools.rates import estimated
from recontact_tools.results import EtaSeconds
from recontact_tools.runtime import Runtime
from recontact_tools.schedule import Eta, poll_after, remaining
from recontact_tools.uris import job_uri

_MINUTES_FROM = 120  # ours: nobody counts more seconds than that

# ours: not a word of the API, which has not heard of the job yet.
PREPARING = "Preparing"
GETTER = {JobKind.UPLOAD: "get_upload_job", JobKind.REMOVAL: "get_removal_job"}


class HandleFields(TypedDict):
    """The fields that every answer about one job shares."""

    job_id: str
    kind: str
    status: str
    target_group_id: str
    resource_uri: str
    poll_after_seconds: int
    eta_seconds: EtaSeconds
    next_step: str


async def handle(
    runtime: Runtime,
    group: TargetGroup,
    kind: JobKind,
    *,
    job: Job,
    ids: int | None,
    started: datetime,
    seen: Moved | None = None,
) -> HandleFields:
    """Describe a job that runs or has ended; *ids* is None for a job that was started elsewhere.

    *seen* is how far it has come, where that shows.
    """
    left, poll = Eta(0, 0), 0
    if not job.is_finished:
        elapsed = max(0.0, (runtime.clock.now() - started).total_seconds())
        estimate = narrowed(kind, await _estimate(runtime, group, kind, ids), elapsed, seen)
        left, poll = remaining(estimate, elapsed), poll_after(estimate, elapsed, pace=runtime.rules.pace)
    return HandleFields(
        job_id=job.job_id,
        kind=kind.value,
        status=job.status,
        target_group_id=group.target_group_id,
        resource_uri=job_uri(group, kind, job.job_id),
        poll_after_seconds=poll,
        eta_seconds=EtaSeconds(low=left.low, high=left.high),
        next_step=next_step(kind, job, poll, can_cancel=runtime.rules.local_files),
    )


async def _estimate(runtime: Runtime, group: TargetGroup, kind: JobKind, ids: int | None) -> Eta:
    """Estimate the whole of a job; of one of unknown size nothing but the longest time is known."""
    pace = runtime.rules.pace
    most = IDS_PER_TARGET_GROUP if ids is None else ids
    whole = await estimated(runtime.ledger, {kind: most}, group.account_id, pace=pace)
    return Eta(0, whole.high) if ids is None else whole


def next_step(kind: JobKind, job: Job, poll: int, *, can_cancel: bool) -> str:
    """Say what to do about a job in this state; *can_cancel* is whether there is a tool that stops it."""
    if job.is_finished:
        return _what_next(kind, job)
    if job.status == PREPARING:
        return (
            "Nothing is removed yet: a snapshot of all stored IDs is taken first. Call get_removal_job with this "
            f"job_id, or with wait_seconds=45{'; cancel_recontact_job stops it' if can_cancel else ''}."
        )
    if poll < _MINUTES_FROM:
        return f"Call {GETTER[kind]} with this job_id after {poll} s, or with wait_seconds=45."
    return (
        f"Call {GETTER[kind]} with this job_id after about {round(poll / 60)} minutes; wait_seconds=45 looks sooner, "
        "and whoever subscribes to resource_uri hears when it ends."
    )


def _what_next(kind: JobKind, job: Job) -> str:
    if job.is_failed:
        return "The job failed; tell the user failure_reason. get_recontact_overview shows what is stored now."
    if job.partial_success_reason is not None:
        return "Not every ID was stored: tell the user partial_success_reason, and compare get_recontact_overview."
    if kind is JobKind.REMOVAL:
        return "The removal is done; get_recontact_overview shows 0. Nobody can enter until IDs are uploaded."
    return "The upload is done; call get_recontact_overview to see the stored count."


def is_preparing(intent: Intent) -> bool:
    """Tell whether a removal has not been sent yet: its snapshot is being taken."""
    return intent.kind is JobKind.REMOVAL and intent.state is IntentState.PLANNED


def job_of(intent: Intent) -> Job:
    """Return the last known job of an intent that the API accepted, or of one that is being prepared for it."""
    status = PREPARING if is_preparing(intent) else "Processing"
    return intent.job or Job(intent.job_id or intent.intent_id, status, created_at=intent.created_at)


def iso(moment: datetime | None) -> str | None:
    """Render a time as ISO 8601, or None."""
    return None if moment is None else moment.isoformat()
