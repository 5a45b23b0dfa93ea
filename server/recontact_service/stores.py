"""Open the store that a database takes."""

from pathlib import Path

from recontact_service.settings import BUSY_SECONDS, Postgres
from recontact_service.sqlite_store import SqliteStore
from recontact_service.store import Store


def open_store(database: Path | Postgres, *, busy_seconds: float = BUSY_SECONDS) -> Store:
    """Open a store; blocks.

    Raises:
        OSError: the database cannot be used (StoreFault), or the folder of its file.
    """
    if isinstance(database, Path):
        return SqliteStore(database, busy_seconds=busy_seconds)
    # Whoever works on a file does not wait for the driver to be loaded.
    from recontact_service.postgres_store import PostgresStore  # noqa: PLC0415 - the line above

    return PostgresStore(database, busy_seconds=busy_seconds)


def holds_password(url: str) -> bool:
    """Tell whether the URL of a PostgreSQL database has a password in it.

    Raises:
        StoreFault: it is no such URL.
    """
    from recontact_service.postgres_connection import connection_words, translating  # noqa: PLC0415 - as above

    with translating():
        return "password" in connection_words(Postgres(url=url))
