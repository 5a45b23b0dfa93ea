"""A service at work in this process, with a clock that only tests move."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, closing
from datetime import UTC, datetime
from pathlib import Path

import anyio
import httpx
import postgres_server
import psycopg
import pytest
from psycopg import sql

from recontact_service.running import RunningService, running
from recontact_service.settings import SCHEMA, Postgres, ServiceSettings
from recontact_service.store import Store
from recontact_service.stores import open_store

Opener = Callable[[ServiceSettings], AbstractAsyncContextManager[RunningService]]
Client = Callable[[RunningService], httpx.AsyncClient]
TABLES = (
    "job_files",
    "jobs",
    "id_chunks",
    "excluded_chunks",
    "target_groups",
    "respondents_of_responses",
    "token_keys",
)


async def _never(_seconds: float) -> None:
    await anyio.sleep_forever()


@pytest.fixture
def clock() -> list[datetime]:
    return [datetime(2030, 1, 1, 12, tzinfo=UTC)]


@pytest.fixture(scope="session")
def tables(postgres: str) -> Generator[Postgres]:
    """A database with our tables, made once: each test leaves them empty, which is far faster than making them."""
    with postgres_server.database(postgres) as url:
        made = Postgres(url=url)
        open_store(made).close()
        yield made


@pytest.fixture
def server_database(tables: Postgres) -> Generator[Postgres]:
    yield tables
    with psycopg.connect(tables.url) as connection:
        for table in TABLES:
            connection.execute(sql.SQL("DELETE FROM {}.{}").format(sql.Identifier(SCHEMA), sql.Identifier(table)))


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path | Postgres:
    """Run a test once on each database."""
    if request.param == "sqlite":
        return tmp_path / "service.sqlite"
    found: Postgres = request.getfixturevalue("server_database")
    return found


@pytest.fixture
def settings(database: Path | Postgres) -> ServiceSettings:
    return ServiceSettings(database=database, clients={"robot": "open sesame"})


@pytest.fixture
def sqlite_settings(tmp_path: Path) -> ServiceSettings:
    return ServiceSettings(database=tmp_path / "service.sqlite", clients={"robot": "open sesame"})


@pytest.fixture
def open_service(clock: list[datetime]) -> Opener:
    return lambda settings: running(settings, now=lambda: clock[0], sleep=_never)


@pytest.fixture
def client_of() -> Client:
    def client(service: RunningService) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(service.app),
            base_url="http://service/v1/demand/accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0"
            "/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/",
            headers={
                "Authorization": f"Bearer {service.issue_token('robot')}",
                "Cint-API-Version": "2025-12-18",
            },
        )

    return client


@pytest.fixture
async def service(open_service: Opener, settings: ServiceSettings) -> AsyncGenerator[RunningService]:
    async with open_service(settings) as running_service:
        yield running_service


@pytest.fixture
async def client(service: RunningService, client_of: Client) -> AsyncGenerator[httpx.AsyncClient]:
    async with client_of(service) as http:
        yield http


@pytest.fixture
def store(database: Path | Postgres) -> Generator[Store]:
    with closing(open_store(database)) as opened:
        yield opened
