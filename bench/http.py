"""How many calls a second the HTTP server takes, beside a trivial tool on a bare server of the SDK."""

import os
import socket
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import anyio
from bench.figures import Figure
from bench.load import CONNECTIONS, Request, busy, modern_call

from recontact_service.seed import DEFAULT_TARGET_GROUP_ID

# source: the issue "Remote", numbers
GOAL = 0.6
TURNS = 7  # ours: each server in turn, so that a noisy second hits both
SECONDS = 2.0
FRIENDLY = {"RECONTACT_CALLS_PER_SECOND": "0", "RECONTACT_CALLS_AT_ONCE": "0"}  # one caller is the whole load


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def served(command: Sequence[str], port: int, folder: Path) -> Generator[str]:
    """Run a server until the block is left; yield the URL of its MCP endpoint."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("RECONTACT_", "CINT_"))}
    environment = {**usual, "RECONTACT_DATA_DIR": str(folder), "RECONTACT_LOG_LEVEL": "WARNING", **FRIENDLY}
    with subprocess.Popen(
        [sys.executable, "-m", *command, str(port)], stdout=subprocess.DEVNULL, env=environment
    ) as process:
        try:
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.terminate()


async def answering(request: Request) -> None:
    """Wait until a server is there, and warm it up."""
    with anyio.fail_after(60):
        while True:
            try:
                run = await busy([request], seconds=1.0, connections=CONNECTIONS)
            except OSError:
                await anyio.sleep(0.1)
            else:
                assert not run.errors, run.problems
                return


async def measure(folder: Path) -> list[Figure]:
    ports = free_port(), free_port()
    ours_command = ["recontact_mcp", "serve", "--transport", "http", "--port"]
    with served(ours_command, ports[0], folder) as url, served(["bench.bare_http"], ports[1], folder) as bare:
        ours = modern_call(url, "get_recontact_overview", {"target_group_id": DEFAULT_TARGET_GROUP_ID})
        other = modern_call(bare, "echo", {"text": DEFAULT_TARGET_GROUP_ID})
        rates: tuple[list[float], list[float]] = ([], [])
        for request in (ours, other):
            await answering(request)
        for turn in range(TURNS):
            for which in (turn % 2, 1 - turn % 2):
                run = await busy([(ours, other)[which]], seconds=SECONDS)
                assert not run.errors, run.problems
                rates[which].append(run.rate)
    ratio = median(mine / its for mine, its in zip(*rates, strict=True))
    detail = f"{median(rates[0]):,.0f} calls/s against {median(rates[1]):,.0f}"
    what = f"get_recontact_overview over HTTP, {CONNECTIONS} at once, beside a tool that does nothing"
    return [Figure(what, ratio, "x", GOAL, detail, least=True)]
