"""The durable engine: one process per data directory executes, its siblings stand by."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import anyio
import anyio.abc
from anyio import to_thread

from recontact_tools import election
from recontact_tools.work import unsettled_work, work_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from dbos import DBOSClient

    from recontact_tools.desk import Desk
    from recontact_tools.work import Work

    HandOver = Callable[[Work], Awaitable[None]]

logger = logging.getLogger(__name__)

# ours: a sibling takes over well within three seconds of a death, at the cost of two system calls a second.
STANDBY_SECONDS = 0.5
# ours: one read of some 20 us a second, and what a dead sibling left goes on within three.
WATCH_SECONDS = 1.0
# ours: an engine that cannot be started is not asked more often than this, for each try costs and is logged.
WATCH_SECONDS_MOST = 60.0
# ours: from writing an intent down to submitting it takes milliseconds, and the engine's first start a second.
OWN_PROCESS_SUBMITS = timedelta(seconds=2)
# ours: snapshots are kept for days; a server may run for weeks.
EXPIRY_LOOKED_FOR = timedelta(hours=1)
# ours: a sibling that is just creating the engine's database needs about a second.
FIRST_LAUNCH_SECONDS = 0.1
# ours: long after anybody would ask the engine itself about a job; the ledger still knows it.
WORKFLOWS_KEPT = timedelta(days=30)


class DurableEngine:
    """Runs intents to their end, through crashes; costs nothing until the first one is submitted.

    *folder* holds the engine's database and its lock. The process that holds the lock executes; the others
    hand it their intents through the database and take over when the lock is free.
    """

    def __init__(self, folder: Path, desk: Desk, tasks: anyio.abc.TaskGroup) -> None:
        self._database = folder / "engine.sqlite"
        self._lock_file = folder / "engine.lock"
        self._desk = desk
        self._tasks = tasks
        self._starting = anyio.Lock()
        self._lock = -1
        self._client: DBOSClient | None = None
        self._hand_over: HandOver | None = None
        self._executes = False
        self._expires_next = desk.clock.now()
        self._submitted: set[str] = set()

    async def submit(self, work_id: str) -> None:
        """Start the workflow of an intent or a replacement, here or in the process that executes; once."""
        hand_over = await self._start()
        work = await work_of(self._desk.ledger, work_id)
        await hand_over(work)
        self._submitted.add(work.run_id)

    async def wake(self) -> None:
        """Resume what other processes left unsettled, and go on looking; one read when there is nothing new."""
        await self._resume()
        self._tasks.start_soon(self._watch)

    async def aclose(self) -> None:
        """Let effects under way end, leave the rest to the next process, and free the lock."""
        await self._desk.close()
        if self._lock < 0:
            return
        from recontact_tools import launching

        if self._executes:
            await to_thread.run_sync(launching.shut_down)
        if self._client is not None:
            await to_thread.run_sync(self._client.destroy)
        os.close(self._lock)
        self._lock, self._client, self._hand_over, self._executes = -1, None, None, False

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
        wait = WATCH_SECONDS
        while True:
            await anyio.sleep(wait)
            try:
                await self._resume(older_than=OWN_PROCESS_SUBMITS)
                await self._expire()
                wait = WATCH_SECONDS
            except Exception as error:  # noqa: BLE001 - whatever is wrong with the engine, calls are still answered
                wait = min(2 * wait, WATCH_SECONDS_MOST)
                logger.error("Unfinished work cannot be resumed: %s", type(error).__name__)  # noqa: TRY400 - texts hold paths

    async def _expire(self) -> None:
        """Delete the snapshots whose time has come, as long as this process executes; looks once an hour."""
        now = self._desk.clock.now()
        if self._executes and now >= self._expires_next:
            self._expires_next = now + EXPIRY_LOOKED_FOR
            await self._desk.ledger.snapshots.expire(now=now)

    async def _start(self) -> HandOver:
        """Return how an intent is handed over: to this process, or to the sibling that executes."""
        async with self._starting:
            if self._hand_over is None:
                await to_thread.run_sync(import_module, "recontact_tools.launching")
                if self._lock < 0:
                    self._lock = election.opened(self._lock_file)
                self._hand_over = await (self._launch() if election.won(self._lock) else self._stand_by())
            return self._hand_over

    async def _launch(self) -> HandOver:
        """Start to execute, or let go of the lock: a caller who goes away must not leave the engine half started."""
        from recontact_tools import launching

        with anyio.CancelScope(shield=True):
            try:
                launching.launch(self._database, self._desk)
                await launching.listen()
                await launching.forget(self._desk.clock.now() - WORKFLOWS_KEPT)
            except BaseException:
                await to_thread.run_sync(launching.shut_down)
                election.step_back(self._lock)
                raise
        os.pwrite(self._lock, b"launched\n", 0)
        self._executes = True
        return launching.run

    async def _stand_by(self) -> HandOver:
        from recontact_tools import launching

        while not os.pread(self._lock, 1, 0):
            await anyio.sleep(FIRST_LAUNCH_SECONDS)
            if election.won(self._lock):  # the sibling died while it was creating the database
                return await self._launch()
        client = await to_thread.run_sync(launching.client, self._database)
        self._client = client
        self._tasks.start_soon(self._take_over_when_free)
        return partial(launching.enqueue, client)

    async def _take_over_when_free(self) -> None:
        while not self._executes:
            if election.won(self._lock):
                await self._take_over()
            await anyio.sleep(STANDBY_SECONDS)

    async def _take_over(self) -> None:
        try:
            self._hand_over = await self._launch()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the engine, calls are still answered
            logger.error("A sibling's work cannot be taken over: %s", type(error).__name__)  # noqa: TRY400 - texts hold paths
