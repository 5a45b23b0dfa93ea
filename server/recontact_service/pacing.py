"""When the steps of a job are due and how it ends; pure functions of the settings and the job."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from recontact_service.settings import REMOVAL_SECONDS_PER_10K, UPLOAD_SECONDS_PER_10K, ServiceSettings
from recontact_service.values import Ending, Job, JobKind, JobStatus

_PER_10K = 10_000


@dataclass(frozen=True, slots=True)
class Schedule:
    """How many identifiers are due, and when the next chunk of them is (None when all are due)."""

    due: int
    next_at: datetime | None


def schedule(job: Job, total: int, *, settings: ServiceSettings, now: datetime) -> Schedule:
    """Spread *total* identifiers over the documented time times the pace, counted from the job's creation."""
    chunks = max(1, ceil(total / settings.chunk_ids))
    per_10k = REMOVAL_SECONDS_PER_10K if job.kind is JobKind.REMOVE_ALL else UPLOAD_SECONDS_PER_10K
    seconds_each = settings.pace * per_10k / _PER_10K

    def due_at(chunk: int) -> datetime:
        return job.created_at + timedelta(seconds=seconds_each * min(chunk * settings.chunk_ids, total))

    due = next((done for done in range(chunks) if due_at(done + 1) > now), chunks) if settings.pace else chunks
    if due == chunks:
        return Schedule(total, None)
    return Schedule(due * settings.chunk_ids, due_at(due + 1))


def conclude_upload(stored: int, failed: int, *, settings: ServiceSettings) -> Ending:
    """End an upload by its counts, in the documented words when some rows failed."""
    if not failed:
        return Ending(JobStatus.COMPLETED)
    if not stored and settings.all_invalid == "fail":
        return Ending(
            JobStatus.FAILED,
            failure_code="NoValidRespondentIds",  # assumed: the list of codes is open
            failure_description="The file holds no valid respondent IDs.",
        )
    return Ending(
        JobStatus.COMPLETED,
        f"Upload partially successful. {stored} respondent IDs uploaded successfully,"
        f" {failed} failed (invalid or empty).",
    )


def over_capacity(settings: ServiceSettings) -> Ending:
    """End an upload that would pass the capacity; nothing of it is stored."""
    return Ending(
        JobStatus.FAILED,
        failure_code="RecontactCapacityExceeded",  # assumed: the list of codes is open
        failure_description=f"The total number of respondent IDs cannot exceed {settings.capacity}.",
    )
