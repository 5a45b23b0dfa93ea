"""What clients are told of how to get a token (RFC 9728)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.routing import Route

from recontact_mcp.scopes import Scope

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from recontact_mcp.remote.parts import Parts

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
# What a browser's client may read; there is nothing in it that is not public.
_HEADERS: Final = {"access-control-allow-origin": "*", "cache-control": "public, max-age=300"}


def resource_of(parts: Parts) -> str:
    """Return the URL of MCP here, which is also the resource that clients ask tokens for."""
    return f"{parts.base_url}/mcp"


def metadata_url(resource: str) -> str:
    """Return where the metadata of a resource are: the path of the resource after the well-known one."""
    # source: RFC 9728 section 3.1
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path}"


def routes(parts: Parts) -> list[BaseRoute]:
    """Return the route of the metadata; none where no token is asked for."""
    issuer = parts.settings.auth_issuer
    if issuer is None:
        return []
    resource = resource_of(parts)
    body = {
        "resource": resource,
        "authorization_servers": [issuer],
        "scopes_supported": [scope.value for scope in Scope],
        "bearer_methods_supported": ["header"],
        "resource_name": "Recontacts",
    }

    async def shown(_request: Request) -> JSONResponse:
        return JSONResponse(body, headers=_HEADERS)

    paths = dict.fromkeys((urlsplit(metadata_url(resource)).path, f"{WELL_KNOWN}/mcp", WELL_KNOWN))
    return [Route(path, shown, methods=["GET"]) for path in paths]
