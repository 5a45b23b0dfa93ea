"""The store on PostgreSQL: one database that any number of processes share."""

import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress

import psycopg
from anyio import CapacityLimiter

from recontact_service import group_rows, job_rows
from recontact_service.packed import ID_BYTES, merge
from recontact_service.postgres_connection import PostgresConnection, open_pool, translating
from recontact_service.postgres_ids import PostgresIds
from recontact_service.postgres_schema import bring_forward
from recontact_service.settings import BUSY_SECONDS, Postgres
from recontact_service.store import JobAlreadyProcessing, UploadLost
from recontact_service.values import Job, NewJob, Step, StoredGroup, TargetGroup, Upload, UploadWork

_KEY_BYTES = 32  # ours: as long as the digest of HS256
_OTHERS = 2  # ours: connections that reads leave to the job runner, which takes so many for a step
_TABLES = "id_chunks, excluded_chunks, target_groups, jobs, job_files, respondents_of_responses"


class PostgresStore:
    """See `recontact_service.store.Store`, whose methods these are.

    Every method waits for the server and belongs in a worker thread.

    Raises:
        OSError: the database cannot be reached or used (StoreFault), or is of a newer version (StoreNewer).
    """

    @translating()
    def __init__(self, database: Postgres, *, busy_seconds: float = BUSY_SECONDS) -> None:
        bring_forward(database, busy_seconds=busy_seconds)
        self._schema = database.schema
        self._pool = open_pool(database, busy_seconds=busy_seconds)
        self.limiter = CapacityLimiter(self._pool.max_size - _OTHERS)

    @translating()
    def token_key(self) -> bytes:
        """Return the key that signs access tokens, made at first use."""
        with self._connection() as connection:
            statement = "INSERT INTO token_keys VALUES (1, ?) ON CONFLICT (one) DO NOTHING"
            connection.execute(statement, (secrets.token_bytes(_KEY_BYTES),))
            row: tuple[bytes] = connection.execute("SELECT key FROM token_keys").fetchone()
        return row[0]

    @translating()
    def put_group(self, group: TargetGroup, *, excluded: bytes | None = None, move: bool = False) -> None:
        """Create the target group or replace what its reads show, or raise GroupElsewhere."""
        with self._transaction() as connection:
            number = group_rows.put(connection, group, move=move)
            if excluded is not None:
                ids = _excluded(connection)
                ids.replace_chunks(number, old=ids.read_chunks(number), ids=excluded)

    @translating()
    def add_group(self, group: TargetGroup) -> None:
        """Create the target group unless it exists."""
        with self._connection() as connection:
            group_rows.add(connection, group)

    @translating()
    def find_group(self, target_group_id: str, *, account_id: int, project_id: str) -> StoredGroup | None:
        """Look up a target group under its account and project."""
        with self._connection() as connection:
            row = connection.execute(group_rows.FIND, (target_group_id, account_id, project_id)).fetchone()
        return None if row is None else StoredGroup(*row)

    @translating()
    def read_group(self, target_group_id: str) -> TargetGroup | None:
        """Read a target group with its document."""
        with self._connection() as connection:
            row = connection.execute(group_rows.READ, (target_group_id,)).fetchone()
        return None if row is None else group_rows.read(row)

    @translating()
    def list_groups(self, account_id: int, *, project_id: str | None) -> list[TargetGroup]:
        """List the target groups of an account, or of one of its projects."""
        with self._connection() as connection:
            rows = connection.execute(group_rows.LIST, (account_id, project_id, project_id)).fetchall()
        return [group_rows.read(row) for row in rows]

    @translating()
    def read_page(self, group: int, *, after: bytes, limit: int) -> bytes:
        """Read up to *limit* respondent IDs greater than *after*."""
        with self._connection() as connection:
            return PostgresIds(connection).read_page(group, after=after, limit=limit)

    @translating()
    def read_page_before(self, group: int, *, before: bytes, limit: int) -> bytes:
        """Read the last *limit* respondent IDs smaller than *before*."""
        with self._connection() as connection:
            return PostgresIds(connection).read_page_before(group, before=before, limit=limit)

    @translating()
    def count_excluded(self, group: int) -> int:
        """Count the respondent IDs that may not enter."""
        with self._connection() as connection:
            return _excluded(connection).count(group)

    @translating()
    def read_excluded(self, group: int, *, after: bytes, limit: int) -> bytes:
        """Read up to *limit* respondent IDs that may not enter, greater than *after*."""
        with self._connection() as connection:
            return _excluded(connection).read_page(group, after=after, limit=limit)

    @translating()
    def read_excluded_before(self, group: int, *, before: bytes, limit: int) -> bytes:
        """Read the last *limit* respondent IDs that may not enter, smaller than *before*."""
        with self._connection() as connection:
            return _excluded(connection).read_page_before(group, before=before, limit=limit)

    @translating()
    def count_union(self, group: int, ids: bytes) -> int:
        """Count the respondent IDs that would be stored after adding *ids*."""
        with self._connection() as connection:
            stored = PostgresIds(connection).read_all(group)
        return len(merge(stored, ids)) // ID_BYTES

    @translating()
    def create_job(self, group: int, job: NewJob) -> None:
        """Write the job and its file down, or raise JobAlreadyProcessing."""
        deflated = job_rows.deflate(job.upload.content) if job.upload else b""
        try:
            with self._transaction() as connection:
                job_rows.insert_job(connection, group, job, deflated=deflated)
        except psycopg.errors.UniqueViolation:
            raise JobAlreadyProcessing from None

    @translating()
    def find_job(self, group: int, job_id: str) -> Job | None:
        """Read a job of this target group."""
        with self._connection() as connection:
            row = connection.execute(job_rows.FIND, (group, job_id)).fetchone()
        return None if row is None else job_rows.read_job(row)

    @translating()
    def list_uploads(self, group: int, *, after: str | None, limit: int) -> list[Job]:
        """List upload jobs, newest first, older than the job *after*."""
        with self._connection() as connection:
            rows = connection.execute(job_rows.UPLOADS, (group, after, after, limit)).fetchall()
        return [job_rows.read_job(row) for row in rows]

    @translating()
    def read_upload(self, job_id: str) -> Upload:
        """Read the uploaded file of an upload job, or raise UploadLost."""
        with self._connection() as connection:
            row = connection.execute(job_rows.FILE, (job_id,)).fetchone()
        if row is None:
            raise UploadLost
        return job_rows.read_file(row)

    @translating()
    def list_processing(self) -> list[Job]:
        """List every Processing job, oldest first."""
        with self._connection() as connection:
            return [job_rows.read_job(row) for row in connection.execute(job_rows.PROCESSING).fetchall()]

    @translating()
    def count_jobs(self) -> Mapping[str, int]:
        """Count the jobs ever created, by kind."""
        with self._connection() as connection:
            return dict(connection.execute("SELECT kind, count(*) FROM jobs GROUP BY kind").fetchall())

    @contextmanager
    def holding(self, job: Job, /) -> Generator[bool]:
        """Keep other processes from a step of this job: by a lock that ends with the block, or with this process."""
        with translating(), self._transaction() as connection:
            lock = "SELECT pg_try_advisory_xact_lock(hashtextextended(?, 0))"
            (locked,) = connection.execute(lock, (f"{self._schema}/{job.group}",)).fetchone()
            yield locked and connection.execute(job_rows.AS_READ, (job.job_id, job.ids_done)).fetchone() is not None

    @translating()
    def apply_upload(self, step: Step, work: UploadWork) -> bool:
        """Apply a step of an upload, exactly once."""
        with self._transaction() as connection:
            claimed = job_rows.claim_step(connection, step)
            if claimed:
                job_rows.store_ids(connection, PostgresIds(connection), step, work)
        if claimed and step.last:
            self._analyze(step.job.group)
        return claimed

    @translating()
    def apply_removal(self, step: Step) -> bool:
        """Apply a step of a removal, exactly once."""
        with self._transaction() as connection:
            claimed = job_rows.claim_step(connection, step)
            if claimed:
                job_rows.remove_ids(connection, PostgresIds(connection), step)
        return claimed

    @translating()
    def map_response_ids(self, pairs: Mapping[bytes, bytes]) -> None:
        """Remember which respondent each RID belongs to."""
        with self._connection() as connection:
            connection.execute(
                "INSERT INTO respondents_of_responses SELECT * FROM unnest(?::bytea[], ?::bytea[])"
                " ON CONFLICT (rid) DO UPDATE SET rsid = excluded.rsid",
                ([*pairs.keys()], [*pairs.values()]),
            )

    @translating()
    def vacuum(self) -> None:
        """Let the space of what was deleted be used again, and the planner know what there is."""
        with self._connection() as connection:
            connection.execute(f"VACUUM (ANALYZE) {_TABLES}")

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    def _analyze(self, group: int) -> None:
        # The step is done, and stays done where this is not.
        with suppress(psycopg.Error), self._connection() as connection:
            PostgresIds(connection).analyze_first_load(group)

    @contextmanager
    def _connection(self) -> Generator[PostgresConnection]:
        with self._pool.connection() as raw:
            try:
                yield PostgresConnection(raw)
            except psycopg.OperationalError:
                if raw.broken:  # and, where the server was restarted, so are the others: the next call gets a new one
                    self._pool.check()
                raise

    @contextmanager
    def _transaction(self) -> Generator[PostgresConnection]:
        with self._connection() as connection, connection.raw.transaction():
            yield connection


def _excluded(connection: PostgresConnection) -> PostgresIds:
    return PostgresIds(connection, "excluded_chunks")
