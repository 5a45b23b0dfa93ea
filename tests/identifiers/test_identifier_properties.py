"""What holds for every file."""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from recontact_tools.errors import ErrorCode, InvalidInput
from recontact_tools.identifiers import RespondentFile, read_identifiers, read_inline
from recontact_tools.models import IdType

CONTENT = re.compile(rb"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\n)+")
IDS = st.integers(0, 2**128 - 1).map(lambda number: str(UUID(int=number)))
FRAGMENTS = st.one_of(
    IDS,
    IDS.map(str.upper),
    IDS.map(lambda id_: id_[:-1]),
    st.sampled_from(["\n", "\r\n", "\r", ",", ";", "\t", "|", '"', "'", " ", "{", "}", "=", "-"]),
    st.sampled_from(["RSID", "RID", "\ufeff", "é", "1"]),
    st.text(max_size=5),
)
FILES = st.one_of(
    st.binary(max_size=200),
    st.lists(FRAGMENTS, max_size=30).map(lambda parts: "".join(parts).encode("utf-8", "replace")),
)
CODES = {ErrorCode.INVALID_FILE, ErrorCode.FILE_TOO_LARGE, ErrorCode.TOO_MANY_IDS}


def read_or_refuse(read: Callable[[], RespondentFile]) -> RespondentFile | None:
    """Return what was read, or None after one of our own refusals: anything else fails the test."""
    refusal: InvalidInput | None = None
    try:
        return read()
    except InvalidInput as refused:
        refusal = refused
    assert refusal.code in CODES
    assert refusal.next_step
    return None


@settings(deadline=None, max_examples=500)
@given(data=FILES, column=st.none() | st.text(max_size=4), id_type=st.sampled_from(IdType))
def test_nothing_but_ids_of_the_file_is_ever_sent(data: bytes, column: str | None, id_type: IdType) -> None:
    file = read_or_refuse(lambda: read_identifiers(data, column=column, id_type=id_type))
    if file is None:
        return
    assert CONTENT.fullmatch(file.content)
    assert len(set(file.content.split())) == file.ids == file.content.count(b"\n")
    assert all(id_ in data.lower() for id_ in file.content.split())


@settings(deadline=None)
@given(items=st.lists(FRAGMENTS | st.text(max_size=5), max_size=20))
def test_nothing_but_ids_of_an_inline_list_is_ever_sent(items: list[str]) -> None:
    file = read_or_refuse(lambda: read_inline(items))
    if file is None:
        return
    assert CONTENT.fullmatch(file.content)
    assert all(any(id_.decode() in item.lower() for item in items) for id_ in file.content.split())


@settings(deadline=None, max_examples=300)
@given(data=FILES)
def test_what_is_sent_reads_back_as_itself(data: bytes) -> None:
    file = read_or_refuse(lambda: read_identifiers(data))
    if file is None:
        return
    again = read_identifiers(file.content)

    assert (again.content, again.ids, again.dropped) == (file.content, file.ids, ())


@dataclass(frozen=True)
class Rendering:
    """One way to write a list of ids."""

    ids: list[str]
    header: bool
    bom: bool
    eol: str
    end: bool
    quote: str
    upper: bool
    doubles: int
    blanks: int


RENDERINGS = st.builds(
    Rendering,
    ids=st.lists(IDS, min_size=1, max_size=12, unique=True),
    header=st.booleans(),
    bom=st.booleans(),
    eol=st.sampled_from(["\n", "\r\n", "\r"]),
    end=st.booleans(),
    quote=st.sampled_from(["", '"', "'", " "]),
    upper=st.booleans(),
    doubles=st.integers(0, 3),
    blanks=st.integers(0, 3),
)


def counts(file: RespondentFile) -> dict[str, int]:
    return {str(dropped.kind): dropped.count for dropped in file.dropped}


@settings(deadline=None, max_examples=300)
@given(how=RENDERINGS)
def test_every_rendering_of_a_list_reads_back_with_the_right_counts(how: Rendering) -> None:
    lines = ["My RSIDs"] if how.header else []
    lines += [f"{how.quote}{id_.upper() if how.upper else id_}{how.quote}" for id_ in how.ids]
    lines += [""] * how.blanks + how.ids[:1] * how.doubles + how.ids[-1:]
    text = how.eol.join(lines) + (how.eol if how.end else "")
    file = read_identifiers((("\ufeff" if how.bom else "") + text).encode())

    expected = {"header": int(how.header), "blank": how.blanks, "duplicate": how.doubles + 1}
    assert file.content == "".join(f"{id_}\n" for id_ in how.ids).encode()
    assert (file.lines, file.had_header) == (len(lines), how.header)
    assert counts(file) == {kind: count for kind, count in expected.items() if count}


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(',;\t|"\n'), max_size=8)


@settings(deadline=None, max_examples=300)
@given(
    how=RENDERINGS,
    delimiter=st.sampled_from(",;\t|"),
    place=st.integers(0, 2),
    cells=st.lists(CELLS, min_size=24, max_size=24),
)
def test_every_rendering_of_a_table_reads_back_as_its_column(
    how: Rendering, delimiter: str, place: int, cells: list[str]
) -> None:
    extras = iter(cells)

    def row(cell: str, name: str) -> list[str]:
        others = [f"{name} one", f"{name} two"] if name else [next(extras), next(extras)]
        return [*others[:place], cell, *others[place:]]

    rows = [row("RSID", "note"), *(row(id_.upper() if how.upper else id_, "") for id_ in how.ids)]
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    text = written.getvalue().replace("\n", how.eol)
    file = read_identifiers(text.encode("utf-8-sig" if how.bom else "utf-8"))

    assert file.content == "".join(f"{id_}\n" for id_ in how.ids).encode()
    assert (file.column, file.delimiter, counts(file)) == ("RSID", delimiter, cast("object", {"header": 1}))
