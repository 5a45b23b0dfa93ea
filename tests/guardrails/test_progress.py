"""How far a job has come: told only where the count shows it, and never more than it shows."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recontact_tools.models import JobKind
from recontact_tools.progress import Moved, moved, narrowed
from recontact_tools.schedule import Eta, eta, poll_after, remaining

KINDS = st.sampled_from(JobKind)
COUNTS = st.integers(0, 100_000)
ELAPSED = st.floats(0, 100_000)


@st.composite
def estimates(draw: st.DrawFn) -> Eta:
    low, wide = draw(st.integers(0, 20_000)), draw(st.integers(0, 20_000))
    return Eta(low, low + wide)


@st.composite
def movements(draw: st.DrawFn) -> Moved:
    total = draw(st.integers(1, 100_000))
    return Moved(draw(st.integers(1, total)), total)


@pytest.mark.parametrize(
    ("kind", "ids", "before", "stored", "expected"),
    [
        pytest.param(JobKind.UPLOAD, 10, 5, 9, Moved(4, 10), id="an upload that has grown the count"),
        pytest.param(JobKind.UPLOAD, 10, 5, 15, Moved(10, 10), id="an upload that is all there"),
        pytest.param(JobKind.UPLOAD, 10, 5, 5, None, id="an upload that does not show"),
        pytest.param(JobKind.UPLOAD, 10, 5, 16, None, id="more than was sent"),
        pytest.param(JobKind.UPLOAD, 10, 5, 4, None, id="less than before an upload"),
        pytest.param(JobKind.REMOVAL, 10, 10, 4, Moved(6, 10), id="a removal that has shrunk the count"),
        pytest.param(JobKind.REMOVAL, 10, 10, 10, None, id="a removal that does not show"),
        pytest.param(JobKind.REMOVAL, 10, 10, 11, None, id="more than before a removal"),
        pytest.param(JobKind.UPLOAD, None, 5, 9, None, id="a job of unknown size"),
        pytest.param(JobKind.UPLOAD, 0, 5, 5, None, id="a job on nothing"),
        pytest.param(JobKind.UPLOAD, 10, None, 9, None, id="no count before"),
        pytest.param(JobKind.UPLOAD, 10, 5, None, None, id="no count now"),
    ],
)
def test_a_job_has_come_as_far_as_the_count_shows_and_it_alone_can_account_for(
    kind: JobKind, ids: int | None, before: int | None, stored: int | None, expected: Moved | None
) -> None:
    assert moved(kind, ids=ids, before=before, stored=stored) == expected


@given(KINDS, COUNTS, COUNTS, COUNTS)
def test_what_is_done_is_some_and_never_more_than_all(kind: JobKind, ids: int, before: int, stored: int) -> None:
    seen = moved(kind, ids=ids, before=before, stored=stored)
    assert seen is None or (0 < seen.done <= seen.total == ids and seen.done == abs(stored - before))


@settings(deadline=None)
@given(KINDS, estimates(), ELAPSED, st.none() | movements())
def test_an_estimate_is_only_ever_narrowed(kind: JobKind, estimate: Eta, elapsed: float, seen: Moved | None) -> None:
    found = narrowed(kind, estimate, elapsed, seen)
    assert estimate.low <= found.low <= found.high <= estimate.high


@given(KINDS, estimates(), ELAPSED)
def test_without_a_movement_the_estimate_stays(kind: JobKind, estimate: Eta, elapsed: float) -> None:
    assert narrowed(kind, estimate, elapsed, None) == estimate


@given(KINDS, estimates(), ELAPSED, st.integers(11, 100_000))
def test_a_movement_too_small_to_tell_anything_changes_nothing(
    kind: JobKind, estimate: Eta, elapsed: float, total: int
) -> None:
    assert narrowed(kind, estimate, elapsed, Moved(max(1, total // 11), total)) == estimate


@given(KINDS, estimates(), st.floats(1, 20_000), movements(), st.integers(1, 1_000))
def test_a_job_that_has_come_further_is_not_expected_later(
    kind: JobKind, estimate: Eta, elapsed: float, seen: Moved, more: int
) -> None:
    further = Moved(min(seen.total, seen.done + more), seen.total)
    before, after = (narrowed(kind, estimate, elapsed, one) for one in (seen, further))
    assert after.high <= before.high


@given(st.integers(1_000, 100_000), st.floats(0.2, 1.0), st.sampled_from([0.8, 1.0, 1.2]))
def test_the_end_of_a_steady_job_stays_in_what_is_promised(ids: int, share: float, speed: float) -> None:
    """A removal at any steady pace within the documented times, seen at any moment from a fifth on."""
    whole = eta(JobKind.REMOVAL, ids, pace=1.0)
    end = (whole.low + (whole.high - whole.low) / 2) * speed
    if not whole.low <= end <= whole.high:
        return
    found = narrowed(JobKind.REMOVAL, whole, end * share, Moved(max(1, math.floor(ids * share)), ids))
    assert found.low <= end <= found.high + 1


def test_what_is_seen_reaches_the_time_left_and_the_next_question() -> None:
    whole = eta(JobKind.REMOVAL, 100_000, pace=1.0)  # 30 to 50 minutes
    half = narrowed(JobKind.REMOVAL, whole, 960.0, Moved(50_000, 100_000))  # after 16 minutes
    assert (whole, half) == (Eta(1800, 3000), Eta(1800, 2400))
    assert remaining(half, 960.0) == Eta(840, 1440)
    assert poll_after(half, 960.0, pace=1.0) == 840
    late = narrowed(JobKind.REMOVAL, whole, 960.0, Moved(35_000, 100_000))
    assert late == Eta(2194, 3000)
    assert poll_after(late, 960.0, pace=1.0) == 1234


def test_an_upload_that_shows_little_may_still_end_as_early_as_documented() -> None:
    whole = eta(JobKind.UPLOAD, 10_000, pace=1.0)
    assert narrowed(JobKind.UPLOAD, whole, 500.0, Moved(2_000, 10_000)) == whole
    assert narrowed(JobKind.UPLOAD, whole, 300.0, Moved(5_000, 10_000)) == Eta(600, 750)
