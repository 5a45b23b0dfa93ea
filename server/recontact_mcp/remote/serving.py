"""Running the HTTP server: how it listens, and how it ends without losing what is under way."""

from __future__ import annotations

import gc
import signal
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

import anyio
import uvicorn
from sse_starlette.sse import AppStatus

from recontact_mcp.remote.binding import BACKLOG
from recontact_mcp.remote.connections import Config, Connection, Peers
from recontact_mcp.remote.newcomers import see_in

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from types import FrameType

    from starlette.types import ASGIApp

    from recontact_mcp.remote.parts import Parts
    from recontact_tools.ending import Ending

# ours: longer than the idle time of common balancers (60 s), or they would send into a connection that just closed.
KEEP_ALIVE_SECONDS: Final = 75
# ours: a call makes some thousand objects and few cycles; looking through all that lives took a sixth of its time.
OBJECTS_BETWEEN_COLLECTIONS: Final = 50_000
# ours: as often as uvicorn looks for a second Ctrl-C, whose handler cannot wake what lingers.
LOOK_SECONDS: Final = 0.1


class Serving(uvicorn.Server):
    """A server that announces its end, lingers while others notice, and lets what is under way come to its end.

    *beside* is a second server that lives and ends with it; *ready* is called as soon as requests are taken.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        ending: Ending,
        *,
        linger: float,
        ready: Callable[[], None],
        beside: Beside | None = None,
    ) -> None:
        super().__init__(config)
        self._ending = ending
        self._linger = linger
        self._beside = beside
        self._ready = ready

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; a second Ctrl-C ends at once."""
        del frame
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self._ending.announce()
        self.should_exit = True

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop."""
        if self._beside is None:
            await super().serve(sockets)
            return
        async with anyio.create_task_group() as group:
            group.start_soon(self._beside.serve, [self._beside.listening])
            await super().serve(sockets)
            self._beside.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open what is served, and say so."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: linger, see the last ones in, let go of who only listens or waits, let the others come to their end."""
        self._ending.announce()
        with anyio.move_on_after(self._linger):
            while not self.force_exit:  # noqa: ASYNC110 (the handler of a signal sets it: it may set no event)
                await anyio.sleep(LOOK_SECONDS)
        await see_in(sockets or (), forced=lambda: self.force_exit)
        self._ending.begin()
        await super().shutdown(sockets)


class Beside(uvicorn.Server):
    """A server beside the main one, which has the signals."""

    def __init__(self, app: ASGIApp, listening: socket.socket) -> None:
        super().__init__(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", proxy_headers=False))
        self.listening = listening

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Leave the signals to the main server."""
        return nullcontext()


def config_of(app: ASGIApp, parts: Parts) -> Config:
    """Return how the application is served, and what connections are held to."""
    settings = parts.settings
    config = Config(
        app,
        http=Connection,
        loop="auto",  # uvloop, where there is one for the system
        ws="none",
        lifespan="on",
        log_config=None,  # our own handlers stay
        access_log=False,  # paths and cursors would be in it
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
    )
    config.limits = parts.limits
    config.peers = Peers(settings.http_connections, settings.http_connections_per_peer, settings.trusted_proxies)
    return config


def run(
    app: ASGIApp,
    parts: Parts,
    listening: socket.socket,
    *,
    ready: Callable[[], None],
    beside: Beside | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; what is under way then is answered, for *shutdown_seconds* at most."""
    _collect_seldom()
    # The streams of 2025 would end in the middle of a call, as soon as the signal comes: we end them ourselves.
    leave_alone: Callable[[], None] = AppStatus.disable_automatic_graceful_drain
    leave_alone()
    server = Serving(
        config_of(app, parts), parts.opening.ending, linger=parts.settings.linger_seconds, ready=ready, beside=beside
    )
    server.run(sockets=[listening])


def _collect_seldom() -> None:
    """Leave what was built for good alone, and look for garbage less often: most of it is freed without looking."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, 20, 100)
