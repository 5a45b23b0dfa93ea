"""What the tests of tasks share: servers to speak with, and an API in a time that only tests move."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx
import pytest
from conformance_server import conformance_server
from pydantic import SecretStr
from task_speaker import Speaker, speaking_with

from recontact_mcp.app import build_server
from recontact_mcp.embedded import service_database
from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_mcp.storage import existing_ledger, opened_ledger
from recontact_service.faults import Faults
from recontact_service.operations import Operation
from recontact_service.running import running
from recontact_service.settings import ServiceSettings
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.ledger import Intent, IntentState, Ledger
from recontact_tools.models import IdType, JobKind, TargetGroup
from recontact_tools.runtime import Clock

GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")

Speaking = Callable[..., AbstractAsyncContextManager[Speaker]]


async def nap(seconds: float) -> None:
    """Sleep for at most five milliseconds: what waits for longer looks again sooner."""
    await anyio.sleep(min(seconds, 0.005))


@dataclass
class World:
    """The API behind the server under test, the ledger that it keeps, and the one time of both."""

    settings: Settings
    moment: datetime = datetime(2030, 1, 1, 12, tzinfo=UTC)
    faults: Faults = field(default_factory=Faults)
    opens: Callable[[Settings], Awaitable[Ledger]] = opened_ledger

    def now(self) -> datetime:
        """Return the time."""
        return self.moment

    def pass_time(self, **units: float) -> None:
        """Move the time on."""
        self.moment += timedelta(**units)

    def ledger(self) -> AbstractAsyncContextManager[Ledger]:
        """Open what a server made, beside it, as another process does."""
        return existing_ledger(self.settings)

    @property
    def posts(self) -> int:
        """Count what was sent that could change something."""
        return self.faults.requests[Operation.UPLOAD_RSIDS] + self.faults.requests[Operation.REMOVE_ALL]

    @property
    def effects(self) -> Effects:
        """Return what a server of this world is given."""
        return Effects(clock=Clock(now=self.now, sleep=nap), gateway=self._gateway, ledger=self.opens)

    @asynccontextmanager
    async def _gateway(self, settings: Settings) -> AsyncGenerator[Gateway]:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        service = ServiceSettings(
            database=service_database(settings.data_dir, self.settings.database_url),
            pace=settings.pace,
            clients={"robot": "open sesame"},
            all_invalid="fail",
        )
        connection = Connection("http://api.example/v1", "http://api.example/oauth/token", "robot", "open sesame")
        async with running(service, now=self.now, sleep=nap, faults=self.faults) as serving:
            transport = httpx.ASGITransport(app=serving.app)
            async with Gateway(connection, transport=transport, sleep=nap, jitter=lambda: 0.0) as gateway:
                yield gateway


@pytest.fixture
def settings(settings: Settings, kept_in: SecretStr | None) -> Settings:
    """Settings of a fresh installation, on each database."""
    return settings.model_copy(update={"database_url": kept_in})


@pytest.fixture
def world(settings: Settings) -> World:
    return World(settings)


@pytest.fixture
def speaking(world: World) -> Speaking:
    """Connect to a server of the world; words that are settings go to it, the others to the client."""

    def connection(**words: Any) -> AbstractAsyncContextManager[Speaker]:
        over = {word: words.pop(word) for word in [*words] if word in Settings.model_fields}
        return speaking_with(build_server(world.settings.model_copy(update=over), effects=world.effects), **words)

    return connection


@pytest.fixture
def speaking_to_fixture() -> Speaking:
    """Connect to the server that the conformance suite is run against."""

    def connection(**words: Any) -> AbstractAsyncContextManager[Speaker]:
        return speaking_with(conformance_server(), **words)

    return connection


@pytest.fixture
def planned(world: World) -> Callable[[], Awaitable[str]]:
    """Write an upload that waits to be sent into the ledger, and return the id to ask for it with."""

    async def write() -> str:
        intent = Intent(
            intent_id="01PLANNED",
            kind=JobKind.UPLOAD,
            principal="local",
            group=GROUP,
            ids=1,
            stored_before=0,
            state=IntentState.PLANNED,
            created_at=world.now(),
            updated_at=world.now(),
            id_type=IdType.RSID,
            file_name="waiting.csv",
        )
        async with world.ledger() as ledger:
            await ledger.open_intent(intent, payload=b"5a3b2ada-0000-4000-8000-000000000000\n")
        return intent.intent_id

    return write
