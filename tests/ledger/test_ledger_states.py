"""Which state of an intent may follow which."""

from hypothesis import given, settings
from hypothesis import strategies as st

from recontact_tools.ledger import ACTIVE_STATES, IntentState, can_follow

WALKS = st.lists(st.sampled_from(IntentState), max_size=30)


def walk(wishes: list[IntentState]) -> list[IntentState]:
    """Go from planned wherever the wishes may lead."""
    path = [IntentState.PLANNED]
    for wish in wishes:
        if can_follow(path[-1], wish):
            path.append(wish)
    return path


@settings(deadline=None)
@given(WALKS)
def test_an_intent_is_sent_at_most_once_and_never_planned_again(wishes: list[IntentState]) -> None:
    path = walk(wishes)
    assert path.count(IntentState.SENDING) <= 1
    assert path.count(IntentState.PLANNED) == 1


@settings(deadline=None)
@given(WALKS)
def test_nothing_starts_or_ends_well_that_was_not_sent(wishes: list[IntentState]) -> None:
    path = walk(wishes)
    if {IntentState.STARTED, IntentState.FINISHED, IntentState.UNKNOWN} & set(path):
        assert path[1] is IntentState.SENDING


@settings(deadline=None)
@given(st.sampled_from(IntentState), st.sampled_from(IntentState))
def test_refused_and_finished_are_final_and_staying_is_no_move(old: IntentState, new: IntentState) -> None:
    assert not can_follow(old, old)
    if old in {IntentState.REFUSED, IntentState.FINISHED}:
        assert not can_follow(old, new)


def test_active_states_are_those_before_an_outcome() -> None:
    assert set(IntentState) - ACTIVE_STATES == {
        IntentState.FINISHED,
        IntentState.REFUSED,
        IntentState.UNKNOWN,
    }
