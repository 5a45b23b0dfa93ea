"""What the tests of the MCP surface share: an API that meets scripted faults, in a time that only tests move."""

# jsonschema ships no types; one checker wants that said, the other wants it left unsaid.
# mypy: disable-error-code="import-untyped"

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, Literal, Protocol

import anyio
import httpx
import pytest
from jsonschema import Draft202012Validator
from mcp import Client, MCPError
from mcp.client.session import ClientRequestContext, ElicitationFnT
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult, TextContent, TextResourceContents
from pydantic import SecretStr

from recontact_mcp.embedded import service_database
from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_service.faults import Fault, FaultKind, Faults
from recontact_service.operations import Operation
from recontact_service.running import running
from recontact_service.seed import DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID, DEFAULT_TARGET_GROUP_ID
from recontact_service.settings import ServiceSettings
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.models import IdType, TargetGroup
from recontact_tools.runtime import Clock

GROUP = TargetGroup(DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID, DEFAULT_TARGET_GROUP_ID)
ERROR_FIELDS = {"code", "message", "changed", "safe_to_repeat", "next_step"}

Identifiers = Callable[[int], list[str]]
Call = Callable[..., Awaitable[dict[str, Any]]]
Read = Callable[[Client, str], Awaitable[str]]
Replaced = Callable[[], Awaitable[dict[str, Any]]]
Content = dict[str, str | int | float | bool | list[str] | None]
Forward = Callable[[httpx.Request], Awaitable[httpx.Response]]
Between = Callable[[httpx.Request, Forward], Awaitable[httpx.Response]]
"""What stands between our server and the API: it may hold a request up, answer it instead, or change its answer."""


class Replying(Protocol):
    """Make a client's way to answer a question: what it replies is a function of the question's text."""

    def __call__(
        self,
        content: Callable[[str], Content | None] = ...,
        *,
        action: Literal["accept", "decline", "cancel"] = ...,
    ) -> ElicitationFnT:
        """Return the client's callback."""
        ...


async def nap(seconds: float) -> None:
    """Sleep for at most ten milliseconds: what waits for longer looks again sooner."""
    await anyio.sleep(min(seconds, 0.01))


def phrase_in(question: str) -> str:
    """Find the phrase that a question asks for."""
    return question.partition("type: ")[2].partition("\n")[0]


async def passed(between: Between, forward: Forward, request: httpx.Request) -> httpx.Response:
    """Carry a request past one thing that stands in the way."""
    return await between(request, forward)


@dataclass(frozen=True, slots=True)
class Way(httpx.AsyncBaseTransport):
    """The way from our server to the API, and what stands in it."""

    service: httpx.AsyncBaseTransport
    between: Sequence[Between]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request past whatever stands in the way."""
        forward: Forward = self.service.handle_async_request
        for one in self.between:
            forward = partial(passed, one, forward)
        return await forward(request)


@dataclass(frozen=True, slots=True)
class Held:
    """A request that is held up; *arrived* says that it is there, *release* lets it go on."""

    arrived: anyio.Event
    released: anyio.Event

    async def arrive(self) -> None:
        """Wait until the request is there."""
        await self.arrived.wait()

    def release(self) -> None:
        """Let the request, and all later ones, go on."""
        self.released.set()


@dataclass(frozen=True, slots=True)
class Api:
    """The API behind the server under test, and another user of it; *moment* holds its time and the server's."""

    settings: Settings
    faults: Faults
    moment: list[datetime]
    between: list[Between] = field(default_factory=list[Between])

    def pass_time(self, **units: float) -> None:
        """Move the time on."""
        self.moment[0] += timedelta(**units)

    def meet(self, operation: Operation, kind: FaultKind, *, times: int = 1, seconds: float = 1.0) -> None:
        """Let the next requests of an operation meet a fault."""
        self.faults.script(operation, Fault(kind, seconds), times=times)

    def hold(self, path_end: str, *, after: int = 0, method: str = "GET") -> Held:
        """Hold up the requests of our server to paths with that end, after so many that pass."""
        held, passed = Held(anyio.Event(), anyio.Event()), count(1)

        async def hold_up(request: httpx.Request, forward: Forward) -> httpx.Response:
            if request.method == method and request.url.path.endswith(path_end) and next(passed) > after:
                held.arrived.set()
                await held.released.wait()
            return await forward(request)

        self.between.append(hold_up)
        return held

    def refuse(self, path_end: str, status: int, *, times: int = 1) -> None:
        """Answer the next POSTs of our server to paths with that end in the API's own envelope of a refusal."""
        left = [status] * times

        async def answer(request: httpx.Request, forward: Forward) -> httpx.Response:
            if request.method == "POST" and request.url.path.endswith(path_end) and left:
                return httpx.Response(left.pop(), json={"id": "E", "object": "some_error", "detail": "No."})
            return await forward(request)

        self.between.append(answer)

    def asked(self, operation: Operation) -> int:
        """Count the requests of an operation so far."""
        return self.faults.requests[operation]

    @asynccontextmanager
    async def gateway(self, settings: Settings, *, faults: Faults | None = None) -> AsyncGenerator[Gateway]:
        """Serve the API from a file or the test's database, as slowly as *settings* say, and open a way to it."""
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        service_settings = ServiceSettings(
            database=service_database(settings.data_dir, self.settings.database_url),
            pace=settings.pace,
            clients={"robot": "open sesame"},
        )
        serving = running(service_settings, now=lambda: self.moment[0], sleep=nap, faults=faults)
        connection = Connection(
            "http://api.example/v1",
            "http://api.example/oauth/token",
            "robot",
            "open sesame",
            api_version=settings.cint_api_version,
        )
        async with serving as service:
            way = Way(httpx.ASGITransport(app=service.app), self.between if faults is self.faults else ())
            async with Gateway(connection, transport=way, sleep=nap, jitter=lambda: 0.0) as gateway:
                yield gateway

    async def upload_elsewhere(self, ids: Sequence[str], *, finished: bool = True) -> str:
        """Upload IDs past our server, and return the id of the job; an unfinished one runs until time passes."""
        settings = self.settings.model_copy(update={"pace": 0.0 if finished else 1.0})
        async with self.gateway(settings) as gateway:
            content = "".join(f"{line}\n" for line in ids).encode()
            job_id = await gateway.upload_file(GROUP, file_name="elsewhere.csv", content=content, id_type=IdType.RSID)
            while finished and not (await gateway.get_upload_job(GROUP, job_id)).is_finished:
                await nap(0.001)
        return job_id

    async def remove_elsewhere(self) -> None:
        """Remove all IDs past our server."""
        async with self.gateway(self.settings.model_copy(update={"pace": 0.0})) as gateway:
            job_id = await gateway.remove_all(GROUP)
            while not (await gateway.get_removal_job(GROUP, job_id)).is_finished:
                await nap(0.001)

    async def stored(self) -> list[str]:
        """List what is stored, in order, asking the API and not our server."""
        found: list[str] = []
        cursor: str | None = None
        async with self.gateway(self.settings.model_copy(update={"pace": 1.0})) as gateway:
            while True:
                page = await gateway.list_respondents(GROUP, page_size=100, cursor=cursor)
                found += page.respondent_ids
                cursor = page.next_cursor
                if cursor is None:
                    return sorted(found)

    async def until_count(self, count: int) -> None:
        """Wait until so many IDs are stored."""
        while await self.count() != count:
            await nap(0.001)

    async def count(self) -> int:
        """Count what is stored, asking the API and not our server."""
        # At a pace at which merely looking ends no job.
        async with self.gateway(self.settings.model_copy(update={"pace": 1.0})) as gateway:
            return await gateway.get_overview(GROUP)


@pytest.fixture
def settings(settings: Settings, kept_in: SecretStr | None) -> Settings:
    """Settings of a fresh installation, on each database."""
    return settings.model_copy(update={"database_url": kept_in})


@pytest.fixture
def api(settings: Settings) -> Api:
    return Api(settings, Faults(), [datetime(2030, 1, 1, 12, tzinfo=UTC)])


@pytest.fixture
def effects(api: Api) -> Effects:
    return Effects(
        clock=Clock(now=lambda: api.moment[0], sleep=nap),
        gateway=lambda settings: api.gateway(settings, faults=api.faults),
    )


def said(result: CallToolResult) -> dict[str, Any]:
    """Return what a tool answered, which must be the same in text and in structure."""
    [text] = result.content
    assert isinstance(text, TextContent)
    answer: dict[str, Any] = json.loads(text.text)
    assert result.structured_content == answer
    return answer


@pytest.fixture
def call() -> Call:
    """Call a tool that must answer as its listed schema says, and return the answer."""

    async def called(client: Client, name: str, /, **arguments: object) -> dict[str, Any]:
        result = await client.call_tool(name, {"target_group_id": GROUP.target_group_id, **arguments})
        answer = said(result)
        assert not result.is_error, answer
        [tool] = [tool for tool in (await client.list_tools()).tools if tool.name == name]
        schema: dict[str, Any] = tool.output_schema or {}
        Draft202012Validator(schema).validate(answer)  # pyright: ignore[reportUnknownMemberType]  # it ships no types
        assert answer.keys() == schema["properties"].keys()
        assert answer["next_step"]
        return answer

    return called


@pytest.fixture
def refused() -> Call:
    """Call a tool that must refuse, and return the error."""

    async def refusal(client: Client, name: str, /, **arguments: object) -> dict[str, Any]:
        result = await client.call_tool(name, {"target_group_id": GROUP.target_group_id, **arguments})
        assert result.is_error
        answer = said(result)
        assert answer.keys() == {"error"}
        error: dict[str, Any] = answer["error"]
        assert error.keys() >= ERROR_FIELDS
        assert error["message"]
        assert error["next_step"]
        return error

    return refusal


@pytest.fixture
def followed(call: Call) -> Call:
    """Follow an upload, a restore or a replacement to its end, and return what it came to."""

    async def end_of(client: Client, started: dict[str, Any]) -> dict[str, Any]:
        while True:
            job = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
            if job["status"] != "Processing":
                return job

    return end_of


@pytest.fixture
def replaced(
    era: str,
    connect: Callable[..., AbstractAsyncContextManager[Client]],
    effects: Effects,
    call: Call,
    followed: Call,
    replying: Replying,
    new: list[str],
) -> Replaced:
    """Replace what is stored by the new list, in a client of its own, and return what it came to."""

    async def end_of_replacement() -> dict[str, Any]:
        async with connect(era, effects=effects, answer=replying()) as client:
            return await followed(client, await call(client, "replace_recontacts", ids=new))

    return end_of_replacement


@pytest.fixture
def read() -> Read:
    """Read a resource of one text as it is now, whatever a client may have kept."""

    async def text_of(client: Client, uri: str) -> str:
        [content] = (await client.read_resource(uri, cache_mode="bypass")).contents
        assert isinstance(content, TextResourceContents)
        return content.text

    return text_of


@pytest.fixture
def unread() -> Call:
    """Read a resource that must not be readable, and return our error."""

    async def error_of(client: Client, uri: str) -> dict[str, Any]:
        with pytest.raises(MCPError) as caught:
            await client.read_resource(uri)
        fields: dict[str, Any] = caught.value.error.data["error"]
        return fields

    return error_of


@pytest.fixture
def replying() -> Replying:
    """Make clients that answer questions; without further words they type the phrase that is asked for."""

    def typed(question: str) -> Content | None:
        return {"phrase": phrase_in(question)}

    def made(
        content: Callable[[str], Content | None] = typed,
        *,
        action: Literal["accept", "decline", "cancel"] = "accept",
    ) -> ElicitationFnT:
        async def reply(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
            del context  # the client passes it by position
            return ElicitResult(action=action, content=content(params.message) if action == "accept" else None)

        return reply

    return made


@pytest.fixture
def old(identifiers: Identifiers) -> list[str]:
    """The five ids that are stored."""
    return identifiers(5)


@pytest.fixture
def new(identifiers: Identifiers) -> list[str]:
    """The three ids that come instead; two of them are stored already."""
    return identifiers(6)[3:]
