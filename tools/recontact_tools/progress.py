"""How far a job has come, by what the count of stored IDs shows; arithmetic, and nothing where it shows nothing."""

import math
from dataclasses import dataclass

from recontact_tools.models import JobKind
from recontact_tools.schedule import Eta

# ours: a job that has done less may have begun late or quickly, and says nothing about the rest.
_TELLING_SHARE = 0.1
# ours: the rest may go by so much faster or more slowly than what is done.
_SPREAD = 1.25


@dataclass(frozen=True, slots=True)
class Moved:
    """Of *total* IDs of a job at least *done* have shown in the count: more than none, and never more than all."""

    done: int
    total: int


def moved(kind: JobKind, *, ids: int | None, before: int | None, stored: int | None) -> Moved | None:
    """Return how far a job on *ids* IDs has come, from the counts *before* it and now.

    None where a count is not known, has not moved, or has moved in a way that this job cannot account for.
    """
    if not ids or before is None or stored is None:
        return None
    done = stored - before if kind is JobKind.UPLOAD else before - stored
    return Moved(done, ids) if 0 < done <= ids else None


def narrowed(kind: JobKind, estimate: Eta, elapsed: float, seen: Moved | None) -> Eta:
    """Narrow the estimate of a whole job by what it was seen to do in *elapsed* seconds; never widen it.

    An upload may be further than its count, for an ID that was stored before adds nothing: what is seen bounds its end
    from above only.
    """
    if seen is None or seen.done < seen.total * _TELLING_SHARE or elapsed <= 0:
        return estimate
    whole = elapsed * seen.total / seen.done
    high = max(estimate.low, min(estimate.high, math.ceil(whole * _SPREAD)))
    if kind is JobKind.UPLOAD:
        return Eta(estimate.low, high)
    return Eta(min(high, max(estimate.low, math.floor(whole / _SPREAD))), high)
