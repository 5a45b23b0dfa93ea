"""What the tests of staged files share: a server over HTTP in memory, whose time only tests move."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client
from mcp.client.session import ElicitationFnT
from mcp_types import TextContent
from pydantic import SecretStr

from recontact_mcp.opening import Effects
from recontact_mcp.remote.app import build_app
from recontact_mcp.remote.parts import Parts, parts_for
from recontact_mcp.settings import Settings
from recontact_tools.runtime import Clock, Runtime

GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
PATIENCE = 30.0

Answer = dict[str, Any]
Fronted = Callable[..., AbstractAsyncContextManager["Front"]]


async def nap(seconds: float) -> None:
    """Sleep for at most ten milliseconds: what waits for longer looks again sooner."""
    await anyio.sleep(min(seconds, 0.01))


@dataclass(frozen=True, slots=True)
class Front:
    """A server as an assistant and a person reach it: *client* speaks MCP, *web* sends files."""

    parts: Parts
    client: Client
    web: httpx.AsyncClient
    moment: list[datetime]

    def pass_time(self, seconds: float) -> None:
        """Move the time on."""
        self.moment[0] += timedelta(seconds=seconds)

    async def ask(self, name: str, /, **arguments: object) -> Answer:
        """Call a tool; return what it answered, or the error."""
        result = await self.client.call_tool(name, {"target_group_id": GROUP, **arguments})
        [text] = result.content
        assert isinstance(text, TextContent)
        answer: Answer = json.loads(text.text)
        assert answer == result.structured_content
        assert result.is_error is ("error" in answer)
        return answer

    async def call(self, name: str, /, **arguments: object) -> Answer:
        """Call a tool that must answer."""
        answer = await self.ask(name, **arguments)
        assert "error" not in answer, answer
        return answer

    async def refused(self, name: str, /, **arguments: object) -> Answer:
        """Call a tool that must refuse; return the error."""
        answer = await self.ask(name, **arguments)
        assert "error" in answer, answer
        error: Answer = answer["error"]
        return error

    async def send(self, ticket: Answer, content: bytes, **headers: str) -> httpx.Response:
        """Send a file to the address of a ticket."""
        return await self.web.put(ticket["upload_url"], content=content, headers=headers)

    async def staged(self, content: bytes) -> str:
        """Stage a file, and return the ticket."""
        ticket = await self.call("stage_upload")
        assert (await self.send(ticket, content)).status_code == 201
        name: str = ticket["ticket"]
        return name

    async def runtime(self) -> Runtime:
        """Return what operations work with."""
        return await self.parts.opening.runtime()


@pytest.fixture
def settings(settings: Settings, kept_in: SecretStr | None) -> Settings:
    """Settings of a fresh installation, on each database."""
    return settings.model_copy(update={"database_url": kept_in})


@pytest.fixture
def fronted(settings: Settings) -> Fronted:
    """Serve over HTTP, and connect a client of an era; overrides go to the settings."""

    @asynccontextmanager
    async def front(era: str, *, answer: ElicitationFnT | None = None, **overrides: Any) -> AsyncGenerator[Front]:
        moment = [datetime(2030, 1, 1, 12, tzinfo=UTC)]
        effects = Effects(clock=Clock(now=lambda: moment[0], sleep=nap))
        told = {"approval_minimum": "client-elicited", **overrides}
        parts = parts_for(settings.model_copy(update=told), effects=effects)
        transport = httpx.ASGITransport(app=build_app(parts))
        with anyio.fail_after(PATIENCE):
            async with (
                httpx.AsyncClient(transport=transport, base_url=parts.base_url) as web,
                Client(parts.server, mode=era, elicitation_callback=answer) as client,
            ):
                yield Front(parts, client, web, moment)

    return front


@pytest.fixture
def content(identifiers: Callable[[int], list[str]]) -> bytes:
    """A small file: a header, three identifiers, one of them twice, and a word."""
    first, second, third = identifiers(3)
    return f"rsid\n{first}\n{second}\n{third}\n{first}\ncanary-word\n".encode()
