"""Bringing the schema of a ledger on PostgreSQL up to date, by whichever of many processes comes first."""

from collections.abc import Generator
from contextlib import closing, contextmanager

from recontact_tools.ledger.database import Connection
from recontact_tools.ledger.faults import LedgerUnavailable, NoLedger
from recontact_tools.ledger.migrations import MIGRATIONS
from recontact_tools.ledger.postgres import (
    PostgresConnection,
    Session,
    anticipating_postgres,
    connected,
    identifier,
    lock_key,
)
from recontact_tools.ledger.postgres_schema import translated_version

Versions = tuple[tuple[str, ...], ...]


def write_lock(schema: str) -> str:
    """Return the statement that waits until nobody else writes in *schema*, and keeps others out to the commit."""
    return f"SELECT pg_advisory_xact_lock({lock_key('recontact ledger', schema)})"


def schema_version(session: Session, schema: str) -> int | None:
    """Return how many versions the schema has had; None where there is no ledger."""
    # Asked of the catalogue itself: what a session believes of names may be as old as its transaction.
    there = session.execute(
        "SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        "WHERE relname = 'schema_version' AND nspname = %s",
        (schema,),
    )
    row = there.fetchone() and session.execute("SELECT number FROM schema_version").fetchone()
    return row["number"] if row else None


def check_version(session: Session, schema: str, versions: Versions = MIGRATIONS) -> int | None:
    """Return how many versions the schema has had, all of them known here; None where there is no ledger.

    Raises:
        LedgerUnavailable: a newer version of the product wrote it.
    """
    version = schema_version(session, schema)
    if version is not None and version > len(versions):
        raise LedgerUnavailable("a newer version of recontact-mcp wrote this ledger; upgrade to use it")
    return version


@contextmanager
def reading(url: str, schema: str) -> Generator[Connection]:
    """Open the ledger in *schema* to read it and nothing else, beside whoever writes; its version may be older.

    Raises:
        NoLedger: there is none.
        LedgerUnavailable: the server does not answer, refuses us, or the ledger is one of a newer version.
    """
    with anticipating_postgres(), closing(connected(url, schema)) as session:
        session.execute("SET default_transaction_read_only = on")
        if check_version(session, schema) is None:
            raise NoLedger
        yield PostgresConnection(session)


def migrate(session: Session, schema: str, versions: Versions = MIGRATIONS) -> None:
    """Bring the schema up to date, all of it or nothing; a current one costs two reads.

    Raises:
        LedgerUnavailable: a newer version of the product wrote it.
    """
    if schema_version(session, schema) == len(versions):
        return
    with session.transaction():
        session.execute("SET LOCAL statement_timeout = 0")
        session.execute("SET LOCAL lock_timeout = 0")  # another process may be migrating
        session.execute(write_lock(schema).encode())
        _migrate(session, schema, versions)


def _migrate(session: Session, schema: str, versions: Versions) -> None:
    # Asked again under the lock: another process may have migrated while we waited for it.
    version = check_version(session, schema, versions)
    if version is None:
        version = 0
        _begin(session, schema)
    for statements in versions[version:]:
        for statement in translated_version(statements):
            session.execute(statement.encode())
    session.execute("UPDATE schema_version SET number = %s", (len(versions),))


def _begin(session: Session, schema: str) -> None:
    # Looked at first: a role that may not make schemas can use one that was made for it.
    if session.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone() is None:
        session.execute(f"CREATE SCHEMA {identifier(schema)}".encode())
    session.execute("CREATE TABLE schema_version (one BIGINT PRIMARY KEY CHECK (one = 1), number BIGINT NOT NULL)")
    session.execute("INSERT INTO schema_version VALUES (1, 0)")
