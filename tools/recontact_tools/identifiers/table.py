"""Reading a table: the delimiter, the column of ids, and the ids in it."""

import csv
import io
from collections.abc import Iterator
from itertools import chain

from recontact_tools.identifiers.cells import DELIMITERS, id_in, ids_in, kind_of
from recontact_tools.identifiers.clean import WIDTH
from recontact_tools.identifiers.columns import Layout, choose_column
from recontact_tools.identifiers.refusals import not_a_list
from recontact_tools.identifiers.scan import Scan, distinct
from recontact_tools.models import IdType

OTHER_COLUMNS_HINT = "Other columns hold identifiers too; only the named one was read."

_PROBE = 1_000  # ours: records with ids that are enough to tell columns apart
_SAMPLE = 100  # ours: lines from the top, and as many from all over, that show the delimiter
_QUOTED_LINES_MAX = 50  # ours: no cell of an export has more lines; an unclosed quote swallows the rest


def read_table(text: bytes, *, column: str | None, id_type: IdType) -> Scan:
    """Read one column of a delimited file.

    *text* has LF line ends, the last line included. *column* is a header or a number from 1.

    Raises:
        InvalidInput: INVALID_FILE when the column is not certain or a quote is never closed.
    """
    decoded = text.decode("utf-8", "replace")
    delimiter = _delimiter(decoded)
    layout = choose_column(_probe(decoded, delimiter), column=column, id_type=id_type)
    lines = text.count(b"\n")
    scan = Scan([], [], lines=lines, sent=(b"", 0), column=layout.label, delimiter=delimiter)
    others = _read_column(scan, _records(decoded, delimiter), layout)
    scan.hints = (OTHER_COLUMNS_HINT,) if others else ()
    scan.sent = distinct(scan.ids)
    return scan


def _read_column(scan: Scan, records: Iterator[tuple[int, list[str]]], layout: Layout) -> bool:
    """Collect the ids of one column; return whether other columns hold ids too."""
    numbers: list[int] = []
    others = False
    for place, (number, row) in enumerate(records):
        cell = row[layout.index] if layout.index < len(row) else ""
        ids, foreign = ids_in(cell)
        if place == layout.header:
            scan.header = cell
            scan.tally.add("header", number)
        elif ids and not foreign:
            scan.ids.extend(ids)
            numbers.extend([number] * len(ids))
        else:
            scan.tally.add("malformed" if ids else kind_of(cell), number)
        others = others or _holds_other_id(row, layout.index)
    scan.numbers = numbers
    return others


def _holds_other_id(row: list[str], index: int) -> bool:
    return any(place != index and len(cell) >= WIDTH and id_in(cell) for place, cell in enumerate(row))


def _probe(text: str, delimiter: str) -> list[list[str]]:
    """Return the first records, up to the thousandth that holds an id."""
    probe: list[list[str]] = []
    left = _PROBE
    for _, row in _records(text, delimiter):
        probe.append(row)
        left -= any(id_in(cell) for cell in row)
        if not left:
            break
    return probe


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the number of its first line; a quoted cell may span lines."""
    total = text.count("\n")
    # One empty line more: an unclosed quote takes it in, and so shows itself.
    reader = csv.reader(chain(io.StringIO(text, newline="\n"), ["\n"]), delimiter=delimiter)
    done = 0
    try:
        for row in reader:
            ended = reader.line_num > total
            if reader.line_num - done > _QUOTED_LINES_MAX or (ended and row):
                raise _unclosed_quote(done + 1)
            if not ended:
                yield done + 1, row
            done = reader.line_num
    except csv.Error:
        raise _unclosed_quote(done + 1) from None


def _unclosed_quote(line: int) -> Exception:
    refusal = not_a_list(
        f"The cell that starts on line {line:,} is too long, or its quotation mark is never closed.",
        next_step="Mend that line, or save only the column of identifiers, and try again.",
    )
    refusal.details["line"] = line
    return refusal


def _delimiter(text: str) -> str:
    """Return the delimiter that leaves the most cells that are ids; then the most frequent one."""
    lines = text.split("\n")
    step = max(1, len(lines) // _SAMPLE)
    sample = [*lines[:_SAMPLE], *lines[_SAMPLE::step]]

    def worth(mark: str) -> tuple[int, int]:
        cells = sum(id_in(cell) is not None for line in sample for cell in line.split(mark))
        return cells, sum(line.count(mark) for line in sample)

    return max(DELIMITERS, key=worth)
