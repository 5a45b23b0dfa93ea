"""What the API shows of a target group and of what surrounds it; None is what an answer did not show."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Described:
    """What a target group is set to, draft or launched; the URLs are kept out of the repr: they may hold keys."""

    study_type: str | None
    live_url: str | None = field(repr=False)
    test_url: str | None = field(repr=False)
    completes_goal: int | None
    industry_lockout: str | None
    business_unit_id: str | None  # the API types it as a number here and as a text there
    locale: str | None
    minutes: float | None  # expected length of an interview
    incidence: float | None  # expected, 0 to 1


@dataclass(frozen=True, slots=True)
class Dates:
    """From when until when a target group is, or is to be, in the field."""

    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class ActivityExclusion:
    """Respondents active elsewhere are kept out: *kind* is target-group or project, *duration* ISO 8601."""

    kind: str
    entity_id: str
    duration: str | None


@dataclass(frozen=True, slots=True)
class Allocated:
    """A share of the open exchange that a group of suppliers gets, in percent."""

    minimum: float | None
    maximum: float | None
    suppliers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Allocations:
    """How completes are allocated to suppliers, of a target group or of a template; supplier ids are texts."""

    template_id: str | None = None
    name: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    suppliers: frozenset[str] | None = None
    blocked: frozenset[str] | None = None
    groups: frozenset[Allocated] | None = None
    private_blocked: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """All that one read shows of a target group that was never launched; *profiles* are names."""

    described: Described
    dates: Dates
    project_exclusion: bool | None
    activity: tuple[ActivityExclusion, ...] | None
    profiles: tuple[str, ...]
    allocations: Allocations | None
    re_entry: bool
    price: str | None


@dataclass(frozen=True, slots=True)
class Overview:
    """How a launched target group stands; *strategy* says what the goal counts."""

    status: str | None
    study_type: str | None
    goal: int | None
    completes: int | None
    prescreens: int | None
    strategy: str | None
    price: str | None
    median_seconds: float | None


@dataclass(frozen=True, slots=True)
class ExcludedCounts:
    """How many single respondents may not enter, by the two kinds of identifier that Cint keeps."""

    rsids: int
    guids: int


@dataclass(frozen=True, slots=True)
class ExclusionGroup:
    """Target groups that exclude each other's respondents; *tag* is its owner's name for it."""

    exclusion_group_id: str
    tag: str | None
