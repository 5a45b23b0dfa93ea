"""The HTTP application: MCP at /mcp, and the routes of the modules beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Route

from recontact_mcp.remote import authorization
from recontact_mcp.remote.mcp_endpoint import McpEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

    from recontact_mcp.remote.parts import Parts

MCP_PATH = "/mcp"

# What is served beside MCP: each module adds the routes that it has for these parts, none where it is not configured.
ROUTES: tuple[Callable[[Parts], list[BaseRoute]], ...] = (authorization.routes,)
# What stands around MCP and lets through only who may pass; the first one is the outermost.
GUARDS: tuple[Callable[[Parts, ASGIApp], ASGIApp], ...] = (authorization.guard,)


def build_app(parts: Parts) -> Starlette:
    """Build the application of one process; its lifespan opens and closes the MCP server with it."""
    endpoint = McpEndpoint(parts)
    guarded: ASGIApp = endpoint
    for guard in reversed(GUARDS):
        guarded = guard(parts, guarded)
    routes: list[BaseRoute] = [Route(MCP_PATH, endpoint=guarded)]
    for of_module in ROUTES:
        routes += of_module(parts)
    return Starlette(routes=routes, lifespan=lambda _app: endpoint.running())
