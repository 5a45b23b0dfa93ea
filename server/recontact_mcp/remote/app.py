"""The HTTP application: MCP at /mcp, and the routes of the modules beside it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette

from recontact_mcp.remote import approval, authorization, health, staging
from recontact_mcp.remote.bodies import Bodies
from recontact_mcp.remote.cross_origin import cross_origin
from recontact_mcp.remote.crowd import Crowd, Share
from recontact_mcp.remote.front import Front
from recontact_mcp.remote.mcp_endpoint import McpEndpoint
from recontact_mcp.remote.refusals import MCP_PATH

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Receive, Scope, Send

    from recontact_mcp.remote.parts import Parts

# What is served beside MCP: each module adds the routes that it has for these parts, none where it is not configured.
ROUTES: tuple[Callable[[Parts], list[BaseRoute]], ...] = (
    health.routes,
    authorization.routes,
    staging.routes,
    approval.routes,
)
# What stands around MCP and lets through only who may pass; the first one is the outermost.
GUARDS: tuple[Callable[[Parts, ASGIApp], ASGIApp], ...] = (authorization.guard,)
# Paths, with all below them, whose routes read the bodies of their requests by themselves, as they arrive.
STREAMING: tuple[str, ...] = (staging.PATH,)


class Application:
    """What is served over HTTP in one process; it works while `running`."""

    def __init__(self, parts: Parts) -> None:
        self._endpoint = McpEndpoint(parts)
        self._mcp = _guarded(parts, self._endpoint)
        routes = [route for of_module in ROUTES for route in of_module(parts)]
        self._beside = Starlette(routes=routes, lifespan=lambda _app: self.running())
        bodies = {**dict.fromkeys(STREAMING), MCP_PATH: parts.settings.http_body_bytes}
        reading = Bodies(self._route, parts.limits, bodies)
        refusing = partial(Bodies, limits=parts.limits, most=bodies, keeps=False)
        entered = cross_origin(parts, authorization.entrance(parts, reading, refusing))
        self._served = Front(entered, parts.names, parts.limits, parts.opening.ending)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Open the MCP server, and close it at the end."""
        return self._endpoint.running()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the whole life of the process."""
        await self._served(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == MCP_PATH:
            await self._mcp(scope, receive, send)
        else:
            await self._beside(scope, receive, send)


def build_app(parts: Parts) -> Application:
    """Build the application of one process."""
    return Application(parts)


def build_watching_app(parts: Parts) -> Starlette | None:
    """Build what is served beside it, on the port for those who watch the process; None where nobody does."""
    if parts.metrics is None:
        return None
    return Starlette(routes=[*parts.metrics.routes(), *health.routes(parts)])


def _guarded(parts: Parts, endpoint: McpEndpoint) -> ASGIApp:
    settings = parts.settings
    share = Share(settings.calls_per_second, settings.calls_at_once, settings.http_sessions_per_caller)
    guarded: ASGIApp = endpoint
    for guard in reversed(GUARDS):
        guarded = guard(parts, guarded)
    # Outermost: what a guard refuses is recorded, and has its pace like all else.
    return Crowd(guarded, share, parts.opening.ending, parts.sessions)
