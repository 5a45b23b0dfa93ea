"""Bodies of requests: read whole before anything looks at them, as far as they may be large and slow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from recontact_mcp.remote.refusals import malformed, refusal, too_large, too_slow

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from recontact_mcp.remote.limits import Limits

# Says of a request that all of it has come before it was served.
WHOLE: Final = "recontact.whole"
_KEY: Final = "recontact.body"
# Methods whose requests have no body: what came unread with them would keep it unseen that a client has left.
_WITHOUT: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def body_of(scope: Scope) -> bytes:
    """Return the body of a request that passed `Bodies`; empty where that one does not read it."""
    body: bytes = scope.get(_KEY, b"")
    return body


class Bodies:
    """Reads the body of each request and hands it on whole; refuses one that is too large or does not come.

    *most* says how many bytes a path may have, and None for a path that reads its body by itself. What is read for
    somebody who is refused anyway is not kept.
    """

    def __init__(self, app: ASGIApp, limits: Limits, most: dict[str, int | None], *, keeps: bool = True) -> None:
        self._app = app
        self._limits = limits
        self._most = most
        self._keeps = keeps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] in _WITHOUT:
            app = refusal(scope, 400, malformed(), close=True) if _has_body(scope) else self._app
            await app(scope, receive, send)
            return
        most = self._most_of(scope["path"])
        if most is None:
            await self._app(scope, receive, send)
            return
        try:
            body = None if _declared(scope) > most else await self._read(scope, receive, most)
        except TimeoutError:
            await refusal(scope, 408, too_slow(), close=True)(scope, receive, send)
            return
        except ConnectionError:
            return  # nobody is there to be told
        if body is None:
            await refusal(scope, 413, too_large("The body", f"{most} bytes"), close=True)(scope, receive, send)
            return
        scope[_KEY] = body
        await self._app(scope, _replaying(body, receive), send)

    def _most_of(self, path: str) -> int | None:
        for prefix, most in self._most.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                return most
        return self._limits.body_bytes

    async def _read(self, scope: Scope, receive: Receive, most: int) -> bytes | None:
        if scope.get(WHOLE):  # it is there already: nothing is waited for, and no deadline is set up
            message = await receive()
        else:
            message = await _next(receive, self._limits.body_deadline(anyio.current_time(), 0))
        if not message.get("more_body", False):
            body: bytes = message.get("body", b"")
            return body if len(body) <= most else None
        return await self._read_on(message, receive, most)

    async def _read_on(self, message: Message, receive: Receive, most: int) -> bytes | None:
        began, count, kept = anyio.current_time(), 0, bytearray()
        while True:
            piece: bytes = message.get("body", b"")
            count += len(piece)
            if count > most:
                return None
            if self._keeps:
                kept += piece
            if not message.get("more_body", False):
                return bytes(kept)
            message = await _next(receive, self._limits.body_deadline(began, count))


async def _next(receive: Receive, deadline: float) -> Message:
    message: Message | None = None
    with anyio.CancelScope(deadline=deadline):
        message = await receive()
    if message is None:
        raise TimeoutError
    if message["type"] != "http.request":
        raise ConnectionError
    return message


def _declared(scope: Scope) -> int:
    value: bytes = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(value) if value.isdigit() else 0


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
        for name, value in scope["headers"]
    )


def _replaying(body: bytes, receive: Receive) -> Receive:
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return left.pop() if left else await receive()

    return replayed
