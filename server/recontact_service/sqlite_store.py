"""The store on SQLite: one file that several processes may share."""

import secrets
import sqlite3
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Lock

from recontact_service import group_rows, job_rows
from recontact_service.packed import ID_BYTES, merge
from recontact_service.schema import open_pair, transaction, translating
from recontact_service.settings import BUSY_SECONDS
from recontact_service.sqlite_ids import SqliteIds
from recontact_service.store import JobAlreadyProcessing, UploadLost
from recontact_service.values import (
    Job,
    NewJob,
    Step,
    StoredGroup,
    TargetGroup,
    Upload,
    UploadWork,
)

_KEY_BYTES = 32  # ours: as long as the digest of HS256


class SqliteStore:
    """See `recontact_service.store.Store`, whose methods these are.

    Point reads have a connection of their own on the event loop; everything else shares a second one under a lock.

    Raises:
        OSError: the database cannot be opened (StoreFault), or its folder cannot be used.
    """

    limiter = None

    @translating()
    def __init__(self, database: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self._lock = Lock()
        self._writer, self._reader = open_pair(database, busy_seconds=busy_seconds)
        self._written, self._ids = SqliteIds(self._writer), SqliteIds(self._reader)

    @translating()
    def token_key(self) -> bytes:
        """Return the key that signs access tokens, made at first use."""
        with self._lock, transaction(self._writer):
            self._writer.execute("INSERT OR IGNORE INTO token_keys VALUES (1, ?)", (secrets.token_bytes(_KEY_BYTES),))
            row: tuple[bytes] = self._writer.execute("SELECT key FROM token_keys").fetchone()
        return row[0]

    @translating()
    def put_group(self, group: TargetGroup, *, excluded: bytes | None = None, move: bool = False) -> None:
        """Create the target group or replace what its reads show, or raise GroupElsewhere."""
        with self._lock, transaction(self._writer):
            number = group_rows.put(self._writer, group, move=move)
            if excluded is not None:
                self._written.put_excluded(number, excluded)

    @translating()
    def add_group(self, group: TargetGroup) -> None:
        """Create the target group unless it exists."""
        with self._lock, transaction(self._writer):
            group_rows.add(self._writer, group)

    @translating()
    def find_group(self, target_group_id: str, *, account_id: int, project_id: str) -> StoredGroup | None:
        """Look up a target group under its account and project."""
        row = self._reader.execute(group_rows.FIND, (target_group_id, account_id, project_id)).fetchone()
        return None if row is None else StoredGroup(*row)

    @translating()
    def read_group(self, target_group_id: str) -> TargetGroup | None:
        """Read a target group with its document."""
        row = self._reader.execute(group_rows.READ, (target_group_id,)).fetchone()
        return None if row is None else group_rows.read(row)

    @translating()
    def list_groups(self, account_id: int, *, project_id: str | None) -> list[TargetGroup]:
        """List the target groups of an account, or of one of its projects."""
        with self._lock:
            rows = self._writer.execute(group_rows.LIST, (account_id, project_id, project_id)).fetchall()
        return [group_rows.read(row) for row in rows]

    @translating()
    def read_page(self, group: int, *, after: bytes, limit: int) -> bytes:
        """Read up to *limit* respondent IDs greater than *after*."""
        return self._ids.read_page(group, after=after, limit=limit)

    @translating()
    def read_page_before(self, group: int, *, before: bytes, limit: int) -> bytes:
        """Read the last *limit* respondent IDs smaller than *before*."""
        return self._ids.read_page_before(group, before=before, limit=limit)

    @translating()
    def count_excluded(self, group: int) -> int:
        """Count the respondent IDs that may not enter."""
        with self._lock:
            return self._written.count_excluded(group)

    @translating()
    def read_excluded(self, group: int, *, after: bytes, limit: int) -> bytes:
        """Read up to *limit* respondent IDs that may not enter, greater than *after*."""
        return self._ids.read_excluded(group, after=after, limit=limit)

    @translating()
    def read_excluded_before(self, group: int, *, before: bytes, limit: int) -> bytes:
        """Read the last *limit* respondent IDs that may not enter, smaller than *before*."""
        return self._ids.read_excluded_before(group, before=before, limit=limit)

    @translating()
    def count_union(self, group: int, ids: bytes) -> int:
        """Count the respondent IDs that would be stored after adding *ids*."""
        with self._lock:
            return len(merge(self._written.read_all(group), ids)) // ID_BYTES

    @translating()
    def create_job(self, group: int, job: NewJob) -> None:
        """Write the job and its file down, or raise JobAlreadyProcessing."""
        deflated = job_rows.deflate(job.upload.content) if job.upload else b""
        try:
            with self._lock, transaction(self._writer):
                job_rows.insert_job(self._writer, group, job, deflated=deflated)
        except sqlite3.IntegrityError as error:
            raise JobAlreadyProcessing from error

    @translating()
    def find_job(self, group: int, job_id: str) -> Job | None:
        """Read a job of this target group."""
        row = self._reader.execute(job_rows.FIND, (group, job_id)).fetchone()
        return None if row is None else job_rows.read_job(row)

    @translating()
    def list_uploads(self, group: int, *, after: str | None, limit: int) -> list[Job]:
        """List upload jobs, newest first, older than the job *after*."""
        rows = self._reader.execute(job_rows.UPLOADS, (group, after, after, limit)).fetchall()
        return [job_rows.read_job(row) for row in rows]

    @translating()
    def read_upload(self, job_id: str) -> Upload:
        """Read the uploaded file of an upload job, or raise UploadLost."""
        with self._lock:
            row = self._writer.execute(job_rows.FILE, (job_id,)).fetchone()
        if row is None:
            raise UploadLost
        return job_rows.read_file(row)

    @translating()
    def list_processing(self) -> list[Job]:
        """List every Processing job, oldest first."""
        return [job_rows.read_job(row) for row in self._reader.execute(job_rows.PROCESSING).fetchall()]

    @translating()
    def count_jobs(self) -> Mapping[str, int]:
        """Count the jobs ever created, by kind."""
        return dict(self._reader.execute("SELECT kind, count(*) FROM jobs GROUP BY kind").fetchall())

    def holding(self, _job: Job, /) -> AbstractContextManager[bool]:
        """Keep nobody away: siblings on one machine are few, and a step is claimed before anything is written."""
        return nullcontext(enter_result=True)

    @translating()
    def apply_upload(self, step: Step, work: UploadWork) -> bool:
        """Apply a step of an upload, exactly once."""
        with self._lock, transaction(self._writer):
            claimed = job_rows.claim_step(self._writer, step)
            if claimed:
                job_rows.store_ids(self._writer, self._written, step, work)
        return claimed

    @translating()
    def apply_removal(self, step: Step) -> bool:
        """Apply a step of a removal, exactly once."""
        with self._lock, transaction(self._writer):
            claimed = job_rows.claim_step(self._writer, step)
            if claimed:
                job_rows.remove_ids(self._writer, self._written, step)
        return claimed

    @translating()
    def map_response_ids(self, pairs: Mapping[bytes, bytes]) -> None:
        """Remember which respondent each RID belongs to."""
        with self._lock, transaction(self._writer):
            self._writer.executemany(
                "INSERT OR REPLACE INTO respondents_of_responses VALUES (?, ?)", list(pairs.items())
            )

    @translating()
    def vacuum(self) -> None:
        """Give unused space back to the file system."""
        with self._lock:
            self._writer.execute("VACUUM")
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close both connections."""
        self._reader.close()
        with self._lock:
            self._writer.close()
