"""Two real processes: the API with OAuth and scripted faults on a port of its own, and a server that talks to it."""

import json
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import httpx
import pytest
from anyio.streams.text import TextReceiveStream
from mcp import Client, StdioServerParameters
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult, TextContent

Json: TypeAlias = dict[str, Any]

GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
SECRET = "canary-secret"
TOKEN_SECONDS = 2  # ours: a run takes longer, so tokens really expire in it
PACE = "0.2"  # ours: 60 IDs take a second, so that a job is seen running
# ours: far beyond a run on a busy machine, and below the runner's own limit.
PATIENCE = 90.0


@dataclass(frozen=True, slots=True)
class Api:
    """A running `recontact-mcp service`, and the way to its rehearsal surface."""

    url: str
    http: httpx.AsyncClient

    async def meet(self, operation: str, kind: str, *, times: int = 1, seconds: float = 1.0) -> None:
        """Let the next requests of an operation meet a fault."""
        fault = {"operation": operation, "kind": kind, "times": times, "seconds": seconds}
        (await self.http.post("/_service/faults", json=fault)).raise_for_status()

    async def counts(self) -> tuple[Json, Json]:
        """Return how many requests of each operation there were, and how many jobs of each kind."""
        found: Json = (await self.http.get("/_service/requests")).raise_for_status().json()
        return found["requests"], found["jobs"]


Serving: TypeAlias = Callable[[], AbstractAsyncContextManager[Api]]
Connecting: TypeAlias = Callable[..., AbstractAsyncContextManager[Client]]
Call: TypeAlias = Callable[..., Awaitable[Json]]


def usual_environment() -> dict[str, str]:
    """Return this process's environment without what its developer has set."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("RECONTACT_", "CINT_"))}


@asynccontextmanager
async def program(*arguments: str, **variables: str) -> AsyncGenerator[anyio.abc.Process]:
    """Run the program until the block is left, however it is left."""
    process = await anyio.open_process(
        [sys.executable, "-m", "recontact_mcp", *arguments],
        stderr=None,
        env={**usual_environment(), **variables},
    )
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            with suppress(ProcessLookupError):
                process.terminate()
            with anyio.move_on_after(10):
                await process.wait()
            if process.returncode is None:
                process.kill()
            await process.aclose()


async def announced(process: anyio.abc.Process) -> str:
    """Return the URL that the service says it has."""
    assert process.stdout is not None
    text = ""
    async for chunk in TextReceiveStream(process.stdout):
        text += chunk
        if "╰" in text:
            break
    url = text.partition("CINT_BASE_URL=")[2].partition("/v1")[0]
    assert url, "the service ended before it said where it is"
    return url


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    """Serve the API on a port that the system chose, with tokens that soon expire."""

    @asynccontextmanager
    async def served() -> AsyncGenerator[Api]:
        options = ("--port", "0", "--pace", PACE, "--faults", "--token-seconds", str(TOKEN_SECONDS))
        environment = {"RECONTACT_DATA_DIR": str(tmp_path / "api"), "RECONTACT_SERVICE_SECRET": SECRET}
        with anyio.fail_after(PATIENCE):
            async with program("service", *options, **environment) as process:
                url = await announced(process)
                async with httpx.AsyncClient(base_url=url) as http:
                    yield Api(url, http)

    return served


@pytest.fixture
def connecting(tmp_path: Path) -> Connecting:
    """Start a server for an API and connect a client, whose person agrees to everything, in the mode of an era."""

    @asynccontextmanager
    async def connected(api: Api, *, era: str, version: str) -> AsyncGenerator[Client]:
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "recontact_mcp"],
            env={
                **usual_environment(),
                "RECONTACT_DATA_DIR": str(tmp_path / "data"),
                "RECONTACT_UPLOAD_ROOTS": str(tmp_path),
                "CINT_CLIENT_ID": "sandbox",
                "CINT_CLIENT_SECRET": SECRET,
                "CINT_ACCOUNT_ID": "101",
                "CINT_PROJECT_ID": "01BTGNYV6HRNK8K8VKZASZCFP0",
                "CINT_API_VERSION": version,
                "CINT_BASE_URL": f"{api.url}/v1",
                "CINT_AUTH_URL": f"{api.url}/oauth/token",
            },
        )
        async with Client(server, mode=era, elicitation_callback=agree) as client:
            yield client

    return connected


async def agree(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    """Answer a question as a person does who types the phrase that it asks for."""
    del context  # the client passes it by position
    phrase = params.message.partition("type: ")[2].partition("\n")[0]
    return ElicitResult(action="accept", content={"phrase": phrase})


@pytest.fixture
def call() -> Call:
    """Call a tool for the group of these tests; *refused* says whether it must answer with an error."""

    async def called(client: Client, tool: str, /, *, refused: bool = False, **arguments: object) -> Json:
        result = await client.call_tool(tool, {"target_group_id": GROUP, **arguments})
        [text] = result.content
        assert isinstance(text, TextContent)
        answer: Json = json.loads(text.text)
        assert result.structured_content == answer
        assert bool(result.is_error) is refused, answer
        assert SECRET not in text.text
        found: Json = answer["error"] if refused else answer
        return found

    return called
