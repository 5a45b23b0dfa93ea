"""Who calls, as far as limits are concerned: the principal that was authorized, else the address it calls from."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser

if TYPE_CHECKING:
    from starlette.types import Scope


def caller_of(scope: Scope) -> str:
    """Return what tells one caller from another; it is kept in memory only and told to nobody."""
    user: object = scope.get("user")
    if isinstance(user, AuthenticatedUser):
        token = user.access_token
        issuer: object = (token.claims or {}).get("iss")
        return f"{issuer}#{token.subject or token.client_id}"
    client = cast("tuple[str, int] | None", scope.get("client"))
    return client[0] if client else ""
