"""Serve the API on a socket, until asked to stop."""

import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager

import anyio
import uvicorn

from recontact_service.running import running
from recontact_service.settings import ServiceSettings

_GRACEFUL_SECONDS = 5  # ours: longer than any answer takes


class _AnnouncingServer(uvicorn.Server):
    """Say where it listens once it does, and leave signals to us: uvicorn would end the process after serving."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[str, int], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in (one for server in self.servers for one in server.sockets):
            host, port = listening.getsockname()[:2]
            self._ready(host, port)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve(
    settings: ServiceSettings, host: str = "127.0.0.1", port: int = 0, *, ready: Callable[[str, int], None]
) -> None:
    """Serve until SIGTERM or SIGINT, then answer what was begun; *ready* is told host and port (0 picks one).

    Jobs that are Processing at the end go on at the next start. Runs on the main thread only.
    """
    async with running(settings) as service, anyio.create_task_group() as group:
        config = uvicorn.Config(
            service.app,
            host=host,
            port=port,
            lifespan="off",
            access_log=False,  # a query's cursors hold respondent IDs
            log_level="critical",  # a scripted lost answer is no news
            timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        )
        server = _AnnouncingServer(config, ready)
        group.start_soon(_stop_on_signal, server)
        await server.serve()
        group.cancel_scope.cancel()


async def _stop_on_signal(server: uvicorn.Server) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            server.should_exit = True
