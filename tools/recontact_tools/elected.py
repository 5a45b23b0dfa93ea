"""The processes of one data directory: the one that holds the lock executes, its siblings stand by."""

from __future__ import annotations

import logging
import os
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import anyio
import anyio.abc
from anyio import to_thread

from recontact_tools import election

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
# ours: a sibling that is just creating the engine's database needs about a second.
FIRST_LAUNCH_SECONDS = 0.1


class Elected:
    """One process executes, the others hand it their work through the database and take over when the lock is free.

    *folder* holds the engine's database and its lock. Nothing is opened before the first work is handed over.
    """

    joins_at_once = False

    def __init__(self, folder: Path, desk: Desk, tasks: anyio.abc.TaskGroup) -> None:
        self._database = folder / "engine.sqlite"
        self._lock_file = folder / "engine.lock"
        self._desk = desk
        self._tasks = tasks
        self._joining = anyio.Lock()
        self._lock = -1
        self._client: DBOSClient | None = None
        self._hand_over: HandOver | None = None
        self._executes = False

    @property
    def executes(self) -> bool:
        """Whether this process holds the lock."""
        return self._executes

    async def join(self) -> None:
        """Execute, or stand by for the sibling that does."""
        await self._joined()

    async def hand_over(self, work: Work) -> None:
        """Have work done by this process, or by the sibling that executes."""
        hand_over = await self._joined()
        await hand_over(work)

    async def leave(self) -> None:
        """Stop, and free the lock."""
        if self._lock < 0:
            return
        from recontact_tools import launching

        if self._executes:
            await to_thread.run_sync(launching.shut_down)
        if self._client is not None:
            await to_thread.run_sync(self._client.destroy)
        os.close(self._lock)
        self._lock, self._client, self._hand_over, self._executes = -1, None, None, False

    async def _joined(self) -> HandOver:
        async with self._joining:
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
                await launching.forget(self._desk.clock.now())
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
