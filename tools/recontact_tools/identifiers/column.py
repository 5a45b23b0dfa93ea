"""Reading one column of a table, many rows at a time where they are plain."""

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from recontact_tools.identifiers.cells import id_in, ids_in, kind_of
from recontact_tools.identifiers.clean import WIDTH, not_canonical, only_ids
from recontact_tools.identifiers.lines import decoded
from recontact_tools.identifiers.records import PlainRows, plain_rows, records
from recontact_tools.identifiers.scan import Scan, once_each

# ours: some thousand rows; and shorter than 131,072, the longest cell that the csv module takes.
BLOCK_BYTES = 120_000

_HYPHENS = 4  # source: cint-api 2.9, 8-4-4-4-12
# What every id has once, however it is decorated, and never shares with another.
_MIDDLE = re.compile(rb"-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-")


@dataclass(slots=True)
class Column:
    """The column *index* of a table as it is read into *scan*; *header* is the record that is the header, if any.

    *others* says whether other columns hold ids too. Ids are kept as they will be sent, many in one piece, and line
    numbers in runs: most are never looked at.
    """

    scan: Scan
    index: int
    header: int | None
    others: bool = False
    _records: int = 0
    _lines: int = 0
    _ids: list[bytes] = field(default_factory=list[bytes])
    _numbers: list[Sequence[int]] = field(default_factory=list[Sequence[int]])

    def read(self, text: bytes, *, block: int = BLOCK_BYTES) -> None:
        """Read the column: at once for each *block* of that many bytes with plain rows, and else record by record."""
        source = io.BytesIO(text)
        delimiter = self.scan.delimiter or ""
        while (start := source.tell()) < len(text):
            above = self.header is not None and self._records <= self.header
            end = 0 if above else text.rfind(b"\n", start, start + block) + 1
            rows = plain_rows(text[start:end], delimiter.encode()) if end else None
            if rows:
                source.seek(end)
                self._add_rows(rows, text[start:end])
            else:
                self._add_records(source, delimiter, until=max(end, start + 1))
        self.scan.numbers = chain.from_iterable(self._numbers)
        self.scan.ids, self.scan.sent = once_each(b"".join(self._ids))

    def _add_rows(self, rows: PlainRows, block: bytes) -> None:
        count = len(rows.rows)
        ids = self._add(rows.column(self.index), range(self._lines + 1, self._lines + 1 + count))
        # Where every row has its id and is too short for two, there is nothing to look for.
        if ids < count or max(map(len, rows.rows)) > 2 * WIDTH:
            self._look_aside(block, ids, (map(decoded, row) for row in rows.cells()))
        self._records, self._lines = self._records + count, self._lines + count

    def _add_records(self, source: io.BytesIO, delimiter: str, *, until: int) -> None:
        start = source.tell()
        numbers: list[int] = []
        rows: list[list[str]] = []
        found = records(source, delimiter, done=self._lines, total=self.scan.lines)
        while source.tell() < until:
            number, row = next(found)
            numbers.append(number)
            rows.append(row)
        cells = [row[self.index] if self.index < len(row) else "" for row in rows]
        if self._records == self.header:
            self.scan.header = cells.pop(0)
            self.scan.tally.add("header", numbers.pop(0))
        ids = self._add([cell.encode() for cell in cells], numbers)
        self._look_aside("\n".join(chain.from_iterable(rows)).encode(), ids, rows)
        self._records += len(rows)
        self._lines += source.getvalue().count(b"\n", start, source.tell())

    def _add(self, cells: list[bytes], numbers: Sequence[int]) -> int:
        """Add cells with the number of each one's line; return how many ids they held."""
        whole = b"\n".join((*cells, b"")).lower()
        if len(whole) == (WIDTH + 1) * len(cells) and only_ids(whole):
            return self._keep(whole, numbers)
        lowered = [cell.lower() for cell in cells]
        found = start = 0
        for index in (*not_canonical(lowered), len(cells)):
            found += self._keep(b"\n".join((*lowered[start:index], b"")), numbers[start:index])
            if index < len(cells):
                found += self._add_odd(decoded(cells[index]), numbers[index])
            start = index + 1
        return found

    def _add_odd(self, cell: str, number: int) -> int:
        ids, foreign = ids_in(cell)
        if ids and not foreign:
            return self._keep(b"\n".join((*ids, b"")), (number,) * len(ids))
        self.scan.tally.add("malformed" if ids else kind_of(cell), number)
        return 0

    def _keep(self, ids: bytes, numbers: Sequence[int]) -> int:
        if numbers:
            self._ids.append(ids)
            self._numbers.append(numbers)
        return len(numbers)

    def _look_aside(self, text: bytes, ids: int, rows: Iterable[Iterable[str]]) -> None:
        """Look for ids in other columns: a cell is only looked at where *text* has more ids than were found."""
        if self.others or text.count(b"-") == _HYPHENS * ids or len(_MIDDLE.findall(text)) == ids:
            return
        self.others = any(
            place != self.index and id_in(cell) is not None for row in rows for place, cell in enumerate(row)
        )
