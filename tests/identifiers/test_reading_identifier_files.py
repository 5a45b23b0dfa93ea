"""What people have, and what is made of it."""

import hashlib
from uuid import UUID

import pytest

from recontact_tools.errors import ErrorCode, InvalidInput
from recontact_tools.identifiers import (
    RAW_BYTES_MAX,
    Dropped,
    RespondentFile,
    read_identifiers,
    read_inline,
    report,
)
from recontact_tools.models import IdType

A, B, C, D = (str(UUID(int=0xABCDEF << 100 | n)) for n in range(4))
NL = "\n"
LIST = f"{A}\n{B}\n".encode()


def kinds(file: RespondentFile) -> dict[str, tuple[int, ...]]:
    return {dropped.kind: dropped.lines for dropped in file.dropped}


def refusal(data: bytes, *, column: str | None = None, id_type: IdType = IdType.RSID) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read_identifiers(data, column=column, id_type=id_type)
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{A}\n{B}\n", id="one a line"),
        pytest.param(f"{A}\r\n{B}", id="CRLF and no end"),
        pytest.param(f"{A}\r{B}\r", id="CR"),
        pytest.param(f"{A}\r\n{B}\r\r\n\n", id="mixed line ends"),
        pytest.param(f"\ufeff{A}\n{B}\n", id="byte-order mark"),
        pytest.param(f"{A.upper()}\n{B.upper()}\n{A}\n", id="upper case and a double"),
        pytest.param(f"RSID\n{A}\n{B}\n", id="header"),
        pytest.param(f"RSID\n{A}\n{B}\n{B}\n", id="header and a double"),
        pytest.param(f'"{A}"\n "{B}" \n', id="quotes and spaces"),
        pytest.param(f"{{{A}}}\nURN:UUID:{B}\n", id="braces and URN"),
        pytest.param(f'="{A}"\n"=""{B}"""\n', id="Excel's way to keep text"),
        pytest.param(f"{A},{B}", id="comma-separated"),
        pytest.param(f"{A}; {B};\n", id="semicolon-separated"),
        pytest.param(f"{A} {B}\n{B} {A}", id="space-separated"),
        pytest.param(f'{A}, "", {B}', id="an empty cell among several"),
        pytest.param(f"{A},{B},\n{A},{B}", id="comma-separated, wrapped"),
        pytest.param(f"ids\n{A},{B}\n{A},{B}", id="comma-separated under one header"),
        pytest.param(f"rsid,name\n{A},x\n{B},y\n", id="extra column"),
        pytest.param(f"{A}\tx\n{B}\ty\n", id="extra column, no header"),
        pytest.param(f"name;Cint RSID;RID\nx;{A};{C}\ny;{B};{D}\n", id="header decides"),
        pytest.param(f"RSID|n\n{A}|2\n{B}\n", id="short rows"),
        pytest.param(f'note,rsid\n"a\nb",{A}\n"c,d",{B}\n', id="quoted line ends and commas"),
        pytest.param(f"Report\n\nRSID,name\n{A},x\n{B},y\n", id="a title above the header"),
        pytest.param(f"sep=;\nRSID;name\n{A};x\n{B};y\n", id="Excel's first line"),
        pytest.param(f"{A}\n" * 300 + f"{B},hello\n", id="one extra cell late in a list"),
        pytest.param(f"respondent_id,session\n{A},{C}\n{B},{D}\n", id="a looser name decides"),
        pytest.param(f"id,parent\n{A},{C}\n{B},\n{B},\n", id="the fuller column is the one"),
        pytest.param(f'rsid,other\n"{A},{B}",x\n', id="several in one cell"),
    ],
)
def test_any_shape_people_have_reads_as_the_same_list(text: str) -> None:
    file = read_identifiers(text.encode())

    assert (file.content, file.ids) == (LIST, 2)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-8", "utf-8-sig"])
def test_text_in_an_encoding_that_says_so_is_read(encoding: str) -> None:
    mark = "\ufeff" if encoding.endswith("e") else ""

    assert read_identifiers(f"{mark}Ünïcode\r\n{A}\r\n{B}".encode(encoding)).content == LIST


def test_everything_dropped_is_counted_with_its_line_and_class() -> None:
    lines = [
        "RSID", A, "", A.upper(), "147376725", "1,5E+08", A.replace("-", ""), "=1+1", "-", "\x07", "n/a", A[:-1],
        f"{A} and", f"{B},{C}", "sep=;",
    ]  # fmt: skip
    file = read_identifiers("\n".join(lines).encode())

    assert file.dropped == (
        Dropped("duplicate", 1, (4,)),
        Dropped("blank", 1, (3,)),
        Dropped("malformed", 3, (11, 12, 13)),
        Dropped("numeric", 2, (5, 6)),
        Dropped("no_hyphens", 1, (7,)),
        Dropped("formula", 2, (8, 9)),
        Dropped("not_text", 1, (10,)),
        Dropped("header", 2, (1, 15)),
    )
    assert (file.ids, file.lines, file.column, file.delimiter, file.had_header) == (3, 15, "RSID", None, True)
    assert len(file.hints) == 3


def test_only_the_first_ten_line_numbers_are_kept() -> None:
    (dropped,) = read_identifiers(f"{A}\n".encode() * 20).dropped

    assert dropped == Dropped("duplicate", 19, tuple(range(2, 12)))


def test_a_table_counts_rows_without_an_id() -> None:
    text = f"RSID,RID\n{A},{C}\n,{D}\n\n147376725,x\n{B} x,y\n{A},{C}\n"
    file = read_identifiers(text.encode())

    assert kinds(file) == {"duplicate": (7,), "blank": (3, 4), "numeric": (5,), "malformed": (6,), "header": (1,)}
    assert (file.column, file.delimiter, file.had_header, file.lines) == ("RSID", ",", True, 7)
    assert file.hints[0].startswith("Other columns")


def test_a_long_table_is_read_to_its_end() -> None:
    rows = [f"{UUID(int=n)};name {n}" for n in range(2_000)]

    assert read_identifiers("\n".join(rows).encode()).ids == 2_000


def test_a_line_with_ids_and_words_in_a_list_of_several_a_line_is_named() -> None:
    file = read_identifiers(f"{A}\n{B},{A}\n{C},hello\n".encode())

    assert (file.content, kinds(file)) == (LIST, {"duplicate": (2,), "malformed": (3,)})


def test_a_bad_line_of_the_right_length_is_found_among_good_ones() -> None:
    bad = "g" + A[1:]
    file = read_identifiers("\n".join([A, *[str(UUID(int=n)) for n in range(1500)], bad, "", B]).encode())

    assert (file.ids, kinds(file)) == (1502, {"malformed": (1502,), "blank": (1503,)})


def test_the_report_holds_counts_and_never_content() -> None:
    file = read_identifiers(f"RSID,email\n{A},someone@example.com\nsecret,x\n".encode())

    assert report(file) == {
        "ids": 1,
        "lines": 3,
        "bytes": 37,
        "column": "RSID",
        "had_header": True,
        "dropped": [
            {"kind": "malformed", "count": 1, "lines": [3]},
            {"kind": "header", "count": 1, "lines": [1]},
        ],
        "hints": [],
    }
    assert A not in repr(file)


@pytest.mark.parametrize("column", ["2", "rid", ' "RID" '])
def test_a_named_column_is_read_whatever_its_header_says(column: str) -> None:
    file = read_identifiers(f"RSID;RID\n{C};{A}\n{D};{B}\n".encode(), column=column)

    assert (file.content, file.column) == (LIST, "RID")


@pytest.mark.parametrize("column", ["1", "my ids"])
def test_a_list_is_a_column_too(column: str) -> None:
    assert read_identifiers(f"My IDs\n{A}\n{B}\n".encode(), column=column).column == "My IDs"
    assert read_identifiers(f"My IDs\n{A}\n\n{B}\n".encode(), column=column).column == "My IDs"


def test_the_id_type_steers_the_choice_of_column() -> None:
    text = f"RSID,RID\n{C},{A}\n{D},{B}\n".encode()

    assert read_identifiers(text, id_type=IdType.RID).content == LIST


@pytest.mark.parametrize("text", [f"RID\n{A}\n", f"session_id,x\n{A},1\n", f"RID\n{A}\n\n"])
def test_a_header_that_names_the_other_type_is_refused_until_the_column_is_named(text: str) -> None:
    error = refusal(text.encode())

    assert (error.code, error.details["header_id_type"]) == (ErrorCode.INVALID_FILE, "RID")
    assert read_identifiers(text.encode(), column="1").ids == 1
    assert read_identifiers(text.encode(), id_type=IdType.RID).ids == 1


@pytest.mark.parametrize(
    ("text", "column", "labels"),
    [
        pytest.param(f"{A},{B}\n{C},{D}", None, ["column 1", "column 2"], id="no header"),
        pytest.param(f"first,second\n{A},{B}\n", None, ["first", "second"], id="header says nothing"),
        pytest.param(f"{A[:13]},x@y.z\n{A},{B}\n", None, ["column 1", "column 2"], id="no content as label"),
        pytest.param(f"rsid,RSID\n{A},{B}\n", None, ["rsid", "RSID"], id="twice the same name"),
        pytest.param(f"a,A\n{A},{B}\n", "a", ["column 1", "column 2"], id="asked for a name that is there twice"),
    ],
)
def test_two_possible_columns_are_a_question_not_a_guess(text: str, column: str, labels: list[str]) -> None:
    error = refusal(text.encode(), column=column)

    assert (error.code, error.details) == (ErrorCode.INVALID_FILE, {"columns": labels})


@pytest.mark.parametrize("column", ["nope", "0", "3", "99999", "", "\u0661"])
def test_a_column_that_is_not_there_is_refused(column: str) -> None:
    assert refusal(f"a,b\n{A},x\n".encode(), column=column).message == "The file has no such column."
    assert refusal(f"a\n{A}\n".encode(), column=column).message == "The file has no such column."


@pytest.mark.parametrize(
    ("data", "part"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"\xef\xbb\xbf", "empty", id="only a byte-order mark"),
        pytest.param(b"\n \n\t\n", "only blank lines", id="blank lines"),
        pytest.param(b"RSID\n", "a header and no identifiers", id="only a header"),
        pytest.param(b"RSID;name\n", "a header and no identifiers", id="only a header with columns"),
        pytest.param(b"a\nb\n", "Nothing in the file", id="words"),
        pytest.param((b"g" * 36 + b"\n") * 3, "Nothing in the file", id="words as long as ids"),
        pytest.param(b"x" * 4_999_999, "Nothing in the file", id="one huge line"),
        pytest.param(b"a," * 100_000, "Nothing in the file", id="one huge line of cells"),
        pytest.param(b"a,b\n" * 3_000, "Nothing in the file", id="a table of words"),
        pytest.param(b"\x01\x02\n", "not a text list", id="control characters"),
        pytest.param(b"a\0b", "binary", id="NUL"),
        pytest.param(b"PK\x03\x04rest", "Excel workbook", id="workbook"),
        pytest.param(b"\xd0\xcf\x11\xe0", "old Excel", id="old workbook"),
        pytest.param(b"%PDF-1.7", "PDF", id="PDF"),
        pytest.param(b"\x1f\x8b\x08", "gzip", id="gzip"),
        pytest.param(b"{\\rtf1", "rich-text", id="rich text"),
        pytest.param(b"<!DOCTYPE html>", "web page", id="web page"),
        pytest.param(b'["a"]', "JSON", id="JSON list"),
        pytest.param(b'{"ids": []}', "JSON", id="JSON object"),
        pytest.param(b"\xff\xfe\x00\xd8", "not valid UTF-16", id="broken UTF-16"),
        pytest.param(f'n,rsid\n"x,{A}\n'.encode(), "on line 2 is too long", id="unclosed quote"),
        pytest.param(f'n,rsid\n"x{f"{NL}y,{A}" * 60}"\n'.encode(), "on line 2", id="a quote that swallows lines"),
        pytest.param(f"n,rsid\n{'x' * 200_000},{A}\n".encode(), "on line 2", id="a huge cell"),
    ],
)
def test_what_holds_no_list_is_refused_with_its_own_sentence(data: bytes, part: str) -> None:
    error = refusal(data)

    assert error.code is ErrorCode.INVALID_FILE
    assert part in error.message
    assert error.next_step


def test_numbers_alone_get_the_hint_about_the_other_respondent_id() -> None:
    error = refusal(b"respondent_id,name\n147376725,x\n147376726,y\n")

    assert "numeric respondent id" in error.next_step
    assert error.details["dropped"] == [
        {"kind": "numeric", "count": 2, "lines": [2, 3]},
        {"kind": "header", "count": 1, "lines": [1]},
    ]


def test_a_column_named_rsid_is_the_one_even_when_another_holds_ids() -> None:
    assert "numeric respondent id" in refusal(f"RSID,uuid\n147376725,{A}\n".encode()).next_step


def test_hashes_of_other_things_are_not_sent() -> None:
    digest = hashlib.md5(b"someone@example.com", usedforsecurity=False).hexdigest()

    assert "without hyphens" in refusal(digest.encode()).next_step


def test_a_file_at_a_limit_passes_and_one_over_it_is_refused() -> None:
    assert read_identifiers(LIST, ids_max=2).ids == 2
    with pytest.raises(InvalidInput) as caught:
        read_identifiers(LIST, ids_max=1)

    assert (caught.value.code, caught.value.details) == (ErrorCode.TOO_MANY_IDS, {"ids": 2, "ids_max": 1})


def test_what_would_be_sent_must_stay_below_five_million_bytes() -> None:
    data = "".join(f"{UUID(int=n)}\n" for n in range(135_136)).encode()
    with pytest.raises(InvalidInput) as caught:
        read_identifiers(data, ids_max=200_000)

    assert caught.value.code is ErrorCode.FILE_TOO_LARGE
    assert caught.value.details == {"bytes": 5_000_032, "bytes_max": 5_000_000}


@pytest.mark.parametrize("data", [b"a" * (RAW_BYTES_MAX + 1), b"\n" * 1_000_001], ids=["bytes", "lines"])
def test_a_source_beyond_our_own_limits_is_refused_unread(data: bytes) -> None:
    assert refusal(data).code is ErrorCode.FILE_TOO_LARGE


def test_ids_given_inline_are_read_like_lines() -> None:
    file = read_inline([A.upper(), f"{B},{A}", "x", f"{C} x", "147376725", "\ud800"])

    assert (file.content, file.lines, file.column) == (LIST, 6, None)
    assert kinds(file) == {"duplicate": (2,), "malformed": (3, 4, 6), "numeric": (5,)}


@pytest.mark.parametrize("ids", [[A] * 1_001, [",".join([A] * 1_001)]], ids=["items", "in one item"])
def test_more_than_a_thousand_inline_ids_belong_in_a_file(ids: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_inline(ids)

    assert caught.value.code is ErrorCode.TOO_MANY_IDS
    assert "`path`" in caught.value.next_step


def test_an_inline_list_without_ids_is_refused() -> None:
    with pytest.raises(InvalidInput, match="empty"):
        read_inline([])
