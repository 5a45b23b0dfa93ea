"""Connections to PostgreSQL: a pool of them, what each is told at its start, and their faults as the store's."""

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from recontact_service.rows import Rows
from recontact_service.settings import Postgres
from recontact_service.store import StoreBusy, StoreFault

_CONNECT_SECONDS = 10  # ours: a server on another continent that is busy, too
# For names that the URL may set itself. ours: a server that is gone is noticed before a person gives up.
_DEFAULTS = {
    "application_name": "recontact-service",
    "connect_timeout": str(_CONNECT_SECONDS),
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
_BUSY = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    PoolTimeout,
)


class PostgresConnection:
    """A connection for the statements of `recontact_service.rows`; see there."""

    __slots__ = ("raw",)

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self.raw = raw

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> Rows:
        """Run one statement; its answer travels in binary, for respondent IDs would double as text."""
        return self.raw.execute(_spelled(statement), [_storable(value) for value in parameters], binary=True)


def _storable(value: Any) -> Any:  # noqa: ANN401 - the edge to the database
    """Return what PostgreSQL takes: it has no NUL in texts, and a word with one names nothing stored."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


@lru_cache(maxsize=128)
def _spelled(statement: str) -> bytes:
    return statement.replace("?", "%s").encode()


@contextmanager
def translating() -> Generator[None]:
    """Turn the driver's errors into the store's, which carry no text of it: they may name hosts and users.

    Raises:
        StoreBusy: another process kept a lock, or this one all connections.
        StoreFault: the driver raised anything else.
    """
    try:
        yield
    except _BUSY:
        raise StoreBusy from None
    except psycopg.Error:
        raise StoreFault from None


def connection_words(database: Postgres) -> dict[str, Any]:
    """Read the URL of a database, and add what it leaves open."""
    return {**_DEFAULTS, **conninfo_to_dict(database.url), "autocommit": True}


def configure(connection: psycopg.Connection[Any], database: Postgres, *, busy_seconds: float) -> None:
    """Tell a new connection where our tables are and how long to wait, whatever the database's own defaults say.

    A prepared statement keeps its one plan: all of ours look rows up by key, and to plan for one of the partitions
    anew takes longer than that (a page of 100 in 70 us instead of 165).
    """
    connection.execute(
        "SELECT set_config('search_path', quote_ident(%s), false), set_config('lock_timeout', %s, false),"
        " set_config('default_transaction_isolation', 'read committed', false),"
        " set_config('plan_cache_mode', 'force_generic_plan', false)",
        (database.schema, f"{max(1, round(busy_seconds * 1000))}ms"),
    )


def open_pool(database: Postgres, *, busy_seconds: float) -> ConnectionPool[psycopg.Connection[Any]]:
    """Open a pool with its first connection."""
    # Its warnings quote the driver, whose texts name hosts and users. Who asks for a connection learns of its lack.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
        "",
        kwargs=connection_words(database),
        configure=lambda connection: configure(connection, database, busy_seconds=busy_seconds),
        min_size=1,
        max_size=max(3, database.connections),
        timeout=max(busy_seconds, _CONNECT_SECONDS),  # short patience for locks is none for new connections
        num_workers=1,
        open=True,
    )
    pool.wait()
    return pool
