"""Streams of news last no longer than the token that opened them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_END: Final[dict[str, object]] = {"type": "http.response.body", "body": b"", "more_body": False}


async def served_for(seconds: float | None, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> bool:
    """Serve a request for so many seconds at most, None being as long as it takes; False if nothing was answered.

    A stream that has begun ends as meant: its client connects again, with a new token.
    """
    if seconds is None:
        await app(scope, receive, send)
        return True
    if seconds <= 0:  # a stream would begin before it could be cut short, and its client connect again at once
        return False
    begun = False

    async def noting(message: Message) -> None:
        nonlocal begun
        begun = True
        await send(message)

    with anyio.move_on_after(seconds) as time_is_over:
        await app(scope, receive, noting)
    if time_is_over.cancelled_caught and begun:
        await send(_END)
    return begun
