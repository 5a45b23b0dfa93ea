"""The values that pass between the HTTP surface, the job runner and the store."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Document: TypeAlias = Mapping[str, Json]


class JobKind(StrEnum):
    """The three kinds of jobs, by the last part of their path."""

    UPLOAD_RSIDS = "upload-rsids-by-file"
    UPLOAD_RESPONDENTS = "upload-respondents-by-file"
    REMOVE_ALL = "remove-all-rsids"


class JobStatus(StrEnum):
    """The API's own words."""

    PROCESSING = "Processing"
    COMPLETED = "Completed"
    FAILED = "Failed"


class TargetGroupState(StrEnum):
    """A launched target group never returns to draft."""

    DRAFT = "draft"
    LAUNCHED = "launched"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGroup:
    """A target group and everything its reads show; *document* is the readable part."""

    account_id: int
    project_id: str
    target_group_id: str
    state: TargetGroupState
    document: Document


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """The store's handle of a target group and the number of respondent IDs stored for it."""

    number: int
    saved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """The file of an upload as it came; *by_response_id* when its lines are RIDs."""

    file_name: str
    content: bytes
    by_response_id: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job about to be written down; *upload* is None for a removal."""

    job_id: str
    kind: JobKind
    created_at: datetime
    created_by: str
    trace_id: str
    upload: Upload | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ends: completed, perhaps in part, or failed with a code."""

    status: JobStatus
    partial: str | None = None
    failure_code: str | None = None
    failure_description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as stored; *ending* and *completed_at* are None while it is Processing.

    *total* counts the respondent IDs a removal found when it was created (0 for an upload), *ids_done*
    the identifiers that are already applied.
    """

    job_id: str
    kind: JobKind
    group: int
    created_at: datetime
    created_by: str
    trace_id: str
    file_name: str
    by_response_id: bool
    total: int
    ids_done: int
    completed_at: datetime | None
    ending: Ending | None

    @property
    def status(self) -> JobStatus:
        """The API's word for where the job is."""
        return JobStatus.PROCESSING if self.ending is None else self.ending.status


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The part of a job applied in one transaction: from *job.ids_done* to *ids_done*.

    *last* steps end the job at the time *at*.
    """

    job: Job
    ids_done: int
    last: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadWork:
    """What an upload step stores: *ids* now, *later* in the steps after it (both packed, 16 bytes each).

    *failed* rows are added to the job's count; *conclude* turns the final counts (stored, failed) into an ending;
    *derive* maps RIDs without a known respondent, or is None when they count as failed rows.
    """

    ids: bytes
    later: bytes
    failed: int
    capacity: int
    over_capacity: Ending
    conclude: Callable[[int, int], Ending]
    derive: Callable[[bytes], bytes] | None
