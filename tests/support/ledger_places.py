"""Where a ledger of a test lies: in a file, or in a schema of PostgreSQL."""

import sqlite3
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from recontact_mcp.settings import Settings
from recontact_mcp.storage import LEDGER_FILE
from recontact_tools.ledger import postgres_migrations, sqlite_connection
from recontact_tools.ledger.database import Connection
from recontact_tools.ledger.postgres import Session, connected
from recontact_tools.ledger.sql import SqlLedger

if TYPE_CHECKING:  # processes that race with one another do without
    import pytest

SCHEMA = "recontact"
DATABASES = ("sqlite", "postgresql")


class Place(Protocol):
    """A place that several ledgers, as of several processes, can be opened on."""

    @property
    def words(self) -> tuple[str, ...]:
        """What another process is told, for `opened`."""
        ...

    async def open(self) -> SqlLedger:
        """Open a ledger there, which is made if it is the first."""
        ...

    def reading(self) -> AbstractContextManager[Connection]:
        """Open the ledger there to read it and nothing else."""
        ...

    def pages(self) -> bytes:
        """Return everything that its tables hold on disk, of deleted rows too."""
        ...

    def is_sound(self) -> bool:
        """Tell whether the database finds itself whole."""
        ...

    def change(self, statement: str) -> None:
        """Change something behind the ledger's back."""
        ...

    def fill_up(self) -> None:
        """Make the database refuse every further entry of the trail."""
        ...


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A file, which may not be there yet."""

    path: Path

    @property
    def words(self) -> tuple[str, ...]:
        """See `Place.words`."""
        return (str(self.path),)

    async def open(self) -> SqlLedger:
        """See `Place.open`."""
        return SqlLedger.open(self.path)

    def reading(self) -> AbstractContextManager[Connection]:
        """See `Place.reading`."""
        return sqlite_connection.reading(self.path)

    def pages(self) -> bytes:
        """See `Place.pages`; the log is one of the files."""
        return b"".join(file.read_bytes() for file in self.path.parent.iterdir())

    def is_sound(self) -> bool:
        """See `Place.is_sound`."""
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    def fill_up(self) -> None:
        """See `Place.fill_up`."""
        self.change("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END")

    def change(self, statement: str) -> None:
        """See `Place.change`."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute(statement)


@dataclass(frozen=True, slots=True)
class SchemaPlace:
    """A schema, which may not be there yet."""

    url: str
    schema: str

    @property
    def words(self) -> tuple[str, ...]:
        """See `Place.words`."""
        return (self.url, self.schema)

    async def open(self) -> SqlLedger:
        """See `Place.open`."""
        return await SqlLedger.connect(self.url, self.schema)

    def reading(self) -> AbstractContextManager[Connection]:
        """See `Place.reading`."""
        return postgres_migrations.reading(self.url, self.schema)

    def pages(self) -> bytes:
        """See `Place.pages`; the server's log, of which nobody promises anything, is left out."""
        with self.session() as session:
            session.execute("CHECKPOINT")
            rows = session.execute(
                "WITH ours AS (SELECT oid, reltoastrelid FROM pg_class WHERE relkind = 'r' "
                "AND relnamespace = %s::regnamespace), kept AS (SELECT oid FROM ours UNION ALL SELECT reltoastrelid "
                "FROM ours WHERE reltoastrelid <> 0) "
                "SELECT pg_read_binary_file(pg_relation_filepath(oid)) AS pages FROM kept",
                (self.schema,),
            )
            return b"".join(row["pages"] for row in rows)

    def is_sound(self) -> bool:
        """See `Place.is_sound`; the server, which nobody killed, vouches for it."""
        return True

    def fill_up(self) -> None:
        """See `Place.fill_up`."""
        self.change("ALTER TABLE audit ADD CONSTRAINT nothing CHECK (false) NOT VALID")

    def change(self, statement: str) -> None:
        """See `Place.change`."""
        with self.session() as session:
            session.execute(statement.encode())

    def session(self) -> AbstractContextManager[Session]:
        """Open a connection of the test's own."""
        return closing(connected(self.url, self.schema))


def place_of(database: str, request: "pytest.FixtureRequest", file: Path) -> Place:
    """Return an empty place on one of DATABASES: *file*, or a schema of the test's own database."""
    return FilePlace(file) if database == "sqlite" else SchemaPlace(request.getfixturevalue("database_url"), SCHEMA)


def kept_by(settings: Settings) -> Place:
    """Return where the servers with these settings keep their ledger."""
    if settings.database_url is None:
        return FilePlace(settings.home / LEDGER_FILE)
    return SchemaPlace(settings.database_url.get_secret_value(), settings.namespace)


def counted(place: Place, table: str) -> int:
    """Count the rows of a table of the ledger."""
    with place.reading() as connection:
        [row] = connection.execute(f"SELECT count(*) AS number FROM {table}").fetchall()  # noqa: S608 - a word of a test
        return int(row["number"])


def told(words: list[str]) -> Place:
    """Return the place that another process was told."""
    return SchemaPlace(words[0], words[1]) if len(words) > 1 else FilePlace(Path(words[0]))
