"""A clock that moves only when everybody sleeps: hours of waiting pass in no time, always in the same order."""

import heapq
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import anyio

Due = Callable[[], Awaitable[None]]


class VirtualTime:
    """What time it is, who sleeps until when, and how many activities are awake.

    Only what runs inside `activity` may `sleep` here. *arriving* is called whenever time has moved.
    """

    def __init__(self) -> None:
        self.moment = datetime(2030, 1, 1, 12, tzinfo=UTC)
        self.arriving: Due | None = None
        self._due: list[tuple[datetime, int, Due]] = []
        self._numbers = count()
        self._awake = 0
        self._changed = anyio.Event()

    def now(self) -> datetime:
        """Return the time."""
        return self.moment

    def seconds(self) -> float:
        """Return the time as a number that only grows."""
        return self.moment.timestamp()

    @asynccontextmanager
    async def activity(self) -> AsyncGenerator[None]:
        """Count as awake, but for the time that is spent in `sleep` or `asleep`."""
        self._wake(1)
        try:
            yield
        finally:
            self._wake(-1)

    async def sleep(self, seconds: float) -> None:
        """Sleep until time has moved by so much."""
        woken = anyio.Event()

        async def wake() -> None:
            if not woken.is_set():  # it is when the sleeper was cancelled
                self._wake(1)
                woken.set()

        self.at(self.moment + timedelta(seconds=max(0.0, seconds)), wake)
        self._wake(-1)
        try:
            await woken.wait()
        except BaseException:
            await wake()
            raise

    async def asleep(self) -> None:
        """Sleep until cancelled."""
        self._wake(-1)
        try:
            await anyio.sleep_forever()
        finally:
            self._wake(1)

    def at(self, moment: datetime, due: Due) -> None:
        """Let something happen at that time."""
        heapq.heappush(self._due, (moment, next(self._numbers), due))

    async def quiet(self) -> None:
        """Return once nobody is awake."""
        while self._awake:
            self._changed = anyio.Event()
            await self._changed.wait()

    async def step(self, *, until: datetime | None = None) -> bool:
        """Move to the next thing that is due, at *until* the latest, and let it happen; False if there is none."""
        await self.quiet()
        if not self._due or (until is not None and self._due[0][0] > until):
            return False
        moment, _, due = heapq.heappop(self._due)
        self.moment = max(self.moment, moment)
        if self.arriving is not None:
            await self.arriving()
        await due()
        await self.quiet()
        return True

    async def pass_by(self, seconds: float) -> None:
        """Let so much time pass, with all that is due in it."""
        until = self.moment + timedelta(seconds=seconds)
        while await self.step(until=until):
            pass
        self.moment = until
        if self.arriving is not None:
            await self.arriving()

    def _wake(self, change: int) -> None:
        self._awake += change
        self._changed.set()
