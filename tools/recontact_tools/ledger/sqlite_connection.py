"""Opening the ledger's SQLite file: private, durable, and safe while others open it too."""

import os
import sqlite3
import tempfile
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from recontact_tools.ledger.database import Dialect
from recontact_tools.ledger.faults import LedgerUnavailable
from recontact_tools.ledger.migrations import check_version, migrate

BUSY_MILLISECONDS = 30_000  # ours: longer than any write of a sibling process on a slow disk
_OTHERS_MAY = 0o077
_Connection = TypeVar("_Connection", bound=sqlite3.Connection)


class SqliteConnection(sqlite3.Connection):
    """A connection of SQLite's own, which says what every other database says otherwise."""

    dialect = Dialect(
        version="SELECT user_version AS number FROM pragma_user_version",
        entries="SELECT coalesce(max(seq), 0) AS number FROM sqlite_sequence WHERE name = 'audit'",
        announce=None,
    )


def connect(path: Path) -> SqliteConnection:
    """Open the existing database *path* for use from any one thread at a time."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        factory=SqliteConnection,
    )
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def open_pair(path: Path) -> tuple[SqliteConnection, SqliteConnection]:
    """Open *path* for writing and again for reading; create it, or bring its schema up to date, first."""
    _make_private(path)
    writer = connect(path)
    try:
        writer.execute("PRAGMA journal_mode = WAL")  # costs nothing unless somebody else made the file
        migrate(writer)
        reader = connect(path)
    except BaseException:
        writer.close()
        raise
    reader.execute("PRAGMA query_only = ON")
    return writer, reader


@contextmanager
def reading(path: Path) -> Generator[SqliteConnection, None, None]:
    """Open the existing ledger *path* to read it and nothing else, beside whoever writes; its version may be older.

    Raises:
        LedgerUnavailable: the file is not a ledger, or one of a newer version.
    """
    with anticipating_sqlite(), closing(connect(path)) as connection:
        connection.execute("PRAGMA query_only = ON")
        check_version(connection)
        yield connection


def make_write_ahead(path: Path) -> None:
    """Create the empty database *path*, private and with a write-ahead log, for a library that sets neither.

    Raises:
        LedgerUnavailable: the file is not a database.
        OSError: the directory cannot be used.
    """
    with anticipating_sqlite():
        _make_private(path)
        with closing(connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")


@contextmanager
def anticipating_sqlite() -> Generator[None, None, None]:
    """Translate the driver's errors, whose texts may name a file, to ours.

    Raises:
        LedgerUnavailable: the driver raised.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise LedgerUnavailable(f"the ledger's database failed ({type(error).__name__})") from error


@contextmanager
def writing(connection: _Connection) -> Generator[_Connection, None, None]:
    """Hold the write lock of the whole file; commit, or undo everything when the block raises."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        yield connection


def scrub(connection: SqliteConnection) -> None:
    """Empty the write-ahead log, in which deleted payloads may still be read.

    Does not wait: when a sibling is busy, the next payload's scrub or the last process to close does it.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")


def _make_private(path: Path) -> None:
    if not path.exists():
        _create(path)
    if path.stat().st_mode & _OTHERS_MAY:
        path.chmod(0o600)


def _create(path: Path) -> None:
    """Build the file beside *path* and link it into place: the first of several processes wins.

    SQLite does not wait for a lock while it switches a file to WAL, so no two may do that to one file.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    fresh = Path(name)
    try:
        with closing(connect(fresh)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            migrate(connection)
        with suppress(FileExistsError):
            path.hardlink_to(fresh)
    finally:
        fresh.unlink()
