"""Checks that a person agreed, and to this."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from recontact_tools.errors import Detail, ErrorCode, InvalidInput, NotAllowed, Unreachable
from recontact_tools.guardrails import (
    PhraseTyped,
    PlanHolds,
    SomethingStored,
    check_phrase,
    check_plan,
    confirmation_phrase,
    plan_not_valid,
)
from recontact_tools.ledger import Plan, PlanState
from recontact_tools.models import TargetGroup

NOW = datetime(2026, 11, 23, tzinfo=UTC)
GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
PLAN = Plan("PLAN1", "ann", GROUP, 500, NOW, NOW + timedelta(minutes=10), PlanState.OPEN)
PHRASE = "REMOVE 500 FROM 01BTGNYV6HRNK8K8VKZASZCFP1"


def test_the_phrase_names_the_count_and_the_target_group() -> None:
    assert confirmation_phrase(500, GROUP.target_group_id) == PHRASE


def test_the_phrase_is_accepted_with_blanks_around_it() -> None:
    assert check_phrase(f"  {PHRASE}\n", PLAN) == PhraseTyped()


@settings(deadline=None)
@given(st.text())
@example("")
@example("yes")
@example(PHRASE.lower())
@example(PHRASE.replace(" ", "  "))
@example(PHRASE.replace("500", "501"))
@example(PHRASE + PHRASE)
def test_anything_else_is_refused_and_nothing_is_taught(typed: str) -> None:
    assume(typed.strip() != PHRASE)
    with pytest.raises(NotAllowed) as refused:
        check_phrase(typed, PLAN)
    said = str(refused.value.as_dict())
    assert refused.value.code is ErrorCode.CONFIRMATION_MISMATCH
    assert "REMOVE" not in said
    assert "500" not in said
    assert GROUP.target_group_id not in said


def test_the_refusal_is_the_same_whatever_was_typed() -> None:
    said: list[dict[str, Detail]] = []
    for typed in ("", "a canary that was typed"):
        with pytest.raises(NotAllowed) as refused:
            check_phrase(typed, PLAN)
        said.append(refused.value.as_dict())
    assert said[0] == said[1]


def test_a_plan_that_is_still_true_may_be_spent() -> None:
    assert check_plan(PLAN, count_now=500, now=NOW, principal="ann") == PlanHolds(SomethingStored(500))


@pytest.mark.parametrize(
    ("plan", "principal", "now"),
    [
        pytest.param(None, "ann", NOW, id="no plan"),
        pytest.param(PLAN, "bob", NOW, id="another principal's"),
        pytest.param(PLAN, "ann", PLAN.expires_at, id="expired"),
        pytest.param(replace(PLAN, state=PlanState.SPENT), "ann", NOW, id="spent"),
        pytest.param(replace(PLAN, state=PlanState.CLOSED), "ann", NOW, id="closed"),
    ],
)
def test_a_worthless_plan_is_refused_in_one_text(plan: Plan | None, principal: str, now: datetime) -> None:
    with pytest.raises(NotAllowed) as refused:
        check_plan(plan, count_now=500, now=now, principal=principal)
    assert refused.value.code is ErrorCode.PLAN_NOT_VALID
    assert refused.value.message == plan_not_valid().message


@settings(deadline=None)
@given(st.integers(1, 100_000), st.integers(1, 100_000))
def test_a_plan_holds_exactly_while_its_count_does(planned: int, stored: int) -> None:
    plan = replace(PLAN, count=planned)
    if planned == stored:
        assert check_plan(plan, count_now=stored, now=NOW, principal="ann").count == stored
        return
    with pytest.raises(NotAllowed) as refused:
        check_plan(plan, count_now=stored, now=NOW, principal="ann")
    assert refused.value.code is ErrorCode.PLAN_DRIFTED
    assert refused.value.details == {"planned": planned, "stored": stored}


def test_a_plan_is_refused_when_nothing_or_nobody_knows_what_is_stored() -> None:
    with pytest.raises(Unreachable):
        check_plan(PLAN, count_now=None, now=NOW, principal="ann")
    with pytest.raises(InvalidInput):
        check_plan(PLAN, count_now=0, now=NOW, principal="ann")
