"""`recontact-mcp check`: what an upload would send, without sending it or showing it."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

ID = "5a3b2ada-0000-4000-8000-00000000c0de"
OTHER = "5a3b2ada-0000-4000-8000-00000000c0df"
NUMERIC = "1234567890"
MESSY = f"Respondent ID,Country\r\n{ID.upper()},DE\r\n\r\n{OTHER},FR\r\n{ID},DE\r\ncanary name,GB\r\n{NUMERIC},US\r\n"


@pytest.fixture
def messy(tmp_path: Path) -> str:
    path = tmp_path / "wave 1.csv"
    path.write_bytes(MESSY.encode())
    return str(path)


def shows_content(result: Result) -> bool:
    return any(canary in result.output.lower() for canary in (ID, OTHER, "canary", NUMERIC))


def test_a_usable_file_is_reported_in_counts_and_line_numbers(run: Callable[..., Result], messy: str) -> None:
    result = run("check", messy)
    assert result.exit_code == 0
    assert "2 identifiers" in result.output
    assert "already seen in this file" in result.output
    assert "Note: " in result.output
    assert not shows_content(result)


def test_json_is_the_whole_of_stdout(run: Callable[..., Result], messy: str) -> None:
    result = run("check", messy, "--json", "--column", "respondent id")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["ok"]) == (0, True)
    assert (answer["file"]["ids"], answer["file"]["lines"]) == (2, 7)
    counts = {one["kind"]: one["count"] for one in answer["file"]["dropped"]}
    assert counts == {"duplicate": 1, "blank": 1, "malformed": 1, "numeric": 1, "header": 1}
    assert not shows_content(result)


def test_a_clean_list_has_nothing_left_out(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "clean.txt").write_text(f"{ID}\n{OTHER}\n", encoding="utf-8")
    result = run("check", str(tmp_path / "clean.txt"))
    assert result.exit_code == 0
    assert "Lines left out" not in result.output


def test_more_line_numbers_than_are_shown_are_hinted_at(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"{ID}\n" * 30, encoding="utf-8")
    assert "..." in run("check", str(tmp_path / "a.txt")).output


@pytest.mark.parametrize("as_json", [False, True], ids=["person", "program"])
def test_a_file_without_identifiers_is_refused_and_not_shown(
    run: Callable[..., Result],
    tmp_path: Path,
    as_json: bool,  # noqa: FBT001 (a table's column)
) -> None:
    (tmp_path / "names.csv").write_text("Name\ncanary name\n", encoding="utf-8")
    result = run("check", str(tmp_path / "names.csv"), *(["--json"] if as_json else []))
    assert result.exit_code == 1
    assert not shows_content(result)
    if as_json:
        assert json.loads(result.stdout)["error"]["code"] == "INVALID_FILE"
    else:
        assert result.stdout == ""
        assert "is an identifier" in result.stderr


def test_a_refused_file_shows_what_was_found_in_it_and_on_which_lines(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    rows = ["Respondent ID", NUMERIC, *["canary name"] * 12, ""]
    (tmp_path / "names.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    result = run("check", str(tmp_path / "names.csv"))
    shown = [" ".join(line.split()) for line in result.stderr.splitlines()]
    assert (result.exit_code, result.stdout) == (1, "")
    assert [line for line in shown if re.search(r" [0-9]+ [0-9, ]+", line)] == [
        "not an identifier 12 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 ...",
        "blank 1 15",
        "a whole number, not an identifier 1 2",
        "header 1 1",
    ]
    assert not shows_content(result)


@pytest.mark.parametrize("name", ["missing.csv", ".", "~nobody-here/x.csv"])
def test_what_cannot_be_read_is_said_so(run: Callable[..., Result], tmp_path: Path, name: str) -> None:
    result = run("check", name if name.startswith("~") else str(tmp_path / name))
    assert result.exit_code == 1
    assert "cannot be read" in result.stderr


def test_a_pipe_that_nobody_writes_into_is_refused_at_once(run: Callable[..., Result], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    result = run("check", str(tmp_path / "pipe"))
    assert result.exit_code == 1
    assert "cannot be read" in result.stderr
