"""Whether this process lives, and whether it can serve: for platforms and balancers, which know nobody's token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import anyio
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from recontact_mcp.remote.parts import Parts
    from recontact_tools.ending import Ending

# ours: platforms give a probe up after a second or more by default, and ask every few seconds.
LOOK_SECONDS: Final = 0.9
# ours: whoever asks without pause costs one look a second.
REMEMBERED_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class State:
    """Whether requests can be served, and if not which part keeps them from being served."""

    ready: bool
    reason: str


READY: Final = State(ready=True, reason="ready")
STOPPING: Final = State(ready=False, reason="This server is being stopped.")
SLOW: Final = State(ready=False, reason="What this server works with did not answer in time.")


class Looking(Protocol):
    """What can be looked at: the opening of a server."""

    ending: Ending

    async def unready(self) -> str | None:
        """Say why this server should not be sent requests now; None where it is ready."""
        ...


class Health:
    """Looks at what a call needs, once for all who ask within a second; never longer than LOOK_SECONDS."""

    def __init__(self, opening: Looking, *, now: Callable[[], float] = anyio.current_time) -> None:
        self._opening = opening
        self._now = now
        self._looking = anyio.Lock()
        self._last: State | None = None
        self._until = 0.0

    async def state(self) -> State:
        """Return how it stands."""
        if self._opening.ending.announced:
            return STOPPING
        async with self._looking:
            if self._last is None or self._now() >= self._until:
                self._last = await self._looked()
                self._until = self._now() + REMEMBERED_SECONDS
            return self._last

    async def _looked(self) -> State:
        with anyio.move_on_after(LOOK_SECONDS):
            reason = await self._opening.unready()
            return READY if reason is None else State(ready=False, reason=reason)
        return SLOW


def routes(parts: Parts) -> list[BaseRoute]:
    """Return the routes of probes."""
    health = Health(parts.opening)

    async def livez(_request: Request) -> Response:
        return _said(State(ready=True, reason="alive"))

    async def readyz(_request: Request) -> Response:
        return _said(await health.state())

    return [Route("/livez", livez), Route("/readyz", readyz)]


def _said(state: State) -> Response:
    headers = {"cache-control": "no-store"}
    return JSONResponse({"status": state.reason}, 200 if state.ready else 503, headers)
