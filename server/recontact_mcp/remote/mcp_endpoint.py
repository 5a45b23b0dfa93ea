"""MCP at one path for both protocol eras: 2026-07-28 without sessions, 2025 with them."""

from __future__ import annotations

from contextlib import asynccontextmanager, nullcontext
from copy import copy
from typing import TYPE_CHECKING, Final

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings

from recontact_mcp.remote.bodies import body_of
from recontact_mcp.remote.eras import is_modern
from recontact_mcp.remote.leaving import Leaving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from contextlib import AbstractAsyncContextManager

    from mcp.server import Server
    from starlette.types import Message, Receive, Scope, Send

    from recontact_mcp.opening import Opening
    from recontact_mcp.remote.parts import Parts

# What makes an answer of 2026-07-28 a stream: it may be told how far a call is, or is a stream of news by itself.
_STREAMED: Final = (b'"progressToken"', b'"subscriptions/listen"')


class McpEndpoint:
    """The ASGI application of MCP; it serves while `running`.

    A request of 2026-07-28 that asks for no stream is answered in JSON, in half the time of one that may become a
    stream. Requests of 2025 have sessions, streams and live questions.
    """

    def __init__(self, parts: Parts) -> None:
        settings = parts.settings
        security = TransportSecuritySettings(
            allowed_hosts=sorted(parts.names.hosts), allowed_origins=sorted(parts.names.origins)
        )
        parts.server.streamable_http_app(  # for the sessions that come with it
            transport_security=security,
            max_request_body_size=settings.http_body_bytes,
            max_sessions=settings.http_sessions,
            session_idle_timeout=settings.http_session_idle_seconds,
        )
        self._ending = parts.opening.ending
        self._leaving = Leaving()
        self._sessions = parts.server.session_manager
        # No parameter of a tool is also a header (a test says so); comparing them took a twentieth of a call.
        self._sessions.app.get_tool_input_schema = _declares_no_headers
        self._answers = StreamableHTTPSessionManager(
            _opened(self._sessions.app, parts.opening),
            json_response=True,
            stateless=True,
            security_settings=security,
            max_request_body_size=settings.http_body_bytes,
        )

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Keep the MCP server and its sessions for as long as the application serves."""
        async with self._sessions.run(), self._answers.run(), self._leaving.running():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if is_modern(scope) and not any(sign in body_of(scope) for sign in _STREAMED):
            await self._leaving.serve(self._answers.handle_request, scope, receive, send)
        elif scope["method"] == "GET":
            stream = _Stream(send)
            with self._ending.cutting_short() as ended:
                await self._sessions.handle_request(scope, receive, stream.send)
            if ended.cancelled_caught:
                await stream.finish()
        else:
            await self._sessions.handle_request(scope, receive, send)


class _Stream:
    """An answer that lasts, and its proper end."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._started = False

    async def send(self, message: Message) -> None:
        """Pass on a part of the answer."""
        self._started = True
        await self._send(message)

    async def finish(self) -> None:
        """End the answer as meant: a client sees no broken connection and connects again."""
        if not self._started:
            await self._send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _declares_no_headers(_tool: str) -> None:
    """Return no schema that a header could be compared with."""


def _opened(server: Server[Opening], opening: Opening) -> Server[Opening]:
    """Return the same server for a second way in: what its lifespan opens is open already."""

    def lifespan(_server: Server[Opening]) -> AbstractAsyncContextManager[Opening]:
        return nullcontext(opening)

    again = copy(server)
    again.lifespan = lifespan
    return again
