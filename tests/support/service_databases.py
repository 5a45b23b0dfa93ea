"""What a test does to a service's database behind the service's back, whichever database it is."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from recontact_service.settings import Postgres


def connected(database: Postgres) -> psycopg.Connection:
    """Connect to our tables in PostgreSQL."""
    options = f"-c search_path={database.schema}"
    return psycopg.connect(database.url, autocommit=True, options=options)


def change(database: Path | Postgres, *statements: str) -> None:
    """Change the database."""
    if isinstance(database, Path):
        with closing(sqlite3.connect(database, isolation_level=None)) as sibling:
            for statement in statements:
                sibling.execute(statement)
        return
    with closing(connected(database)) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@contextmanager
def held(database: Path | Postgres) -> Generator[None]:
    """Keep every writer out, as a slow sibling does."""
    if isinstance(database, Path):
        with closing(sqlite3.connect(database, isolation_level=None)) as sibling:
            sibling.execute("BEGIN IMMEDIATE")
            yield
            sibling.execute("ROLLBACK")
        return
    with closing(connected(database)) as other, other.transaction():
        other.execute("LOCK TABLE jobs IN SHARE MODE")
        yield


def stored_ids(database: Path | Postgres) -> bytes:
    """Read the packed respondent IDs of all target groups, as they lie there."""
    statement = "SELECT ids FROM id_chunks ORDER BY target_group, first"
    if isinstance(database, Path):
        with closing(sqlite3.connect(database)) as connection:
            return b"".join(ids for (ids,) in connection.execute(statement).fetchall())
    with closing(connected(database)) as server:
        return b"".join(ids for (ids,) in server.execute(statement, binary=True).fetchall())
