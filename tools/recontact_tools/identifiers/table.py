"""Reading a table: the delimiter, the column of ids, and the ids in it."""

import io

from recontact_tools.identifiers.cells import DELIMITERS, id_in
from recontact_tools.identifiers.column import BLOCK_BYTES, Column
from recontact_tools.identifiers.columns import choose_column
from recontact_tools.identifiers.lines import sample_of
from recontact_tools.identifiers.records import records
from recontact_tools.identifiers.scan import Scan
from recontact_tools.models import IdType

OTHER_COLUMNS_HINT = "Other columns hold identifiers too; only the named one was read."

_PROBE = 1_000  # ours: records with ids that are enough to tell columns apart


def read_table(text: bytes, *, column: str | None, id_type: IdType, block: int = BLOCK_BYTES) -> Scan:
    """Read one column of a delimited file.

    *text* has LF line ends, the last line included. *column* is a header or a number from 1. How many bytes a
    *block* has changes the speed and nothing else; without blocks it is read record by record.

    Raises:
        InvalidInput: INVALID_FILE when the column is not certain or a quote is never closed.
    """
    lines = text.count(b"\n")
    delimiter = _delimiter(text, lines=lines)
    layout = choose_column(_probe(text, delimiter, lines=lines), column=column, id_type=id_type)
    scan = Scan([], [], lines=lines, sent=(b"", 0), column=layout.label, delimiter=delimiter)
    reading = Column(scan, layout.index, layout.header)
    reading.read(text, block=block)
    scan.hints = (OTHER_COLUMNS_HINT,) if reading.others else ()
    return scan


def _probe(text: bytes, delimiter: str, *, lines: int) -> list[list[str]]:
    """Return the first records, up to the thousandth that holds an id."""
    probe: list[list[str]] = []
    left = _PROBE
    for _, row in records(io.BytesIO(text), delimiter, done=0, total=lines):
        probe.append(row)
        left -= any(id_in(cell) for cell in row)
        if not left:
            break
    return probe


def _delimiter(text: bytes, *, lines: int) -> str:
    """Return the delimiter that leaves the most cells that are ids; then the most frequent one."""
    sample = sample_of(text, lines=lines + 1)

    def worth(mark: str) -> tuple[int, int]:
        cells = sum(id_in(cell) is not None for line in sample for cell in line.split(mark))
        return cells, sum(line.count(mark) for line in sample)

    return max(DELIMITERS, key=worth)
