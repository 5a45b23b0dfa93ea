"""A service at work in this process, with a clock that only tests move."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path

import anyio
import httpx
import pytest

from recontact_service.running import RunningService, running
from recontact_service.settings import ServiceSettings
from recontact_service.sqlite_store import SqliteStore
from recontact_service.store import Store

Opener = Callable[[ServiceSettings], AbstractAsyncContextManager[RunningService]]
Client = Callable[[RunningService], httpx.AsyncClient]


async def _never(_seconds: float) -> None:
    await anyio.sleep_forever()


@pytest.fixture
def clock() -> list[datetime]:
    return [datetime(2030, 1, 1, 12, tzinfo=UTC)]


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
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


@pytest.fixture(params=["sqlite"])
def store(tmp_path: Path) -> Generator[Store]:
    opened = SqliteStore(tmp_path / "store.sqlite")
    yield opened
    opened.close()
