"""How commands speak to a person: one console, one way to end with a problem."""

import json
import sys
from typing import TYPE_CHECKING, NoReturn

import anyio
import typer
from rich import box
from rich.console import Console
from rich.table import Column, Table

from recontact_mcp.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recontact_tools.errors import Detail

# ours: what a log viewer shows without wrapping, where there is no terminal to ask.
WIDTH_WITHOUT_TERMINAL = 100


def person(*, stderr: bool = False) -> Console:
    """Return a console on stdout, or on stderr; colours and boxes are plain where nobody watches."""
    console = Console(highlight=False, emoji=False, stderr=stderr)
    if not console.is_terminal:
        console.width = WIDTH_WITHOUT_TERMINAL
    return console


def titled(title: str, *columns: Column | str) -> Table:
    """Return a table in the one style that all commands use."""
    return Table(*columns, title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)


def complain(message: str, *, cure: str | None = None) -> None:
    """Write what went wrong on stderr, and what to do about it."""
    console = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)
    console.print(message, style="bold red", markup=False)
    if cure:
        console.print(cure, markup=False)


def stop(message: str, cure: str | None = None, *, code: int = 1) -> NoReturn:
    """End the command with a problem.

    Raises:
        typer.Exit: Always, with *code*.
    """
    complain(message, cure=cure)
    raise typer.Exit(code)


async def typed(console: Console, prompt: str) -> str:
    """Ask for a line at the terminal, while everything else goes on."""
    console.print(prompt, end="", markup=False)
    # Not in a thread: one that waits for a line would outlive Ctrl-C.
    await anyio.wait_readable(sys.stdin.fileno())
    return sys.stdin.readline().strip()


async def agreed_or_stop(question: str, *, yes: bool) -> None:
    """Ask the person at the terminal, unless *yes* says that they agree.

    Raises:
        typer.Exit: They do not agree, or nobody is there to be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        stop("There is no terminal to ask at; nothing was done.", cure="Repeat the command with --yes.")
    answer = await typed(person(), f"{question} [y/N] ")
    if answer.lower() not in {"y", "yes"}:
        stop("Nothing was done.")


def settings_or_stop() -> Settings:
    """Read the settings, or end the command with what is wrong with them.

    Raises:
        typer.Exit: With code 2, if they do not fit.
    """
    try:
        return load_settings()
    except SettingsError as error:
        stop(
            "The settings do not fit together.",
            cure="\n".join(error.problems) + "\nEvery setting: recontact-mcp doctor",
            code=2,
        )


def write_json(answer: "Mapping[str, Detail]") -> None:
    """Write an answer for a program: JSON on stdout and nothing else."""
    typer.echo(json.dumps(answer, indent=2))
