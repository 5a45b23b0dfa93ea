"""The records of a delimited file: one by one as they are written, or a whole block of plain ones at once."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from recontact_tools.identifiers.lines import decoded
from recontact_tools.identifiers.refusals import unclosed_quote

_QUOTED_LINES_MAX = 50  # ours: no cell of an export has more lines; an unclosed quote swallows the rest


def records(source: io.BytesIO, delimiter: str, *, done: int, total: int) -> Iterator[tuple[int, list[str]]]:
    """Yield each record from where *source* stands, with the number of its first line; a quoted cell may span lines.

    *done* lines of *total* are before that place. Nothing is read ahead: after each record, *source* stands behind it.

    Raises:
        InvalidInput: INVALID_FILE when a quote is never closed, or a cell is too long.
    """
    # One empty line more: an unclosed quote takes it in, and so shows itself.
    reader = csv.reader(chain(map(decoded, source), ["\n"]), delimiter=delimiter)
    before = done
    try:
        for row in reader:
            line = before + reader.line_num
            if line - done > _QUOTED_LINES_MAX or (line > total and row):
                raise unclosed_quote(done + 1)
            if line <= total:
                yield done + 1, row
            done = line
    except csv.Error:
        raise unclosed_quote(done + 1) from None


@dataclass(frozen=True, slots=True)
class PlainRows:
    """Records of one line each whose cells stand between *mark*s as they are."""

    rows: list[bytes]
    mark: bytes

    def column(self, index: int) -> list[bytes]:
        """Return the cells of one column; empty where a row is too short."""
        try:
            return [row.split(self.mark, index + 1)[index] for row in self.rows]
        except IndexError:
            return [cells[index] if index < len(cells) else b"" for cells in self.cells()]

    def cells(self) -> Iterator[list[bytes]]:
        """Yield the cells of each row."""
        return (row.split(self.mark) for row in self.rows)


def plain_rows(block: bytes, mark: bytes) -> PlainRows | None:
    """Split whole lines into rows as the csv module would; None unless no cell is quoted, or plainly every one.

    Only for blocks that are shorter than the longest cell which that module takes.
    """
    if b'"' not in block:
        rows = block.split(b"\n")
        rows.pop()
        return PlainRows(rows, mark)
    between = b'"%s"' % mark
    lines = block.count(b"\n")
    rows = block[1:-2].split(b'"\n"')
    if block[:1] != b'"' or block[-2:] != b'"\n' or len(rows) != lines:
        return None
    # Every line begins and ends with a quote of its own, so that there are none inside a cell exactly when
    # the ends and the places between cells account for all of them.
    if _shares_a_quote(block, mark):
        return None
    if block.count(b'"') != 2 * (lines + block.count(between)):
        return None
    return PlainRows(rows, between)


def _shares_a_quote(block: bytes, mark: bytes) -> bool:
    """Whether a quote at an end of a line could also be one of those around a mark."""
    # From behind: such places begin with a rare byte, and the search is five times faster for it.
    return block[1:2] == mark or block.rfind(b'\n"' + mark) >= 0 or block.rfind(mark + b'"\n') >= 0
