"""The replicas on one PostgreSQL: every one executes, and takes over what one that has died was at."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING
from uuid import uuid4

import anyio
import anyio.abc
from anyio import to_thread

from recontact_tools.shared_key import check_shared_key

if TYPE_CHECKING:
    from recontact_tools.desk import Desk
    from recontact_tools.seats import Locks
    from recontact_tools.work import Work

logger = logging.getLogger(__name__)

# ours: with the engine's own look of a second, what a dead replica was at goes on well within three seconds.
REAP_SECONDS = 0.5
# ours: after PostgreSQL was away all replicas have lost their locks, and each must have had time to take its own again.
GRACE_SECONDS = 2.0
# ours: a database that is away is asked again soon, for nobody is looked after meanwhile.
AGAIN_SECONDS_MOST = 5.0


class Fleet:
    """Every replica executes what it was asked for itself; whoever lives looks after those that died.

    A replica lives as long as it holds the lock of its own name: PostgreSQL frees it with the connection, so no clocks
    are compared. That a workflow of the dead goes on in one place only is the engine's own rule, and that nothing is
    sent twice the ledger's.
    """

    joins_at_once = True

    def __init__(self, url: str, schema: str, locks: Locks, desk: Desk, tasks: anyio.abc.TaskGroup) -> None:
        self._url = url
        self._schema = schema
        self._locks = locks
        self._desk = desk
        self._tasks = tasks
        self._joining = anyio.Lock()
        self._name = uuid4().hex
        self._executes = False
        self._joined_at = 0.0

    @property
    def executes(self) -> bool:
        """Whether this replica was started."""
        return self._executes

    async def join(self) -> None:
        """Execute; what others left is looked for from now on.

        Raises:
            Unreachable: This replica could not open what others have sealed.
        """
        async with self._joining:
            if not self._executes:
                await to_thread.run_sync(import_module, "recontact_tools.launching")
                await self._launch()
                self._tasks.start_soon(self._look_after_others)

    async def hand_over(self, work: Work) -> None:
        """Do work here, unless some replica has it already."""
        await self.join()
        from recontact_tools import launching

        await launching.run(work)

    async def leave(self) -> None:
        """Leave what is unfinished to the others, which notice at once, and stop."""
        if not self._executes:
            return
        from recontact_tools import launching

        self._executes = False
        await self._locks.free(self._name)
        await to_thread.run_sync(launching.shut_down)

    async def _launch(self) -> None:
        """Start to execute: a caller who goes away must not leave the engine half started."""
        from recontact_tools import launching

        await check_shared_key(self._desk.ledger, self._desk.seal)
        with anyio.CancelScope(shield=True):
            try:
                await self._locks.take(self._name)
                await launching.launch_replica(self._url, self._schema, self._name, self._desk)
                await launching.forget(self._desk.clock.now())
            except BaseException:
                await to_thread.run_sync(launching.shut_down)
                raise
        self._executes, self._joined_at = True, anyio.current_time()

    async def _look_after_others(self) -> None:
        wait = REAP_SECONDS
        while self._executes:
            await anyio.sleep(wait)
            try:
                await self._recover()
                wait = REAP_SECONDS
            except Exception as error:  # noqa: BLE001 - whatever is wrong with the database, calls are still answered
                wait = min(2 * wait, AGAIN_SECONDS_MOST)
                logger.error("The work of others cannot be looked after: %s", type(error).__name__)  # noqa: TRY400 - texts hold addresses

    async def _recover(self) -> None:
        """Take over from every replica that does not hold its lock any more."""
        from recontact_tools import launching

        if not await self._locks.take(self._name) or self._was_away():
            return
        for name in await launching.at_work() - {self._name}:
            if await self._locks.take(name):
                try:
                    await launching.recover(name)
                finally:
                    await self._locks.free(name)

    def _was_away(self) -> bool:
        """Whether the locks' connection has just been lost and made again, perhaps that of every other replica too."""
        return self._locks.held_seconds() < min(GRACE_SECONDS, anyio.current_time() - self._joined_at)
