"""Full target groups, stored the way the service stores them."""

from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from bench.uploads import packed

from recontact_service.packed import ID_BYTES
from recontact_service.seed import DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID, seed
from recontact_service.sqlite_store import SqliteStore
from recontact_service.values import Ending, JobKind, JobStatus, NewJob, Step, Upload, UploadWork
from recontact_tools.models import TargetGroup

FULL = 100_000  # source: upload rules, "Total Capacity"


def group(number: int) -> TargetGroup:
    return TargetGroup(DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID, f"01BTGNYV6HRNK8K8VK{number:08}")


def now() -> datetime:
    return datetime.now(UTC)


def fill(database: Path, *, groups: int, spares: Iterable[int]) -> float:
    """Make that many full target groups, and empty *spares*; return the bytes on disk for each ID, after a vacuum."""
    ids = packed(FULL)
    for number in (*range(groups), *spares):
        seed(database, now=now, target_group_id=group(number).target_group_id)
    with closing(SqliteStore(database)) as store:
        for number in range(groups):
            fill_group(store, number, ids)
        store.vacuum()
        return sum(path.stat().st_size for path in database.parent.glob(f"{database.name}*")) / (groups * FULL)


def fill_group(store: SqliteStore, number: int, ids: bytes) -> None:
    """Store IDs as the job runner does; the uploaded file, which the service keeps beside them, is left out."""
    target = group(number)
    stored = store.find_group(target.target_group_id, account_id=target.account_id, project_id=target.project_id)
    assert stored
    job_id = f"01BTGNYV6HRNK8K8W0{number:08}"
    store.create_job(
        stored.number,
        NewJob(
            job_id=job_id,
            kind=JobKind.UPLOAD_RSIDS,
            created_at=now(),
            created_by="bench",
            trace_id="",
            upload=Upload(file_name="", content=b"", by_response_id=False),
        ),
    )
    job = store.find_job(stored.number, job_id)
    assert job
    work = UploadWork(
        ids=ids,
        later=b"",
        failed=0,
        capacity=FULL,
        over_capacity=Ending(JobStatus.FAILED),
        conclude=lambda _stored, _failed: Ending(JobStatus.COMPLETED),
        derive=None,
    )
    assert store.apply_upload(Step(job=job, ids_done=len(ids) // ID_BYTES, last=True, at=now()), work)
