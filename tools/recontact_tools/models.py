"""Values that cross boundaries: what the API answers, and where a target group is."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class JobKind(StrEnum):
    """The two kinds of job that the API runs on a target group's recontacts."""

    UPLOAD = "upload"
    REMOVAL = "removal"


class IdType(StrEnum):
    """What the lines of an upload are: respondent ids, or ids of one session that Cint maps to them."""

    RSID = "RSID"
    RID = "RID"


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """Where one target group lives: the three ids every path of the API is made of."""

    account_id: int
    project_id: str
    target_group_id: str


@dataclass(frozen=True, slots=True)
class Caps:
    """How much one principal may have done in a day (UTC); None is without limit.

    A replacement counts as an upload, with its ids, and as a removal.
    """

    uploads: int | None = None
    ids: int | None = None
    removals: int | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a job failed, or what of it did not succeed, in the API's words; *code* is None for the latter."""

    description: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One upload or removal job as the API describes it; *status* is the API's word, unknown ones kept."""

    job_id: str
    status: str
    created_at: datetime | None = None
    completed_at: datetime | None = None
    failure_reason: Reason | None = None
    partial_success_reason: Reason | None = None
    job_trace_id: str | None = None

    @property
    def is_completed(self) -> bool:
        """Whether the job ended well; the API's exclusion twin says `Success` for the same thing."""
        return self.status.casefold() in {"completed", "success"}

    @property
    def is_failed(self) -> bool:
        """Whether the job ended badly."""
        return self.status.casefold() == "failed"

    @property
    def is_finished(self) -> bool:
        """Whether the job will not change any more; an unknown status counts as running."""
        return self.is_completed or self.is_failed


@dataclass(frozen=True, slots=True)
class ListedJob:
    """One line of the upload-job list."""

    job_id: str
    file_name: str
    status: str
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of upload jobs, newest first; *next_cursor* is None on the last page."""

    jobs: tuple[ListedJob, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class RespondentPage:
    """One page of stored RSIDs; a page may be short, or empty, and still have a next one."""

    respondent_ids: tuple[str, ...]
    next_cursor: str | None
