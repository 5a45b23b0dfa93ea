"""Reading many lines at once is only faster: whatever is in a file, it comes to the same as line by line."""

import csv
import io
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recontact_tools.errors import InvalidInput
from recontact_tools.identifiers import Dropped, read_identifiers
from recontact_tools.identifiers.cells import ids_in, kind_of
from recontact_tools.identifiers.plain_list import read_list
from recontact_tools.identifiers.scan import Scan
from recontact_tools.identifiers.table import read_table
from recontact_tools.identifiers.tally import Tally
from recontact_tools.models import IdType

RECORD_BY_RECORD = 0
IDS = st.integers(0, 5).map(lambda number: str(UUID(int=0xABCDEF << 100 | number))) | st.uuids().map(str)
SHOWN = IDS | IDS.map(str.upper) | IDS.map(lambda id_: f'="{id_}"') | IDS.map(lambda id_: id_[:-1])
WORDS = st.sampled_from(["", "DE", "2026-09-01", "n/a", "147376725", "RSID", "é", "-aaaa-bbbb-cccc-", "x" * 36])
ODD = st.sampled_from(['"', '""', '"a', 'a"', '","', '"\n"', "\n", ",", "a,b", 'say "x"', " ", "\x07", "\ufffd"])


@dataclass(frozen=True)
class Sheet:
    """Rows, and how they are written down."""

    rows: list[list[str]]
    delimiter: str
    quoting: int | None

    def text(self) -> bytes:
        """Write the rows as the csv module does, or as they are."""
        if self.quoting is None:
            return "".join(f"{self.delimiter.join(row)}\n" for row in self.rows).encode()
        written = io.StringIO()
        writer = csv.writer(written, delimiter=self.delimiter, lineterminator="\n", quoting=self.quoting)  # type: ignore[arg-type]
        writer.writerows(self.rows)
        return written.getvalue().encode()


def rows_of(cells: st.SearchStrategy[str]) -> st.SearchStrategy[list[list[str]]]:
    usual = st.tuples(SHOWN, WORDS, WORDS | SHOWN).map(list)
    strange = st.lists(cells, max_size=4)
    return st.lists(usual | usual | usual | strange, min_size=1, max_size=12)


SHEETS = st.builds(
    Sheet,
    rows=rows_of(SHOWN | WORDS | ODD),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC, None, None]),
)


def outcome(read: Callable[[], Scan | None]) -> object:
    """Return all that a reader found, or how it refused."""
    try:
        scan = read()
    except InvalidInput as refusal:
        return refusal.as_dict()
    if scan is None:
        return None
    return scan.ids, list(scan.numbers), scan.sent, scan.tally, scan.header, scan.column, scan.hints


@settings(deadline=None, max_examples=600)
@given(sheet=SHEETS, block=st.integers(1, 400), column=st.none() | st.sampled_from("123"))
def test_a_table_reads_the_same_in_blocks_as_record_by_record(sheet: Sheet, block: int, column: str | None) -> None:
    def read(size: int) -> object:
        return outcome(lambda: read_table(sheet.text(), column=column, id_type=IdType.RSID, block=size))

    assert read(block) == read(RECORD_BY_RECORD)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param('","{id}","a"', id="a line's first quote could be one of those around a comma"),
        pytest.param('"{id}","a","', id="a line's last quote could be one of those around a comma"),
        pytest.param('"{id}","","a"', id="an empty cell"),
        pytest.param('"{id}","a,b"', id="a comma in a cell"),
        pytest.param('"{id}"x,"a"', id="something after a quote"),
        pytest.param('"{id}","a""b"', id="a quote in a cell"),
        pytest.param('"{id}"', id="one cell"),
        pytest.param('a"b,{id}', id="a quote in a cell that is not quoted"),
    ],
)
def test_quotes_in_strange_places_mean_what_they_mean_to_the_csv_module(row: str) -> None:
    rows = [row.format(id=UUID(int=number)) for number in range(4)]
    text = "".join(f"{line}\n" for line in ['"RSID","x"', *rows, f'"{UUID(int=9)}","y"']).encode()

    def read(size: int) -> object:
        return outcome(lambda: read_table(text, column=None, id_type=IdType.RSID, block=size))

    assert read(1_000) == read(100) == read(RECORD_BY_RECORD)


def line_by_line(lines: list[str], *, first: int) -> tuple[list[bytes], list[int], Tally]:
    """Read a list in the obvious way: each line on its own; *first* is the number of the first."""
    ids: list[bytes] = []
    numbers: list[int] = []
    tally = Tally()
    for number, line in enumerate(lines, first):
        found, _ = ids_in(line)
        ids += found
        numbers += [number] * len(found)
        if not found:
            tally.add(kind_of(line), number)
    return ids, numbers, tally


QUOTES = st.sampled_from(['"', '"', '"', "", '""', "'", ' "', '\u201c"'])
QUOTED = st.tuples(QUOTES, SHOWN, QUOTES).map("".join)


@settings(deadline=None, max_examples=400)
@given(lines=st.lists(QUOTED | QUOTED | st.sampled_from(['"', '""', "", '"-"', '"147376725"', "'"]), max_size=30))
def test_a_list_with_quotes_reads_the_same_as_line_by_line(lines: list[str]) -> None:
    scan = read_list("".join(f"{line}\n" for line in ['"Cint RSIDs"', *lines]).encode())
    ids, numbers, tally = line_by_line(lines, first=2)
    tally.add("header", 1)
    once = b"".join(id_ + b"\n" for id_ in dict.fromkeys(ids))

    assert scan is not None
    assert (scan.ids, list(scan.numbers), scan.sent[0]) == (ids, numbers, once)
    assert scan.tally == tally


@pytest.mark.parametrize(
    "row",
    [
        pytest.param("{id},DE,2026-09-01", id="plain"),
        pytest.param('"{id}","DE","2026-09-01"', id="quoted"),
        pytest.param('{id},"Smith, John",2026-09-01', id="some cells quoted"),
    ],
)
def test_line_numbers_are_right_in_a_file_of_many_blocks(row: str) -> None:
    rows = [row.format(id=UUID(int=number)) for number in range(10_000)]
    rows[3_000] = row.format(id=UUID(int=7)).upper()
    rows[5_000] = row.format(id="n/a")
    rows[7_000] = ""
    file = read_identifiers("\r\n".join(["RSID,x,y", *rows]).encode())

    assert file.dropped == (
        Dropped("duplicate", 1, (3_002,)),
        Dropped("blank", 1, (7_002,)),
        Dropped("malformed", 1, (5_002,)),
        Dropped("header", 1, (1,)),
    )
    assert (file.ids, file.lines) == (9_997, 10_001)


@pytest.mark.parametrize("place", [0, 4_000, 9_999])
def test_an_id_in_another_column_is_seen_wherever_it_stands(place: int) -> None:
    rows = [f"{UUID(int=number)},2026-09-01" for number in range(10_000)]
    rows[place] = f"{UUID(int=place)},{UUID(int=place)}"
    hints = read_identifiers("\n".join(["RSID,note", *rows]).encode()).hints

    assert [hint.split(" hold")[0] for hint in hints] == ["Other columns"]


@pytest.mark.parametrize("quote", ["", '"'], ids=["plain", "quoted"])
def test_a_wide_file_is_read_without_many_copies_of_it(quote: str) -> None:
    rest = "".join(f",{quote}answer {column}{quote}" for column in range(30))
    data = "".join(f"{quote}{UUID(int=number)}{quote}{rest}\n" for number in range(3_000)).encode()
    tracemalloc.start()
    file = read_identifiers(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert file.ids == 3_000
    assert peak < 2 * len(data) + 1_000_000
