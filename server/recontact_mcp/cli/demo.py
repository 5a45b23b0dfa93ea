"""`recontact-mcp demo`: the main job from end to end, on this machine, with nothing simulated."""

import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated

import anyio
import typer
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from recontact_mcp.cli.console import person, stop, typed
from recontact_mcp.cli.demo_client import Person, Surprise, connected
from recontact_mcp.cli.demo_file import MessyFile, write_messy_file
from recontact_mcp.cli.demo_screen import Screen
from recontact_mcp.cli.demo_story import Story
from recontact_mcp.cli.groups import leaves

# source: architecture.md, the recontact target group of a fresh embedded service
TARGET_GROUP_ID = "01BTGNYV6HRNK8K8VKZASZCFP1"
# source: cint-api.md 1.1, 10 to 15 minutes for 10,000; the embedded service takes the middle
DOCUMENTED_SECONDS_PER_ID = 750 / 10_000
IDS_MAX = 100_000
LOG_LINES = 20


@dataclass(frozen=True, slots=True)
class Workshop:
    """The demo's own directory: the server's data, the folder it may read files from, and its log."""

    folder: Path

    @property
    def uploads(self) -> Path:
        """The one upload root."""
        return self.folder / "recontacts"

    @property
    def log(self) -> Path:
        """What the server writes on stderr."""
        return self.folder / "server.log"

    def environment(self, *, pace: float) -> dict[str, str]:
        """Return all that the server is told."""
        return {
            "RECONTACT_DATA_DIR": str(self.folder / "data"),
            "RECONTACT_UPLOAD_ROOTS": str(self.uploads),
            "RECONTACT_PACE": f"{pace:.9f}",
            "RECONTACT_LOG_LEVEL": "WARNING",
        }


def demo(
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Type the confirmation for the user; without a terminal always.")
    ] = False,
    ids: Annotated[int, typer.Option(help="How many identifiers to upload.", min=1, max=IDS_MAX)] = 10_000,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the demo's directory and show where it is.")] = False,
    upload_seconds: Annotated[
        float, typer.Option(help="How long the upload is made to take; removals take a third.", min=0.5)
    ] = 5.0,
) -> None:
    """Watch an MCP client do the whole job: upload, follow, read, conflict, confirm, remove.

    A real client starts this program over stdio. The API behind it is the embedded service, slowed down so
    that there is something to follow: nothing leaves this machine, and no account is needed.
    """
    console = person()
    typing = None if yes or not _somebody_is_there(console) else _typing(console)
    with _workshop(console, keep=keep) as workshop:
        file = write_messy_file(workshop.uploads / "wave-1 respondents.csv", ids, random=Random())  # noqa: S311 (not a secret)
        _introduce(console, file)
        screen = Screen(console, time.perf_counter)
        pace = upload_seconds / (ids * DOCUMENTED_SECONDS_PER_ID)
        _conclude(workshop, file, screen, _surprises(workshop, file, screen, typing, pace=pace))


@contextmanager
def _workshop(console: Console, *, keep: bool) -> Generator[Workshop]:
    workshop = Workshop(Path(tempfile.mkdtemp(prefix="recontact-demo-")))
    try:
        workshop.uploads.mkdir()
        yield workshop
    finally:
        if keep:
            console.print(f"Kept: {workshop.folder}", markup=False)
        else:
            shutil.rmtree(workshop.folder, ignore_errors=True)


def _surprises(
    workshop: Workshop,
    file: MessyFile,
    screen: Screen,
    typing: Callable[[], Awaitable[str]] | None,
    *,
    pace: float,
) -> list[str]:
    """Run the story, and return what did not go as it must."""
    surprises: list[str] = []

    async def run() -> None:
        environment = workshop.environment(pace=pace)
        way = connected(environment, Person(), target_group_id=TARGET_GROUP_ID, log=workshop.log)
        async with way as session:
            await Story(session, screen, file, typing).tell()

    try:
        anyio.run(run)
    except* Surprise as group:
        surprises += [str(surprise) for surprise in leaves(group)]
    return surprises


def _conclude(workshop: Workshop, file: MessyFile, screen: Screen, surprises: Sequence[str]) -> None:
    """Close the story, or end the command with what went wrong.

    Raises:
        typer.Exit: With code 1, if a step did not go as it must.
    """
    if surprises:
        stop(f"The demo stopped: {surprises[0]}", cure=_log_tail(workshop.log))
    _close(screen, file)


def _log_tail(log: Path) -> str | None:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return "\n".join(("The end of the server's log:", *lines[-LOG_LINES:])) if lines else None


def _somebody_is_there(console: Console) -> bool:
    return console.is_terminal and sys.stdin.isatty()


def _typing(console: Console) -> Callable[[], Awaitable[str]]:
    async def ask() -> str:
        return await typed(console, "   your answer: ")

    return ask


def _introduce(console: Console, file: MessyFile) -> None:
    text = (
        "A real MCP client starts this program over stdio and does the main job with it. Nothing is simulated, "
        "nothing leaves this machine, and no account is needed: behind it is the embedded service, which stores, "
        "counts and removes for real.\n\n"
        f"The file: {file.ids:,} random identifiers as a spreadsheet exports them: a header, three columns, mixed "
        "case, Windows line ends, and some duplicates, blank lines and mistakes."
    )
    console.print(Panel(text, title="recontact-mcp demo", title_align="left", border_style="cyan", expand=False))


def _close(screen: Screen, file: MessyFile) -> None:
    screen.summary(
        {
            "uploaded": f"{file.ids:,} identifiers, counted by the server afterwards",
            "refused": "a second job while one ran, and a removal with the wrong words",
            "removed": "everything, after the right words",
        }
    )
    script = Path(sys.executable).with_name("recontact-mcp")
    program = escape(str(script) if script.exists() else f"{sys.executable} -m recontact_mcp")
    text = (
        f"[bold]Claude Code[/]   claude mcp add recontact --env RECONTACT_UPLOAD_ROOTS=~/recontacts -- {program}\n"
        f"[bold]Other hosts[/]   command: {program}\n"
        "[bold]Your files[/]    RECONTACT_UPLOAD_ROOTS=~/recontacts\n"
        "[bold]Cint[/]          CINT_CLIENT_ID, CINT_CLIENT_SECRET, CINT_ACCOUNT_ID, CINT_PROJECT_ID\n"
        f"[bold]Check it[/]      {program} doctor"
    )
    panel = Panel(text, title="Next: connect your assistant", title_align="left", border_style="green", expand=False)
    screen.console.print()
    screen.console.print(panel)
