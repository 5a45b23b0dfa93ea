"""`recontact-mcp restore`: put back what a removal took, by the very tools that an assistant has."""

# Imports stand inside the functions that need them: `--help` does not pay for the SDK.
# ruff: noqa: PLC0415

from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from recontact_mcp.cli.console import agreed_or_stop, complain, person, settings_or_stop, stop, titled
from recontact_mcp.cli.jobs import INTERRUPTED, named_group
from recontact_mcp.cli.records import kept_snapshots
from recontact_mcp.groups import leaves

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, NoReturn

    from recontact_mcp.settings import Settings
    from recontact_tools.ledger import Snapshot


def restore(
    snapshot_id: Annotated[
        str | None,
        typer.Argument(help="The id that `recontact-mcp snapshots` shows. Default: the latest.", show_default=False),
    ] = None,
    *,
    target_group: Annotated[
        str | None,
        typer.Option(help="Target group, by id or Cint URL; needed without a snapshot.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; without a terminal needed.")] = False,
) -> None:
    """Undo a removal: upload the snapshot taken before it, and prove that exactly it is stored.

    First it shows what that would do, and asks. It adds: what was stored meanwhile stays. The exit code is 0 if
    everything was restored and proved, and 1 if it was refused, or if something else is stored than the snapshot.
    """
    from recontact_mcp.cli.restoring import Refusal, Restoring
    from recontact_mcp.logs import configure

    settings, group = settings_or_stop(), named_group(target_group)
    if snapshot_id is None and group is None:
        stop("Nothing says what to restore.", cure="Give a snapshot, or --target-group for its latest one.", code=2)
    snapshot = _chosen(settings, snapshot_id, group)
    configure("WARNING", settings.log_format)
    restoring = Restoring(settings, snapshot, person(), agree=lambda preview: _agree(snapshot, preview, yes=yes))
    proved = False
    trouble: list[BaseException] = []
    try:
        proved = anyio.run(restoring.run)
    except* (Refusal, typer.Exit) as group:
        trouble += leaves(group)
    except* KeyboardInterrupt:
        trouble.append(typer.Exit(INTERRUPTED))
        complain(restoring.interrupted)
    _end(trouble, proved=proved)


def _end(trouble: "Sequence[BaseException]", *, proved: bool) -> "NoReturn":
    """End the command with what came of it.

    Raises:
        typer.Exit: Always.
    """
    from recontact_mcp.cli.restoring import Refusal

    for error in trouble:
        if isinstance(error, Refusal):
            stop(str(error), cure=error.cure)
        raise error
    raise typer.Exit(0 if proved else 1)


def _chosen(settings: "Settings", snapshot_id: str | None, group: str | None) -> "Snapshot":
    """Return the snapshot that is meant: by its id, or the latest complete one of the target group.

    Raises:
        typer.Exit: There is none.
    """
    meant = [
        one
        for one in kept_snapshots(settings)
        if one.is_complete
        and one.snapshot_id == (snapshot_id or one.snapshot_id).upper()
        and one.group.target_group_id == (group or one.group.target_group_id)
    ]
    if not meant:
        stop("No such complete snapshot is kept here.", cure="recontact-mcp snapshots shows what is kept.")
    return meant[0]


async def _agree(snapshot: "Snapshot", preview: "Mapping[str, Any]", *, yes: bool) -> None:
    """Show what a restore would do, and ask.

    Raises:
        typer.Exit: The person does not want it.
    """
    show_preview(snapshot, preview)
    await agreed_or_stop(f"Upload the {snapshot.count:,} IDs of the snapshot?", yes=yes)


def show_preview(snapshot: "Snapshot", preview: "Mapping[str, Any]") -> None:
    """Show what a restore would do, and why something of it is not known."""
    from recontact_mcp.cli.jobs_screen import moment

    known, new = preview["already_stored"], preview["new"]
    extra = None if known is None else preview["stored_now"] - known
    table = titled(f"Restore target group {snapshot.group.target_group_id}", "What")
    table.add_column("IDs", justify="right")
    table.add_row(f"Snapshot of {moment(snapshot.created_at)}", f"{snapshot.count:,}")
    for what, count in (
        ("New: will be stored again", new),
        ("Already stored", known),
        ("Extra: stored, but not in the snapshot; stays", extra),
    ):
        table.add_row(what, "not compared" if count is None else f"{count:,}")
    console = person()
    console.print(table)
    if preview["not_compared_because"]:
        console.print(preview["not_compared_because"], markup=False)
