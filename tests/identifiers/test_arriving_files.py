"""The firewall for files on their way in: refused early, and with the same verdict wherever the chunks end."""

import codecs
import gzip
import io
import zipfile
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recontact_tools.errors import ErrorCode, InvalidInput
from recontact_tools.identifiers import Arriving, read_identifiers
from recontact_tools.identifiers.arriving import BLOCK_BYTES, FOREIGN_BYTES_MAX
from recontact_tools.identifiers.respondent_file import LINES_MAX

MOST = 4_999_999
ID = "5a3b2ada-0000-4000-8000-000000000001"
CANARY = "c0ffee"


def fed(chunks: Iterable[bytes], *, bytes_max: int = MOST) -> bytes | dict[str, object]:
    """Send chunks; return the whole file, or the error."""
    arriving = Arriving(bytes_max=bytes_max)
    try:
        for chunk in chunks:
            arriving.add(chunk)
        return arriving.whole()
    except InvalidInput as refusal:
        return dict(refusal.as_dict())


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Cut bytes at some places."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


def zipped() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return target.getvalue()


def ids(count: int) -> bytes:
    return "".join(f"5a3b2ada-0000-4000-8000-{number:012x}\n" for number in range(count)).encode()


PIECES = st.sampled_from(
    [
        ids(3),
        ids(600),
        b"\n" * BLOCK_BYTES,
        b"\r\n",
        b"name;" * 5_000,
        b"\0",
        b"PK\x03\x04",
        b"{}",
        codecs.BOM_UTF8,
        ID.encode("utf-16"),
        ID.encode("utf-16-le"),
        "\u00e4\u20ac\U0001f600".encode(),
        b"\xff\xfe",
        ID[:20].encode(),
        ID[20:].encode(),
    ]
)
CONTENTS = st.lists(PIECES | st.binary(max_size=80), max_size=8).map(b"".join)


@given(data=CONTENTS, cuts=st.lists(st.integers(0, 10**6), max_size=12), bytes_max=st.sampled_from([50, 40_000, MOST]))
@example(data=b"PK\x03\x04" + b"x" * 100, cuts=[1, 2], bytes_max=50)
@example(data=b"\n" * 40_000 + b"\0", cuts=[39_999], bytes_max=40_000)
def test_any_split_of_the_same_bytes_has_the_same_verdict(data: bytes, cuts: list[int], bytes_max: int) -> None:
    whole = fed([data], bytes_max=bytes_max)
    assert fed(split(data, cuts), bytes_max=bytes_max) == whole
    assert isinstance(whole, dict) or whole == data


@given(data=CONTENTS, cuts=st.lists(st.integers(0, 10**6), max_size=4))
def test_what_the_reader_takes_arrives_unless_a_stretch_of_it_is_something_else(data: bytes, cuts: list[int]) -> None:
    try:
        read_identifiers(data)
    except InvalidInput:
        return
    assert fed(split(data, cuts)) == data


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        pytest.param(zipped(), ErrorCode.INVALID_FILE, "zip archive", id="a workbook"),
        pytest.param(gzip.compress(b"\0" * 4_000_000), ErrorCode.INVALID_FILE, "gzip", id="a gzip bomb"),
        pytest.param(b"7z\xbc\xaf\x27\x1c", ErrorCode.INVALID_FILE, "compressed", id="7z"),
        pytest.param(b"\xfd7zXZ\0", ErrorCode.INVALID_FILE, "compressed", id="xz"),
        pytest.param(b"\x28\xb5\x2f\xfd$", ErrorCode.INVALID_FILE, "compressed", id="zstd"),
        pytest.param(b"BZh91AY&SY", ErrorCode.INVALID_FILE, "compressed", id="bzip2"),
        pytest.param(b"%PDF-1.7", ErrorCode.INVALID_FILE, "PDF", id="a PDF"),
        pytest.param(ids(2_000) + b"\0", ErrorCode.INVALID_FILE, "binary", id="a NUL far behind"),
        pytest.param(b"\n" * (LINES_MAX + BLOCK_BYTES), ErrorCode.FILE_TOO_LARGE, "lines", id="line feeds only"),
        pytest.param(b"\r" * (LINES_MAX + BLOCK_BYTES), ErrorCode.FILE_TOO_LARGE, "lines", id="returns only"),
        pytest.param(b"a" * MOST, ErrorCode.INVALID_FILE, "long stretch", id="one line"),
        pytest.param(ids(9) + b"x,y\n" * 200_000, ErrorCode.INVALID_FILE, "long stretch", id="another file behind"),
        pytest.param(b"\xff\xfe" + b"\x00\xd8" * 9, ErrorCode.INVALID_FILE, "UTF-16", id="broken UTF-16"),
        pytest.param(("word\n" * 99_999).encode("utf-16"), ErrorCode.INVALID_FILE, "long", id="UTF-16"),
        pytest.param(b"\n" * (MOST + 1), ErrorCode.FILE_TOO_LARGE, "lines", id="too many lines before too many bytes"),
        pytest.param(ids(140_000), ErrorCode.FILE_TOO_LARGE, "4,999,999 bytes", id="too many bytes"),
    ],
)
def test_what_can_be_no_list_is_refused_before_its_end(data: bytes, code: ErrorCode, words: str) -> None:
    refusal = fed(data[start : start + 1_000] for start in range(0, len(data), 1_000))
    assert isinstance(refusal, dict)
    assert refusal["code"] == code
    assert words in str(refusal["message"])


def test_no_more_is_read_of_what_is_refused() -> None:
    asked = 0

    def chunks() -> Iterable[bytes]:
        nonlocal asked
        while True:
            asked += 1_200
            yield b"noidentifier" * 100

    assert isinstance(fed(chunks()), dict)
    assert asked <= FOREIGN_BYTES_MAX + 2 * BLOCK_BYTES


def test_empty_cells_and_an_identifier_across_two_blocks_are_no_foreign_stretch() -> None:
    data = ids(1) + b",;;\t \n" * 100_000
    edge = b" " * (BLOCK_BYTES - 20) + ids(1) + b"word " * 60_000
    assert fed([data]) == data
    assert isinstance(fed([edge[: BLOCK_BYTES + 5 * 50_000]]), bytes)


def test_utf16_arrives_as_it_was_sent() -> None:
    data = ids(5_000).decode().encode("utf-16")
    assert fed(split(data, [1, 3, 70_001])) == data
    assert read_identifiers(data).ids == 5_000


def test_a_refusal_repeats_nothing_of_what_was_sent() -> None:
    refusals = [fed([b"\xff\xfe" + CANARY.encode() * 9 + b"\x00\xd8"]), fed([CANARY.encode() * 99_999])]
    assert all(isinstance(refusal, dict) for refusal in refusals)
    assert CANARY not in str(refusals)
