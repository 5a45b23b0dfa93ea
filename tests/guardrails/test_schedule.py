"""How long a job may take, and when to look or to ask again."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recontact_tools.models import JobKind
from recontact_tools.schedule import (
    Eta,
    Rate,
    documented,
    eta,
    first_look,
    hindered_look,
    learned,
    look_delay,
    next_look,
    next_waiting_look,
    poll_after,
    remaining,
    settle_delays,
)

KINDS = st.sampled_from(JobKind)
IDS = st.integers(0, 100_000)
PACES = st.sampled_from([0.0, 0.001, 0.05, 0.5, 1.0, 2.0])
ELAPSED = st.floats(0, 100_000)
JOBS = st.lists(st.tuples(st.integers(1, 100_000), st.floats(0, 1e6)), max_size=30)
FULL = 100_000
RATE = documented(JobKind.UPLOAD, pace=1)


def looks(rate: Rate, ids: int, end: float, *, pace: float = 1.0) -> list[float]:
    """Return when a job that ends after *end* seconds is looked at, the last time at or after its end."""
    times = [first_look(pace=pace)]
    while times[-1] < end:
        times.append(times[-1] + next_look(rate, ids, times[-1], pace=pace))
    return times


@pytest.mark.parametrize(
    ("kind", "ids", "pace", "expected"),
    [
        pytest.param(JobKind.UPLOAD, 10_000, 1.0, Eta(600, 900), id="10 to 15 minutes"),
        pytest.param(JobKind.REMOVAL, 10_000, 1.0, Eta(180, 300), id="3 to 5 minutes"),
        pytest.param(JobKind.UPLOAD, 15_000, 1.0, Eta(900, 1800), id="a part counts as a whole"),
        pytest.param(JobKind.UPLOAD, 1, 1.0, Eta(0, 900), id="a small job may be slow"),
        pytest.param(JobKind.UPLOAD, 10_000, 0.01, Eta(6, 9), id="a rehearsal"),
        pytest.param(JobKind.UPLOAD, 100_000, 0.0, Eta(0, 3), id="full speed"),
    ],
)
def test_an_estimate_follows_the_documented_times(kind: JobKind, ids: int, pace: float, expected: Eta) -> None:
    assert eta(kind, ids, pace=pace) == expected


def test_an_estimate_follows_what_was_learned_instead_when_something_was() -> None:
    assert eta(JobKind.UPLOAD, 15_000, pace=1, rate=Rate(200, 300)) == Eta(300, 600)


@settings(deadline=None)
@given(KINDS, IDS, IDS, PACES, JOBS)
def test_more_ids_never_take_less_time(
    kind: JobKind, ids: int, more: int, pace: float, jobs: list[tuple[int, float]]
) -> None:
    rate = learned(kind, jobs, pace=pace)
    small, large = (eta(kind, count, pace=pace, rate=rate) for count in (ids, ids + more))
    assert 0 <= small.low <= small.high
    assert small.low <= large.low
    assert small.high <= large.high


@settings(deadline=None)
@given(KINDS, IDS, PACES, ELAPSED, ELAPSED)
def test_what_is_left_shrinks_to_nothing(kind: JobKind, ids: int, pace: float, elapsed: float, more: float) -> None:
    estimate = eta(kind, ids, pace=pace)
    before, after = remaining(estimate, elapsed), remaining(estimate, elapsed + more)
    assert 0 <= after.low <= before.low <= estimate.low
    assert 0 <= after.high <= before.high <= estimate.high
    assert before.low <= before.high
    assert remaining(estimate, estimate.high) == Eta(0, 0)


FAST = (10_000, 120.0)


@pytest.mark.parametrize(
    "jobs",
    [
        pytest.param([], id="none yet"),
        pytest.param([FAST] * 2, id="too few"),
        pytest.param([(999, 12.0)] * 20, id="too small to tell a rate"),
        pytest.param([(10_000, 0.2)] * 20, id="at full speed in a rehearsal"),
        pytest.param([(10_000, 900.0 * 21)] * 20, id="stuck for hours"),
    ],
)
def test_nothing_is_learned_from_jobs_that_cannot_tell(jobs: list[tuple[int, float]]) -> None:
    assert learned(JobKind.UPLOAD, jobs, pace=1) == RATE


def test_an_account_whose_jobs_are_quick_is_promised_quicker_ones_the_more_the_longer_it_is_so() -> None:
    rates = [learned(JobKind.UPLOAD, [FAST] * jobs, pace=1) for jobs in (2, 3, 6, 20)]
    assert rates == sorted(rates, key=lambda rate: rate.high, reverse=True)
    assert len(set(rates)) == 4
    assert 120 / 1.1 < rates[-1].low < 150
    assert 120 * 1.1 < rates[-1].high < 190


def test_what_is_learned_scales_with_the_size_of_the_jobs() -> None:
    whole, parts = ([(ids, seconds)] * 5 for ids, seconds in ((100_000, 9_000.0), (1_000, 90.0)))
    assert learned(JobKind.UPLOAD, whole, pace=1) == learned(JobKind.UPLOAD, parts, pace=1)


@pytest.mark.parametrize("odd", [(10_000, 40.0), (10_000, 15_000.0)], ids=["quick", "slow"])
def test_one_odd_job_teaches_nothing(odd: tuple[int, float]) -> None:
    usual = [(10_000, 500.0)] * 4
    assert learned(JobKind.UPLOAD, [*usual, odd], pace=1) == learned(JobKind.UPLOAD, [*usual, usual[0]], pace=1)


def test_at_full_speed_nothing_is_learned() -> None:
    assert learned(JobKind.UPLOAD, [(10_000, 0.0)] * 9, pace=0) == Rate(0, 0)


@settings(deadline=None)
@given(KINDS, JOBS, PACES)
def test_whatever_was_seen_a_rate_is_a_range_near_the_documented_one(
    kind: JobKind, jobs: list[tuple[int, float]], pace: float
) -> None:
    told, rate = documented(kind, pace=pace), learned(kind, jobs, pace=pace)
    assert told.low / 22.1 <= rate.low <= rate.high <= told.high * 22.1


@settings(deadline=None)
@given(KINDS, IDS, PACES, ELAPSED)
def test_a_client_is_never_sent_away_for_longer_than_is_of_use(
    kind: JobKind, ids: int, pace: float, elapsed: float
) -> None:
    estimate = eta(kind, ids, pace=pace)
    poll, left = poll_after(estimate, elapsed, pace=pace), remaining(estimate, elapsed)
    assert 1 <= poll <= max(left.high, elapsed) + 60
    assert pace < 1 or poll >= 15
    assert pace != 0 or poll == 1


@pytest.mark.parametrize(
    ("ids", "elapsed", "expected"),
    [
        pytest.param(FULL, 0, 15, id="a file that is refused is refused soon"),
        pytest.param(FULL, 15, 5_985, id="before it can have ended"),
        pytest.param(FULL, 6_000, 3_060, id="a minute after it should have ended"),
        pytest.param(FULL, 9_060, 60, id="overdue"),
        pytest.param(FULL, 13_000, 1_000, id="long overdue"),
        pytest.param(10, 0, 15, id="a small job"),
        pytest.param(10, 240, 240, id="a small job that takes long"),
        pytest.param(10, 700, 260, id="a small job that should have ended"),
    ],
)
def test_a_client_asks_early_then_when_the_job_may_and_should_have_ended(
    ids: int, elapsed: float, expected: int
) -> None:
    assert poll_after(eta(JobKind.UPLOAD, ids, pace=1), elapsed, pace=1) == expected


@pytest.mark.parametrize("ids", [10, 1_000, 10_000, 50_000, FULL])
def test_a_client_that_asks_when_it_is_told_to_asks_a_few_times(ids: int) -> None:
    estimate = eta(JobKind.UPLOAD, ids, pace=1)
    elapsed, asked = 0, 0
    while elapsed < estimate.high:
        elapsed, asked = elapsed + poll_after(estimate, elapsed, pace=1), asked + 1
    assert asked <= (3 if ids >= 10_000 else 8)


@settings(deadline=None)
@given(KINDS, IDS, JOBS, st.sampled_from([1.0, 1.2, 2.0]), ELAPSED)
def test_after_the_first_quarter_of_a_minute_looks_are_15_to_60_seconds_apart(
    kind: JobKind, ids: int, jobs: list[tuple[int, float]], pace: float, elapsed: float
) -> None:
    delay = next_look(learned(kind, jobs, pace=pace), ids, elapsed, pace=pace)
    assert min(15.0, max(1.0, elapsed)) <= delay <= 60.0


def test_the_first_looks_are_quick_and_each_waits_as_long_as_has_passed() -> None:
    assert looks(RATE, FULL, 60)[:6] == [1, 2, 4, 8, 16, 32]
    assert looks(Rate(0, 0), 10, 0.1, pace=0) == [0.01, 0.02, 0.04, 0.08, 0.16]


def test_looks_are_rare_while_the_end_is_far_dense_around_it_and_rare_when_it_is_overdue() -> None:
    times = looks(RATE, FULL, 9_000)
    gaps = {round(before): after - before for before, after in pairwise(times)}
    assert {gap for at, gap in gaps.items() if 64 <= at < 7_200} == {60.0}
    assert {gap for at, gap in gaps.items() if 7_320 <= at < 7_680} == {15.0}
    assert {gap for at, gap in gaps.items() if at >= 7_680} == {60.0}
    assert len(times) <= 185


def test_a_job_of_ten_thousand_is_looked_at_closely_all_the_time_in_which_it_should_end() -> None:
    times = looks(RATE, 10_000, 900)
    assert {after - before for before, after in pairwise(times) if before >= 600} == {15.0}


def test_what_was_learned_moves_the_dense_looks() -> None:
    times = looks(Rate(100, 140), 50_000, 600)
    assert {after - before for before, after in pairwise(times) if 420 <= before < 780} == {15.0}
    assert {after - before for before, after in pairwise(looks(RATE, 50_000, 600)) if before >= 64} == {60.0}


@settings(deadline=None)
@given(PACES, ELAPSED)
def test_somebody_who_waits_is_never_left_alone_for_long(pace: float, elapsed: float) -> None:
    assert 0.01 <= next_waiting_look(elapsed, pace=pace) <= 15.0


def test_looks_that_are_not_answered_become_rarer_and_never_sooner_than_the_api_asked() -> None:
    assert [hindered_look(60.0, times, retry_after=0) for times in (0, 1, 2, 3, 999)] == [60, 120, 240, 240, 240]
    assert hindered_look(60.0, 1, retry_after=600) == 600
    assert hindered_look(1.0, 0, retry_after=0) == 1.0


@settings(deadline=None)
@given(st.integers(0, 1_000), PACES)
def test_looks_at_what_has_no_known_time_back_off_and_stay_bounded(attempt: int, pace: float) -> None:
    assert 0.01 <= look_delay(attempt, pace=pace) <= look_delay(attempt + 1, pace=pace) <= 60


def test_they_begin_quickly_against_ourselves_and_politely_against_cint() -> None:
    assert [look_delay(attempt, pace=0) for attempt in (0, 1, 2, 3, 99)] == [0.01, 0.02, 0.05, 0.1, 1.0]
    assert [look_delay(attempt, pace=1) for attempt in (0, 1, 2, 3, 99)] == [1.0, 2.0, 5.0, 10.0, 60.0]


def test_a_lost_upload_is_looked_for_several_times() -> None:
    assert len(settle_delays(JobKind.UPLOAD, 10_000, pace=0)) >= 5
    assert sum(settle_delays(JobKind.UPLOAD, 10_000, pace=0)) < 5
    assert len(settle_delays(JobKind.UPLOAD, 10_000, pace=1)) >= 5


def test_a_lost_removal_is_looked_for_now_and_when_it_would_have_ended() -> None:
    assert settle_delays(JobKind.REMOVAL, 10_000, pace=1) == (0.0, 300.0)
    assert settle_delays(JobKind.REMOVAL, 10_000, pace=0) == (0.0, 2.0)
