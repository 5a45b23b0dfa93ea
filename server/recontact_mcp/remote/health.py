"""Whether this process lives, and whether it can serve: for platforms and balancers, which know nobody's token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio
from starlette.responses import JSONResponse
from starlette.routing import Route

from recontact_tools.errors import RecontactError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from recontact_mcp.opening import Opening
    from recontact_mcp.remote.parts import Parts

# ours: platforms give a probe up after a second or more by default, and ask every few seconds.
LOOK_SECONDS: Final = 0.9
# ours: whoever asks without pause costs one look a second.
REMEMBERED_SECONDS: Final = 1.0
READY: Final = "ready"
_NEVER: Final = "01" + "0" * 24


@dataclass(frozen=True, slots=True)
class State:
    """Whether requests can be served, and if not which part keeps them from being served."""

    ready: bool
    reason: str


@dataclass(slots=True)
class Health:
    """Looks at what a call needs, for all who ask within a second; never longer than LOOK_SECONDS."""

    opening: Opening
    now: Callable[[], float] = anyio.current_time
    _last: State | None = None
    _until: float = 0.0

    async def state(self) -> State:
        """Return how it stands."""
        if self.opening.ending.announced:
            return State(ready=False, reason="this server is being stopped")
        if self._last is None or self.now() >= self._until:
            self._last = await _looked(self.opening)
            self._until = self.now() + REMEMBERED_SECONDS
        return self._last


async def _looked(opening: Opening) -> State:
    for part, look in (("data directory or database", opening.runtime), ("ledger", lambda: _read_ledger(opening))):
        if not await _works(look):
            return State(ready=False, reason=f"the {part} cannot be used")
    return State(ready=True, reason=READY)


async def _read_ledger(opening: Opening) -> object:
    return await (await opening.runtime()).ledger.get(_NEVER)


async def _works(look: Callable[[], Awaitable[object]]) -> bool:
    with anyio.move_on_after(LOOK_SECONDS):
        try:
            await look()
        except (RecontactError, OSError):
            return False
        return True
    return False


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
