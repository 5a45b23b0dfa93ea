"""`recontact-mcp check FILE`: what an upload of this file would send, without sending it."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.panel import Panel
from rich.table import Table

from recontact_mcp.cli.console import complain, person, titled, write_json
from recontact_tools.errors import ErrorCode, InvalidInput
from recontact_tools.identifiers import Dropped, RespondentFile, read_identifiers, report
from recontact_tools.identifiers.respondent_file import RAW_BYTES_MAX
from recontact_tools.models import IdType

# What each class of dropped lines is called on a screen.
WORDS = {
    "duplicate": "already seen in this file",
    "blank": "blank",
    "malformed": "not an identifier",
    "numeric": "a whole number, not an identifier",
    "no_hyphens": "32 digits without hyphens",
    "formula": "a spreadsheet formula",
    "not_text": "not text",
    "header": "header",
}


def check(
    file: Annotated[Path, typer.Argument(help="CSV or TXT file with identifiers.", show_default=False)],
    *,
    column: Annotated[
        str | None,
        typer.Option(
            help="Header or number (from 1) of the column with the identifiers. Default: it is found.",
            show_default=False,
        ),
    ] = None,
    id_type: Annotated[
        IdType, typer.Option(help="What the identifiers are: respondent ids, or response ids that Cint maps.")
    ] = IdType.RSID,
    as_json: Annotated[bool, typer.Option("--json", help="Write only JSON.")] = False,
) -> None:
    """Check an identifier file before an upload: what would be sent, what would be dropped, and why.

    Nothing is sent, and no identifier is shown: only counts, reasons and line numbers.
    The exit code is 0 if the file could be uploaded, and 1 if not.
    """
    try:
        checked = read_identifiers(_content(file), column=column, id_type=id_type)
    except InvalidInput as refusal:
        if as_json:
            write_json({"ok": False, "error": refusal.as_dict()})
        else:
            _show_refusal(refusal)
        raise typer.Exit(1) from None
    if as_json:
        write_json({"ok": True, "file": report(checked)})
        return
    _show(checked)


def _content(file: Path) -> bytes:
    try:
        # Not to wait for a pipe that nobody writes into; and no device ends.
        opened = os.open(file.expanduser(), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(opened, "rb") as source:  # noqa: PTH123 (it is open already)
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise IsADirectoryError
            # One byte more than is allowed is enough to be refused for its size.
            return source.read(RAW_BYTES_MAX + 1)
    except (OSError, RuntimeError):
        raise InvalidInput(
            "The file cannot be read.",
            code=ErrorCode.FILE_NOT_READABLE,
            next_step="Check its name, and that you may read it.",
        ) from None


def _show(file: RespondentFile) -> None:
    console = person()
    facts = Table.grid(padding=(0, 2))
    facts.add_row("Lines read", f"{file.lines:,}")
    facts.add_row("Column", file.column or "the only one")
    facts.add_row("Would be sent", f"[bold]{file.ids:,}[/] identifiers, {len(file.content):,} bytes")
    console.print(Panel(facts, title="Ready to upload", border_style="green", expand=False))
    if file.dropped:
        console.print(dropped_table((one.kind, one.count, one.lines) for one in _by_count(file.dropped)))
    for hint in file.hints:
        console.print(f"Note: {hint}", style="yellow", markup=False)


def _show_refusal(refusal: InvalidInput) -> None:
    complain(refusal.message, cure=refusal.next_step)
    dropped = cast("list[dict[str, Any]]", refusal.details.get("dropped", []))
    if dropped:
        rows = [(line["kind"], line["count"], line["lines"]) for line in dropped]
        # Beside the sentences: stdout is kept for files that could be sent.
        person(stderr=True).print(dropped_table(sorted(rows, key=lambda row: -row[1])))


def _by_count(dropped: Iterable[Dropped]) -> list[Dropped]:
    return sorted(dropped, key=lambda one: -one.count)


def dropped_table(rows: Iterable[tuple[str, int, Iterable[int]]]) -> Table:
    """Show why lines would not be sent, or were not: reason, count, first line numbers."""
    table = titled("Lines left out", "Reason")
    table.add_column("Lines", justify="right")
    table.add_column("First line numbers", overflow="fold")
    for kind, count, lines in rows:
        numbers = [f"{line:,}" for line in lines]
        more = " ..." if count > len(numbers) else ""
        table.add_row(WORDS.get(kind, kind), f"{count:,}", ", ".join(numbers) + more)
    return table
