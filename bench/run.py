"""Measure what the project promises about speed and memory, print a table, write bench/results.json.

python -m bench.run             all of it, in some ten minutes; exits with 1 where a goal is missed
python -m bench.run --record    also keep the results in bench/recorded.json, and make docs/performance.md of them
python -m bench.run PART ...    only these parts; with --record, what is recorded of the others stays: preflight,
                                uploads, undo, service, postgres, gateway, server, startup, following, http, remote
"""

import json
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TypedDict

import anyio
from bench import following, gateway, http, postgres, preflight, remote, server, service, startup, undo, uploads
from bench.figures import Figure, Row
from bench.preflight import WIDE
from docs.generate import PERFORMANCE, RECORDED, fresh
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).with_name("results.json")
# source: the issue "Spine", speed and memory: 7 times as fast on a clean file, 3 times on any other
PREFLIGHT_GOALS = {"clean lines": 7, WIDE: 1}  # ours: the wide one has four times the bytes of its ids
PREFLIGHT_GOAL = 3
PEAK_GOAL_MB = 60


def measure_preflight(_folder: Path) -> list[Figure]:
    figures: list[Figure] = []
    for kind, found in preflight.measure().items():
        lines, goal = f"Preflight of 100,000 {kind}", PREFLIGHT_GOALS.get(kind, PREFLIGHT_GOAL)
        detail = f"{found['ms']:.0f} ms against {found['naive_ms']:.0f} ms"
        figures += [
            Figure(f"{lines}: times faster than uuid.UUID", found["ratio"], "x", goal, detail, least=True),
            Figure(f"{lines}: peak memory of the process", found["peak_mb"], "MB", PEAK_GOAL_MB),
        ]
    return figures


def in_loop(work: Callable[[Path], Awaitable[list[Figure]]], folder: Path) -> list[Figure]:
    """Run an async part on the event loop that the product runs on."""
    return anyio.run(partial(work, folder))


PARTS: Mapping[str, Callable[[Path], list[Figure]]] = {
    "preflight": measure_preflight,
    "uploads": partial(in_loop, uploads.measure),
    "undo": partial(in_loop, undo.measure),
    "service": partial(in_loop, service.measure),
    "postgres": partial(in_loop, postgres.measure),
    "gateway": partial(in_loop, gateway.measure),
    "server": partial(in_loop, server.measure),
    "remote": partial(in_loop, remote.measure),
    "startup": startup.measure,
    "following": following.measure,
    "http": partial(in_loop, http.measure),
}


class Part(TypedDict):
    """A part as it was measured, and where."""

    machine: dict[str, str]
    rows: list[Row]


class Results(TypedDict):
    """What is written down."""

    parts: dict[str, Part]


def measure(parts: Sequence[str], console: Console) -> dict[str, list[Figure]]:
    """Run the parts one after the other, each in an empty directory of its own."""
    figures: dict[str, list[Figure]] = {}
    for part in parts:
        with console.status(f"measuring: {part}"), tempfile.TemporaryDirectory() as folder:
            figures[part] = PARTS[part](Path(folder).resolve())
    return figures


def shown(figures: Sequence[Figure]) -> Table:
    table = Table("What", "Measured", "Goal", "Met")
    for figure in figures:
        row = figure.row()
        table.add_row(row["what"], row["measured"], row["goal"], "ok" if figure.met else "[bold red]over[/]")
    return table


def machine() -> dict[str, str]:
    """Say what the figures come from: without it they mean nothing elsewhere."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "recontact_mcp": version("recontact-mcp"),
        "mcp": version("mcp"),
    }


def recorded_with(old: Results, new: Results) -> Results:
    """Return what is recorded with newly measured parts in place of the same ones."""
    joined = {**old["parts"], **new["parts"]}
    return {"parts": {part: joined[part] for part in PARTS if part in joined}}


def main(words: Sequence[str]) -> int:
    parts = [word for word in words if word != "--record"]
    if not set(parts) <= PARTS.keys():
        sys.stderr.write(f"{__doc__}\n")
        return 2
    logging.disable(logging.CRITICAL)
    console = Console(width=None if sys.stdout.isatty() else 140)
    place = machine()  # as it is before we load it ourselves
    found = measure(parts or [*PARTS], console)
    figures = [figure for of_part in found.values() for figure in of_part]
    console.print(shown(figures))
    results: Results = {
        "parts": {
            part: {"machine": place, "rows": [figure.row() for figure in of_part]} for part, of_part in found.items()
        }
    }
    if not parts:
        RESULTS.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    if "--record" in words:
        old: Results = json.loads(RECORDED.read_text("utf-8"))
        RECORDED.write_text(json.dumps(recorded_with(old, results), indent=2) + "\n", "utf-8")
        PERFORMANCE.write_text(fresh(PERFORMANCE), "utf-8")
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
