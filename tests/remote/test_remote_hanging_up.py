"""Clients that hang up: whatever they sent before, nothing goes on for them alone."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
import pytest
import uvicorn

from recontact_mcp.remote.app import build_app
from recontact_mcp.remote.parts import Parts
from recontact_mcp.remote.serving import config_of
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


@asynccontextmanager
async def running(parts: Parts) -> AsyncGenerator[tuple[uvicorn.Server, int]]:
    """Serve on a free port, in this process."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = uvicorn.Server(config_of(build_app(parts), parts))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [taken])
            await until(lambda: server.started)
            yield server, taken.getsockname()[1]
            server.should_exit = True


async def until(happened: Callable[[], bool]) -> None:
    """Wait until something has happened."""
    with anyio.fail_after(PATIENCE):
        while not happened():  # noqa: ASYNC110 (a server of others tells nobody)
            await anyio.sleep(0.01)


@pytest.mark.parametrize(
    "after", [b"", f"GET /livez HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode(), b"canary", b"x" * 200_000]
)
async def test_a_stream_ends_with_its_client_whatever_was_sent_after_its_request(
    parts: Callable[..., Parts], after: bytes
) -> None:
    made = parts()
    async with running(made) as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(listening())
        with anyio.fail_after(PATIENCE):
            assert b"200 OK" in await reader.read(400)
        await until(lambda: bool(made.opening.watched.uris))
        writer.write(after)
        await writer.drain()
        writer.close()
        await until(lambda: not (server.server_state.tasks or made.opening.watched.uris))
