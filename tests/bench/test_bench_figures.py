import re
from pathlib import Path

import pytest
from bench.figures import Figure
from bench.run import PARTS, Results, main, recorded_with
from bench.timing import Pair, side_by_side


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        pytest.param(Figure("a ceiling", 2.0, "x", 2.0), True, id="at a ceiling"),
        pytest.param(Figure("a ceiling", 2.01, "x", 2.0), False, id="over a ceiling"),
        pytest.param(Figure("a ceiling", 8_999.0, "bytes", 9_000), True, id="under a ceiling of thousands"),
        pytest.param(Figure("a floor", 7.0, "x", 7, least=True), True, id="at a floor"),
        pytest.param(Figure("a floor", 6.9, "x", 7, least=True), False, id="under a floor"),
        pytest.param(Figure("unmeasurable", float("nan"), "MB", 60), False, id="not measured"),
    ],
)
def test_a_figure_knows_whether_it_keeps_to_its_goal(figure: Figure, *, met: bool) -> None:
    assert figure.met is met


def test_a_row_says_what_was_measured_against_which_goal() -> None:
    row = Figure("Page", 1.0213, "x", 1.3, "12 us against 11 us").row()

    assert (row["what"], row["measured"], row["goal"]) == ("Page", "1.02x (12 us against 11 us)", "at most 1.3x")


@pytest.mark.parametrize("words", [["everything"], ["--record", "everything"], ["--recrod"]])
def test_what_cannot_be_measured_is_refused_with_the_list_of_parts(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    code = main(words)

    assert code == 2
    assert set(PARTS) <= set(re.findall(r"\w+", capsys.readouterr().err))


def test_a_part_that_is_recorded_leaves_the_others_as_they_were() -> None:
    old: Results = {"parts": {name: {"machine": {"load": "0.1"}, "rows": []} for name in ("http", "preflight")}}
    new: Results = {"parts": {name: {"machine": {"load": "0.2"}, "rows": []} for name in ("undo", "http")}}
    joined = recorded_with(old, new)["parts"]
    assert {name: part["machine"]["load"] for name, part in joined.items()} == {
        "preflight": "0.1",
        "undo": "0.2",
        "http": "0.2",
    }
    assert [*joined] == [name for name in PARTS if name in joined]


def test_every_module_of_the_bench_is_reached_from_its_command() -> None:
    modules = {path.stem for path in Path("bench").glob("*.py")}

    beside = {"bare_http", "databases", "figures", "filling", "load", "others", "run", "timing"}
    assert modules == {*PARTS, *beside}


@pytest.mark.anyio
async def test_two_things_are_timed_in_turn_so_that_noise_hits_both() -> None:
    order: list[str] = []

    async def ours() -> None:
        order.append("ours")

    async def other() -> None:
        order.append("other")

    pair = await side_by_side(ours, other, rounds=2, warm_ups=1)

    assert order == ["ours", "other", "ours", "other", "other", "ours"]
    assert (len(pair.ours), len(pair.other)) == (2, 2)


def test_a_noisy_round_does_not_move_the_ratio() -> None:
    assert Pair([2.0, 200.0, 2.0], [1.0, 100.0, 1.0]).ratio == 2.0
    assert Pair([2.0, 200.0, 2.0], [1.0, 1.0, 1.0]).ratio == 2.0
