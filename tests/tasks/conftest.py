"""What the tests of tasks share: a client that speaks the extension, and an API in a time that only tests move."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx
import pytest
from conformance_server import conformance_server
from mcp import Client, MCPError
from mcp.client.extension import ClaimContext, ClientExtension, NotificationBinding, ResultClaim, advertise
from mcp.client.session import ClientRequestContext, ElicitationFnT
from mcp.server.mcpserver import MCPServer
from mcp_types import (
    CallToolResult,
    ElicitRequestParams,
    ElicitResult,
    NotificationParams,
    Request,
    RequestParams,
    Result,
)
from pydantic import ConfigDict

from recontact_mcp.app import build_server
from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_service.faults import Faults
from recontact_service.operations import Operation
from recontact_service.running import running
from recontact_service.settings import ServiceSettings
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.ledger import Intent, IntentState
from recontact_tools.ledger.sqlite import SqliteLedger
from recontact_tools.models import IdType, JobKind, TargetGroup
from recontact_tools.runtime import Clock

TASKS = "io.modelcontextprotocol/tasks"
GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
# ours: far beyond what any in-memory exchange takes, and far below the runner's own limit.
PATIENCE = 30.0

Json = dict[str, Any]
Speaking = Callable[..., AbstractAsyncContextManager["Speaker"]]


class Parameters(RequestParams):
    model_config = ConfigDict(extra="allow")


class TaskRequest(Request[Parameters, str]):
    name_param = "taskId"


class OtherRequest(Request[Parameters, str]):
    pass


class Anything(Result):
    model_config = ConfigDict(extra="allow")


class TaskMade(Result):
    model_config = ConfigDict(extra="allow")

    result_type: Literal["task"] = "task"


class TaskTold(NotificationParams):
    model_config = ConfigDict(extra="allow")


@dataclass
class Heard:
    """What a client was told of tasks, and a way to wait for the next thing."""

    told: list[Json] = field(default_factory=list[Json])
    others: list[Any] = field(default_factory=list[Any])
    _more: anyio.Event = field(default_factory=anyio.Event)

    async def hear(self, params: TaskTold) -> None:
        """Take a notification."""
        self.told.append(params.model_dump(by_alias=True, mode="json"))
        self._more.set()
        self._more = anyio.Event()

    async def overhear(self, message: object) -> None:
        """Take whatever else the server says."""
        self.others.append(message)
        self._more.set()
        self._more = anyio.Event()

    async def until_also(self, count: int) -> None:
        """Wait until so much else was said."""
        while len(self.others) < count:
            await self._more.wait()

    async def until(self, count: int) -> None:
        """Wait until so much was told."""
        while len(self.told) < count:
            await self._more.wait()

    async def until_over(self) -> None:
        """Wait until an end was told."""
        while not self.told or self.told[-1]["status"] == "working":
            await self._more.wait()


class SpeaksTasks(ClientExtension):
    """The client's side of the extension: it takes a task as it comes and follows it by hand."""

    identifier = TASKS

    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def claims(self) -> tuple[ResultClaim[Any], ...]:
        async def by_hand(made: TaskMade, context: ClaimContext) -> CallToolResult:
            raise AssertionError((made, context))

        return (ResultClaim(result_type="task", model=TaskMade, resolve=by_hand),)

    def notifications(self) -> tuple[NotificationBinding[Any], ...]:
        return (NotificationBinding(method="notifications/tasks", params_type=TaskTold, handler=self._heard.hear),)


@dataclass
class Speaker:
    """A client that sees what is on the wire."""

    client: Client
    heard: Heard

    async def call(self, name: str, /, **arguments: object) -> Json:
        """Call a tool, and return its result whatever it is."""
        result = await self.client.session.call_tool(
            name,
            {"target_group_id": GROUP.target_group_id, **arguments},
            allow_claimed=True,
            allow_input_required=True,
        )
        return result.model_dump(by_alias=True, mode="json", exclude_none=True)

    async def start(self, name: str = "upload_recontacts", /, **arguments: object) -> Json:
        """Start a job that must be a task."""
        task = await self.call(name, **arguments)
        assert task["resultType"] == "task", task
        return task

    async def ask(self, method: str, /, **params: object) -> Json:
        """Send a request, and return its result without what the SDK adds to each."""
        kind = TaskRequest if method.startswith("tasks/") else OtherRequest
        result = await self.client.session.send_request(
            kind(method=method, params=Parameters.model_validate(params)), Anything
        )
        said = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        said.pop("_meta", None)
        return said

    async def refused(self, method: str, /, **params: object) -> MCPError:
        """Send a request that must be refused, and return the error."""
        with pytest.raises(MCPError) as caught:
            await self.ask(method, **params)
        return caught.value

    async def look(self, task: Json) -> Json:
        """Look at a task."""
        return await self.ask("tasks/get", taskId=task["taskId"])

    async def until_over(self, task: Json) -> Json:
        """Look until a task has ended."""
        while (seen := await self.look(task))["status"] == "working":  # noqa: ASYNC110 - the end is in a thread
            await anyio.sleep(0.005)
        return seen

    @asynccontextmanager
    async def listening(self, **filters: object) -> AsyncGenerator[None]:
        """Hold a stream open that asks for these notifications."""
        async with anyio.create_task_group() as group:

            async def listen() -> None:
                await self.ask("subscriptions/listen", notifications=filters)

            group.start_soon(listen)
            yield
            group.cancel_scope.cancel()


async def nap(seconds: float) -> None:
    """Sleep for at most five milliseconds: what waits for longer looks again sooner."""
    await anyio.sleep(min(seconds, 0.005))


async def agree(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    """Type the phrase that a question asks for."""
    del context  # the client passes it by position
    phrase = params.message.partition("type: ")[2].partition("\n")[0]
    return ElicitResult(action="accept", content={"phrase": phrase})


@dataclass
class World:
    """The API behind the server under test, the ledger it opened last, and the one time of both."""

    settings: Settings
    moment: datetime = datetime(2030, 1, 1, 12, tzinfo=UTC)
    faults: Faults = field(default_factory=Faults)
    ledgers: list[SqliteLedger] = field(default_factory=list[SqliteLedger])
    opens: Callable[[Path], SqliteLedger] = SqliteLedger.open

    def now(self) -> datetime:
        """Return the time."""
        return self.moment

    def pass_time(self, **units: float) -> None:
        """Move the time on."""
        self.moment += timedelta(**units)

    @property
    def ledger(self) -> SqliteLedger:
        """Return what the server opened."""
        return self.ledgers[-1]

    @property
    def posts(self) -> int:
        """Count what was sent that could change something."""
        return self.faults.requests[Operation.UPLOAD_RSIDS] + self.faults.requests[Operation.REMOVE_ALL]

    @property
    def effects(self) -> Effects:
        """Return what a server of this world is given."""
        return Effects(clock=Clock(now=self.now, sleep=nap), gateway=self._gateway, ledger=self._opened)

    def _opened(self, path: Path) -> SqliteLedger:
        self.ledgers.append(self.opens(path))
        return self.ledger

    @asynccontextmanager
    async def _gateway(self, settings: Settings) -> AsyncGenerator[Gateway]:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        service = ServiceSettings(
            database=settings.data_dir / "service.sqlite",
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
def world(settings: Settings) -> World:
    return World(settings)


@asynccontextmanager
async def speaking_with(
    server: MCPServer[Any],
    *,
    mode: str = "auto",
    speaks: bool = True,
    apps: bool = False,
    answer: ElicitationFnT | None = None,
) -> AsyncGenerator[Speaker]:
    """Connect a client that speaks the extension, unless it is said not to."""
    heard = Heard()
    view = advertise("io.modelcontextprotocol/ui", {"mimeTypes": ["text/html;profile=mcp-app"]})
    extensions = [SpeaksTasks(heard)] * speaks + [view] * apps
    with anyio.fail_after(PATIENCE):
        async with Client(
            server,
            mode=mode,
            extensions=extensions,
            elicitation_callback=answer,
            message_handler=heard.overhear,
        ) as client:
            yield Speaker(client, heard)


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
        await world.ledger.open_intent(intent, payload=b"5a3b2ada-0000-4000-8000-000000000000\n")
        return intent.intent_id

    return write
