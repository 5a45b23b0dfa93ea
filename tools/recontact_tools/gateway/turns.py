"""When the next request to an account may go: so many at once, so many a second, none while the API asks for peace.

aiolimiter and pyrate-limiter are not used: their clock and sleep cannot both be passed in, and neither knows pauses.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import anyio

from recontact_tools.gateway.answers import Answer, Outcome
from recontact_tools.gateway.retries import retry_delay
from recontact_tools.gateway.verdicts import too_many

INTERVAL_SECONDS_MAX: Final = 86_400.0  # ours: a rate below one request a day is a slip, and must stay a number
PAUSE_SECONDS_MAX: Final = 3600  # ours: after an hour one request may find out whether a longer wait was meant


@dataclass(frozen=True, slots=True)
class Rate:
    """One request each *interval* seconds on the average, *burst* of them at once after silence; 0 is no limit."""

    interval: float
    burst: int


def rate_of(requests_per_second: float | None) -> Rate:
    """Return the rate of so many requests a second; a second's worth may go at once."""
    if requests_per_second is None:
        return Rate(0.0, 1)
    return Rate(min(1.0 / requests_per_second, INTERVAL_SECONDS_MAX), max(1, int(requests_per_second)))


def next_turn(due: float, now: float, rate: Rate) -> tuple[float, float]:
    """Return how many seconds to wait for the next turn, and, if it is 0 and the turn is taken, the new *due*.

    *due* is when the requests so far would have gone had they kept the interval (the generic cell rate algorithm).
    """
    wait = due - (rate.burst - 1) * rate.interval - now
    return (wait, due) if wait > 0 else (0.0, max(due, now) + rate.interval)


class Turns:
    """Let requests to one account go in the order in which they come; cancelling one takes nothing from the others."""

    def __init__(
        self,
        at_once: int | None,
        rate: Rate,
        *,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        jitter: Callable[[], float],
    ) -> None:
        self._slots = None if at_once is None else anyio.Semaphore(at_once, fast_acquire=True)
        self._rate = rate
        self._queue = anyio.Lock(fast_acquire=True)
        self._now = now
        self._sleep = sleep
        self._jitter = jitter
        self._due = now()
        self._paused_until = now()
        self._asked = 0  # answers 429 in a row that did not say how long
        self._present = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing would be forgotten with it: no request is under way or waits, and no pause is on."""
        return self._present == 0 and self._now() >= max(self._paused_until, self._due)

    async def take(self, exchange: Callable[[], Awaitable[Outcome]], *, until: float) -> Outcome:
        """Return what comes of *exchange*, which begins in its turn and by the moment *until*.

        Raises:
            RateLimited: Its turn would come later; nothing was sent.
        """
        self._require(self._paused_until - self._now(), until)
        self._present += 1
        try:
            outcome = await self._in_turn(exchange, until)
        finally:
            self._present -= 1
        self._note(outcome)
        return outcome

    async def _in_turn(self, exchange: Callable[[], Awaitable[Outcome]], until: float) -> Outcome:
        await self._slot(until)
        try:
            await self._turn(until)
            return await exchange()
        finally:
            if self._slots is not None:
                self._slots.release()

    async def _slot(self, until: float) -> None:
        if self._slots is None:
            return
        try:
            self._slots.acquire_nowait()
        except anyio.WouldBlock:
            with anyio.move_on_after(until - self._now()):
                await self._slots.acquire()
                return
        else:
            return
        raise too_many(1)

    async def _turn(self, until: float) -> None:
        async with self._queue:
            now = self._now()
            wait, self._due = self._next(now)
            while wait > 0:
                self._require(wait, until)
                await self._sleep(wait)
                now = max(self._now(), now + wait)  # a timer may fire a little early
                wait, self._due = self._next(now)

    def _next(self, now: float) -> tuple[float, float]:
        paused = self._paused_until - now
        return (paused, self._due) if paused > 0 else next_turn(self._due, now, self._rate)

    def _require(self, wait: float, until: float) -> None:
        if wait > 0 and self._now() + wait > until:
            raise too_many(wait)

    def _note(self, outcome: Outcome) -> None:
        if not isinstance(outcome, Answer):
            return
        if outcome.status != HTTPStatus.TOO_MANY_REQUESTS:
            self._asked = 0
            return
        now = self._now()
        if outcome.retry_after is not None:
            self._paused_until = max(self._paused_until, now + min(outcome.retry_after, PAUSE_SECONDS_MAX))
        elif now >= self._paused_until:  # or else it answers a request that was under way when the pause began
            self._asked += 1
            self._paused_until = now + (retry_delay(self._asked, self._jitter()) or 0.0)
