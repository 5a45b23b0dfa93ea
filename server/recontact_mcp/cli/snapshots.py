"""`recontact-mcp snapshots`: the lists that were kept before removals."""

# Imports stand inside the functions that need them: `--help` does not pay for the ledger.
# ruff: noqa: PLC0415

import json
import os
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from recontact_mcp.cli.console import agreed_or_stop, person, settings_or_stop, stop, titled
from recontact_mcp.cli.records import kept_snapshots, with_ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recontact_mcp.settings import Settings
    from recontact_tools.errors import Detail
    from recontact_tools.ledger import Ledger, Snapshot

snapshots = typer.Typer(name="snapshots", invoke_without_command=True, rich_markup_mode="markdown")
SnapshotId = Annotated[str, typer.Argument(help="The id that `recontact-mcp snapshots` shows.", show_default=False)]


@snapshots.callback()
def show(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write only JSON: one object a line.")] = False,
) -> None:
    """Show the lists of IDs that were kept before removals: how many, of which target group, and until when."""
    if context.invoked_subcommand is not None:
        return
    kept = kept_snapshots(settings_or_stop())
    if as_json:
        for snapshot in kept:
            typer.echo(json.dumps(_as_object(snapshot)))
    elif kept:
        _print(kept)
    else:
        person().print("No snapshot is kept here. One is taken before every removal.")


@snapshots.command()
def delete(
    snapshot_id: SnapshotId,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; without a terminal needed.")] = False,
) -> None:
    """Delete a snapshot: what it holds cannot be restored any more."""
    settings = settings_or_stop()
    snapshot = _named(settings, snapshot_id)
    question = (
        f"Delete the snapshot of {snapshot.count:,} IDs of target group {snapshot.group.target_group_id}? "
        "It cannot be restored then."
    )
    anyio.run(partial(agreed_or_stop, question, yes=yes))
    if with_ledger(settings, partial(_delete, snapshot=snapshot), otherwise=False):
        person().print(f"Deleted: {snapshot_id}.", markup=False)
        return
    stop(
        "Work that still runs needs this snapshot; nothing was deleted.",
        cure="recontact-mcp jobs shows what runs. Delete it when that has ended.",
    )


@snapshots.command()
def export(
    snapshot_id: SnapshotId,
    file: Annotated[Path, typer.Argument(help="A file that does not exist yet.", show_default=False)],
) -> None:
    """Write the IDs of a snapshot into a new file, one a line, that only you can read. They are personal data."""
    settings = settings_or_stop()
    snapshot = _named(settings, snapshot_id)
    if not snapshot.is_complete:
        stop(
            f"This snapshot is not complete: {snapshot.count:,} of {snapshot.expected:,} IDs were read.",
            cure="Nothing is removed before its snapshot is complete: all of them are stored at Cint.",
        )
    content = with_ledger(settings, partial(_content, settings=settings, snapshot=snapshot), otherwise=b"")
    path = file.expanduser()
    try:
        write_new_file(path, content)
    except FileExistsError:
        stop("The file exists already; nothing was written.", cure="Name one that does not exist.")
    except OSError:
        stop("The file cannot be written.", cure="Check its directory, and that you may write there.")
    person().print(f"{snapshot.count:,} IDs written. They are personal data: delete the file when it is done with.")


def _named(settings: "Settings", snapshot_id: str) -> "Snapshot":
    """Return the snapshot of that id.

    Raises:
        typer.Exit: There is none.
    """
    named = [one for one in kept_snapshots(settings) if one.snapshot_id == snapshot_id.upper()]
    if not named:
        stop("There is no such snapshot here.", cure="recontact-mcp snapshots shows what is kept.")
    return named[0]


async def _delete(ledger: "Ledger", *, snapshot: "Snapshot") -> bool:
    """Delete a snapshot, unless its removal, a replacement, or a restore and its proof still need it."""
    from recontact_tools.proving import FROM_SNAPSHOT

    needed: set[str] = set()
    for running in await ledger.replacements.unsettled():
        needed |= {part.intent_id for part in await ledger.replacements.parts(running.replacement_id)}
    for intent in (*await ledger.unsettled(), *await ledger.unproved()):
        needed |= {intent.intent_id, (intent.restores or "").removeprefix(FROM_SNAPSHOT)}
    if snapshot.snapshot_id in needed:
        return False
    return await ledger.snapshots.delete(snapshot.snapshot_id, now=datetime.now(UTC))


async def _content(ledger: "Ledger", *, settings: "Settings", snapshot: "Snapshot") -> bytes:
    from recontact_mcp.decided import seal_of
    from recontact_tools.ledger.entries import Event, about
    from recontact_tools.sealed_lists import ids_of, lines_of

    ids = await ids_of(ledger, seal_of(settings), snapshot.snapshot_id)
    exported = about(
        snapshot.group,
        Event.SNAPSHOT_EXPORTED,
        "snapshot",
        at=datetime.now(UTC),
        principal=snapshot.principal,
        ids=len(ids),
    )
    await ledger.audit.record(replace(exported, intent_id=snapshot.snapshot_id))
    return lines_of(ids)


def write_new_file(path: Path, content: bytes) -> None:
    """Write a new file that is nobody else's, whole or not at all.

    Raises:
        FileExistsError: There is one.
        OSError: It cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise


def _print(kept: "Sequence[Snapshot]") -> None:
    from recontact_mcp.cli.jobs_screen import moment

    table = titled("Snapshots", "Snapshot, target group", "Taken")
    table.add_column("IDs", justify="right")
    table.add_column("Complete")
    table.add_column("Kept until")
    table.columns[0].no_wrap = True
    for one in kept:
        complete = "[green]yes[/]" if one.is_complete else f"[yellow]no, of {one.expected:,}[/]"
        ids, where = f"{one.count:,}", f"{one.snapshot_id}\n[dim]{one.group.target_group_id}[/]"
        table.add_row(where, moment(one.created_at), ids, complete, moment(one.expires_at))
    person().print(table)


def _as_object(snapshot: "Snapshot") -> "dict[str, Detail]":
    return {
        "snapshot_id": snapshot.snapshot_id,
        "account_id": snapshot.group.account_id,
        "project_id": snapshot.group.project_id,
        "target_group_id": snapshot.group.target_group_id,
        "created_at": snapshot.created_at.astimezone(UTC).isoformat(),
        "ids": snapshot.count,
        "complete": snapshot.is_complete,
        "expires_at": snapshot.expires_at.astimezone(UTC).isoformat(),
    }
