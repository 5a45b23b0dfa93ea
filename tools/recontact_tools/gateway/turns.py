"""When the next request to an account may go: so many at once, so many a second, none while the API asks for peace.

aiolimiter and pyrate-limiter are not used: their clock and sleep cannot both be passed in, and neither knows pauses.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from math import inf
from typing import Final

import anyio

from recontact_tools.gateway.answers import Answer, Outcome
from recontact_tools.gateway.retries import retry_delay
from recontact_tools.gateway.verdicts import too_many

INTERVAL_SECONDS_MAX: Final = 86_400.0  # ours: a rate below one request a day is a slip, and must stay a number
PAUSE_SECONDS_MAX: Final = 3600  # ours: after an hour one request may find out whether a longer wait was meant


@dataclass(frozen=True, slots=True)
class Rate:
    """At most *count* requests in any stretch of *seconds*; 0 seconds is no limit."""

    count: int
    seconds: float


def rate_of(requests_per_second: float | None) -> Rate:
    """Return the rate of so many whole requests in any second, or of one in several seconds."""
    if requests_per_second is None:
        return Rate(1, 0.0)
    if requests_per_second >= 1:
        return Rate(int(requests_per_second), 1.0)
    return Rate(1, min(1.0 / requests_per_second, INTERVAL_SECONDS_MAX))


def next_turn(sent: Sequence[float], rate: Rate) -> float:
    """Return the moment from which the next request may go; *sent* holds when the latest *count* ones went."""
    return sent[0] + rate.seconds if len(sent) >= rate.count else -inf


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
        self._sent = deque[float](maxlen=rate.count)
        self._paused_until = now()
        self._asked = 0  # answers 429 in a row that did not say how long
        self._present = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing would be forgotten with it: no request is under way or waits, and no pause is on."""
        latest = self._sent[-1] + self._rate.seconds if self._sent else -inf
        return self._present == 0 and self._now() >= max(self._paused_until, latest)

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
            while (due := max(self._paused_until, next_turn(self._sent, self._rate))) > now:
                self._require(due - now, until)
                await self._sleep(due - now)
                now = max(self._now(), due)  # a timer may fire a little early
            self._sent.append(now)

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
