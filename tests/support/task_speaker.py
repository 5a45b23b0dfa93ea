"""A client that speaks the Tasks extension and sees what is on the wire."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import pytest
from mcp import Client, MCPError
from mcp.client.extension import ClaimContext, ClientExtension, NotificationBinding, ResultClaim, advertise
from mcp.client.session import ElicitationFnT
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, NotificationParams, Request, RequestParams, Result
from pydantic import ConfigDict

TASKS = "io.modelcontextprotocol/tasks"
GROUP_ID = "01BTGNYV6HRNK8K8VKZASZCFP1"
# ours: far beyond what any in-memory exchange takes, and far below the runner's own limit.
PATIENCE = 30.0

Json = dict[str, Any]


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
            {"target_group_id": GROUP_ID, **arguments},
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
