"""The HTTP application: MCP at /mcp, and the routes of the modules beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from recontact_mcp.remote import approval, authorization, health
from recontact_mcp.remote.bodies import Bodies
from recontact_mcp.remote.crowd import Crowd, Share
from recontact_mcp.remote.front import Front
from recontact_mcp.remote.mcp_endpoint import McpEndpoint
from recontact_mcp.remote.refusals import MCP_PATH

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

    from recontact_mcp.remote.parts import Parts

# What is served beside MCP: each module adds the routes that it has for these parts, none where it is not configured.
ROUTES: tuple[Callable[[Parts], list[BaseRoute]], ...] = (health.routes, authorization.routes, approval.routes)
# What stands around MCP and lets through only who may pass; the first one is the outermost.
GUARDS: tuple[Callable[[Parts, ASGIApp], ASGIApp], ...] = (authorization.guard,)
# Paths, with all below them, whose routes read the bodies of their requests by themselves, as they arrive.
STREAMING: tuple[str, ...] = ()


def build_app(parts: Parts) -> Starlette:
    """Build the application of one process; its lifespan opens and closes the MCP server with it."""
    endpoint = McpEndpoint(parts)
    guarded: ASGIApp = Crowd(endpoint, _share(parts), parts.opening.ending, parts.sessions)
    for guard in reversed(GUARDS):
        guarded = guard(parts, guarded)
    routes: list[BaseRoute] = [Route(MCP_PATH, endpoint=guarded)]
    for of_module in ROUTES:
        routes += of_module(parts)
    bodies = {**dict.fromkeys(STREAMING), MCP_PATH: parts.settings.http_body_bytes}
    middleware = [
        Middleware(Front, parts.names, parts.limits, parts.opening.ending),
        Middleware(Bodies, parts.limits, bodies),
    ]
    return Starlette(routes=routes, middleware=middleware, lifespan=lambda _app: endpoint.running())


def _share(parts: Parts) -> Share:
    settings = parts.settings
    return Share(settings.calls_per_second, settings.calls_at_once, settings.http_sessions_per_caller)
