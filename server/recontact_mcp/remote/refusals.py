"""The one shape in which the HTTP server refuses: our own words, a code and the next step, never an echo."""

from __future__ import annotations

import json
from math import ceil
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from recontact_tools.errors import ErrorCode, InvalidInput, NotAllowed, RateLimited, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Scope

    from recontact_tools.errors import RecontactError

MCP_PATH: Final = "/mcp"
# source: JSON-RPC 2.0, the range that is left to servers
_SERVER_ERROR: Final = -32000


def refusal(scope: Scope, status: int, error: RecontactError, *, close: bool = False) -> Response:
    """Return the answer that refuses a request; to a client of MCP it is a JSON-RPC error that holds the same.

    *close* ends the connection with it: what else comes on it is not worth reading.
    """
    headers = {"cache-control": "no-store"}
    if error.retry_after:
        headers["retry-after"] = str(ceil(error.retry_after))
    if close:
        headers["connection"] = "close"
    body = envelope(error, mcp=scope["path"] == MCP_PATH)
    return Response(json.dumps(body), status, headers, media_type="application/json")


def envelope(error: RecontactError, *, mcp: bool) -> Mapping[str, object]:
    """Return the body of a refusal."""
    body = {"error": error.as_dict()}
    if not mcp:
        return body
    refused = {"code": _SERVER_ERROR, "message": f"{error.message} {error.next_step}", "data": body}
    return {"jsonrpc": "2.0", "id": None, "error": refused}


def wrong_name() -> NotAllowed:
    """Refuse a host or an origin that this server does not go by."""
    return NotAllowed(
        "This server is not called by that name, or by a page of that origin.",
        next_step="Use the address that the operator gave you. Operators: RECONTACT_PUBLIC_URL,"
        " RECONTACT_ALLOWED_HOSTS and RECONTACT_ALLOWED_ORIGINS say which are served.",
    )


def too_large(what: str, most: str) -> InvalidInput:
    """Refuse a request of which something is too large."""
    return InvalidInput(
        f"{what} of this request is too large; nothing was read of it beyond {most}, and nothing was changed.",
        next_step=f"Send at most {most}. For many IDs, upload a file.",
    )


def too_slow() -> Unreachable:
    """Refuse a request whose body does not come."""
    return Unreachable(
        "The body of this request came too slowly; nothing was changed.",
        code=ErrorCode.UNAVAILABLE,
        next_step="Check the network, and send the same again.",
    )


def too_often(seconds: float) -> RateLimited:
    """Refuse a call for which it is too early by so many seconds."""
    return RateLimited(
        "You call faster than this server lets one caller; nothing was changed.",
        next_step="Wait for retry_after_seconds, and use wait_seconds=45 of the job tools in place of frequent looks.",
        details={"retry_after_seconds": max(1, ceil(seconds))},
    )


def too_many_calls(most: int) -> RateLimited:
    """Refuse one more call where as many are under way as one caller may have."""
    return RateLimited(
        f"You have {most} calls under way on this server, as many as one caller may have; nothing was changed.",
        next_step="Wait until one of them ends, and repeat it then.",
        details={"retry_after_seconds": 1},
    )


def too_many_sessions(most: int, seconds: float) -> RateLimited:
    """Refuse one more session; by itself none ends for so many seconds."""
    return RateLimited(
        f"You have {most} sessions on this server, as many as one caller may have; nothing was changed.",
        next_step="End one that nobody needs (DELETE), or wait for retry_after_seconds: idle ones end by themselves."
        " Clients of 2026-07-28 need none.",
        details={"retry_after_seconds": max(1, ceil(seconds))},
    )


def too_strange(seconds: float) -> RateLimited:
    """Refuse one more request that proves nothing, from an address from which too many failed."""
    return RateLimited(
        "Too many requests from your address did not show that they may be made; nothing was changed.",
        next_step="Wait for retry_after_seconds; then sign in again, or ask for a new address or link.",
        details={"retry_after_seconds": max(1, ceil(seconds))},
    )


def too_many_strangers(seconds: float) -> RateLimited:
    """Refuse what somebody else would have to be asked about, while too many unknown ones make us ask."""
    return RateLimited(
        "Too many people whom this server does not know yet come at once; nothing was changed.",
        next_step="Wait for retry_after_seconds, and send the same again.",
        details={"retry_after_seconds": max(1, ceil(seconds))},
    )


def ending() -> Unreachable:
    """Refuse to begin something long on a server that is being stopped."""
    return Unreachable(
        "This server is being stopped and takes no new sessions; nothing was changed.",
        code=ErrorCode.UNAVAILABLE,
        next_step="Connect again: another server answers, or this one as soon as it is back.",
        details={"retry_after_seconds": 1},
    )


def malformed() -> InvalidInput:
    """Refuse what is no request of HTTP."""
    return InvalidInput(
        "This is no well-formed HTTP request; nothing was read of it, and nothing was changed.",
        next_step="Use an HTTP/1.1 client, and one of Content-Length and Transfer-Encoding, not both.",
    )


def crowded() -> Unreachable:
    """Refuse one connection more."""
    return Unreachable(
        "There are too many connections to this server, or from your address; nothing was changed.",
        code=ErrorCode.UNAVAILABLE,
        next_step="Close some, or try again in a minute.",
    )
