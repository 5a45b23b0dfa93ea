"""One SQLite file as the parts of the ledger share it: one writer, one reader, each in one thread at a time."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

import anyio
from anyio import to_thread

from recontact_tools.ledger.database import Connection
from recontact_tools.ledger.sqlite_connection import SqliteConnection, anticipating_sqlite, open_pair, scrub, writing

_Result = TypeVar("_Result")

# ours: others hear well within two seconds, at the cost of two reads of 10 us a second while somebody listens.
LOOK_SECONDS = 0.5


class SqliteFile:
    """The `Database` on one file: writes run in a thread, inside one transaction; point reads of some 20 us inline.

    Thread locks, not anyio's: the durable engine may run workflows on an event loop of its own.
    A write that was begun is finished even when its caller is cancelled.
    """

    def __init__(self, writer: SqliteConnection, reader: SqliteConnection) -> None:
        self._writer = writer
        self._reader = reader
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file at *path*, which is created, mode 0600, when it is missing.

        Raises:
            LedgerUnavailable: the file is not a ledger, or one of a newer version.
            OSError: the directory cannot be used.
        """
        with anticipating_sqlite():
            return cls(*open_pair(path))

    async def write(self, write: Callable[[Connection], _Result], *, scrubs: bool = False) -> _Result:
        """Run *write* in one transaction, and empty the log of what it deleted when it *scrubs*."""

        def run() -> _Result:
            with self._write_lock, anticipating_sqlite():
                with writing(self._writer) as connection:
                    result = write(connection)
                if scrubs:
                    scrub(self._writer)
                return result

        return await to_thread.run_sync(run)

    async def read(self, read: Callable[[Connection], _Result]) -> _Result:
        """Read at once: for what takes some 20 us."""
        return self._read(read)

    async def read_in_thread(self, read: Callable[[Connection], _Result]) -> _Result:
        """Read without holding up the event loop."""
        return await to_thread.run_sync(self._read, read)

    def _read(self, read: Callable[[Connection], _Result]) -> _Result:
        with self._read_lock, anticipating_sqlite():
            return read(self._reader)

    async def heard(self, seconds: float) -> None:
        """Return soon: nothing wakes who reads a file, which is read often instead."""
        await anyio.sleep(min(seconds, LOOK_SECONDS))

    async def aclose(self) -> None:
        """Let go of the file; the last process to do so leaves nothing but it."""
        await to_thread.run_sync(self._close)

    def _close(self) -> None:
        with self._write_lock, self._read_lock, anticipating_sqlite():
            self._reader.close()
            self._writer.close()
