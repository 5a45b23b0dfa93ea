"""The files of what we fail of the conformance suite: `tests/conformance/run.py` runs it, these look at its excuses."""

import re
import runpy
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RUN = runpy.run_path(str(HERE / "run.py"), run_name="conformance")
OUTSIDE = HERE / "outside-requirements.yml"
FILES = sorted(HERE.glob("expected-failures-*.yml"))
# One check of one scenario, and why: a scenario alone would excuse checks that we pass.
LINE = re.compile(r"  - [\w-]+:[\w-]+ # (?P<reason>\S.{20,})")
# What is required of nobody fails as a whole, for want of a tool.
SCENARIO = re.compile(r"  - [\w-]+ # (?P<reason>\S.{20,})")
SUMMARY = """
✓ ping: 2 passed, 0 failed
✗ tools-call-image: 1 passed, 1 failed
\x1b[31m✗\x1b[0m tasks-lifecycle: 1 passed, 8 failed
✗ newest-rule: 0 passed, 12 failed

Total: 3 passed, 21 failed
"""


def reasons(file: Path) -> list[str]:
    """Return the reason of each line, and of one that has none nothing."""
    lines = [line for line in file.read_text("utf-8").splitlines() if line.startswith("  ")]
    shape = SCENARIO if file == OUTSIDE else LINE
    return [found["reason"] if (found := shape.fullmatch(line)) else "" for line in lines]


@pytest.mark.parametrize("file", [*FILES, OUTSIDE], ids=lambda file: file.stem)
def test_every_check_that_we_fail_has_its_reason(file: Path) -> None:
    assert reasons(file)
    assert all(reasons(file))


@pytest.mark.parametrize("file", [*FILES, OUTSIDE], ids=lambda file: file.stem)
def test_where_a_reason_names_tests_of_ours_they_exist(file: Path) -> None:
    named = re.findall(r"tests/\S+\.py", file.read_text("utf-8"))

    assert named
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_both_eras_have_a_file() -> None:
    assert [file.stem.removeprefix("expected-failures-") for file in FILES] == ["2025-11-25", "2026-07-28"]


def test_a_scenario_that_fails_and_stands_in_no_file_is_named_as_an_error() -> None:
    told, nameless = RUN["told_outside"](
        RUN["failing"](SUMMARY), {"tools-call-image"}, {"tasks-lifecycle": "fixture tools", "not-run": "it passes"}
    )
    assert nameless == {"newest-rule"}
    assert told.splitlines()[1:] == [
        "  ~ tasks-lifecycle: fixture tools",
        "  ! newest-rule: fails, and stands in no file of reasons",
    ]


def test_where_only_what_is_required_fails_nothing_is_told_besides() -> None:
    assert RUN["told_outside"]({"tools-call-image"}, {"tools-call-image"}, {}) == ("", set())


def test_the_script_reads_the_same_reasons_from_the_files() -> None:
    assert [list(RUN["reasons"](OUTSIDE).values())] == [reasons(OUTSIDE)]
    assert all(set(RUN["reasons"](file)) for file in FILES)
