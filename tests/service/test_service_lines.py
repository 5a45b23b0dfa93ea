"""How the API reads the lines of a file."""

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recontact_service.lines import FileContent, read_lines

ONE = "0f1ce179-a917-49ff-9d50-b05fc91f7bd4"


@pytest.mark.parametrize(
    ("content", "ids", "failed"),
    [
        pytest.param("", 0, 0, id="nothing at all"),
        pytest.param(f"{ONE}\n", 1, 0, id="one line"),
        pytest.param(ONE, 1, 0, id="no line end"),
        pytest.param(f"{ONE}\r\n{ONE.upper()}\r\n", 1, 0, id="a repeat in the other case"),
        pytest.param(f" {ONE}\t\n", 1, 0, id="blanks around"),
        pytest.param(f"\ufeff{ONE}\n", 1, 0, id="a byte order mark"),
        pytest.param(f"rsid\n{ONE}\n", 1, 1, id="a header"),
        pytest.param(f'"{ONE}"\n', 0, 1, id="quotes"),
        pytest.param(f"{ONE},{ONE}\n", 0, 1, id="two on a line"),
        pytest.param(f"{ONE}\n\n\n", 1, 2, id="empty lines"),
        pytest.param("\n", 0, 1, id="only an empty line"),
        pytest.param(ONE.replace("-", "") + "\n", 0, 1, id="no dashes"),
        pytest.param(f"\xff{ONE}\n", 0, 1, id="a foreign letter"),
    ],
)
def test_a_line_is_an_identifier_or_a_failed_row(content: str, ids: int, failed: int) -> None:
    assert read_lines(content.encode()) == FileContent(UUID(ONE).bytes * ids, failed)


def test_headers_and_repeats_count_as_the_settings_say() -> None:
    content = f"rsid\n{ONE}\n{ONE}\n".encode()

    assert read_lines(content, header_row="skipped").failed == 0
    assert read_lines(content, repeated_rows="failed_rows").failed == 2
    assert read_lines(f"{ONE}\nbad\n".encode(), header_row="skipped").failed == 1


@settings(deadline=None)
@given(st.lists(st.one_of(st.uuids().map(str), st.text('0123456789abcdef-," \t', max_size=40)), max_size=30))
def test_every_row_is_stored_repeated_or_failed(rows: list[str]) -> None:
    valid = [row for row in rows if len(row.strip(" \t")) == 36 and _is_identifier(row.strip(" \t"))]
    content = read_lines("".join(f"{row}\n" for row in rows).encode())

    assert content.failed == len(rows) - len(valid)
    assert content.ids == b"".join(sorted({UUID(row.strip()).bytes for row in valid}))


def _is_identifier(text: str) -> bool:
    parts = text.split("-")
    return [len(part) for part in parts] == [8, 4, 4, 4, 12] and all(part.isalnum() for part in parts)
