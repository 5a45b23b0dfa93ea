"""Which sessions of 2025 each caller has: counted from the answers that open them, until they are idle or deleted."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mcp.server.streamable_http import MCP_SESSION_ID_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NAME: Final = MCP_SESSION_ID_HEADER.encode("ascii").lower()
_OK: Final = 200
_NOTHING: Final = nullcontext[None]()


@dataclass(slots=True)
class _Session:
    caller: str
    seen: float
    busy: int = 0


def session_named(scope: Scope) -> str | None:
    """Return the session that a request belongs to, as it says itself."""
    return _named(scope["headers"])


class Sessions:
    """The sessions of this process; the SDK keeps them, and does not tell when one has ended."""

    def __init__(self, idle_seconds: float) -> None:
        self._idle = idle_seconds
        self._open: dict[str, _Session] = {}
        self._opening: Counter[str] = Counter()

    def count(self, caller: str, now: float) -> int:
        """Count the sessions of a caller that have not ended, and those that are being opened."""
        self._forget(now)
        return self._opening[caller] + sum(session.caller == caller for session in self._open.values())

    def ends_in(self, caller: str, now: float) -> float:
        """Return the seconds until the first session of a caller ends if all stay as they are.

        One that is busy may end no sooner than it would if it were left idle now.
        """
        since = [now if one.busy else one.seen for one in self._open.values() if one.caller == caller]
        return max(0.0, self._idle - (now - min(since, default=now)))

    def total(self, now: float) -> int:
        """Count all sessions that have not ended."""
        self._forget(now)
        return len(self._open)

    async def served(
        self,
        caller: str,
        app: ASGIApp,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        now: Callable[[], float],
        opens: bool = False,
    ) -> None:
        """Serve a request, and take note of what it does to a session; *opens* says that it asks for a new one."""
        name = session_named(scope)
        session = self._open.get(name) if name else None
        if session is None or name is None or session.caller != caller:
            with self._one_more(caller) if opens else _NOTHING as opened:
                await app(scope, receive, self._noting(caller, send, now, opened))
            return
        session.busy += 1
        try:
            await app(scope, receive, self._ending(name, send) if scope["method"] == "DELETE" else send)
        finally:
            session.busy -= 1
            session.seen = now()

    @contextmanager
    def _one_more(self, caller: str) -> Generator[Callable[[], None]]:
        """Count a session that is being opened, until it is open or known not to be."""
        self._opening[caller] += 1
        left = [caller]

        def opened() -> None:
            if left:
                self._opening[left.pop()] -= 1
                self._opening += Counter()  # forgets who opens none

        try:
            yield opened
        finally:
            opened()

    def _noting(self, caller: str, send: Send, now: Callable[[], float], opened: Callable[[], None] | None) -> Send:
        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == _OK:
                name = _named(message.get("headers", []))
                if name is not None:
                    self._open[name] = _Session(caller, now())
                    if opened is not None:
                        opened()
            await send(message)

        return noting

    def _ending(self, name: str, send: Send) -> Send:
        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == _OK:
                self._open.pop(name, None)
            await send(message)

        return noting

    def _forget(self, now: float) -> None:
        gone = [name for name, one in self._open.items() if not one.busy and now - one.seen > self._idle]
        for name in gone:
            del self._open[name]


def _named(headers: list[tuple[bytes, bytes]]) -> str | None:
    return next((value.decode("latin-1") for name, value in headers if name.lower() == _NAME), None)
