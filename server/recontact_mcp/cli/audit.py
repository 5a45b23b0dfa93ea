"""`recontact-mcp audit`: what was asked for, agreed to, sent and refused, and whether the record is whole."""

import json
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.markup import escape
from rich.table import Column

from recontact_mcp.access import LOCAL_PRINCIPAL
from recontact_mcp.cli.console import person, settings_or_stop, stop, titled
from recontact_mcp.storage import reading
from recontact_tools.errors import InvalidInput
from recontact_tools.guardrails import read_pasted
from recontact_tools.ledger import LedgerFault
from recontact_tools.ledger.audit import EVERY, before, verify
from recontact_tools.ledger.faults import NoLedger
from recontact_tools.ledger.trail import Recorded, Verdict, Wanted

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from recontact_mcp.settings import Settings

# What an entry's event is printed in, by how its name begins or ends; everything else is plain.
STYLES = {
    "confirmation_agreed": "bold yellow",
    "_refused": "red",
    "_failed": "red",
    "_unknown": "red",
    "_unsettled": "red",
    "_unanswered": "red",
    "_completed": "green",
    "_proved": "green",
}
# What tells the id of a job for the first time, and whose it is.
_BEGINS = frozenset({"request_accepted", "job_found"})
FAULTS = ("The ledger cannot be read.", "Look with `recontact-mcp doctor`, and keep it as it is.")


def audit(
    *,
    target_group: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only this target group: its id, or its Cint URL.", show_default=False),
    ] = None,
    job: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only this job, intent, replacement, snapshot or plan.", show_default=False),
    ] = None,
    last: Annotated[int, typer.Option(help="How many of the newest entries to show; 0 shows all.", min=0)] = 20,
    check: Annotated[
        bool, typer.Option("--verify", help="Check the chain of hashes instead, and say where it breaks.")
    ] = False,
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="HASH", help="Check, too, that a head noted earlier is still in the chain.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write only JSON, one object a line.")] = False,
) -> None:
    """Show the audit trail: every change that was asked for, agreed to, sent, refused, and how it ended.

    It works while servers run, and only reads. The exit code of --verify and --expect is 1 if the chain is broken
    or the noted head is not in it. Note the head that is printed: it is what shows later that no end was cut off.
    """
    settings = settings_or_stop()
    if check or expect is not None:
        _conclude(_verified(settings, expect), as_json=as_json)
        return
    wanted = Wanted(target_group_id=_group(target_group), job_id=job)
    entries, head = _read(settings, wanted, last)
    if as_json:
        for entry in entries:
            typer.echo(json.dumps(asdict(entry), sort_keys=True))
        return
    _show(entries, head)


def _group(target_group: str | None) -> str | None:
    if target_group is None:
        return None
    try:
        return read_pasted(target_group).target_group_id
    except InvalidInput:
        stop("--target-group is no target group.", cure="Give its 26 letters and digits, or its URL.", code=2)


def _read(settings: "Settings", wanted: Wanted, last: int) -> "tuple[list[Recorded], Recorded | None]":
    """Return the wanted entries, the oldest first, and the newest of all."""
    with _anticipating_faults(), suppress(NoLedger), reading(settings) as connection:
        entries = before(connection, None, wanted, last or EVERY)
        head = before(connection, None, Wanted(), 1)
        return entries[::-1], head[0] if head else None
    return [], None


def _verified(settings: "Settings", expected: str | None) -> Verdict:
    with _anticipating_faults(), suppress(NoLedger), reading(settings) as connection:
        return verify(connection, expected)
    return Verdict(expected=expected, found=expected is None)


@contextmanager
def _anticipating_faults() -> "Generator[None]":
    try:
        yield
    except LedgerFault:
        stop(*FAULTS)


def _show(entries: "Sequence[Recorded]", head: Recorded | None) -> None:
    console = person()
    if head is None:
        console.print("Nothing was recorded yet.")
        return
    table = titled("Audit trail", "No.", Column("When (UTC)", no_wrap=True), Column("Event", no_wrap=True))
    table.add_column("What", overflow="fold")
    group = None
    for entry in entries:
        table.add_row(
            f"{entry.seq}",
            entry.at[:19].replace("T", " "),
            f"[{style_of(entry.event)}]{escape(entry.event)}[/]",
            escape(_what(entry, group)),
        )
        group = entry.target_group_id
    console.print(table)
    console.print(f"{head.seq} entries in all. Head: {head.hash}", markup=False, soft_wrap=True)


def style_of(event: str) -> str:
    """Return what an event is printed in."""
    return next((style for ending, style in STYLES.items() if event.endswith(ending)), "none")


def _what(entry: Recorded, group: str | None) -> str:
    """Say what an entry is about; its target group only where it is not that of the entry before."""
    # Before the API has given a job its id, an upload or a removal goes by ours; snapshots and replacements always do.
    own = entry.subject if entry.subject in {"snapshot", "replacement"} else "intent"
    ids = {
        "job": entry.job_id,
        own: entry.intent_id if entry.job_id is None or entry.event in _BEGINS else None,
        "plan": None if entry.intent_id else entry.plan_id,
        "for": None if entry.principal == LOCAL_PRINCIPAL else entry.principal,
        "target group": None if entry.target_group_id == group else entry.target_group_id,
    }
    told = [
        f"{name} {value}" for name, value in {**entry.detail, **ids}.items() if value is not None and value is not False
    ]
    return ", ".join([entry.subject, *told])


def _conclude(verdict: Verdict, *, as_json: bool) -> None:
    """Say what the check has found.

    Raises:
        typer.Exit: With code 1, if the chain is broken or what was expected is not in it.
    """
    if as_json:
        typer.echo(json.dumps({**asdict(verdict), "holds": verdict.holds}))
        raise typer.Exit(int(not verdict.holds))
    if not verdict.holds:
        _complain(verdict)
    console = person()
    console.print(f"The chain holds: {verdict.count} entries.", style="green")
    console.print(f"Head: {verdict.head}", markup=False, soft_wrap=True)


def _complain(verdict: Verdict) -> NoReturn:
    if verdict.broken_at is not None:
        stop(
            f"The chain breaks at entry {verdict.broken_at}: {verdict.why}.",
            cure=f"{verdict.count} entries before it are as they were written. Keep the file as it is, with a copy.",
        )
    stop(
        f"The chain of {verdict.count} entries holds, but the noted head is not in it.",
        cure="Its end was cut off or the whole was written anew, or the head was noted of another data directory.",
    )
