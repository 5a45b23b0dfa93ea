"""What following a job needs of the ledger: news between processes, and jobs that were started elsewhere."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from recontact_tools.models import Job, JobKind, TargetGroup


@dataclass(frozen=True, slots=True)
class News:
    """What others announced up to *position*; *missed* says that older announcements were forgotten unread."""

    position: int
    uris: tuple[str, ...]
    missed: bool


class Updates(Protocol):
    """The URIs of resources that changed, in the order in which processes announced them."""

    async def announce(self, uris: Sequence[str], *, origin: str) -> None:
        """Tell the other processes; *origin* names this one."""
        ...

    async def heard(self, seconds: float) -> None:
        """Return when another process may have announced something, at the latest after so many seconds.

        PostgreSQL tells it at once; a file is looked at every half second. One caller at a time; never raises for a
        database that is away.
        """
        ...

    async def latest(self) -> int:
        """Return the position of the last announcement; 0 before the first."""
        ...

    async def since(self, position: int, *, origin: str) -> News:
        """Return what was announced after *position* by anybody but *origin*, each URI once."""
        ...


@dataclass(frozen=True, slots=True)
class JobKey:
    """Which job: its kind, its target group and the API's id."""

    kind: JobKind
    group: TargetGroup
    job_id: str


@dataclass(frozen=True, slots=True)
class ForeignJob:
    """A job that was started elsewhere, as it was last seen.

    *wanted_until* is when the last process that asked for it will have lost interest, unless it asks again; None
    once there is nothing to follow, for the job has ended or was given up.
    """

    key: JobKey
    job: Job | None
    wanted_until: datetime | None

    @property
    def has_ended(self) -> bool:
        """Whether the job is known to have ended."""
        return self.job is not None and self.job.is_finished


class Elsewhere(Protocol):
    """Jobs that were started elsewhere; none of them keeps a target group from anything."""

    async def find(self, key: JobKey) -> ForeignJob | None:
        """Return what is known of a job."""
        ...

    async def want(
        self, key: JobKey, job: Job | None, *, now: datetime, until: datetime, owner: str, at_most: tuple[int, int]
    ) -> bool:
        """Have a job followed until then, from how it stands now.

        False if so many others are followed already, *at_most* in all and for this *owner*. One that somebody has
        followed takes no further place. One that is known to have ended is not followed.
        """
        ...

    async def renew(self, keys: Iterable[JobKey], *, until: datetime) -> None:
        """Go on wanting jobs; those that have ended or were given up stay so."""
        ...

    async def wanted(self, *, now: datetime) -> tuple[ForeignJob, ...]:
        """Return every job that somebody wants followed now."""
        ...

    async def note(self, key: JobKey, job: Job) -> bool:
        """Remember a look; True if a job that somebody wanted followed has another status than before.

        Of a job that nobody wants followed only the end is kept. An end never changes again.
        """
        ...

    async def give_up(self, key: JobKey) -> None:
        """Follow a job no longer, whoever wants it."""
        ...
