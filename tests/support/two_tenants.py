"""One API with target groups of two accounts, and a server over HTTP that asks everybody for a token."""

import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import httpx
import httpx2
import uvicorn
from authorization_server import EVERY_SCOPE, AuthorizationServer
from mcp import Client
from mcp.client.session import ElicitationFnT, MessageHandlerFnT
from mcp.client.streamable_http import streamable_http_client

from recontact_mcp.opening import Effects
from recontact_mcp.remote.app import build_app
from recontact_mcp.remote.parts import Parts, parts_for
from recontact_mcp.settings import Settings
from recontact_service.running import RunningService, running
from recontact_service.seed import DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID, DEFAULT_TARGET_GROUP_ID, seed
from recontact_service.settings import ServiceSettings
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.models import IdType, TargetGroup
from recontact_tools.runtime import Clock

OURS = TargetGroup(DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID, DEFAULT_TARGET_GROUP_ID)
THEIRS = TargetGroup(202, "01BTGNYV6HRNK8K8VKZASZCFQ0", "01BTGNYV6HRNK8K8VKZASZCFQ1")
# As whom the server reaches the API, by its settings.
GENERAL = "general"
SECRETS = {GENERAL: "general secret", "ours": "our secret", "theirs": "their secret"}


Look: TypeAlias = Callable[[httpx.Request], Awaitable[None] | None]
"""What happens before a request reaches the API."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request to the API: with whose gateway, and what it was."""

    client_id: str
    request: httpx.Request


@dataclass
class Town:
    """The server, the API behind it, and who asks."""

    settings: Settings
    authorization: AuthorizationServer
    folder: Path
    moment: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    requests: list[Recorded] = field(default_factory=list[Recorded])
    before: list[Look] = field(default_factory=list[Look])
    service: RunningService = field(init=False)
    parts: Parts = field(init=False)
    base: str = field(init=False)

    @property
    def url(self) -> str:
        """Where MCP is."""
        return f"{self.base}/mcp"

    def token(self, subject: str = "ann", scope: str = EVERY_SCOPE, **claims: object) -> str:
        """Return a good token for this server."""
        return self.authorization.token(subject, scope, **claims)

    def write(self, name: str, text: str) -> Path:
        """Write a private file, in one move as an operator's tool does it."""
        path, new = self.folder / name, self.folder / f"{name}.new"
        new.write_text(text, encoding="utf-8")
        new.chmod(0o600)
        new.rename(path)
        return path

    def posted(self) -> list[Recorded]:
        """Return the requests that started jobs."""
        return [one for one in self.requests if one.request.method == "POST" and "oauth" not in one.request.url.path]

    async def stored(self, group: TargetGroup, count: int) -> list[str]:
        """Have IDs stored for a target group, past our server."""
        ids = [f"5a3b2ada-0000-4000-8000-{number:012x}" for number in range(count)]
        before = len(self.requests)
        async with self.gateway(self.settings) as gateway:
            content = "".join(f"{one}\n" for one in ids).encode()
            job_id = await gateway.upload_file(group, file_name="ids.csv", content=content, id_type=IdType.RSID)
            while not (await gateway.get_upload_job(group, job_id)).is_finished:
                await _nap(0.001)
        del self.requests[before:]
        return ids

    @asynccontextmanager
    async def gateway(self, settings: Settings) -> AsyncGenerator[Gateway]:
        """Open a way to the API with the client id of *settings*, and record what goes that way."""
        client_id = settings.cint_client_id or GENERAL
        connection = Connection(
            "http://api.example/v1", "http://api.example/oauth/token", client_id, SECRETS[client_id]
        )
        way = _Way(self, client_id, httpx.ASGITransport(app=self.service.app))
        async with Gateway(connection, transport=way, sleep=_nap, jitter=lambda: 0.0) as gateway:
            yield gateway

    @asynccontextmanager
    async def client(
        self,
        token: str,
        mode: str,
        *,
        answer: ElicitationFnT | None = None,
        hear: MessageHandlerFnT | None = None,
    ) -> AsyncGenerator[Client]:
        """Connect an MCP client that carries a token."""
        async with (
            httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=30.0) as http,
            Client(
                streamable_http_client(self.url, http_client=http),
                mode=mode,
                elicitation_callback=answer,
                message_handler=hear,
            ) as client,
        ):
            yield client

    def http(self, token: str | None = None) -> httpx.AsyncClient:
        """Return a bare HTTP client, with a token or without."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(base_url=self.base, headers=headers, timeout=30.0)


@dataclass(frozen=True, slots=True)
class _Way(httpx.AsyncBaseTransport):
    town: Town
    client_id: str
    service: httpx.AsyncBaseTransport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.town.requests.append(Recorded(self.client_id, request))
        for look in self.town.before:
            waiting = look(request)
            if waiting is not None:
                await waiting
        return await self.service.handle_async_request(request)


async def _nap(seconds: float) -> None:
    await anyio.sleep(min(seconds, 0.01))


@asynccontextmanager
async def town(settings: Settings, authorization: AuthorizationServer, folder: Path) -> AsyncGenerator[Town]:
    """Serve until the block is left; *settings* are those of a fresh installation, with what a test adds."""
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listening.getsockname()[1]}"
    chosen = settings.model_copy(update={"auth_issuer": authorization.issuer, "approval_minimum": "client-elicited"})
    place = Town(chosen, replace(authorization, audience=f"http://{address}/mcp"), folder)
    place.base = f"http://{address}"
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 (a directory of the test)
    database = folder / "service.sqlite"
    service_settings = ServiceSettings(database=database, pace=0.0, clients=SECRETS)
    async with AsyncExitStack() as stack:
        stack.enter_context(listening)
        place.service = await stack.enter_async_context(running(service_settings))
        seed(database, now=lambda: place.moment, **_ids(THEIRS))
        clock = Clock(now=lambda: place.moment, sleep=_nap)
        place.parts = parts_for(chosen, effects=Effects(clock=clock, gateway=place.gateway), address=address)
        server = uvicorn.Server(uvicorn.Config(build_app(place.parts), log_config=None, access_log=False))
        tasks = await stack.enter_async_context(anyio.create_task_group())
        tasks.start_soon(server.serve, [listening])
        with anyio.fail_after(60):
            while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
                await anyio.sleep(0.01)
            yield place
        server.should_exit = True


def _ids(group: TargetGroup) -> dict[str, Any]:
    return {
        "account_id": group.account_id,
        "project_id": group.project_id,
        "target_group_id": group.target_group_id,
    }


def a_day_later(place: Town) -> None:
    """Move the server's time on to the next day."""
    place.moment += timedelta(days=1)
