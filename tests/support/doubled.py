"""Tests that run once on each database: which ones they are, and what they find there."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import postgres_server
import psycopg
import pytest
from mcp import Client
from pydantic import SecretStr

from recontact_mcp.app import build_server
from recontact_mcp.settings import Settings

DATABASES = ("sqlite", "postgresql")
# The fixture that a folder's `settings` ask for when its tests are to run on each database.
FIXTURE = "kept_in"
# The marker of tests that are about files, or choose their database themselves.
SQLITE_ONLY = "sqlite_only"


def chosen(words: str) -> tuple[str, ...]:
    """Read the option that names databases.

    Raises:
        pytest.UsageError: A name is none of DATABASES.
    """
    names = tuple(word.strip() for word in words.split(","))
    if not set(names) <= set(DATABASES):
        raise pytest.UsageError(f"--databases takes {' and '.join(DATABASES)}, with a comma between them")
    return names


def on_each_database(metafunc: pytest.Metafunc) -> None:
    """Let a test that asks for FIXTURE run once on each database that was chosen; one about files on files."""
    if FIXTURE not in metafunc.fixturenames:
        return
    about_files = metafunc.definition.get_closest_marker(SQLITE_ONLY) is not None
    names = DATABASES[:1] if about_files else chosen(str(metafunc.config.getoption("--databases")))
    metafunc.parametrize(FIXTURE, names, indirect=True)


@contextmanager
def migrated(server: str) -> Generator[str]:
    """Yield the name of a database with all tables of the product, and no row; copies of it are made in no time."""
    with postgres_server.database(server) as url, TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), database_url=SecretStr(url))
        with ThreadPoolExecutor(1) as beside:  # a test that drives a browser has a loop in this thread
            beside.submit(anyio.run, _start_once, settings).result()
        with closing(psycopg.connect(url, autocommit=True)) as connection:
            # Whose key the first server here had; it is gone, and its key with its folder.
            connection.execute("DELETE FROM recontact.secrets WHERE name <> 'digests'")
        yield postgres_server.name_of(url)


async def _start_once(settings: Settings) -> None:
    """Start a server and call a tool: the ledger, the embedded API and the engine make their tables."""
    async with Client(build_server(settings)) as client:
        result = await client.call_tool("list_upload_jobs", {"target_group_id": "01BTGNYV6HRNK8K8VKZASZCFP1"})
        assert not result.is_error
