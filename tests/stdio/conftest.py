"""What the tests of stdio share: the program as a real process, spoken to by the SDK's client or byte by byte."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import anyio.abc
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp import Client, StdioServerParameters
from mcp.client.session import ClientRequestContext, ElicitationFnT
from mcp_types import ElicitRequestParams, ElicitResult, TextContent

Json: TypeAlias = dict[str, Any]
Environment: TypeAlias = Callable[..., dict[str, str]]

GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
ARGUMENTS = ["-m", "recontact_mcp"]
# ours: a start on a busy machine takes seconds; the wait that matters is the one that never ends.
PATIENCE = 60.0
LINE_BYTES_MAX = 16_000_000
CLIENT = {"name": "wire", "version": "1"}
MODERN_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT}


@dataclass
class Wire:
    """A server process and every byte that it wrote to stdout."""

    process: anyio.abc.Process
    log: Path
    era: str
    written: list[bytes] = field(default_factory=list[bytes])
    _received: BufferedByteReceiveStream = field(init=False)
    _requests: int = 0

    def __post_init__(self) -> None:
        assert self.process.stdout is not None
        self._received = BufferedByteReceiveStream(self.process.stdout)

    async def greet(self) -> None:
        """Shake hands, in the era that does."""
        if self.era == "legacy":
            await self.ask("initialize", HELLO)
            await self.write_line(b'{"jsonrpc": "2.0", "method": "notifications/initialized", "params": {}}')

    async def ask(self, method: str, params: Json | None = None) -> Json:
        """Send a request and return its whole answer, passing over what else is said."""
        self._requests += 1
        await self.send(self._requests, method, params)
        while (message := await self.read()).get("id") != self._requests:
            pass
        return message

    async def send(self, number: int, method: str, params: Json | None = None) -> None:
        """Send a request and wait for nothing."""
        meta = {} if self.era == "legacy" else {"_meta": MODERN_META}
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": {**(params or {}), **meta}}
        await self.write_line(json.dumps(message).encode())

    async def call(self, tool: str, /, **arguments: object) -> Json:
        """Call a tool that must answer, and return what it says."""
        answer = await self.ask("tools/call", {"name": tool, "arguments": {"target_group_id": GROUP, **arguments}})
        assert not answer["result"].get("isError"), answer
        content: Json = answer["result"]["structuredContent"]
        return content

    async def write_line(self, line: bytes) -> None:
        """Write one line, whatever is in it."""
        assert self.process.stdin is not None
        await self.process.stdin.send(line + b"\n")

    async def read(self) -> Json:
        """Read one line, which must be a JSON-RPC message."""
        line = await self._received.receive_until(b"\n", LINE_BYTES_MAX)
        self.written.append(line)
        message: Json = json.loads(line)
        return message

    async def leave(self) -> int:
        """Close stdin as hosts do, read stdout to its end, and return the exit code."""
        assert self.process.stdin is not None
        await self.process.stdin.aclose()
        return await self.end()

    async def end(self) -> int:
        """Read stdout to its end and return the exit code."""
        rest = self._received.buffer
        with suppress(anyio.EndOfStream):
            while True:
                rest += await self._received.receive()
        self.written.extend(rest.splitlines())
        return await self.process.wait()

    def logged(self) -> str:
        """Return what is on stderr so far."""
        return self.log.read_text("utf-8")


Wiring: TypeAlias = Callable[..., AbstractAsyncContextManager[Wire]]
Connecting: TypeAlias = Callable[..., AbstractAsyncContextManager[Client]]
Call: TypeAlias = Callable[..., Awaitable[Json]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory that is not there yet."""
    return tmp_path / "data"


@pytest.fixture
def environment(tmp_path: Path, data: Path) -> Environment:
    """Make the environment of a process: this one's, without what its developer has set."""
    roots = tmp_path / "files"
    roots.mkdir()

    def made(**variables: str) -> dict[str, str]:
        usual = {name: value for name, value in os.environ.items() if not name.startswith(("RECONTACT_", "CINT_"))}
        return {**usual, "RECONTACT_DATA_DIR": str(data), "RECONTACT_UPLOAD_ROOTS": str(roots), **variables}

    return made


@pytest.fixture
def wire(environment: Environment, tmp_path: Path) -> Wiring:
    """Start the program and speak with it byte by byte; named values go to its environment."""
    logs = (tmp_path / f"stderr-{number}.log" for number in count())

    @asynccontextmanager
    async def wired(era: str, **variables: str) -> AsyncGenerator[Wire]:
        log = next(logs)
        with log.open("wb") as stderr, anyio.fail_after(PATIENCE):
            process = await anyio.open_process(
                [sys.executable, *ARGUMENTS], stdin=subprocess.PIPE, stderr=stderr, env=environment(**variables)
            )
            async with process:
                try:
                    yield Wire(process, log, era)
                finally:
                    with suppress(ProcessLookupError):
                        process.kill()

    return wired


@pytest.fixture
def connected(environment: Environment) -> Connecting:
    """Start the program and connect the SDK's client to it, in the mode of an era."""

    @asynccontextmanager
    async def connection(
        mode: str, *, answer: ElicitationFnT | None = None, **variables: str
    ) -> AsyncGenerator[Client]:
        server = StdioServerParameters(command=sys.executable, args=ARGUMENTS, env=environment(**variables))
        with anyio.fail_after(PATIENCE):
            async with Client(server, mode=mode, elicitation_callback=answer) as client:
                yield client

    return connection


@pytest.fixture
def call() -> Call:
    """Call a tool for the group of these tests; it must answer, the same in text and in structure."""

    async def called(client: Client, tool: str, /, **arguments: object) -> Json:
        result = await client.call_tool(tool, {"target_group_id": GROUP, **arguments})
        [text] = result.content
        assert isinstance(text, TextContent)
        answer: Json = json.loads(text.text)
        assert result.structured_content == answer
        assert not result.is_error, answer
        return answer

    return called


@pytest.fixture
def agreeing() -> ElicitationFnT:
    """Answer a question as a person does who types the phrase that it asks for."""

    async def agree(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context  # the client passes it by position
        phrase = params.message.partition("type: ")[2].partition("\n")[0]
        return ElicitResult(action="accept", content={"phrase": phrase})

    return agree
