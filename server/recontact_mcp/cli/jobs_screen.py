"""How what was started here is shown: to a person as a table with bars, to a program as one object a line."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from rich.console import RenderableType
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from recontact_mcp.access import LOCAL_PRINCIPAL
from recontact_mcp.cli.console import titled
from recontact_mcp.history import Line, Measured, counted, time_left
from recontact_tools.errors import Detail
from recontact_tools.models import JobKind, TargetGroup
from recontact_tools.progress import moved

# ours: so that a table of two lines each fits into 80 columns.
BAR_WIDTH = 14
_STYLES = {"Completed": "green", "Done": "green", "Failed": "red", "Stuck": "red", "Unknown": "red"}

Counts = Mapping[TargetGroup, int]


def table_of(lines: Sequence[Line], counts: Counts, *, bars: bool) -> Table:
    """Show lines; ids stand under each other in one column, whole, for an id that is cut cannot be copied.

    Who asked is told where there is more than one who did, or somebody who signed in.
    """
    asked = {line.principal for line in lines} != {LOCAL_PRINCIPAL}
    table = titled("What was started here", "Started", "Target group, job", "What", "Status", "Ends")
    table.columns[1].no_wrap = True
    table.columns[2].no_wrap = not asked
    for column in table.columns[2:4]:
        column.overflow = "fold"
    for line in lines:
        table.add_row(
            moment(line.created_at),
            f"{line.group.target_group_id}\n[dim]{escape(line.job_id)}[/]",
            _what(line, asked=asked),
            status_of(line),
            _progress(line, counts) if line.runs and bars else ends_of(line, counts),
        )
    return table


def _what(line: Line, *, asked: bool) -> Text:
    """Say what a line is, of how many IDs, and for whom; the issuer that knows them stands in the JSON only."""
    what = Text(line.kind)
    if line.ids is not None:
        what.append(f"\n{line.ids:,} IDs", style="dim")
    return what.append(f"\nfor {line.principal.rpartition('#')[2]}", style="dim") if asked else what


def moment(instant: datetime) -> str:
    """Write a time as the person's clock shows it."""
    return instant.astimezone().strftime("%d %b %H:%M")


def status_of(line: Line) -> Text:
    """Say how a line stands, and with which code it was refused."""
    style = _STYLES.get(line.status.split(",")[0], "yellow" if line.runs or "differs" in line.status else "")
    said = Text(line.status, style=style)
    return said if line.code in {None, "CANCELLED"} else said.append(f"\n{line.code}", style="dim")


def ends_of(line: Line, counts: Counts) -> str:
    """Say when a line ended, or what is known of when it will."""
    if line.ended_at is not None:
        return moment(line.ended_at)
    measured = measured_of(line, counts)
    known = f"\n{counted(measured)}" if measured else ""
    return f"{time_left(line)}{known}"


def measured_of(line: Line, counts: Counts) -> Measured | None:
    """Return how far a line is by what is counted: its snapshot, or the stored IDs where their number has moved."""
    kind = JobKind.REMOVAL if line.kind == "removal" else JobKind.UPLOAD
    seen = moved(kind, ids=line.ids, before=line.counted_from, stored=counts.get(line.group))
    if line.measured is not None or seen is None:
        return line.measured
    return Measured("removed" if line.kind == "removal" else "stored", seen.done, seen.total)


def _progress(line: Line, counts: Counts) -> RenderableType:
    """Show a bar of what is counted; where nothing is, one of the time, dim and called an estimate."""
    measured = measured_of(line, counts)
    if measured is not None:
        bar = ProgressBar(total=max(1, measured.total), completed=measured.done, width=BAR_WIDTH)
        return _over(bar, Text(counted(measured)))
    whole = line.elapsed + line.left.high
    bar = ProgressBar(total=max(1.0, whole), completed=line.elapsed, width=BAR_WIDTH, complete_style="bright_black")
    return _over(bar, Text(f"estimate: {time_left(line)}", style="dim"))


def _over(bar: ProgressBar, text: Text) -> Table:
    """Put a bar above its words; it ends no line by itself."""
    rows = Table.grid()
    rows.add_row(bar)
    rows.add_row(text)
    return rows


def told(line: Line, counts: Counts) -> str:
    """Write one line of a log about a line."""
    ends = ends_of(line, counts).replace("\n", ", ")
    asked = "" if line.principal == LOCAL_PRINCIPAL else f" for {line.principal}"
    return f"{line.kind} {line.job_id}{asked}: {line.status}, {'ended ' if line.ended_at else ''}{ends}"


def as_object(line: Line, counts: Counts) -> dict[str, Detail]:
    """Return a line for a program: times in UTC, no IDs."""
    measured, proof = measured_of(line, counts), line.proof
    return {
        "created_at": line.created_at.astimezone(UTC).isoformat(),
        "principal": line.principal,
        "account_id": line.group.account_id,
        "project_id": line.group.project_id,
        "target_group_id": line.group.target_group_id,
        "kind": line.kind,
        "job_id": line.job_id,
        "ids": line.ids,
        "status": line.status,
        "running": line.runs,
        "ended_at": line.ended_at.astimezone(UTC).isoformat() if line.ended_at else None,
        "eta_seconds": {"low": line.left.low, "high": line.left.high} if line.runs else None,
        "counted": {"what": measured.what, "done": measured.done, "total": measured.total} if measured else None,
        "error_code": line.code,
        "proof": {"equal": proof.is_equal, "missing": proof.missing, "extra": proof.extra} if proof else None,
    }


def as_json(line: Line, counts: Counts) -> str:
    """Write a line as one object on one line."""
    return json.dumps(as_object(line, counts))
