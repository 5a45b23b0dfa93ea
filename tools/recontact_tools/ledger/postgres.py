"""What every connection to PostgreSQL has in common: its settings, how it is spoken to, and whose errors it raises."""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeAlias

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from recontact_tools.ledger.database import Cursor, Dialect
from recontact_tools.ledger.faults import LedgerUnavailable

Session: TypeAlias = psycopg.Connection[dict[str, Any]]  # Any: the edge to the database

DIALECT = Dialect(
    version="SELECT number FROM schema_version",
    entries="SELECT number FROM audit_given",
    announce="SELECT pg_notify(current_schema(), ?)",
)

# ours: a server that is there answers in milliseconds; who waits for a call hears of one that is not.
CONNECT_SECONDS = 10
# ours: as long as a SQLite ledger waits for a sibling, longer than any write.
LOCK_MILLISECONDS = 30_000
# ours: a replica that froze in the middle of a write must not keep all others from writing.
IDLE_MILLISECONDS = 30_000
# ours: far beyond every statement of ours but a migration, which sets it aside.
STATEMENT_MILLISECONDS = 120_000
# ours: a peer whose machine died without a word is noticed in some ten seconds, by either side.
KEEPALIVE = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3"}

# Values of a connection in the words of the driver, the client's side of KEEPALIVE among them.
CONNECTING: dict[str, Any] = {  # Any: the edge to the driver
    "autocommit": True,
    "client_encoding": "utf8",
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "application_name": "recontact-mcp",
}
_SETTINGS = {
    "default_transaction_isolation": "read committed",
    "lock_timeout": f"{LOCK_MILLISECONDS}",
    "idle_in_transaction_session_timeout": f"{IDLE_MILLISECONDS}",
    "statement_timeout": f"{STATEMENT_MILLISECONDS}",
    **KEEPALIVE,
}
# ours: one more would be cut off, and two schemas would share a name.
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_PIECES = re.compile(r"'[^']*'|%|\?")


class PostgresConnection:
    """A `Connection`: takes the statements that SQLite takes."""

    dialect = DIALECT

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def in_transaction(self) -> bool:
        """See `Connection.in_transaction`."""
        return self._session.info.transaction_status is not TransactionStatus.IDLE

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Cursor:
        """See `Connection.execute`."""
        return self._session.execute(translated(statement), _plain(values))

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]], /) -> Cursor:
        """See `Connection.executemany`."""
        cursor = self._session.cursor()
        cursor.executemany(translated(statement), [_plain(row) for row in rows])
        return cursor


def _plain(values: Sequence[Any]) -> list[Any]:
    """Write truths as numbers, as SQLite does: a column of numbers takes nothing else; and texts without NUL."""
    return [_storable(value) for value in values]


def _storable(value: Any) -> Any:  # noqa: ANN401 - the edge to the database
    """Return what PostgreSQL takes; it has no NUL in texts, so a caller's word with one is that of nothing we keep."""
    if isinstance(value, bool):
        return int(value)
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


@lru_cache(maxsize=1_024)
def translated(statement: str) -> bytes:
    """Write the driver's marks for values; a question mark or a percent sign in a text stays what it is."""
    return _PIECES.sub(lambda piece: "%s" if piece[0] == "?" else piece[0].replace("%", "%%"), statement).encode()


@contextmanager
def anticipating_postgres() -> Generator[None]:
    """Translate the driver's errors, whose texts may name a host, a user or a value, to ours.

    Raises:
        LedgerUnavailable: the driver raised.
    """
    try:
        yield
    except psycopg.Error as error:
        raise LedgerUnavailable(f"the ledger's database failed ({type(error).__name__})") from error


def lock_key(*names: str) -> int:
    """Return the number of an advisory lock, the same in every process and version."""
    return int.from_bytes(blake2b("\0".join(names).encode(), digest_size=8).digest(), signed=True)


def connected(url: str, schema: str) -> Session:
    """Open a connection that stands in *schema*, which need not be there yet."""
    session = Session.connect(url, row_factory=dict_row, **CONNECTING)
    try:
        settle(session, schema)
    except BaseException:
        session.close()
        raise
    return session


def settle(session: Session, schema: str) -> None:
    """Give a new connection its schema and its limits, whatever the server's own are; commits are durable."""
    chosen = {**_SETTINGS, "search_path": f"{identifier(schema)}, pg_temp"}
    calls = ", ".join("set_config(%s, %s, false)" for _ in chosen)
    session.execute(f"SELECT {calls}".encode(), [text for pair in chosen.items() for text in pair])
    session.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )


def identifier(schema: str) -> str:
    """Return the name of a schema as SQL writes it.

    Raises:
        ValueError: it is none that PostgreSQL keeps as it is.
    """
    if _NAME.fullmatch(schema) is None:
        raise ValueError("a schema's name is of at most 63 lower-case letters, digits and underscores")
    return sql.Identifier(schema).as_string()
