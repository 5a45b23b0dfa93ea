"""Clients that run in a browser, on pages of other origins: exactly those that the settings allow may call MCP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.middleware.cors import CORSMiddleware

from recontact_mcp.remote.refusals import MCP_PATH

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from recontact_mcp.remote.parts import Parts

# What a page may read of an answer, besides its body: the session, how to get a token, and when to try again.
EXPOSED: Final = ("mcp-session-id", "www-authenticate", "retry-after")
# ours: a browser asks again after ten minutes, as most do at the latest.
SECONDS: Final = 600


def cross_origin(parts: Parts, app: ASGIApp) -> ASGIApp:
    """Let pages of other origins call MCP, where the settings name any; a token is needed all the same.

    Tokens are sent by scripts and by no browser of itself, so cookies are never taken. Origins that are not allowed
    were refused before, and nothing but MCP is answered across origins here.
    """
    if not parts.settings.allowed_origins:
        return app
    return CrossOrigin(app, sorted(parts.names.origins))


class CrossOrigin:
    """Answers what a browser asks before it lets a page call MCP, and lets the page read the answers."""

    def __init__(self, app: ASGIApp, origins: list[str]) -> None:
        self._app = app
        self._mcp = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST", "DELETE"],
            # Which headers a request has differs from version to version of the protocol; unknown ones are not read.
            allow_headers=["*"],
            expose_headers=EXPOSED,
            max_age=SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        app = self._mcp if scope["type"] == "http" and scope["path"] == MCP_PATH else self._app
        await app(scope, receive, send)
