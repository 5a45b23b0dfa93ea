"""The `AuditTrail` of a ledger, on any database."""

from collections.abc import Callable
from datetime import datetime

import anyio

from recontact_tools.ledger.audit import PAGE, append, before, begun, verified_page
from recontact_tools.ledger.database import Database
from recontact_tools.ledger.entries import Entry
from recontact_tools.ledger.refusals import are_due, record_refusal, settle_refusals
from recontact_tools.ledger.trail import Recorded, Verdict, Wanted


class SqlAudit:
    """The `AuditTrail` on the ledger's file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._looking = anyio.Lock()
        self._begun = 0
        self._last: tuple[int, Verdict] | None = None

    async def record(self, entry: Entry) -> None:
        """See `AuditTrail.record`."""
        await self._database.write(lambda connection: append(connection, entry))

    async def record_refusal(self, entry: Entry) -> None:
        """See `AuditTrail.record_refusal`."""
        await self._database.write(lambda connection: record_refusal(connection, entry))

    async def settle_refusals(self, *, now: datetime) -> None:
        """See `AuditTrail.settle_refusals`."""
        if await self._database.read(lambda connection: are_due(connection, now)):
            await self._database.write(lambda connection: settle_refusals(connection, now))

    async def newest(
        self, limit: int, wanted: Wanted, *, keep: Callable[[Recorded], bool] = lambda _entry: True
    ) -> tuple[Recorded, ...]:
        """See `AuditTrail.newest`."""
        kept: list[Recorded] = []
        oldest: int | None = None
        while len(kept) < limit:
            page = await self._page(oldest, wanted)
            kept += filter(keep, page)
            if len(page) < PAGE:
                break
            oldest = page[-1].seq
        return tuple(kept[:limit])

    async def _page(self, oldest: int | None, wanted: Wanted) -> list[Recorded]:
        return await self._database.read_in_thread(lambda connection: before(connection, oldest, wanted, PAGE))

    async def verify(self, expected: str | None = None) -> Verdict:
        """See `AuditTrail.verify`; all who ask at once get the answer of one look, which began after they asked."""
        if expected is not None:
            return await self._verify(expected)
        asked = self._begun
        async with self._looking:
            if self._last is None or self._last[0] <= asked:
                self._begun += 1
                self._last = (self._begun, await self._verify(None))
            return self._last[1]

    async def _verify(self, expected: str | None) -> Verdict:
        verdict, further = None, begun(expected)
        while further != verdict:
            verdict = further
            further = await self._verified(verdict)
        return further

    async def _verified(self, verdict: Verdict) -> Verdict:
        return await self._database.read_in_thread(lambda connection: verified_page(connection, verdict))
