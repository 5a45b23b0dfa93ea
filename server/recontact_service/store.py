"""What the service needs from a database, and nothing about which one it is."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from anyio import CapacityLimiter, to_thread

from recontact_service.values import Job, NewJob, Step, StoredGroup, TargetGroup, Upload, UploadWork

Result = TypeVar("Result")


class JobAlreadyProcessing(Exception):
    """The database refused a second Processing job for a target group."""


class GroupElsewhere(Exception):
    """The target group exists under another account or project."""


class StoreFault(OSError):
    """The database could not do what was asked: full, damaged, unreadable or held by another process.

    Where it interrupts a commit, what was asked may be done all the same; every other time nothing was changed.
    An OSError, because who opens a service treats a folder that cannot be used in the same way.
    """


class StoreBusy(StoreFault):
    """Another process held the database longer than we were ready to wait; nothing was changed."""


class StoreNewer(StoreFault):
    """A newer version of this program made the database; nothing was changed."""


class UploadLost(StoreFault, LookupError):
    """There is no file of this job."""


class Store(Protocol):
    """Target groups, packed respondent IDs and jobs, durable and shared between processes.

    Respondent IDs are 16 bytes each, packed back to back in ascending order. Point reads (`find_group`,
    `read_group`, `read_page`, `read_excluded`, `find_job`, `list_uploads`) go through `reading`, which knows where
    they may run; the rest belongs in a worker thread. Every method may raise StoreFault.
    """

    @property
    def limiter(self) -> CapacityLimiter | None:
        """Bounds the point reads that wait for a server; None where they take microseconds and wait for nobody."""
        ...

    def token_key(self) -> bytes:
        """Return the key that signs access tokens; every process on one database gets the same."""
        ...

    def put_group(self, group: TargetGroup, *, excluded: bytes | None = None, move: bool = False) -> None:
        """Create the target group, or replace what its reads show; its respondent IDs and jobs stay.

        *excluded* replaces the respondent IDs that may not enter (packed, ascending); None leaves them as they are.

        Raises:
            GroupElsewhere: it exists under another account or project, and *move* does not say to take it from there.
        """
        ...

    def add_group(self, group: TargetGroup) -> None:
        """Create the target group unless it exists."""
        ...

    def find_group(self, target_group_id: str, *, account_id: int, project_id: str) -> StoredGroup | None:
        """Look up a target group under its account and project."""
        ...

    def read_group(self, target_group_id: str) -> TargetGroup | None:
        """Read a target group with its document."""
        ...

    def list_groups(self, account_id: int, *, project_id: str | None) -> list[TargetGroup]:
        """List the target groups of an account, or of one of its projects, oldest first."""
        ...

    def read_page(self, group: int, *, after: bytes, limit: int) -> bytes:
        """Read up to *limit* respondent IDs greater than *after* (b"" is before the first)."""
        ...

    def read_page_before(self, group: int, *, before: bytes, limit: int) -> bytes:
        """Read the last *limit* respondent IDs smaller than *before*, ascending."""
        ...

    def count_excluded(self, group: int) -> int:
        """Count the respondent IDs that may not enter."""
        ...

    def read_excluded(self, group: int, *, after: bytes, limit: int) -> bytes:
        """Read up to *limit* respondent IDs that may not enter, greater than *after*."""
        ...

    def read_excluded_before(self, group: int, *, before: bytes, limit: int) -> bytes:
        """Read the last *limit* respondent IDs that may not enter, smaller than *before*, ascending."""
        ...

    def count_union(self, group: int, ids: bytes) -> int:
        """Count the respondent IDs that would be stored after adding *ids*."""
        ...

    def create_job(self, group: int, job: NewJob) -> None:
        """Write the job and its file down.

        Raises:
            JobAlreadyProcessing: a job of any kind is Processing on this target group.
        """
        ...

    def find_job(self, group: int, job_id: str) -> Job | None:
        """Read a job of this target group."""
        ...

    def list_uploads(self, group: int, *, after: str | None, limit: int) -> list[Job]:
        """List upload jobs, newest first, older than the job *after*."""
        ...

    def read_upload(self, job_id: str) -> Upload:
        """Read the uploaded file of an upload job.

        Raises:
            UploadLost: there is no such upload.
        """
        ...

    def list_processing(self) -> list[Job]:
        """List every Processing job, oldest first."""
        ...

    def count_jobs(self) -> Mapping[str, int]:
        """Count the jobs ever created, by kind."""
        ...

    def holding(self, job: Job, /) -> AbstractContextManager[bool]:
        """Keep other processes from a step of this job while the block runs.

        False where another is at it, or has moved the job on since it was read: the step would be worked out for
        nothing. What may be applied is decided by `apply_upload` and `apply_removal` all the same.
        """
        ...

    def apply_upload(self, step: Step, work: UploadWork) -> bool:
        """Apply a step of an upload; False when another process was there first and nothing changed."""
        ...

    def apply_removal(self, step: Step) -> bool:
        """Remove as many respondent IDs as the step says, from the first (all in the last step)."""
        ...

    def map_response_ids(self, pairs: Mapping[bytes, bytes]) -> None:
        """Remember which respondent each RID belongs to (both 16 bytes)."""
        ...

    def vacuum(self) -> None:
        """Give unused space back to the file system."""
        ...

    def close(self) -> None:
        """Close the database."""
        ...


async def reading(store: Store, work: Callable[[], Result]) -> Result:
    """Run point reads of a store, and what is made of them: in a thread where they wait for a server."""
    limiter = store.limiter
    return work() if limiter is None else await to_thread.run_sync(work, limiter=limiter)
