"""When something that changes nothing is tried again: a pure rule, and the loop that follows it.

stamina is not used: its clock, sleep and jitter cannot be passed in, so tests would have to patch or wait.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio

from recontact_tools.errors import ErrorCode, RateLimited, Unreachable
from recontact_tools.gateway.observed import ATTEMPT
from recontact_tools.gateway.verdicts import is_held_back

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 0.5  # ours: long enough for a dropped connection, short enough for a person
PAUSE_SECONDS_MAX = 8.0  # ours: four attempts then stay within one tool call
RETRY_AFTER_SECONDS_MAX = 20  # ours: asked to wait longer, the caller is told instead of kept waiting


def retry_delay(attempt: int, jitter: float, *, retry_after: int | None = None) -> float | None:
    """Return the seconds to wait after failed attempt number *attempt* (from 1); None means give up.

    The pause doubles with each attempt and is spread by *jitter*, 0 to 1, over its upper half. What the API
    asks for in *retry_after* is never undercut: we wait at least that long, or give up.
    """
    pause = min(PAUSE_SECONDS_MAX, FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1)) * (0.5 + jitter / 2)
    if retry_after is None:
        return pause
    return None if retry_after > RETRY_AFTER_SECONDS_MAX else retry_after + pause


@dataclass(frozen=True, slots=True)
class Retries:
    """Repeat what may be repeated: at most *attempts* times, and all of it within *seconds*."""

    attempts: int
    seconds: float
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    jitter: Callable[[], float]

    async def run(self, once: Callable[[float], Awaitable[T]]) -> T:
        """Return what *once* returns, as soon as it does; its last error otherwise.

        It is given the moment until which it may wait for its turn.

        Raises:
            Unreachable: No attempt had a usable answer, the time was over before the last one had, or nothing is
                sent for a while.
            RateLimited: The API kept asking for fewer requests, or for a long wait.
        """
        return await self.bounded(lambda: self._repeated(once))

    async def bounded(self, whole: Callable[[], Awaitable[T]]) -> T:
        """Return what *whole* returns, which must be such that cutting it off changes nothing.

        Raises:
            Unreachable: It took longer than the time of one read.
        """
        with anyio.CancelScope(deadline=anyio.current_time() + self.seconds):
            return await whole()
        raise Unreachable(
            "No usable answer came in the time that one call has; nothing was changed.",
            next_step="Check the network, or try again in a few minutes.",
            code=ErrorCode.UNAVAILABLE,
            details={"cause": TimeoutError.__name__},
        )

    async def _repeated(self, once: Callable[[float], Awaitable[T]]) -> T:
        give_up_at = self.now() + self.seconds
        attempt = 1
        while True:
            ATTEMPT.set(attempt)
            try:
                return await once(min(give_up_at, self.now() + RETRY_AFTER_SECONDS_MAX))
            except (Unreachable, RateLimited) as error:
                delay = self._delay(attempt, error)
                if delay is None or self.now() + delay > give_up_at:
                    raise
            await self.sleep(delay)
            attempt += 1

    def _delay(self, attempt: int, error: Unreachable | RateLimited) -> float | None:
        if attempt >= self.attempts or is_held_back(error):
            return None
        asked = error.details.get("retry_after_seconds")
        return retry_delay(attempt, self.jitter(), retry_after=asked if isinstance(asked, int) else None)
