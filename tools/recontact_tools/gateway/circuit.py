"""When an API that does not answer is left alone for a while, and how it is found to have healed.

purgatory is not used: it reads a clock of its own, so tests would have to patch or wait.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from math import ceil
from typing import Final, TypeAlias

import httpx

from recontact_tools.gateway.answers import GAVE_UP, Answer, Broken, Exchanged, HeldBack, Outcome

Exchange: TypeAlias = Callable[[httpx.Request], Awaitable[Outcome]]

FAILURES: Final = 5  # ours: one more than a read has attempts, so one unlucky read does not stop the others


@dataclass(frozen=True, slots=True)
class CircuitState:
    """How many exchanges in a row had no usable answer, and until when nothing is sent; *probing*: one is under way."""

    failures: int = 0
    held_until: float | None = None
    probing: bool = False


CLOSED: Final = CircuitState()


def entered(state: CircuitState, now: float) -> tuple[CircuitState, float | None]:
    """Return the state after a request has come, and how many seconds it is held back; None lets it go.

    Once the time is over one request goes as a probe, and the others are held back until it has come back.
    """
    if state.held_until is None:
        return state, None
    if state.probing or now < state.held_until:
        return state, max(0.0, state.held_until - now)
    return replace(state, probing=True), None


def left(
    state: CircuitState, *, usable: bool | None, probe: bool, now: float, failures: int, seconds: float
) -> CircuitState:
    """Return the state after an exchange has ended with a usable answer, with none, or (None) without saying either.

    An exchange that began before the circuit opened, and fails after, does not prolong the wait.
    """
    if usable:
        return CLOSED
    if usable is None or (state.held_until is not None and not probe):
        return replace(state, probing=False) if probe else state
    count = state.failures + 1
    return CircuitState(count, now + seconds) if count >= failures else CircuitState(count)


def is_usable(outcome: Exchanged) -> bool | None:
    """Tell whether an exchange shows that the API works, or that it does not; None: it shows neither.

    A refusal is an answer. A web page is none. A redirect may be the API's way to say that a target group was
    launched, or a portal's to ask who we are.
    """
    if isinstance(outcome, Broken):
        return None if outcome.cause == httpx.PoolTimeout.__name__ else False  # we were too many, it was not down
    if outcome.status in GAVE_UP or outcome.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return False
    if outcome.is_success:
        return not _is_page(outcome)
    return True if outcome.status >= HTTPStatus.BAD_REQUEST else None


def _is_page(answer: Answer) -> bool:
    return answer.headers.get("content-type", "").casefold().startswith("text/html")


class Circuit:
    """Hold requests to one host back for *seconds* after *failures* exchanges in a row without a usable answer."""

    def __init__(self, failures: int, seconds: float, now: Callable[[], float]) -> None:
        self._failures = failures
        self._seconds = seconds
        self._now = now
        self._state = CLOSED

    def around(self, exchange: Callable[[httpx.Request], Awaitable[Exchanged]]) -> Exchange:
        """Return *exchange* as it is while the host answers; `HeldBack` is what comes of a request that is not sent."""

        async def exchanged(request: httpx.Request) -> Outcome:
            before = self._state
            self._state, wait = entered(before, self._now())
            if wait is not None:
                return _held_back(wait)
            probe = self._state is not before
            usable: bool | None = None  # of one that is cancelled
            try:
                outcome = await exchange(request)
                usable = is_usable(outcome)
            finally:
                self._leave(usable=usable, probe=probe)
            return outcome

        return exchanged

    def held_back(self) -> HeldBack | None:
        """Return what would come of a request now if it would not be sent; it claims no probe."""
        _, wait = entered(self._state, self._now())
        return None if wait is None else _held_back(wait)

    def _leave(self, *, usable: bool | None, probe: bool) -> None:
        if usable and self._state is CLOSED:
            return
        self._state = left(
            self._state,
            usable=usable,
            probe=probe,
            now=self._now(),
            failures=self._failures,
            seconds=self._seconds,
        )


def _held_back(wait: float) -> HeldBack:
    return HeldBack(max(1, ceil(wait)))
