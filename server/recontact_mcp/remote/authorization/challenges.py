"""The answers to requests that are not let through: how to get a token that would be (RFC 6750, RFC 9728)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse

from recontact_mcp.scopes import READING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from recontact_mcp.scopes import Scope

# ours: an authorization server that is restarted is back by then.
RETRY_AFTER_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Challenges:
    """Builds them; *metadata_url* is where clients learn whom to ask for a token."""

    metadata_url: str

    def missing(self) -> Response:
        """Answer a request without a token."""
        return self._refused(401, None, "An access token is needed.", READING)

    def invalid(self) -> Response:
        """Answer a token that is not good; why it is not, nobody is told."""
        return self._refused(401, "invalid_token", "The access token is not valid here.", READING)

    def ambiguous(self) -> Response:
        """Answer more than one token."""
        return self._refused(400, "invalid_request", "Exactly one access token is expected.", ())

    def insufficient(self, needed: Iterable[Scope]) -> Response:
        """Answer a token that carries too little: with all the scopes that a new one should carry."""
        return self._refused(403, "insufficient_scope", "The access token does not allow this.", needed)

    def unavailable(self) -> Response:
        """Answer while nobody can say which tokens are good."""
        body = {"error": "temporarily_unavailable", "error_description": "Tokens cannot be checked for now."}
        return JSONResponse(body, 503, headers={"retry-after": str(RETRY_AFTER_SECONDS), "cache-control": "no-store"})

    def _refused(self, status: int, error: str | None, words: str, scopes: Iterable[Scope]) -> Response:
        said = {"error": error, "error_description": words} if error else {}
        wanted = {**said, "scope": " ".join(sorted(scopes)), "resource_metadata": self.metadata_url}
        challenge = ", ".join(f'{name}="{value}"' for name, value in wanted.items() if value)
        body = {"error": error or "unauthorized", "error_description": words}
        headers = {"www-authenticate": f"Bearer {challenge}", "cache-control": "no-store"}
        return JSONResponse(body, status, headers=headers)
