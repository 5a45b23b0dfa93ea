"""Jobs in either database: written down, claimed step by step, ended exactly once."""

import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from recontact_service.packed import ID_BYTES, merge, pack_set
from recontact_service.rows import Connection, Ids
from recontact_service.store import StoreFault
from recontact_service.values import Ending, Job, JobKind, JobStatus, NewJob, Step, Upload, UploadWork

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = (
    "job_id, kind, target_group, created_ms, created_by, trace_id, file_name, by_response_id, total, ids_done,"
    " completed_ms, status, partial, failure_code, failure_description"
)
FIND = f"SELECT {_COLUMNS} FROM jobs WHERE target_group = ? AND job_id = ?"  # noqa: S608 - a constant
PROCESSING = f"SELECT {_COLUMNS} FROM jobs WHERE status = 'Processing' ORDER BY number"  # noqa: S608 - a constant
UPLOADS = (
    f"SELECT {_COLUMNS} FROM jobs WHERE target_group = ? AND kind <> 'remove-all-rsids'"  # noqa: S608 - a constant
    " AND (CAST(? AS TEXT) IS NULL OR number < (SELECT number FROM jobs WHERE job_id = ?))"
    " ORDER BY number DESC LIMIT ?"
)
# Whether a job is still where it was when it was read.
AS_READ = "SELECT 1 FROM jobs WHERE job_id = ? AND status = 'Processing' AND ids_done = ?"
FILE = "SELECT file_name, content, by_response_id, deflated FROM jobs JOIN job_files USING (job_id) WHERE job_id = ?"


def read_job(row: tuple[object, ...]) -> Job:
    """Turn a row of the job columns into a value."""
    job_id, kind, group, created, created_by, trace, name, by_rid, total, done, completed, status = row[:12]
    partial, code, description = row[12:]
    ended = status != JobStatus.PROCESSING
    return Job(
        job_id=str(job_id),
        kind=JobKind(str(kind)),
        group=_integer(group),
        created_at=_moment(created),
        created_by=str(created_by),
        trace_id=str(trace),
        file_name=str(name),
        by_response_id=bool(by_rid),
        total=_integer(total),
        ids_done=_integer(done),
        completed_at=_moment(completed) if ended else None,
        ending=Ending(JobStatus(str(status)), _text(partial), _text(code), _text(description)) if ended else None,
    )


def deflate(content: bytes) -> bytes:
    """Pack a file for keeping: random digits hold no repeats to search for, which halves the time."""
    packing = zlib.compressobj(level=1, strategy=zlib.Z_HUFFMAN_ONLY)
    return packing.compress(content) + packing.flush()


def read_file(row: tuple[str, bytes, int, int]) -> Upload:
    """Turn a row of the file columns into the file as it came.

    Raises:
        StoreFault: the stored file is damaged.
    """
    name, content, by_rid, deflated = row
    try:
        original = zlib.decompress(content) if deflated else content
    except zlib.error as error:
        raise StoreFault from error
    return Upload(file_name=name, content=original, by_response_id=bool(by_rid))


def insert_job(connection: Connection, group: int, job: NewJob, *, deflated: bytes) -> None:
    """Write a job and its file down; the partial unique index refuses a second Processing one."""
    upload = job.upload
    connection.execute(
        "INSERT INTO jobs (job_id, target_group, kind, created_ms, created_by, trace_id, file_name,"
        " by_response_id, total) SELECT ?, number, ?, ?, ?, ?, ?, ?, CASE WHEN ? = 1 THEN saved ELSE 0 END"
        " FROM target_groups WHERE number = ?",
        (
            job.job_id,
            job.kind.value,
            _milliseconds(job.created_at),
            job.created_by,
            job.trace_id,
            upload.file_name if upload else "",
            int(upload is not None and upload.by_response_id),
            int(upload is None),
            group,
        ),
    )
    if upload:
        connection.execute("INSERT INTO job_files (job_id, content, deflated) VALUES (?, ?, 1)", (job.job_id, deflated))


def claim_step(connection: Connection, step: Step) -> bool:
    """Move the job's progress on; False when it is not where the step starts."""
    claimed = connection.execute(
        "UPDATE jobs SET ids_done = ? WHERE job_id = ? AND status = 'Processing' AND ids_done = ?",
        (step.ids_done, step.job.job_id, step.job.ids_done),
    )
    return claimed.rowcount == 1


def store_ids(connection: Connection, stored_ids: Ids, step: Step, work: UploadWork) -> None:
    """Add the step's respondent IDs, unless the whole upload would pass the capacity; end the job if it is last."""
    old = stored_ids.read_chunks(step.job.group)
    ids, unknown = _respondents(stored_ids, step.job, ids=work.ids, derive=work.derive)
    later, _ = _respondents(stored_ids, step.job, ids=work.later, derive=work.derive)
    stored = b"".join(old.values())
    union = merge(stored, ids)
    if len(merge(union, later)) // ID_BYTES > work.capacity:
        _end(connection, step, work.over_capacity)
        return
    stored_ids.write_chunks(step.job.group, old=old, ids=union)
    counts = connection.execute(
        "UPDATE jobs SET stored = stored + ?, failed = failed + ? WHERE job_id = ? RETURNING stored, failed",
        (len(work.ids) // ID_BYTES - unknown, work.failed + unknown, step.job.job_id),
    ).fetchone()
    if step.last:
        _end(connection, step, work.conclude(*counts))


def remove_ids(connection: Connection, stored_ids: Ids, step: Step) -> None:
    """Drop the first respondent IDs, or all of them and end the job in the last step."""
    if step.last:
        stored_ids.remove_all(step.job.group)
        _end(connection, step, Ending(JobStatus.COMPLETED))
        return
    old = stored_ids.read_chunks(step.job.group)
    removed = (step.ids_done - step.job.ids_done) * ID_BYTES
    stored_ids.write_chunks(step.job.group, old=old, ids=b"".join(old.values())[removed:])


def _respondents(
    stored_ids: Ids, job: Job, *, ids: bytes, derive: Callable[[bytes], bytes] | None
) -> tuple[bytes, int]:
    if not job.by_response_id:
        return ids, 0
    rids = [ids[at : at + ID_BYTES] for at in range(0, len(ids), ID_BYTES)]
    known = stored_ids.map_response_ids(rids)
    if derive is not None:
        known = {rid: known.get(rid) or derive(rid) for rid in rids}
    return pack_set(b"".join(known.values())), len(rids) - len(known)


def _end(connection: Connection, step: Step, ending: Ending) -> None:
    connection.execute(
        "UPDATE jobs SET status = ?, completed_ms = ?, partial = ?, failure_code = ?, failure_description = ?"
        " WHERE job_id = ?",
        (
            ending.status.value,
            _milliseconds(step.at),
            ending.partial,
            ending.failure_code,
            ending.failure_description,
            step.job.job_id,
        ),
    )


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _moment(milliseconds: object) -> datetime:
    return _EPOCH + timedelta(milliseconds=_integer(milliseconds))


def _integer(value: object) -> int:
    return int(str(value))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
