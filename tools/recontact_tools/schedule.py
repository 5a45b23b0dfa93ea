"""How long a job may take, and when to look at it again: arithmetic, with every input a parameter.

*pace* multiplies the documented times: 1 is Cint, 0 the embedded service at full speed. One estimate, a `Rate`,
is behind everything: what a caller is told to expect, when it is told to ask again, and when we look ourselves.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from recontact_tools.models import JobKind
from recontact_tools.versions import PLANNED_UPLOAD_SECONDS

_BLOCK_IDS = 10_000
_SECONDS_PER_BLOCK = {
    JobKind.UPLOAD: PLANNED_UPLOAD_SECONDS,
    JobKind.REMOVAL: (180.0, 300.0),  # source: cint-api.md, 3 to 5 minutes per 10,000 IDs
}
_FULL_SPEED_IDS_PER_SECOND = 50_000  # ours: under what the embedded service was measured to store

LEARNING_IDS_LEAST = 1_000  # ours: a smaller job tells how long jobs wait, not how fast they go
_LEARNING_JOBS_LEAST = 3  # ours: fewer have no middle that an odd one cannot move
_DOCUMENTED_WEIGHT = 3  # ours: the documented times count as much as so many jobs of the account
_IMPLAUSIBLE = 20.0  # ours: so far from the documented times it was other work, such as a rehearsal at another pace
_SPREAD_LEAST = 1.1  # ours: jobs that were alike so far do not promise that the next one is

_POLL_FIRST = 15  # ours: what is wrong with a file shows soon, if it shows before the end at all
_POLL_OVERDUE = 60  # ours: a minute after the end is early enough to hear of it
_POLL_OVERDUE_SHARE = 4  # ours: the later a job, the less one minute matters

_LOOK_NEAR = 15.0  # ours: near the expected end
_LOOK_FAR = 60.0  # ours: before and after; no job ends so exactly that looking more rarely would help
_NEAR_SECONDS = 180.0  # ours: either side of the expected end; of 10,000 IDs that is the whole documented range
_VAIN_DOUBLINGS_MOST = 2  # ours: four minutes, and an outage is noticed to be over

# ours: tens of milliseconds against ourselves, a second or two against Cint, then back off.
_FULL_SPEED_LOOKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_LOOKS = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0)

# ours: an upload is listed soon or never; the list is looked at often enough to bridge a short outage.
_FULL_SPEED_SETTLING = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
_UPLOAD_SETTLING = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Rate:
    """Between *low* and *high* seconds for 10,000 IDs; 0 to 0 at full speed, where seconds do not matter."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Eta:
    """Between *low* and *high* whole seconds."""

    low: int
    high: int


def documented(kind: JobKind, *, pace: float) -> Rate:
    """Return the documented times, at that pace."""
    low, high = _SECONDS_PER_BLOCK[kind]
    return Rate(low * pace, high * pace)


def learned(kind: JobKind, jobs: Iterable[tuple[int, float]], *, pace: float) -> Rate:
    """Return what earlier *jobs* (IDs and seconds of each) add to the documented times.

    The middle half of what they took, drawn towards the documented range as if some jobs had taken that. One odd
    job moves little, and jobs too small or too odd to tell a rate count for nothing.
    """
    prior = documented(kind, pace=pace)
    rates = sorted(
        rate
        for ids, seconds in jobs
        if ids >= LEARNING_IDS_LEAST
        and prior.low / _IMPLAUSIBLE <= (rate := seconds * _BLOCK_IDS / ids) <= prior.high * _IMPLAUSIBLE
    )
    if pace == 0 or len(rates) < _LEARNING_JOBS_LEAST:
        return prior
    outer = len(rates) // 4
    low, high = rates[outer] / _SPREAD_LEAST, rates[-1 - outer] * _SPREAD_LEAST
    return Rate(_drawn(low, prior.low, len(rates)), _drawn(high, prior.high, len(rates)))


def _drawn(seen: float, told: float, jobs: int) -> float:
    # In logarithms: half and double are equally far off.
    weight = jobs / (jobs + _DOCUMENTED_WEIGHT)
    return math.exp(weight * math.log(seen) + (1 - weight) * math.log(told))


def eta(kind: JobKind, ids: int, *, pace: float, rate: Rate | None = None) -> Eta:
    """Estimate how long a job on *ids* IDs takes, by the documented times or by a *rate* that was learned.

    The times are for 10,000 IDs. The low end takes them in proportion, the high end counts a part of 10,000 as a
    whole: nobody says that a small job is quick.
    """
    if pace == 0:
        return Eta(0, 1 + math.ceil(ids / _FULL_SPEED_IDS_PER_SECOND))
    rate = rate or documented(kind, pace=pace)
    blocks = max(1, math.ceil(ids / _BLOCK_IDS))
    return Eta(math.floor(rate.low * ids / _BLOCK_IDS), math.ceil(rate.high * blocks))


def remaining(estimate: Eta, elapsed: float) -> Eta:
    """Return what is left of an estimate after *elapsed* seconds; an overdue job has 0 to 0 left."""
    return Eta(max(0, math.floor(estimate.low - elapsed)), max(0, math.ceil(estimate.high - elapsed)))


def poll_after(estimate: Eta, elapsed: float, *, pace: float) -> int:
    """Return after how many seconds a client should ask again: rarely, for every question costs its user something.

    Early once, for what fails at once. Then not before the job can have ended, or as long as has passed, and
    a little after it should have ended. An overdue job is worth a question a minute, later fewer.
    """
    if pace == 0:
        return 1
    first = max(1, math.ceil(_POLL_FIRST * min(1.0, pace)))
    overdue = max(1, math.ceil(_POLL_OVERDUE * min(1.0, pace)))
    if elapsed < first:
        return first
    left = remaining(estimate, elapsed)
    if left.low:
        return max(first, left.low)
    if left.high:
        return max(first, min(left.high + overdue, math.ceil(elapsed)))
    return max(overdue, math.ceil((elapsed - estimate.high) / _POLL_OVERDUE_SHARE))


def first_look(*, pace: float) -> float:
    """Return how many seconds to wait before the first look at a job: after its start, or after ours."""
    return max(_FULL_SPEED_LOOKS[0], _LOOKS[0] * min(1.0, pace))


def next_look(rate: Rate, ids: int, elapsed: float, *, pace: float) -> float:
    """Return how many seconds to wait before the next look at a job on *ids* IDs, *elapsed* seconds after its start.

    As long as has passed, at first. Then 15 seconds around the end that the rate promises, and 60 before and after.
    """
    scale = min(1.0, pace)
    near, far = _LOOK_NEAR * scale, max(_FULL_SPEED_LOOKS[-1], _LOOK_FAR * scale)
    expected, around = (rate.low + rate.high) / 2 * ids / _BLOCK_IDS, _NEAR_SECONDS * scale
    ahead = expected - around - elapsed
    if ahead > 0:
        wanted = min(far, max(near, ahead))
    elif elapsed < expected + around:
        wanted = near
    else:
        wanted = far
    return max(first_look(pace=pace), min(wanted, elapsed))


def next_waiting_look(elapsed: float, *, pace: float) -> float:
    """Return how many seconds to wait before the next look when a caller waits for it: 15 at most."""
    longest = max(_FULL_SPEED_LOOKS[-1], _LOOK_NEAR * min(1.0, pace))
    return max(first_look(pace=pace), min(longest, elapsed))


def hindered_look(delay: float, vain: int, *, retry_after: float) -> float:
    """Return how many seconds to wait instead of *delay* after so many looks in a row that showed nothing.

    Twice as long, then four times; and never less than what the API asked for.
    """
    return max(retry_after, delay * 2.0 ** min(vain, _VAIN_DOUBLINGS_MOST))


def look_delay(attempt: int, *, pace: float) -> float:
    """Return how many seconds to wait before look *attempt*, from 0, at something of which no time is known."""
    soonest = _FULL_SPEED_LOOKS[min(attempt, len(_FULL_SPEED_LOOKS) - 1)]
    return max(soonest, min(1.0, pace) * _LOOKS[min(attempt, len(_LOOKS) - 1)])


def settle_delays(kind: JobKind, ids: int, *, pace: float) -> tuple[float, ...]:
    """Return how many seconds to wait before each look for a lost answer.

    An upload shows in the job list soon. A removal shows only in the count: now, and once more when a
    removal of *ids* IDs would have ended.
    """
    if kind is JobKind.REMOVAL:
        return (0.0, float(eta(kind, ids, pace=pace).high))
    return _FULL_SPEED_SETTLING if pace == 0 else _UPLOAD_SETTLING


def settled_within(kind: JobKind, ids: int, *, pace: float) -> float:
    """Return about how many seconds after its sending it is settled at the latest what became of a lost answer.

    Whatever there is to look at: an upload without a list of jobs is waited for until it must have ended. Times in
    which the API cannot be looked at come on top.
    """
    return max(sum(settle_delays(kind, ids, pace=pace)), float(eta(kind, ids, pace=pace).high))
