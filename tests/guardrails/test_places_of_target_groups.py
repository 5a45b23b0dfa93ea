"""Where a target group lives: what is remembered of it, and what decides between several places."""

import pytest

from recontact_tools.errors import InvalidInput
from recontact_tools.guardrails import Pasted
from recontact_tools.locating import choose, in_another_place
from recontact_tools.models import TargetGroup
from recontact_tools.places import Places

HERE = TargetGroup(101, "PROJECT", "GROUP")
THERE = TargetGroup(102, "OTHER", "GROUP")
ELSEWHERE = TargetGroup(101, "OTHER", "GROUP")
WANTED = Pasted("GROUP")


def test_a_place_is_remembered_until_it_is_forgotten() -> None:
    places = Places()
    assert places.get("GROUP") is None
    places.remember(HERE)
    places.remember(THERE)
    assert places.get("GROUP") == THERE
    places.forget("GROUP")
    places.forget("GROUP")
    assert places.get("GROUP") is None


def test_no_more_than_so_many_places_are_remembered_and_the_oldest_goes() -> None:
    places = Places(limit=2)
    groups = [TargetGroup(101, "PROJECT", name) for name in "ABC"]
    for group in (groups[0], groups[1], groups[0], groups[2]):
        places.remember(group)
    assert [places.get(name) for name in "ABC"] == [groups[0], None, groups[2]]


@pytest.mark.parametrize(
    ("places", "configured", "chosen"),
    [
        pytest.param([], None, None, id="nobody knows"),
        pytest.param([], HERE, HERE, id="only configured"),
        pytest.param([THERE], HERE, THERE, id="one place where it was used before"),
        pytest.param([THERE, HERE], HERE, HERE, id="several, and one is the configured one"),
    ],
)
def test_the_place_where_it_was_used_comes_before_the_configured_one(
    places: list[TargetGroup], configured: TargetGroup | None, chosen: TargetGroup | None
) -> None:
    assert choose(WANTED, places, configured) == chosen


@pytest.mark.parametrize("configured", [None, HERE])
def test_between_several_places_a_person_decides(configured: TargetGroup | None) -> None:
    with pytest.raises(InvalidInput) as refused:
        choose(WANTED, [THERE, ELSEWHERE], configured)
    assert refused.value.details["places"] == [
        {"account_id": 102, "project_id": "OTHER"},
        {"account_id": 101, "project_id": "OTHER"},
    ]


@pytest.mark.parametrize(
    ("found", "expected", "said"),
    [
        pytest.param(ELSEWHERE, Pasted("GROUP", "PROJECT", 101), "in another project;", id="project"),
        pytest.param(THERE, Pasted("GROUP", "PROJECT", 101), "in another account and project;", id="both"),
        pytest.param(THERE, Pasted("GROUP", None, 101), "in another account;", id="account"),
    ],
)
def test_what_is_different_from_what_was_expected_is_named(found: TargetGroup, expected: Pasted, said: str) -> None:
    assert said in in_another_place(found, expected).message
