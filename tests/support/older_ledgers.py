"""A ledger as an older version of the product would have left it: its schema, and what it knew to write down."""

import sqlite3
from contextlib import closing
from pathlib import Path

from ledger_places import FilePlace, Place, SchemaPlace

from recontact_tools.ledger.migrations import MIGRATIONS, migrate
from recontact_tools.ledger.postgres import Session
from recontact_tools.ledger.postgres_migrations import migrate as migrate_postgres
from recontact_tools.ledger.postgres_migrations import schema_version as postgres_version

Versions = tuple[tuple[str, ...], ...]

# What a newer version might bring: a column that must not be empty, an index that keeps things apart, and a table.
NEWER: Versions = (
    *MIGRATIONS,
    (
        "ALTER TABLE intents ADD COLUMN later TEXT NOT NULL DEFAULT 'x'",
        "ALTER TABLE plans ADD COLUMN later INTEGER",
        "CREATE TABLE later (id INTEGER PRIMARY KEY)",
    ),
)
# Counts the entries of the trail, which does that again when they are copied.
_COUNTED_ANEW = {"schema_version", "audit_given"}


def set_back(place: Place, versions: int) -> None:
    """Let a ledger, which nobody has open, be one of the first so many versions."""
    if isinstance(place, FilePlace):
        _set_back_file(place.path, versions)
    elif isinstance(place, SchemaPlace):
        with place.session() as session:
            _set_back_schema(session, place.schema, versions)


def take_forward(place: Place, versions: Versions = NEWER) -> None:
    """Bring a ledger, which others may have open, to a version that this one does not know."""
    if isinstance(place, FilePlace):
        with closing(sqlite3.connect(place.path, isolation_level=None)) as connection:
            migrate(connection, versions)
    elif isinstance(place, SchemaPlace):
        with place.session() as session:
            migrate_postgres(session, place.schema, versions)


def version_of(place: Place) -> int | None:
    """Return how many versions a ledger has had."""
    if isinstance(place, SchemaPlace):
        with place.session() as session:
            return postgres_version(session, place.schema)
    assert isinstance(place, FilePlace)
    with closing(sqlite3.connect(place.path)) as connection:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return version


def _set_back_file(path: Path, versions: int) -> None:
    now = path.with_name("now.sqlite")
    for end in ("", "-wal", "-shm"):
        if (file := path.with_name(path.name + end)).exists():
            file.rename(now.with_name(now.name + end))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, MIGRATIONS[:versions])
        connection.execute("ATTACH ? AS now", (str(now),))
        tables = "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        connection.execute("DELETE FROM main.secrets" if versions > 1 else "SELECT 1")
        for (table,) in connection.execute(tables).fetchall():
            columns = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
            rows = connection.execute(f"SELECT {', '.join(columns)} FROM now.{table} ORDER BY rowid").fetchall()  # noqa: S608 - names of ours
            marks = ", ".join("?" for _ in columns)
            # One by one: the trail's trigger looks at what was counted before.
            connection.executemany(f"INSERT INTO main.{table} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608 - as above
        connection.execute("DETACH now")
    now.unlink()


def _set_back_schema(session: Session, schema: str, versions: int) -> None:
    session.execute(f"ALTER SCHEMA {schema} RENAME TO now".encode())
    migrate_postgres(session, schema, MIGRATIONS[:versions])
    for table, columns in _tables(session, schema).items():
        names = ", ".join(columns)
        order = next((name for name in ("seq", "position") if name in columns), columns[0])
        if "secrets" in table:
            session.execute(b"DELETE FROM secrets")
        session.execute(
            f"INSERT INTO {table} ({names}) SELECT {names} FROM now.{table} ORDER BY {order}".encode()  # noqa: S608 - names of ours
        )
        if "position" in columns:
            session.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'position'), coalesce(max(position), 1)) FROM {table}".encode()  # noqa: S608, E501 - names of ours
            )
    session.execute(b"DROP SCHEMA now CASCADE")


def _tables(session: Session, schema: str) -> dict[str, list[str]]:
    rows = session.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s"
        " ORDER BY table_name, ordinal_position",
        (schema,),
    ).fetchall()
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["table_name"] not in _COUNTED_ANEW:
            found.setdefault(row["table_name"], []).append(row["column_name"])
    return found
