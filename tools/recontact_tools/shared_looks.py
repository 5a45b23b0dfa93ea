"""One look at a job for all who ask at the same time: a look under way is joined, a fresh one is shown again."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import anyio

from recontact_tools.errors import RecontactError
from recontact_tools.ledger import JobKey
from recontact_tools.models import Job

# ours: some hundred kilobytes at most; of a job that is forgotten the next look is merely not shared.
REMEMBERED_MAX: Final = 1_024


@dataclass(frozen=True, slots=True)
class Look:
    """How the API showed a job, and until when that is news enough for everybody.

    *stored* is how many IDs its target group held at that moment, where somebody counted.
    """

    job: Job
    fresh_until: datetime
    stored: int | None = None


@dataclass(slots=True)
class _Flight:
    """A look under way, and what became of it; neither when the caller who made it went away."""

    landed: anyio.Event = field(default_factory=anyio.Event)
    look: Look | None = None
    error: RecontactError | None = None


class SharedLooks:
    """The latest look at each job, and those under way, of one process."""

    def __init__(self, limit: int = REMEMBERED_MAX) -> None:
        self._limit = limit
        self._latest: dict[JobKey, Look] = {}
        self._flights: dict[JobKey, _Flight] = {}

    async def share(
        self, key: JobKey, look: Callable[[], Awaitable[Look]], *, now: Callable[[], datetime], after: Look | None
    ) -> Look:
        """Return a look that is fresh, and another one than *after*: somebody's, or the one that *look* makes.

        Raises:
            RecontactError: What the look raised, whoever made it.
        """
        while True:
            latest = self._latest.get(key)
            if latest is not None and latest is not after and now() < latest.fresh_until:
                return latest
            flight = self._flights.get(key)
            if flight is None:
                return await self._fly(key, look)
            await flight.landed.wait()
            if flight.error is not None:
                raise flight.error
            if flight.look is not None:
                return flight.look

    async def _fly(self, key: JobKey, look: Callable[[], Awaitable[Look]]) -> Look:
        flight = self._flights[key] = _Flight()
        try:
            flight.look = await look()
        except RecontactError as error:
            flight.error = error
            raise
        finally:
            del self._flights[key]
            flight.landed.set()
        self._remember(key, flight.look)
        return flight.look

    def _remember(self, key: JobKey, look: Look) -> None:
        self._latest.pop(key, None)
        if not look.job.is_finished:  # an end is in the ledger, where nobody forgets it
            self._latest[key] = look
        while len(self._latest) > self._limit:
            del self._latest[next(iter(self._latest))]
