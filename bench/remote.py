"""What the HTTP server takes beside those of others, what a second replica adds, and what an idle session costs.

The load comes from this machine, too: on two cores, two replicas share them with it and with PostgreSQL.
"""

import os
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import anyio
from bench.databases import postgres
from bench.figures import Figure, as_time
from bench.following import MEGABYTE, memory_of
from bench.http import FRIENDLY, answering, free_port
from bench.load import CONNECTIONS, LEGACY, Request, begin_sessions, busy, modern_call, steady
from bench.others import Other, fastmcp, typescript

from recontact_service.seed import DEFAULT_TARGET_GROUP_ID

# source: the issue "Remote", numbers
OTHERS_GOAL = 2.0
# ours: the issue asks for 2.0 here, too; a tool that does nothing on a bare server of the SDK has some 1.2, so nothing
# that is built on it can. What is kept is the share of that bare server which is asked of us elsewhere: 0.6.
COMPILED_GOAL = 0.7
REPLICAS_GOAL = 1.6
P99_MS_GOAL = 250.0
RATE = 200.0
STEADY_SECONDS = 60.0
TURNS = 5  # ours: each server in turn, so that a noisy second hits all
SECONDS = 2.0
# ours: V8 needs some ten thousand calls until it has compiled what they take: 300 a second at first, 2,000 then
WARM_SECONDS = 12.0
SESSIONS = 400
SESSION_KB_GOAL = 150.0  # ours: 2,000 sessions, the most that are let in, in 300 MB
KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="  # what is sealed with it ends with the bench
BARE = "a bare server of the SDK"
OURS = ("recontact_mcp", "serve", "--transport", "http", "--port")
ONE_CORE = "on two cores with the load and the database"


@contextmanager
def running(command: Sequence[str], port: int, **variables: str) -> Generator[int]:
    """Run a server on a port until the block is left; yield its process id."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("RECONTACT_", "CINT_"))}
    with subprocess.Popen(
        [*command, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**usual, **variables}
    ) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


@contextmanager
def ours(port: int, folder: Path, **variables: str) -> Generator[int]:
    """Run our server on a port, from a data directory of its own."""
    told = {"RECONTACT_DATA_DIR": str(folder), "RECONTACT_LOG_LEVEL": "WARNING", **FRIENDLY, **variables}
    with running([sys.executable, "-m", *OURS], port, **told) as process_id:
        yield process_id


def overview(port: int) -> Request:
    """Prepare a call of ours."""
    arguments = {"target_group_id": DEFAULT_TARGET_GROUP_ID}
    return modern_call(f"http://127.0.0.1:{port}/mcp", "get_recontact_overview", arguments)


async def rate(requests: Sequence[Request]) -> float:
    """Return how many calls a second servers take together."""
    run = await busy(requests, seconds=SECONDS)
    assert not run.errors, run.problems
    return run.rate


async def in_turn(loads: Mapping[str, Sequence[Request]]) -> dict[str, list[float]]:
    """Measure each load in turn, beginning with another one each time."""
    rates: dict[str, list[float]] = {name: [] for name in loads}
    for requests in loads.values():
        for request in requests:
            await answering(request)
        await busy(requests, seconds=WARM_SECONDS)
    for turn in range(TURNS):
        names = [*loads]
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            rates[name].append(await rate(loads[name]))
    return rates


def times(mine: Sequence[float], its: Sequence[float]) -> tuple[float, str]:
    """Return how many times as many calls a second, in the median turn, and both medians."""
    ratio = median(one / other for one, other in zip(mine, its, strict=True))
    return ratio, f"{median(mine):,.0f} calls/s against {median(its):,.0f}"


async def beside_others(folder: Path, fast: Other, compiled: Other) -> list[Figure]:
    """Compare a call of ours with a tool that does nothing on the servers of others."""
    bare = Other(BARE, (sys.executable, "-m", "bench.bare_http"))
    with ExitStack() as stack:
        port = free_port()
        stack.enter_context(ours(port, folder / "ours"))
        loads = {"ours": [overview(port)]}
        for other in (fast, compiled, bare):
            port = free_port()
            stack.enter_context(running(other.command, port))
            echo = modern_call(f"http://127.0.0.1:{port}/mcp", "echo", {"text": DEFAULT_TARGET_GROUP_ID})
            loads[other.name] = [echo]
        rates = await in_turn(loads)
    what = f"get_recontact_overview over HTTP, {CONNECTIONS} at once, beside a trivial tool of"
    figures: list[Figure] = []
    for other, goal in ((fast, OTHERS_GOAL), (compiled, COMPILED_GOAL)):
        ratio, detail = times(rates["ours"], rates[other.name])
        figures.append(Figure(f"{what} {other.name}", ratio, "x", goal, detail, least=True))
    ratio, detail = times(rates[BARE], rates[compiled.name])
    limit = f"A trivial tool of {BARE} beside one of {compiled.name}: the most that anything built on it can have"
    return [*figures, Figure(limit, ratio, "x", OTHERS_GOAL, detail)]


async def two_replicas(folder: Path, url: str) -> list[Figure]:
    """Compare two replicas on one database with one of them, and hold both to a steady load."""
    ports = free_port(), free_port()
    shared = {"RECONTACT_DATABASE_URL": url, "RECONTACT_SNAPSHOT_KEY": KEY, "RECONTACT_STATE_KEY": KEY}
    with ExitStack() as stack:
        for port in ports:
            stack.enter_context(ours(port, folder / f"replica-{port}", **shared))
            await answering(overview(port))  # the first one makes the schema
        one, both = [overview(ports[0])], [*map(overview, ports)]
        rates = await in_turn({"both": both, "one": one})
        run = await steady(both, rate=RATE, seconds=STEADY_SECONDS, connections=CONNECTIONS)
    ratio, detail = times(rates["both"], rates["one"])
    load = f"at {RATE:.0f} calls/s for {STEADY_SECONDS:.0f} s"
    half = f"median {as_time(run.percentile(0.5))}, {len(run.latencies):,} answers"
    return [
        Figure(f"Two replicas on PostgreSQL beside one, {ONE_CORE}", ratio, "x", REPLICAS_GOAL, detail, least=True),
        Figure(
            f"Two replicas {load}: 99 % of the answers within", run.percentile(0.99) * 1000, "ms", P99_MS_GOAL, half
        ),
        Figure(f"Two replicas {load}: wrong or missing answers", float(run.errors), "", 0, "; ".join(run.problems[:1])),
    ]


async def idle_sessions(folder: Path) -> list[Figure]:
    """Measure what a session of 2025 that asks for nothing holds in memory."""
    port = free_port()
    limits = {"RECONTACT_HTTP_SESSIONS": "10000", "RECONTACT_HTTP_SESSIONS_PER_CALLER": "0"}
    with ours(port, folder / "sessions", **limits) as process_id:
        await answering(overview(port))
        url = f"http://127.0.0.1:{port}/mcp"
        await begin_sessions(url, 50)  # what is made once, on the first of them
        before = memory_of(process_id)
        await begin_sessions(url, SESSIONS)
        each = (memory_of(process_id) - before) * MEGABYTE / SESSIONS / 1_000
    detail = f"{SESSIONS} sessions of {LEGACY} on {before:.0f} MB"
    return [Figure("Memory of an idle session", each, "kB", SESSION_KB_GOAL, detail)]


async def measure(folder: Path) -> list[Figure]:
    fast, compiled = [await anyio.to_thread.run_sync(make) for make in (fastmcp, typescript)]
    figures = await beside_others(folder, fast, compiled)
    with postgres() as url:
        figures += await two_replicas(folder, url)
    return figures + await idle_sessions(folder)
