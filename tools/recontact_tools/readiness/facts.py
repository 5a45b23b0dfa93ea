"""The facts that the checks judge: each was seen somewhere, or could not be read and says why."""

from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Generic, TypeAlias, TypeVar

from recontact_tools.errors import FeatureMissing, NotFound, NotPermitted, RateLimited, RecontactError
from recontact_tools.models import JobKind, ListedJob
from recontact_tools.readiness import endpoints
from recontact_tools.target_group_facts import (
    ActivityExclusion,
    Allocations,
    Dates,
    Described,
    ExcludedCounts,
    Overview,
)

T = TypeVar("T")

TOO_SLOW = "no answer came in the time of one call"
NOT_SHOWN = "the answer does not show it"

_WHY: tuple[tuple[type[RecontactError], str], ...] = (
    (FeatureMissing, "this account or API version lacks the operation"),
    (NotFound, "the API answered 404, as it does where an account lacks the operation"),
    (NotPermitted, "the API does not permit it with these credentials"),
    (RateLimited, "the API asked for fewer requests"),
)


class State(StrEnum):
    """Whether a target group was launched; one that was does not become a draft again."""

    DRAFT = "draft"
    LAUNCHED = "launched"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """A fact, and which endpoint showed it."""

    value: T
    where: str


@dataclass(frozen=True, slots=True)
class NotRead:
    """A fact that could not be read: where it would have been, and why not, in our own words."""

    where: str
    why: str
    error: RecontactError | None = field(default=None, repr=False, compare=False)


Read: TypeAlias = Seen[T] | NotRead


@dataclass(frozen=True, slots=True)
class Running:
    """A job that was started here and has not ended, as far as anybody knows."""

    kind: JobKind
    job_id: str


@dataclass(frozen=True, slots=True)
class Members:
    """An exclusion group that the target group is in, and how many others are; None is not known."""

    tag: str | None
    others: int | None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was read of one target group and its surroundings.

    *overview* is None for a draft, which has none. *study_types* and *overlap* (stored IDs that may not enter)
    are None where nothing hung on them, so nobody asked. *project_groups* are the target groups of the project,
    each with whether its project exclusion is enabled, and None for the id of one that policy keeps out of sight.
    """

    group_id: str
    project_id: str
    state: State
    described: Read[Described]
    overview: Read[Overview] | None
    dates: Read[Dates]
    profiles: Read[tuple[str, ...]]
    allocations: Read[Allocations]
    template: Read[Allocations]
    study_types: Read[frozenset[str]] | None
    stored: Read[int]
    running: Running | None
    listed: Read[tuple[ListedJob, ...]]
    project_exclusion: Read[bool]
    project_groups: Read[tuple[tuple[str | None, bool], ...]]
    activity: Read[tuple[ActivityExclusion, ...]]
    excluded: Read[ExcludedCounts]
    overlap: Read[int] | None
    exclusion_groups: Read[tuple[Members, ...]]
    re_entry: bool
    price: str | None

    @property
    def settings_endpoint(self) -> str:
        """Return where the settings of this target group are read."""
        return endpoints.DRAFT if self.state is State.DRAFT else endpoints.DETAILS

    @property
    def status(self) -> str | None:
        """Return the API's word for how it stands; None if that is not known."""
        if self.state is State.DRAFT:
            return State.DRAFT.value
        return self.overview.value.status if isinstance(self.overview, Seen) else None

    @property
    def study_type(self) -> str | None:
        """Return the code of the study type, which two reads show of a launched target group."""
        shown = self.described.value.study_type if isinstance(self.described, Seen) else None
        if shown is None and isinstance(self.overview, Seen):
            return self.overview.value.study_type
        return shown

    @property
    def goal(self) -> int | None:
        """Return the completes goal, which two reads show of a launched target group."""
        shown = self.described.value.completes_goal if isinstance(self.described, Seen) else None
        return self.overview.value.goal if shown is None and isinstance(self.overview, Seen) else shown


def shown(value: T | None, where: str) -> Read[T]:
    """Return what an answer showed, or that it did not."""
    return NotRead(where, NOT_SHOWN) if value is None else Seen(value, where)


def not_read(where: str, error: RecontactError) -> NotRead:
    """Return why *error* kept a fact from being read."""
    return NotRead(where, _why(error), error)


def _why(error: RecontactError) -> str:
    for kind, words in _WHY:
        if isinstance(error, kind):
            return words
    status = error.details.get("http_status")
    if status is not None:
        return (
            "the answer did not have the documented shape" if status == HTTPStatus.OK else f"the API answered {status}"
        )
    if "cause" in error.details:
        return "no usable answer came"
    return f"{error.message[:1].lower()}{error.message[1:].rstrip('.')}"
