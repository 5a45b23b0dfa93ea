"""The approval page of a server over stdio: on a free port of this machine, opened in its user's own browser."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Final

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from recontact_mcp.remote.approval.endpoints import Pages
from recontact_mcp.remote.approval.own_user import OwnUser
from recontact_mcp.remote.approval.place import Place
from recontact_mcp.remote.bodies import Bodies
from recontact_mcp.remote.front import Front
from recontact_mcp.remote.limits import Limits
from recontact_mcp.remote.names import Names
from recontact_tools.ending import Ending

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from contextlib import AbstractContextManager

    from recontact_tools.deciding import Decisions
    from recontact_tools.ledger import Approval

HOST: Final = "127.0.0.1"
# ours: a browser that is there opens at once; the caller, who waits meanwhile, can also be sent to a terminal.
BROWSER_SECONDS: Final = 10.0
# Reads the link from where no list of processes shows it, though that of the browser will: see `OwnUser`. What browsers
# print must not reach the stream of MCP.
_OPEN: Final = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.stdin.read()))"


async def open_in_browser(link: str, *, seconds: float = BROWSER_SECONDS) -> bool:
    """Open a link in this user's browser; False if none was found in time, or none that needs no terminal."""
    environment = {name: value for name, value in os.environ.items() if name != "TERM"}
    with anyio.move_on_after(seconds):
        done = await anyio.run_process(
            [sys.executable, "-c", _OPEN],
            input=link.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            env=environment,
        )
        return done.returncode == 0
    return False


class LoopbackPages:
    """Shows each plan once, in the browser."""

    def __init__(self, place: Place, opens: Callable[[str], Awaitable[bool]]) -> None:
        self._place = place
        self._opens = opens
        self._shown: dict[str, bool] = {}

    async def show(self, approval: Approval) -> bool:
        """Open the page of a plan, unless that was done; tell whether there is a browser that shows it."""
        plan = approval.plan
        if plan.plan_id not in self._shown:
            self._shown[plan.plan_id] = await self._opens(await self._place.link(approval.code, plan.principal))
        return self._shown[plan.plan_id]


class _Server(uvicorn.Server):
    """A server inside another program, whose signals are not its own."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Leave the signals of the program alone."""
        return nullcontext()


@asynccontextmanager
async def loopback_pages(
    decisions: Callable[[], Awaitable[Decisions]], *, opens: Callable[[str], Awaitable[bool]] = open_in_browser
) -> AsyncGenerator[LoopbackPages]:
    """Serve the approval page on this machine while the block lasts; *opens* shows a link to its user.

    Raises:
        OSError: No port can be used.
    """
    with socket.create_server((HOST, 0)) as listening:
        name = f"{HOST}:{listening.getsockname()[1]}"
        base_url = f"http://{name}"
        place = Place(base_url, frozenset({base_url}), decisions, links=True)
        limits, names = Limits(), Names(base_url, frozenset({name}), place.origins)
        app = Starlette(
            routes=Pages(place).routes(),
            middleware=[
                Middleware(OwnUser),
                Middleware(Front, names, limits, Ending()),
                Middleware(Bodies, limits, {}),
            ],
        )
        # No access log: links would be in it.
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", proxy_headers=False, timeout_graceful_shutdown=1
        )
        server = _Server(config)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listening])
            try:
                yield LoopbackPages(place, opens)
            finally:
                server.should_exit = True
