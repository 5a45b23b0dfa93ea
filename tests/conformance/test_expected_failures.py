"""The files of what we fail of the conformance suite: `tests/conformance/run.py` runs it, these look at its excuses."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FILES = sorted(HERE.glob("expected-failures-*.yml"))
# One check of one scenario, and why: a scenario alone would excuse checks that we pass.
LINE = re.compile(r"  - [\w-]+:[\w-]+ # (?P<reason>\S.{20,})")


def reasons(file: Path) -> list[str]:
    """Return the reason of each line, and of one that has none nothing."""
    lines = [line for line in file.read_text("utf-8").splitlines() if line.startswith("  ")]
    return [found["reason"] if (found := LINE.fullmatch(line)) else "" for line in lines]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_check_that_we_fail_has_its_reason(file: Path) -> None:
    assert reasons(file)
    assert all(reasons(file))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_where_a_reason_names_tests_of_ours_they_exist(file: Path) -> None:
    named = re.findall(r"tests/\S+\.py", file.read_text("utf-8"))

    assert named
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_both_eras_have_a_file() -> None:
    assert [file.stem.removeprefix("expected-failures-") for file in FILES] == ["2025-11-25", "2026-07-28"]
