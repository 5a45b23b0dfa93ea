"""What every test stands on: a server in memory, a client of either era, and data of our own making."""

import signal
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import doubled
import postgres_server
import pytest
from authorization_server import AuthorizationServer, authorization_server
from mcp import Client
from mcp.client.session import ElicitationFnT, MessageHandlerFnT
from pydantic import SecretStr

from recontact_mcp.app import build_server
from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings

# What the embedded service holds at its first start.
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
# ours: far beyond what any in-memory exchange takes, and far below the runner's own limit.
PATIENCE = 30.0

# A job in the background of a shell, as a CI may be, ignores interrupts, and what it starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

Connect = Callable[..., AbstractAsyncContextManager[Client]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--databases",
        default=",".join(doubled.DATABASES),
        help="what the tests that run on each database run on; tests of one database in particular always run",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    doubled.on_each_database(metafunc)


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio: the durable engine knows no other loop."""
    return "asyncio"


@pytest.fixture(params=["auto", "legacy"], ids=["modern", "legacy"])
def era(request: pytest.FixtureRequest) -> str:
    """Run a test once in each protocol era, as the client's mode."""
    return str(request.param)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a fresh installation with one upload root."""
    root = tmp_path / "files"
    root.mkdir()
    return Settings(data_dir=tmp_path / "data", upload_roots=(root,))


@pytest.fixture
def connect(settings: Settings) -> Connect:
    """Connect a client to a server built from *settings*; overrides go to the settings, effects to the server."""

    @asynccontextmanager
    async def connection(
        mode: str = "auto",
        *,
        answer: ElicitationFnT | None = None,
        hear: MessageHandlerFnT | None = None,
        effects: Effects | None = None,
        local_files: bool = True,
        approve_url: str | None = None,
        **overrides: Any,
    ) -> AsyncGenerator[Client]:
        chosen = settings.model_copy(update=overrides)
        server = build_server(chosen, effects=effects, local_files=local_files, approve_url=approve_url)
        with anyio.fail_after(PATIENCE):
            async with Client(server, mode=mode, elicitation_callback=answer, message_handler=hear) as client:
                yield client

    return connection


@pytest.fixture
def identifiers() -> Callable[[int], list[str]]:
    """Return that many distinct identifiers, the same in every run."""
    return lambda count: [str(UUID(int=0x5A3B2ADA_0000_4000_8000_000000000000 + number)) for number in range(count)]


@pytest.fixture(scope="session")
def postgres() -> Generator[str]:
    """A PostgreSQL server, started once for all tests of this process; its URL."""
    with postgres_server.server() as url:
        yield url


@pytest.fixture
def database_url(postgres: str) -> Generator[str]:
    """An empty PostgreSQL database of this test's own; its URL."""
    with postgres_server.database(postgres) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_database(postgres: str) -> Generator[str]:
    """A database with all tables of the product and no rows, to make copies of; its name."""
    with doubled.migrated(postgres) as name:
        yield name


@pytest.fixture
def kept_in(request: pytest.FixtureRequest) -> Generator[SecretStr | None]:
    """Where the settings of this test keep everything: None for files, or a PostgreSQL database of its own."""
    if request.param == "sqlite":
        yield None
        return
    server, template = request.getfixturevalue("postgres"), request.getfixturevalue("migrated_database")
    with postgres_server.database(server, template=template) as url:
        yield SecretStr(url)


@pytest.fixture(scope="session")
def authorization() -> Generator[AuthorizationServer]:
    """An authorization server, started once for all tests of this process."""
    with authorization_server() as server:
        yield server
