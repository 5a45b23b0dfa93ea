"""The durable engine: brings every intent and every replacement to its end, whichever process does it."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.abc

from recontact_tools.errors import RecontactError
from recontact_tools.work import unsettled_work, work_of

if TYPE_CHECKING:
    from recontact_tools.desk import Desk
    from recontact_tools.work import Work

logger = logging.getLogger(__name__)

# ours: one read of some 20 us a second, and what a dead sibling left goes on within three.
WATCH_SECONDS = 1.0
# ours: an engine that cannot be started is not asked more often than this, for each try costs and is logged.
WATCH_SECONDS_MOST = 60.0
# ours: from writing an intent down to submitting it takes milliseconds, and the engine's first start a second.
OWN_PROCESS_SUBMITS = timedelta(seconds=2)
# ours: snapshots are kept for days; a server may run for weeks.
EXPIRY_LOOKED_FOR = timedelta(hours=1)


class Crew(Protocol):
    """The processes that share the work: `Elected` on a data directory, `Fleet` on PostgreSQL."""

    @property
    def joins_at_once(self) -> bool:
        """Whether this process executes even before it has something to hand over."""
        ...

    @property
    def executes(self) -> bool:
        """Whether this process executes now."""
        ...

    async def join(self) -> None:
        """Make ready to hand work over; once, and again where it failed."""
        ...

    async def hand_over(self, work: Work) -> None:
        """Have work done, here or in another process; what was handed over before is not done twice."""
        ...

    async def leave(self) -> None:
        """Execute no longer, so that others can take over at once."""
        ...


class DurableEngine:
    """Runs intents to their end, through crashes, in the process of its *crew* that executes."""

    def __init__(self, crew: Crew, desk: Desk, tasks: anyio.abc.TaskGroup) -> None:
        self._crew = crew
        self._desk = desk
        self._tasks = tasks
        self._expires_next = desk.clock.now()
        self._submitted: set[str] = set()

    @property
    def executes(self) -> bool:
        """Whether this process executes now; another one does otherwise."""
        return self._crew.executes

    async def submit(self, work_id: str) -> None:
        """Start the workflow of an intent or a replacement, here or in the process that executes; once."""
        await self._crew.join()
        work = await work_of(self._desk.ledger, work_id)
        await self._crew.hand_over(work)
        self._submitted.add(work.run_id)

    async def wake(self) -> None:
        """Resume what other processes left unsettled, and go on looking; one read when there is nothing new.

        A crew that executes at once joins in the background: its database may be away for a while.
        """
        if not self._crew.joins_at_once:
            await self._resume()
        self._tasks.start_soon(self._watch)

    async def aclose(self) -> None:
        """Let effects under way end, and leave the rest to the next process."""
        await self._desk.close()
        await self._crew.leave()

    async def _resume(self, *, older_than: timedelta = timedelta()) -> None:
        """Submit what nobody here has submitted yet; a young intent is still in the hands of its own process."""
        unsettled = await unsettled_work(self._desk.ledger, now=self._desk.clock.now())
        self._submitted &= {work.run_id for work in unsettled}
        for work in unsettled:
            young = self._desk.clock.now() - work.created_at < older_than
            if not young and work.run_id not in self._submitted:
                await self.submit(work.work_id)

    async def _watch(self) -> None:
        """Look again and again: a sibling may die before it has told the engine of its intent."""
        wait = 0.0 if self._crew.joins_at_once else WATCH_SECONDS
        while True:
            await anyio.sleep(wait)
            try:
                if self._crew.joins_at_once:
                    await self._crew.join()
                await self._resume(older_than=OWN_PROCESS_SUBMITS)
                await self._expire()
                wait = WATCH_SECONDS
            except Exception as error:  # noqa: BLE001 - whatever is wrong with the engine, calls are still answered
                wait = min(max(2 * wait, WATCH_SECONDS), WATCH_SECONDS_MOST)
                reason = error.message if isinstance(error, RecontactError) else type(error).__name__
                logger.error("Unfinished work cannot be resumed: %s", reason)  # noqa: TRY400 - other texts hold paths

    async def _expire(self) -> None:
        """Delete the snapshots whose time has come, as long as this process executes; looks once an hour."""
        now = self._desk.clock.now()
        if self._crew.executes and now >= self._expires_next:
            self._expires_next = now + EXPIRY_LOOKED_FOR
            await self._desk.ledger.snapshots.expire(now=now)
