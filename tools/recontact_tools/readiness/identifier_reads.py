"""The identifiers: how many are stored, which job changes them, and how many of them may not enter."""

import math
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from recontact_tools.comparing import PAGE_IDS, collected, stored_ids
from recontact_tools.errors import ErrorCode, NotAllowed, Unreachable
from recontact_tools.models import ListedJob, RespondentPage, TargetGroup
from recontact_tools.readiness import endpoints
from recontact_tools.readiness.facts import NotRead, Read
from recontact_tools.readiness.slots import Slot
from recontact_tools.runtime import Runtime

if TYPE_CHECKING:
    from recontact_tools.target_group_facts import ExcludedCounts

EXCLUDED_PAGE_IDS: Final = 1_000  # source: cint-api.md section 2.8, the largest page of excluded RSIDs
JOBS_LOOKED_AT: Final = 10  # ours: the list is newest first, and one job at a time can run
COMPARE_SECONDS: Final = 35.0  # ours: the rest of the time goes to finding out how many there are


class IdentifierReads:
    """Read the stored and the excluded identifiers of a target group: their counts, and both lists if affordable."""

    def __init__(self, runtime: Runtime, group: TargetGroup) -> None:
        self._runtime = runtime
        self._group = group
        self._compared: Slot[int] = Slot(endpoints.EXCLUDED_RSIDS)
        self.stored: Slot[int] = Slot(endpoints.STORED)
        self.excluded: Slot[ExcludedCounts] = Slot(endpoints.EXCLUDED)
        self.listed: Slot[tuple[ListedJob, ...]] = Slot(endpoints.JOBS)

    async def run(self) -> None:
        """Read everything; what is left unread when this is cut off says that it took too long."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.listed.fill, self._read_jobs)
            async with anyio.create_task_group() as counting:
                counting.start_soon(self.stored.fill, partial(self._runtime.gateway.get_overview, self._group))
                counts = partial(self._runtime.gateway.target_groups.excluded_counts, self._group)
                counting.start_soon(self.excluded.fill, counts)
            if self.overlap is not None and not isinstance(self.stored.read, NotRead):
                await self._compared.fill(self._compare)

    @property
    def overlap(self) -> Read[int] | None:
        """Return how many stored IDs are excluded; None where one of the two lists is empty."""
        if isinstance(self.stored.read, NotRead):
            return NotRead(self.stored.where, self.stored.read.why)
        excluded = self.excluded.value.rsids if self.excluded.value else 0
        return self._compared.read if self.stored.read.value and excluded else None

    async def _read_jobs(self) -> tuple[ListedJob, ...]:
        page = await self._runtime.gateway.list_upload_jobs(self._group, page_size=JOBS_LOOKED_AT, cursor=None)
        return page.jobs

    async def _compare(self) -> int:
        stored, excluded = self.stored.value or 0, self.excluded.value.rsids if self.excluded.value else 0
        pages_max = self._runtime.rules.compare_pages
        pages = math.ceil(stored / PAGE_IDS) + math.ceil(excluded / EXCLUDED_PAGE_IDS)
        if pages > pages_max:
            raise NotAllowed(
                f"That would read {pages} pages, and one comparison may read {pages_max} (RECONTACT_COMPARE_PAGES)",
                next_step="Go on without comparing.",
            )
        here = await stored_ids(self._runtime, self._group, stored, seconds=COMPARE_SECONDS)
        kept_out = await collected(self._excluded_page, pages_max=pages_max)
        if len(kept_out) != excluded:
            raise Unreachable(
                "The list of excluded IDs and their count do not agree",
                code=ErrorCode.UNAVAILABLE,
                next_step="Repeat the call in a few minutes.",
            )
        return len(here & kept_out)

    async def _excluded_page(self, cursor: str | None) -> RespondentPage:
        reads = self._runtime.gateway.target_groups
        return await reads.list_excluded(self._group, page_size=EXCLUDED_PAGE_IDS, cursor=cursor)
