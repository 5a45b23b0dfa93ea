"""The database of `recontact-mcp service`: which one is meant, and what is said where it cannot be used."""

# Imports stand inside the functions that need them: `--help` does not pay for the service.
# ruff: noqa: PLC0415

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recontact_mcp.cli.console import settings_or_stop, stop

if TYPE_CHECKING:
    from recontact_service.settings import Postgres

UNUSABLE = "The database cannot be used."
CURE = (
    "Name a file in a directory that you can write, with --database; or, where --database-url or "
    "RECONTACT_DATABASE_URL names PostgreSQL, a server that runs and a database in which you may create a schema."
)
NEWER = ("A newer version of recontact-mcp made the database.", "Use that version, or another database.")

Database = Annotated[
    Path | None,
    typer.Option(help="SQLite file. Default: the embedded service's, in the data directory.", show_default=False),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        help="PostgreSQL instead, `postgresql://user@host/name`. One with a password goes into "
        "RECONTACT_DATABASE_URL: everyone on this machine can read a command line.",
        show_default=False,
    ),
]


def database_of(file: Path | None, url: str | None) -> "Path | Postgres":
    """Return the database that was named, or the one that the embedded service has by the settings."""
    from recontact_mcp.embedded import service_database

    if url is not None:
        return _server(file, url)
    if file is not None:
        return file
    settings = settings_or_stop()
    return service_database(settings.data_dir, settings.database_url)


def _server(file: Path | None, url: str) -> "Postgres":
    from recontact_service.settings import Postgres
    from recontact_service.stores import holds_password

    if file is not None:
        stop("--database and --database-url name two databases.", cure="Give one of them.", code=2)
    with stopping():
        shown = holds_password(url)
    if shown:
        cure = "Put the URL into RECONTACT_DATABASE_URL and leave --database-url out."
        stop("A password on the command line can be read by everyone on this machine.", cure=cure, code=2)
    return Postgres(url=url)


@contextmanager
def stopping() -> Generator[None]:
    """End the command where the database cannot be used."""
    from recontact_service.store import StoreNewer

    said = None
    try:
        yield
    except* StoreNewer:
        said = NEWER
    except* OSError:
        said = (UNUSABLE, CURE)
    if said:
        stop(*said)
