"""A ledger's schema in PostgreSQL as the parts of the ledger share it, with every other process that uses it."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Self, TypeVar

import psycopg
from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from recontact_tools.ledger.bell import Bell
from recontact_tools.ledger.database import Connection
from recontact_tools.ledger.faults import NoLedger
from recontact_tools.ledger.postgres import (
    CONNECTING,
    PostgresConnection,
    Session,
    anticipating_postgres,
    connected,
    settle,
)
from recontact_tools.ledger.postgres_migrations import migrate, schema_version, write_lock

_Result = TypeVar("_Result")
_Work = Callable[[Connection], _Result]

# ours: one writes at a time, and the others read for less than a millisecond each; with the bell, the locks and the
# engine's four a replica takes ten, and eight of them share a server of PostgreSQL's usual hundred.
CONNECTIONS_MOST = 4
# ours: one that writes, and one that scrubs meanwhile.
WRITERS_MOST = 2
# ours: a read takes less than a millisecond, so who waits this long waits for a server that is away, and is told so.
WAIT_SECONDS = 5.0
# ours: the pool waits twice as long after each vain attempt, for five minutes if it is let. Once it has given up it
# begins anew with the next call, which is served if the server is back.
RECONNECT_SECONDS = 3.0
_WRITERS: RunVar[CapacityLimiter] = RunVar("writers of the ledger")


class PostgresDatabase:
    """The `Database` in a schema of PostgreSQL: one connection writes at a time, in all processes together.

    Each write holds the schema's advisory lock to its commit, as a write of a SQLite file holds the file's: so the
    audit trail stays one chain, and what a write looked at stays true while it writes. A connection that was lost is
    replaced, and what it was at is done once more, unless its commit was under way.

    A scrub asks the server to clear what was deleted from its tables. It is no more than that: the bytes stay in the
    server's write-ahead log, its archives, replicas and backups for as long as those are kept, and on pages that hold
    other rows until these are written over.
    """

    def __init__(self, pool: "ConnectionPool[Session]", schema: str, bell: Bell) -> None:
        self._pool = pool
        self._begin = f"BEGIN; {write_lock(schema)}".encode()
        self._bell = bell
        self._write_lock = threading.Lock()

    @classmethod
    def open(cls, url: str, schema: str, *, make: bool = True) -> Self:
        """Open the ledger in *schema*, which we *make* where it is missing, or else refuse; blocks.

        Raises:
            NoLedger: there is none, and none is to be made.
            LedgerUnavailable: the server does not answer, refuses us, or the ledger is one of a newer version.
        """
        # Its warnings hold the driver's texts, which name hosts and users.
        logging.getLogger("psycopg").setLevel(logging.CRITICAL)
        with anticipating_postgres():
            with connected(url, schema) as session:
                if not make and schema_version(session, schema) is None:
                    raise NoLedger
                migrate(session, schema)
            pool = ConnectionPool[Session](
                url,
                kwargs={**CONNECTING, "row_factory": dict_row},
                configure=partial(settle, schema=schema),
                min_size=1,
                max_size=CONNECTIONS_MOST,
                timeout=WAIT_SECONDS,
                reconnect_timeout=RECONNECT_SECONDS,
                open=True,
            )
        return cls(pool, schema, Bell(url, schema))

    async def write(self, write: _Work[_Result], *, scrubs: bool = False) -> _Result:
        """See `Database.write`."""

        def run() -> _Result:
            with anticipating_postgres():
                with self._write_lock:
                    result = self._run(write, begin=self._begin)
                if scrubs:
                    self._scrub()
                return result

        return await to_thread.run_sync(run, limiter=_writers())

    async def read(self, read: _Work[_Result]) -> _Result:
        """See `Database.read`."""

        def run() -> _Result:
            with anticipating_postgres():
                return self._run(read)

        return await to_thread.run_sync(run)

    async def read_in_thread(self, read: _Work[_Result]) -> _Result:
        """See `Database.read_in_thread`."""
        return await self.read(read)

    async def heard(self, seconds: float) -> None:
        """See `Database.heard`."""
        await self._bell.heard(seconds)

    async def aclose(self) -> None:
        """See `Database.aclose`."""
        await self._bell.aclose()
        await to_thread.run_sync(self._pool.close)

    def _run(self, work: _Work[_Result], *, begin: bytes = b"", again: bool = True) -> _Result:
        with self._pool.connection() as session:
            try:
                if begin:
                    session.execute(begin)
                result = work(PostgresConnection(session))
            except psycopg.OperationalError:
                if not (again and session.broken):
                    raise
            else:
                session.commit()  # if this fails, nobody knows whether it was kept
                return result
        # The server has forgotten whatever it was told to before its commit.
        self._pool.check()
        return self._run(work, begin=begin, again=False)

    def _scrub(self) -> None:
        """Clear the pages that payloads and sealed pieces were on; a sibling that does so already is not waited for."""
        with suppress(psycopg.Error), self._pool.connection() as session:
            session.execute("VACUUM (SKIP_LOCKED) payloads, snapshot_pieces, ticket_pieces")


def _writers() -> CapacityLimiter:
    """Return what keeps writes that wait for other replicas from taking the threads that reads need."""
    limiter = _WRITERS.get(None)
    if limiter is None:
        limiter = CapacityLimiter(WRITERS_MOST)
        _WRITERS.set(limiter)
    return limiter
