"""Connections on a real socket in this process: what is not read of them, and that nothing outlives their clients."""

import json
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import pytest
from http_process import all_of

from recontact_mcp.remote.app import build_app
from recontact_mcp.remote.binding import listen
from recontact_mcp.remote.limits import Limits
from recontact_mcp.remote.parts import Parts
from recontact_mcp.remote.serving import Serving, config_of
from recontact_tools.models import TargetGroup
from recontact_tools.uris import overview_uri

pytestmark = pytest.mark.anyio

GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
HOST = "127.0.0.1:8765"
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
LISTEN = {"notifications": {"resourceSubscriptions": [overview_uri(GROUP)]}, "_meta": META}
PATIENCE = 20.0
HASTY = Limits(head_seconds=0.3, body_seconds=0.3, body_bytes_per_second=1_000_000.0)


def listening() -> bytes:
    """Write a request for a stream that lasts."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": LISTEN}).encode()
    lines = (
        "POST /mcp HTTP/1.1",
        f"Host: {HOST}",
        "Accept: application/json, text/event-stream",
        "Content-Type: application/json",
        "MCP-Protocol-Version: 2026-07-28",
        "Mcp-Method: subscriptions/listen",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


async def until(happened: Callable[[], bool]) -> None:
    """Wait until something has happened."""
    with anyio.fail_after(PATIENCE):
        while not happened():  # noqa: ASYNC110 (a server of others tells nobody)
            await anyio.sleep(0.01)


@asynccontextmanager
async def serving(made: Parts) -> AsyncGenerator[tuple[Serving, socket.socket]]:
    """Serve on a real socket in this process; yield the server and a connection to it."""
    listening = listen("127.0.0.1", 0)
    ready = anyio.Event()
    server = Serving(config_of(build_app(made), made), made.opening.ending, linger=0.0, ready=ready.set)
    async with anyio.create_task_group() as group:
        group.start_soon(server.serve, [listening])
        await ready.wait()
        with socket.create_connection(listening.getsockname(), timeout=20) as wire:
            yield server, wire
        server.should_exit = True


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: 127.0", id="half a head"),
        pytest.param(
            b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:8765\r\nContent-Length: 10\r\n\r\n{", id="the beginning of a body"
        ),
    ],
)
async def test_a_request_that_does_not_come_is_given_up(parts: Callable[..., Parts], sent: bytes) -> None:
    with anyio.fail_after(30):
        async with serving(parts(limits=HASTY)) as (_, wire):
            wire.sendall(sent)
            answer = await anyio.to_thread.run_sync(all_of, wire)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"too slowly" in answer


async def test_on_a_connection_that_is_kept_the_next_head_has_its_time_too(parts: Callable[..., Parts]) -> None:
    with anyio.fail_after(30):
        async with serving(parts(limits=HASTY)) as (_, wire):
            whole = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1:8765\r\n\r\n"
            wire.sendall(whole)
            first = b""
            while not first.endswith(b"}"):  # head and body may come one by one
                first += await anyio.to_thread.run_sync(wire.recv, 65_536)
            wire.sendall(whole[:20])
            answer = await anyio.to_thread.run_sync(all_of, wire)
    assert first.startswith(b"HTTP/1.1 200 ")
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_head_that_is_too_long_and_none_is_refused_once(parts: Callable[..., Parts]) -> None:
    limits = Limits(url_bytes=1_000, header_bytes=9_000)
    with anyio.fail_after(30):
        async with serving(parts(limits=limits)) as (_, wire):
            wire.sendall(b"GET /livez HTTP/1.1\r\nX-Canary: " + b"c" * 9_500)
            wire.sendall(b"\r\nX Canary : c\r\n" + b"c" * 1_000)
            answer = await anyio.to_thread.run_sync(all_of, wire)
    assert answer.count(b"HTTP/1.1 4") == 1
    assert answer.startswith(b"HTTP/1.1 4")


async def test_what_is_no_request_during_an_answer_ends_the_answer_and_adds_nothing_to_it(
    parts: Callable[..., Parts],
) -> None:
    with anyio.fail_after(30):
        async with serving(parts()) as (_, wire):
            wire.sendall(listening())
            begun = await anyio.to_thread.run_sync(wire.recv, 65_536)
            wire.sendall(b"canary\r\n\r\n")
            rest = await anyio.to_thread.run_sync(all_of, wire)
    assert begun.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 " not in rest


@pytest.mark.parametrize(
    "after", [b"", f"GET /livez HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode(), b"canary", b"x" * 200_000]
)
async def test_a_stream_ends_with_its_client_whatever_was_sent_after_its_request(
    parts: Callable[..., Parts], after: bytes
) -> None:
    made = parts()
    async with serving(made) as (server, wire):
        wire.sendall(listening())
        assert b"200 OK" in await anyio.to_thread.run_sync(wire.recv, 400)
        await until(lambda: bool(made.opening.watched.uris))
        await anyio.to_thread.run_sync(wire.sendall, after)
        wire.close()
        await until(lambda: not (server.server_state.tasks or made.opening.watched.uris))
