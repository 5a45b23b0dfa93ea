"""Open the service's SQLite database, for its owner only, and bring its tables into being."""

import os
import sqlite3
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from recontact_service.store import StoreBusy, StoreFault

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_PRIMARY = 0xFF  # source: SQLite's result codes; the bits above tell the variants of one apart
_OTHERS_MAY = 0o077

_TABLES = """
CREATE TABLE IF NOT EXISTS token_keys (one INTEGER PRIMARY KEY CHECK (one = 1), key BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS target_groups (
    number INTEGER PRIMARY KEY,
    target_group_id TEXT NOT NULL UNIQUE,
    account_id INTEGER NOT NULL,
    project_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('draft', 'launched')),
    document TEXT NOT NULL,
    saved INTEGER NOT NULL DEFAULT 0 CHECK (saved >= 0)
);
CREATE TABLE IF NOT EXISTS id_chunks (
    target_group INTEGER NOT NULL REFERENCES target_groups (number),
    first BLOB NOT NULL,
    ids BLOB NOT NULL,
    PRIMARY KEY (target_group, first)
);
CREATE TABLE IF NOT EXISTS excluded_ids (
    target_group INTEGER NOT NULL REFERENCES target_groups (number),
    rsid BLOB NOT NULL,
    PRIMARY KEY (target_group, rsid)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL UNIQUE,
    target_group INTEGER NOT NULL REFERENCES target_groups (number),
    kind TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'Processing' CHECK (status IN ('Processing', 'Completed', 'Failed')),
    created_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    file_name TEXT NOT NULL DEFAULT '',
    by_response_id INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    ids_done INTEGER NOT NULL DEFAULT 0,
    stored INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    completed_ms INTEGER,
    partial TEXT,
    failure_code TEXT,
    failure_description TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS one_processing_job ON jobs (target_group) WHERE status = 'Processing';
CREATE INDEX IF NOT EXISTS jobs_of_group ON jobs (target_group, number);
CREATE TABLE IF NOT EXISTS job_files (
    job_id TEXT PRIMARY KEY REFERENCES jobs (job_id), content BLOB NOT NULL, deflated INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS respondents_of_responses (rid BLOB PRIMARY KEY, rsid BLOB NOT NULL) WITHOUT ROWID;
"""


@contextmanager
def translating() -> Generator[None]:
    """Turn the driver's errors into the store's, which carry no text of it.

    Raises:
        StoreBusy: another process kept a lock.
        StoreFault: the driver raised anything else.
    """
    try:
        yield
    except sqlite3.Error as error:
        # The driver's own refusals (a closed connection) carry no code.
        code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        raise (StoreBusy if code & _PRIMARY in _BUSY else StoreFault) from error


def open_pair(database: Path, *, busy_seconds: float) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """Open one connection for writing and one for reading; create the database, or what it lacks, first.

    Raises:
        OSError: the folder cannot be used.
    """
    _make_private(database.resolve())
    writer = connect(database, busy_seconds=busy_seconds)
    try:
        create_tables(writer)
        return writer, connect(database, busy_seconds=busy_seconds)
    except BaseException:
        writer.close()
        raise


def _make_private(database: Path) -> None:
    """Let only the owner read the database; SQLite gives the files beside it the mode that it has itself."""
    for folder in reversed([one for one in database.parents if not one.exists()]):
        folder.mkdir(mode=0o700, exist_ok=True)
    if not database.exists():
        _create(database)
    for ending in ("", "-wal", "-shm"):
        # By name: to open the database and close it again would drop the locks that SQLite holds on it for this
        # process. Those beside it come and go; what belongs to somebody else is theirs to protect.
        with suppress(FileNotFoundError, PermissionError):
            file = database.with_name(database.name + ending)
            if file.stat().st_mode & _OTHERS_MAY:
                file.chmod(0o600)


def _create(database: Path) -> None:
    # Under another name, then linked into place, where the first of several processes wins: SQLite does not wait
    # for a sibling that is just switching the same file to a write-ahead log.
    handle, name = tempfile.mkstemp(dir=database.parent, prefix=f".{database.name}.")  # 0600 from the start
    os.close(handle)
    fresh = Path(name)
    try:
        connect(fresh, busy_seconds=0).close()
        with suppress(FileExistsError):
            database.hardlink_to(fresh)
    finally:
        fresh.unlink()


def connect(database: Path, *, busy_seconds: float) -> sqlite3.Connection:
    """Open one connection, durable at every commit and overwriting what is deleted."""
    connection = sqlite3.connect(database, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """Run the block as one transaction that holds the write lock from its start."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite ends some transactions itself, a full disk's for one: then this does nothing. A failed commit may
        # leave one open, and the next could not begin.
        connection.rollback()
        raise


def create_tables(connection: sqlite3.Connection) -> None:
    """Create what is missing; several processes may do so at once."""
    with transaction(connection):
        for statement in _TABLES.split(";\n"):
            connection.execute(statement)
        columns = {row[1] for row in connection.execute("PRAGMA table_info(job_files)").fetchall()}
        if "deflated" not in columns:  # a database of version 0.1.0, whose files are stored as they came
            connection.execute("ALTER TABLE job_files ADD COLUMN deflated INTEGER NOT NULL DEFAULT 0")
