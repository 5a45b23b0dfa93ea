"""A load of HTTP requests that costs its own machine little: prepared bytes over sockets that stay open.

Nothing is encoded and next to nothing decoded while the clock runs: what is measured is the server. An answer counts
when its status is 200 and its body has the mark of a result that is no error.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

import httptools
import httpx
import uvloop
from anyio import to_thread

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
# source: the issue "Remote", numbers: 64 concurrent
CONNECTIONS = 64
PATIENCE = 30.0  # ours: an answer that takes longer is an error, and the run goes on without it


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent again and again, where to, and what an answer must and must not hold."""

    host: str
    port: int
    data: bytes
    expected: bytes = b'"result"'
    refused: bytes = b'"isError":true'


@dataclass(slots=True)
class Run:
    """What came of a run: the seconds of each answer, the wrong answers, and how long it all took."""

    latencies: list[float] = field(default_factory=list[float])
    errors: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list[str])

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the seconds within which that share (0 to 1) of the answers came."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def fail(self, problem: str) -> None:
        """Count a wrong answer; the first few are kept for whoever wonders."""
        self.errors += 1
        if len(self.problems) < 5:
            self.problems.append(problem)


def post(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Request:
    """Prepare a POST of JSON, with the headers that every MCP client sends."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    content = json.dumps(body, separators=(",", ":")).encode()
    lines = {
        "Host": f"{host}:{port}",
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return Request(host, port, f"POST {parts.path} HTTP/1.1\r\n{head}\r\n".encode() + content)


def modern_call(url: str, tool: str, arguments: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Request:
    """Prepare a call of a tool that needs no session.

    source: MCP 2026-07-28, streamable HTTP: every request is complete in itself, and names its method and its tool.
    """
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": tool, "arguments": dict(arguments), "_meta": meta}
    named = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": tool, **(headers or {})}
    return post(url, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, named)


class Line(asyncio.Protocol):
    """One connection: a request at a time, and the answer to it."""

    def __init__(self, run: Run, request: Request) -> None:
        self.run = run
        self.request = request
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._answered: asyncio.Future[bool] | None = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits for an answer learns that there will be none."""
        self.lost = True
        self._answer(problem=f"the connection was lost: {exc!r}")

    def data_received(self, data: bytes) -> None:
        """Take a piece of the answer."""
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Judge an answer."""
        body, status = b"".join(self._body), self._parser.get_status_code()
        self._body.clear()
        self.lost = self.lost or not self._parser.should_keep_alive()
        good = status == 200 and self.request.expected in body and self.request.refused not in body
        self._answer(problem="" if good else f"{status}: {body[:300]!r}")

    def _answer(self, *, problem: str) -> None:
        if self._answered is None or self._answered.done():
            return
        if problem:
            self.run.fail(problem)
        self._answered.set_result(not problem)

    async def exchange(self) -> bool:
        """Send the request; say whether the answer was good."""
        self._answered = asyncio.get_running_loop().create_future()
        if self.lost:
            self._answer(problem="there is no connection")
        else:
            self.write()
        try:
            return await asyncio.wait_for(self._answered, PATIENCE)
        except TimeoutError:
            self.run.fail(f"no answer in {PATIENCE} s")
            self.close()
            return False

    def write(self) -> None:
        """Send the request."""
        assert self._transport is not None
        self._transport.write(self.request.data)

    def close(self) -> None:
        """Give the connection up."""
        self.lost = True
        if self._transport is not None:
            self._transport.abort()


async def connected(run: Run, request: Request) -> Line:
    """Open a connection."""
    loop = asyncio.get_running_loop()
    _, line = await loop.create_connection(lambda: Line(run, request), request.host, request.port)
    return line


class Busy(Line):
    """A connection that asks again as soon as it is answered, until the time is over; *done* is told then."""

    def __init__(self, run: Run, request: Request, *, done: Callable[[], None]) -> None:
        super().__init__(run, request)
        self._done = done
        self._sent = 0.0
        self._until = 0.0

    def begin(self, until: float) -> None:
        """Ask for the first time."""
        self._until = until
        self._again()

    def _again(self) -> None:
        self._sent = time.perf_counter()
        if self._sent < self._until and not self.lost:
            self.write()
        else:
            self._until = 0.0
            self._done()

    def _answer(self, *, problem: str) -> None:
        if not self._until:
            return
        if problem:
            self.run.fail(problem)
        else:
            self.run.latencies.append(time.perf_counter() - self._sent)
        self._again()


async def busy(requests: Sequence[Request], *, seconds: float, connections: int = CONNECTIONS) -> Run:
    """Keep every connection busy for so long, each with the next of the requests: as many calls as the server takes."""
    return await to_thread.run_sync(lambda: uvloop.run(_busy(requests, seconds, connections)))


async def _busy(requests: Sequence[Request], seconds: float, connections: int) -> Run:
    run, loop, left = Run(), asyncio.get_running_loop(), asyncio.Semaphore(0)
    lines: list[Busy] = []
    for number in range(connections):
        request = requests[number % len(requests)]
        made = partial(Busy, run, request, done=left.release)
        _, line = await loop.create_connection(made, request.host, request.port)
        lines.append(line)
    began = time.perf_counter()
    for line in lines:
        line.begin(began + seconds)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds + PATIENCE):
            for _ in lines:
                await left.acquire()
    run.seconds = time.perf_counter() - began
    for line in lines:
        line.close()
    return run


async def steady(requests: Sequence[Request], *, rate: float, seconds: float, connections: int = CONNECTIONS) -> Run:
    """Send at a fixed rate for so long, in turn each of the requests, whether or not the answers keep up.

    The clock of a request starts when it was due, not when a connection was free for it: a server that stands still
    for a second has made every request of that second late.
    """
    run, loop = Run(), asyncio.get_running_loop()
    free: dict[int, deque[Line]] = {
        which: deque([await connected(run, request) for _ in range(connections)])
        for which, request in enumerate(requests)
    }
    waiting = {which: asyncio.Semaphore(connections) for which in free}

    async def send(which: int, due: float) -> None:
        async with waiting[which]:
            line = free[which].popleft()
            if await line.exchange():
                run.latencies.append(loop.time() - due)
            free[which].append(line if not line.lost else await connected(run, requests[which]))

    began = loop.time()
    async with asyncio.TaskGroup() as sending:
        for number in range(int(rate * seconds)):
            due = began + number / rate
            if (pause := due - loop.time()) > 0:
                await asyncio.sleep(pause)
            sending.create_task(send(number % len(requests), due))
    run.seconds = loop.time() - began
    for line in (line for lines in free.values() for line in lines):
        line.close()
    return run


async def begin_sessions(url: str, number: int) -> None:
    """Begin so many sessions of 2025, each as a client does, and leave them idle."""
    client = {"name": "bench", "version": "1"}
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": client}
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    limits = httpx.Limits(max_connections=8)
    async with httpx.AsyncClient(limits=limits, timeout=PATIENCE) as http:
        for _ in range(number):
            answer = await http.post(url, json=hello, headers={"Accept": "application/json, text/event-stream"})
            answer.raise_for_status()
            named = {"Mcp-Session-Id": answer.headers["mcp-session-id"], "MCP-Protocol-Version": LEGACY}
            done = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            accepted = {"Accept": "application/json, text/event-stream", **named}
            (await http.post(url, json=done, headers=accepted)).raise_for_status()
