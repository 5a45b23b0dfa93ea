"""`recontact-mcp jobs`: what was started from this data directory, and how it stands."""

# Imports stand inside the functions that need them: `--help` does not pay for the ledger.
# ruff: noqa: PLC0415

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from recontact_mcp.cli.console import person, settings_or_stop, stop
from recontact_mcp.cli.records import place_of, with_ledger
from recontact_tools.errors import InvalidInput

if TYPE_CHECKING:
    from recontact_mcp.history import Line
    from recontact_tools.ledger import Ledger

LAST = 20  # ours: a screen full
LAST_MOST = 1_000
# source: POSIX shells, 128 + SIGINT
INTERRUPTED = 130


def jobs(
    *,
    last: Annotated[int, typer.Option(help="How many, the latest first.", min=1, max=LAST_MOST)] = LAST,
    target_group: Annotated[
        str | None, typer.Option(help="Only those of this target group: its id or Cint URL.", show_default=False)
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep showing how they stand, until nothing runs or you press Ctrl-C.")
    ] = False,
    ask: Annotated[
        bool, typer.Option("--ask", help="With --watch: ask the API for the stored count of what runs.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write only JSON: one object a line; with --watch, one for each change.")
    ] = False,
) -> None:
    """List the uploads, removals, restores and replacements started here: when, how many IDs, status, end.

    It reads what the servers on this data directory have written down, beside them, and starts nothing. A bar shows
    what is counted: a snapshot, or with --ask the stored IDs. Where nothing is, it shows the time and says "estimate".
    """
    from recontact_mcp.decided import pace_of
    from recontact_mcp.history import history

    settings, group = settings_or_stop(), named_group(target_group)

    async def read(ledger: "Ledger") -> "tuple[Line, ...]":
        return await history(ledger, target_group_id=group, last=last, now=datetime.now(UTC), pace=pace_of(settings))

    nothing: tuple[Line, ...] = ()
    lines = with_ledger(settings, read, otherwise=nothing)
    if not (watch and lines):
        _show(lines, place_of(settings), as_json=as_json)
        return
    from recontact_mcp.cli.jobs_watch import Watch

    try:
        with_ledger(settings, Watch(settings, read, asks=ask, as_json=as_json).run, otherwise=None)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def named_group(text: str | None) -> str | None:
    """Return the id of a target group that a person named by its id or its URL.

    Raises:
        typer.Exit: With code 2, if the text names none.
    """
    from recontact_tools.guardrails import read_pasted

    if text is None:
        return None
    try:
        return read_pasted(text).target_group_id
    except InvalidInput as refusal:
        stop(refusal.message, code=2)


def _show(lines: "tuple[Line, ...]", looked_in: str, *, as_json: bool) -> None:
    from recontact_mcp.cli import jobs_screen

    if as_json:
        for line in lines:
            typer.echo(jobs_screen.as_json(line, {}))
        return
    if lines:
        person().print(jobs_screen.table_of(lines, {}, bars=False))
    else:
        person().print(f"Nothing was started yet in {looked_in}.", markup=False, soft_wrap=True)
