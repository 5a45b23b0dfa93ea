"""`recontact-mcp demo`: a story from end to end, on this machine, with nothing simulated."""

import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Annotated

import anyio
import typer
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from recontact_mcp.cli.console import person, stop, typed
from recontact_mcp.cli.demo_client import Era, Surprise
from recontact_mcp.cli.demo_file import MessyFile, write_messy_file
from recontact_mcp.cli.demo_plots import PLOTS, StoryName
from recontact_mcp.cli.demo_screen import Screen
from recontact_mcp.cli.demo_steps import Typing
from recontact_mcp.cli.demo_workshop import Workshop, workshop
from recontact_mcp.cli.endings import ending_like_an_interrupt
from recontact_mcp.groups import leaves

IDS_MAX = 100_000


def demo(
    *,
    story: Annotated[
        StoryName, typer.Option(help="main is the whole job; undo removes by mistake, and restores.")
    ] = StoryName.MAIN,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Type the confirmation for the user; without a terminal always.")
    ] = False,
    era: Annotated[Era, typer.Option(help="The client's protocol: MCP 2026-07-28, or the one before it.")] = Era.MODERN,
    ids: Annotated[int, typer.Option(help="How many identifiers to upload.", min=1, max=IDS_MAX)] = 10_000,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the demo's directory and show where it is.")] = False,
    upload_seconds: Annotated[
        float, typer.Option(help="How long an upload is made to take; removals take a third.", min=0.5)
    ] = 5.0,
) -> None:
    """Watch an MCP client do the whole job: upload, follow, read, conflict, confirm, remove.

    A real client starts this program over stdio. The API behind it is the embedded service, slowed down so
    that there is something to follow: nothing leaves this machine, and no account is needed.
    """
    console, plot = person(), PLOTS[story]
    typing = None if yes or not _somebody_is_there(console) else partial(typed, console, "   your answer: ")
    with ending_like_an_interrupt(), workshop(console, keep=keep, ids=ids, upload_seconds=upload_seconds) as place:
        file = write_messy_file(place.uploads / "wave-1 respondents.csv", ids, random=Random())  # noqa: S311 (not a secret)
        _introduce(console, plot.introduction, file)
        screen = Screen(console, time.perf_counter)
        _conclude(place, screen, plot.results(file), _surprises(story, place, file, screen, typing, era))


def _surprises(
    story: StoryName, place: Workshop, file: MessyFile, screen: Screen, typing: Typing, era: Era
) -> list[str]:
    """Run the story, and return what did not go as it must."""
    surprises: list[str] = []
    try:
        anyio.run(PLOTS[story].tell, place, file, screen, typing, era)
    except* Surprise as group:
        surprises += map(str, leaves(group))
    return surprises


def _conclude(place: Workshop, screen: Screen, results: Mapping[str, str], surprises: Sequence[str]) -> None:
    """Close the story, or end the command with what went wrong.

    Raises:
        typer.Exit: With code 1, if a step did not go as it must.
    """
    if surprises:
        stop(f"The demo stopped: {surprises[0]}", cure=place.log_tail())
    _close(screen, results)


def _somebody_is_there(console: Console) -> bool:
    return console.is_terminal and sys.stdin.isatty()


def _introduce(console: Console, introduction: str, file: MessyFile) -> None:
    text = (
        f"{introduction}\n\n"
        f"The file: {file.ids:,} random identifiers as a spreadsheet exports them: a header, three columns, mixed "
        "case, Windows line ends, and some duplicates, blank lines and mistakes."
    )
    console.print(Panel(text, title="recontact-mcp demo", title_align="left", border_style="cyan", expand=False))


def _close(screen: Screen, results: Mapping[str, str]) -> None:
    screen.summary(results)
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
