"""Where the server may listen: beyond this machine only if its callers are asked who they are."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from recontact_tools.loopback import is_loopback

if TYPE_CHECKING:
    from recontact_mcp.settings import Settings

# ours: as many as may come while the loop is busy for a moment; more than the system allows it cuts itself.
BACKLOG: Final = 1_024


def is_authorized(settings: Settings) -> bool:
    """Whether callers over HTTP need a token."""
    return settings.auth_issuer is not None


def objection(settings: Settings, host: str) -> str | None:
    """Say why the server may not listen on *host*; None if it may."""
    public = urlsplit(settings.public_url).hostname if settings.public_url else None
    if is_loopback(host) and (public is None or is_loopback(public)):
        return None
    if not is_authorized(settings):
        return "Only this machine can be served over HTTP while clients are not asked for authorization."
    if public is None:
        return "To serve more than this machine, say under which URL clients and browsers reach it."
    return None


def cure(settings: Settings) -> str:
    """Say what to do about the objection."""
    if is_authorized(settings):
        return "Set RECONTACT_PUBLIC_URL, such as https://recontact.example.com."
    return (
        "Use --host 127.0.0.1 without RECONTACT_PUBLIC_URL, or set RECONTACT_AUTH_ISSUER and RECONTACT_PUBLIC_URL:"
        " a proxy on this machine would let everybody in who reaches it."
    )


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address; port 0 takes a free one.

    Raises:
        OSError: It cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def shown(host: str) -> str:
    """Return a host as URLs have it."""
    return f"[{host}]" if ":" in host else host
