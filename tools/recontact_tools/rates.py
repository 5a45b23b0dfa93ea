"""How fast an account's jobs go: the documented times, and what its earlier jobs teach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recontact_tools.schedule import LEARNING_IDS_LEAST, Eta, Rate, documented, eta, learned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recontact_tools.ledger import Ledger
    from recontact_tools.models import JobKind

JOBS_LEARNT_FROM = 20  # ours: enough for a middle, few enough to follow an API that becomes faster or slower


async def rate_of(ledger: Ledger, kind: JobKind, account_id: int, *, pace: float) -> Rate:
    """Return the rate to expect of an account's next job."""
    if pace == 0:
        return documented(kind, pace=pace)
    earlier = await ledger.durations(kind, account_id, ids_min=LEARNING_IDS_LEAST, limit=JOBS_LEARNT_FROM)
    return learned(kind, ((one.ids, one.seconds) for one in earlier), pace=pace)


async def estimated(ledger: Ledger, jobs: Mapping[JobKind, int], account_id: int, *, pace: float) -> Eta:
    """Estimate how long jobs on so many IDs take, one after the other."""
    parts = [
        eta(kind, ids, pace=pace, rate=await rate_of(ledger, kind, account_id, pace=pace)) for kind, ids in jobs.items()
    ]
    return Eta(sum(part.low for part in parts), sum(part.high for part in parts))
