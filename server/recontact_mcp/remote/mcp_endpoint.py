"""MCP at one path for both protocol eras: 2026-07-28 without sessions, 2025 with them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from mcp.server.transport_security import TransportSecuritySettings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import Receive, Scope, Send

    from recontact_mcp.remote.parts import Parts


class McpEndpoint:
    """The ASGI application of MCP; it serves while `running`."""

    def __init__(self, parts: Parts) -> None:
        security = TransportSecuritySettings(
            allowed_hosts=sorted(parts.names.hosts), allowed_origins=sorted(parts.names.origins)
        )
        parts.server.streamable_http_app(transport_security=security)  # only for the sessions that come with it
        self._sessions = parts.server.session_manager

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Keep the MCP server and its sessions for as long as the application serves."""
        async with self._sessions.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._sessions.handle_request(scope, receive, send)
