"""Reading target groups: a draft, the details and overview of a launched one, its fielding run and profiles."""

from recontact_tools.gateway.allocation_readers import allocations_in
from recontact_tools.gateway.answers import Answer, Unreadable, json_object
from recontact_tools.gateway.exclusion_readers import activity_in
from recontact_tools.gateway.fields import (
    Fields,
    count,
    fields,
    flag,
    key,
    label,
    listed,
    moment,
    number,
    raw_text,
    rows,
    text,
)
from recontact_tools.models import TargetGroup
from recontact_tools.target_group_facts import Allocations, Dates, Described, Draft, Overview

_NAMELESS = "a profile without a name"
# source: cint-api.md sections 1.2 and 3.2; the second names are those of version 2025-05-27
_PROFILING = ("profiling", "profile")
_PROFILES = ("profiles", "drafts")
_SIGNATURE = frozenset({"study_type_code", "live_url", "test_url", "completes_goal", "fielding_specification"})


def read_location(answer: Answer, target_group_id: str) -> TargetGroup:
    """Read where a target group lives.

    Raises:
        Unreadable: The account or the project is missing.
    """
    found = json_object(answer.body)
    account, project = found.get("account_id"), found.get("project_id")
    if type(account) is not int or not isinstance(project, str) or not project:  # bool is an int to isinstance
        raise Unreadable
    return TargetGroup(account, project, target_group_id)


def read_draft(answer: Answer) -> Draft | None:
    """Read a draft; None for the redirect that a launched target group answers with, wherever it points.

    Raises:
        Unreadable: It is no target group.
    """
    # source: cint-api.md section 3.2: 301 to the details, whose Location is inconsistent and not followed
    if not answer.is_success:
        return None
    found = _target_group(answer)
    return Draft(
        described=_described(found),
        dates=_dates(fields(found, "fielding_specification") or {}, "start_at", "end_at"),
        project_exclusion=flag(fields(found, "exclusion") or {}, "enabled"),
        activity=activity_in(rows(found, "respondent_activity_exclusions")),
        profiles=_profiles_of_draft(found),
        allocations=_allocations_of_draft(found),
        re_entry=found.get("re_entry_configuration") is not None,
        price=_price(found, "cost_per_interview"),
    )


def read_details(answer: Answer) -> Described:
    """Read the details of a launched target group.

    Raises:
        Unreadable: It is no target group.
    """
    return _described(_target_group(answer))


def read_overview(answer: Answer) -> Overview:
    """Read how a launched target group stands.

    Raises:
        Unreadable: It shows neither a status nor a progress.
    """
    found = json_object(answer.body)
    if found.keys().isdisjoint({"status", "progress"}):
        raise Unreadable
    progress = fields(found, "progress") or {}
    return Overview(
        status=label(found, "status"),
        study_type=label(found, "study_type_code"),
        goal=count(progress, "filling_goal"),
        completes=count(progress, "current_completes"),
        prescreens=count(progress, "current_prescreens"),
        strategy=label(progress, "filling_strategy"),
        price=_price(found, "current_cost_per_interview"),
        median_seconds=number(found, "median_length_of_interview_seconds"),
    )


def read_fielding_dates(answer: Answer) -> Dates | None:
    """Read the dates of the one fielding run; None if there is none.

    Raises:
        Unreadable: It is no list of fielding runs.
    """
    runs = listed(answer, "data")
    return _dates(runs[0], "start_fielding_at", "end_fielding_at") if runs else None


def read_profiles(answer: Answer) -> tuple[str, ...]:
    """Read the names of the profiles of a launched target group.

    Raises:
        Unreadable: It is no list of profiles.
    """
    if answer.body.strip() in {b"null", b"{}"}:  # assumed: ways to say that there is no profiling
        return ()
    return tuple(map(_profile_name, listed(answer, "profiles", "data", "drafts")))


def read_study_types(answer: Answer) -> frozenset[str]:
    """Read the codes of the study types that there are, in lower case.

    Raises:
        Unreadable: It is no list of study types.
    """
    codes = (text(line, "code") for line in listed(answer, "study_types", "data"))
    return frozenset(code.casefold() for code in codes if code)


def _target_group(answer: Answer) -> Fields:
    found = json_object(answer.body)
    if found.keys().isdisjoint(_SIGNATURE):
        raise Unreadable
    return found


def _described(found: Fields) -> Described:
    return Described(
        study_type=label(found, "study_type_code"),
        live_url=raw_text(found, "live_url"),
        test_url=raw_text(found, "test_url"),
        completes_goal=count(found, "completes_goal"),
        industry_lockout=label(found, "industry_lockout_code"),
        business_unit_id=key(found, "business_unit_id"),
        locale=text(found, "locale"),
        minutes=number(found, "expected_length_of_interview_minutes"),
        incidence=number(found, "expected_incidence_rate"),
    )


def _dates(found: Fields, start: str, end: str) -> Dates:
    return Dates(moment(found, start), moment(found, end))


def _profiles_of_draft(found: Fields) -> tuple[str, ...]:
    profiling = next((inner for name in _PROFILING if (inner := fields(found, name))), None)
    profiles = next((shown for name in _PROFILES if profiling and (shown := rows(profiling, name))), None)
    return tuple(map(_profile_name, profiles or ()))


def _profile_name(profile: Fields) -> str:
    shown = (label(profile, name) for name in ("name", "description_translated", "description"))
    return next(filter(None, shown), _NAMELESS)


def _allocations_of_draft(found: Fields) -> Allocations | None:
    allocations = fields(found, "allocations")
    return allocations_in(allocations) if allocations else None


def _price(found: Fields, name: str) -> str | None:
    amount = fields(found, name) or {}
    value, currency = label(amount, "value"), label(amount, "currency_code")
    return f"{value} {currency}" if value and currency else None
