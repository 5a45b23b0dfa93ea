"""Write what the documentation repeats: tools, settings, commands, errors, the demo's output, what was measured.

python docs/generate.py            write all of it; runs both stories of the demo, for their output
python docs/generate.py --check    fail if a table is stale; the demo's output differs from run to run
"""
# ruff: noqa: INP001 - a script, not a package

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anyio
import typer.main
from typer.core import TyperGroup

from recontact_mcp.app import build_server
from recontact_mcp.cli.commands import app
from recontact_mcp.settings import Settings, variable
from recontact_tools.catalog import EVERYTHING, Operation, catalog
from recontact_tools.error_codes import EXPLANATIONS
from recontact_tools.errors import ErrorCode

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
DEMO = ROOT / "docs" / "demo.md"
CLIENTS = ROOT / "docs" / "clients.md"
ERRORS = ROOT / "docs" / "errors.md"
PERFORMANCE = ROOT / "docs" / "performance.md"
# Written by `python3 run.py bench --record`.
RECORDED = ROOT / "bench" / "recorded.json"
# ours: the steps that tell most; docs/demo.md has them all.
DEMO_STEPS = ("2", "3", "4", "7")


def block(name: str) -> re.Pattern[str]:
    """Match what lies between the markers of a generated block."""
    return re.compile(rf"(?<=<!-- generated:{name} -->\n).*?(?=<!-- end:{name} -->)", re.DOTALL)


def replaced(text: str, blocks: Mapping[str, str]) -> str:
    """Put each block between its markers.

    Raises:
        SystemExit: The text does not have exactly one pair of markers for a block.
    """
    for name, body in blocks.items():
        before, *old = block(name).split(text)
        if len(old) != 1:
            sys.exit(f"docs/generate.py: {len(old)} places are marked for {name}; one is expected")
        text = f"{before}\n{body}\n\n{old[0]}"
    return text


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Write a Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def effect(operation: Operation) -> str:
    """Say in a word what a tool may do, from the hints that clients see."""
    if operation.read_only:
        return "reads"
    if operation.destructive:
        return "removes, after a person agreed"
    if operation not in catalog(local_files=True):
        return "makes a ticket; over HTTP only"
    return "adds" if operation in catalog(local_files=False) else "stops; not over HTTP"


def tools() -> str:
    """List the tools: name, effect, first sentence of what the model reads."""
    rows = [
        (f"`{operation.name}`", effect(operation), first_sentence(inspect.getdoc(operation.run) or ""))
        for operation in EVERYTHING
    ]
    return table(("Tool", "Effect", "What it does"), rows)


def first_sentence(text: str) -> str:
    """Cut a docstring after its first full stop."""
    return f"{re.split(r'[.] |[.]$', ' '.join(text.split()), maxsplit=1)[0]}."


def settings() -> str:
    """List the settings: variable, default where it is a plain value, description."""
    rows = [
        (f"`{variable(name)}`", shown(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return table(("Variable", "Default", "Meaning"), rows)


def shown(default: object) -> str:
    """Spell a default, if it is a value that a person could write down."""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, float):
        return f"`{default:g}`"
    return f"`{default}`" if isinstance(default, int | str) else ""


def commands() -> str:
    """List the commands and the first line of each one's help."""
    rows: list[tuple[str, str]] = []
    for name, command in typer.main.get_group(app).commands.items():
        rows.append((f"`{name}`", command.get_short_help_str(limit=200)))
        if isinstance(command, TyperGroup):
            rows += [
                (f"`{name} {word}`", inner.get_short_help_str(limit=200)) for word, inner in command.commands.items()
            ]
    return table(("Command", "What it does"), rows)


def demo(story: str) -> str:
    """Tell a story of the demo without a terminal; answer what it shows, up to the advice with this machine's paths.

    Raises:
        CalledProcessError: The demo found something that is not as it should be.
    """
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    run = subprocess.run(  # noqa: S603 (the stories are ours)
        [sys.executable, "-m", "recontact_mcp", "demo", "--story", story, "--yes"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=environment,
        encoding="utf-8",
        check=True,
    )
    lines = [line.rstrip() for line in run.stdout.splitlines()]
    return "\n".join(lines).partition("\n╭─ Next")[0].strip()


def excerpt(shown: str) -> str:
    """Keep the steps that tell most."""
    steps = re.split(r"^(?=\d  )", shown, flags=re.MULTILINE)
    return "\n\n".join([*(step.strip() for step in steps if step.startswith(DEMO_STEPS)), "..."])


def fenced(text: str) -> str:
    """Write text as it is."""
    return f"```text\n{text}\n```"


def errors() -> str:
    """List the error codes: what brings each about, and what to do."""
    rows = [(f"`{code.value}`", EXPLANATIONS[code].cause, EXPLANATIONS[code].cure) for code in ErrorCode]
    return table(("Code", "Cause", "Cure"), rows)


def offers() -> str:
    """Say how much a client finds."""
    over_http = catalog(local_files=False)
    templates = anyio.run(build_server(Settings()).list_resource_templates)
    return (
        f"It finds {len(catalog(local_files=True))} tools over stdio, {len(over_http)} over HTTP "
        f"([which](../README.md#tools)), and {len(templates)} templates of resources."
    )


def measured() -> str:
    """Say when and where the recorded figures were measured: each part may have been at another time."""
    runs: dict[str, list[str]] = {}
    for part, recorded in json.loads(RECORDED.read_text("utf-8"))["parts"].items():
        place = recorded["machine"]
        said = (
            f"Measured on {place['measured_at'][:10]} with recontact-mcp {place['recontact_mcp']}, mcp {place['mcp']} "
            f"and Python {place['python']} on {place['system']} with {place['processors']} processors; "
            f"the load of other programs was {place['load']} when it began"
        )
        runs.setdefault(said, []).append(part)
    return "\n\n".join(f"{said}: {', '.join(parts)}." for said, parts in runs.items())


def figures() -> str:
    """List the recorded figures beside their goals."""
    parts = json.loads(RECORDED.read_text("utf-8"))["parts"].values()
    rows = [row for part in parts for row in part["rows"]]
    cells = [(row["what"], row["measured"], row["goal"], "yes" if row["met"] else "**no**") for row in rows]
    return table(("What", "Measured", "Goal", "Met"), cells)


# The pages with tables, and how each table is made.
TABLES: Mapping[Path, Mapping[str, Callable[[], str]]] = {
    README: {"tools": tools, "settings": settings, "commands": commands},
    CLIENTS: {"offers": offers},
    ERRORS: {"errors": errors},
    PERFORMANCE: {"measured": measured, "figures": figures},
}


def main() -> int:
    """Write the generated blocks, or only compare the tables; answer an exit code."""
    if "--check" in sys.argv[1:]:
        stale = [page for page in TABLES if fresh(page) != page.read_text("utf-8")]
        for page in stale:
            sys.stderr.write(f"{page.relative_to(ROOT)} is stale: run `python3 run.py docs` (or `make docs`)\n")
        return int(bool(stale))
    for page in TABLES:  # first: the demo takes a while and may fail
        page.write_text(fresh(page), "utf-8")
    shown, undo = demo("main"), demo("undo")
    README.write_text(replaced(README.read_text("utf-8"), {"demo": fenced(excerpt(shown))}), "utf-8")
    DEMO.write_text(replaced(DEMO.read_text("utf-8"), {"demo": fenced(shown), "demo-undo": fenced(undo)}), "utf-8")
    return 0


def fresh(page: Path) -> str:
    """Return a page with its tables as the program has them now."""
    return replaced(page.read_text("utf-8"), {name: make() for name, make in TABLES[page].items()})


if __name__ == "__main__":
    sys.exit(main())
