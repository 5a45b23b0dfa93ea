"""Whether the target group may be, or is, in the field: its status, study type and dates."""

from datetime import datetime
from typing import Final

from recontact_tools.readiness import endpoints
from recontact_tools.readiness.facts import NOT_SHOWN, Facts, NotRead, Seen, State
from recontact_tools.readiness.findings import LOCKED, Finding, Severity, set_with, unverified

RECONTACT: Final = "recontact"  # source: cint-api.md section 3.1

# source: cint-api.md section 3.1, statuses of target groups
_FINE = frozenset({"draft", "scheduled", "live"})
_ENDED = {
    "completed": "Relaunch the fielding run (POST .../relaunch), which needs room below the goal and a later end date.",
    "archived": "An archived target group collects nothing: use another one.",
}


def check_state(facts: Facts) -> list[Finding]:
    """Judge whether the status lets respondents in, now or after a launch."""
    where = f"status of {endpoints.OVERVIEW}"
    if facts.state is State.UNKNOWN and isinstance(facts.described, NotRead):
        return [unverified("state", facts.described, essential=True)]
    if facts.status is None:
        why = facts.overview.why if isinstance(facts.overview, NotRead) else NOT_SHOWN
        return [unverified("state", NotRead(where, why), essential=True)]
    status = facts.status.casefold()
    if status in _ENDED:
        return [Finding("state", Severity.BLOCKS, f"The status is {status}: nobody can enter.", where, _ENDED[status])]
    if status == "paused":
        seen = "The status is paused: nobody can enter until it is resumed."
        mend = "When all else is ready, resume the fielding run (POST .../resume, with If-Match)."
        return [Finding("state", Severity.INFO, seen, where, mend)]
    if status in _FINE:
        return []
    seen = f"The status is {facts.status}, which is not a documented one."
    return [Finding("state", Severity.RISK, seen, where, "Look in the Cint UI at what it means.")]


def check_study_type(facts: Facts) -> list[Finding]:
    """Judge whether this is a recontact study, which nobody can change after the launch."""
    where = f"study_type_code of {facts.settings_endpoint}"
    if facts.study_type is None:
        why = facts.described.why if isinstance(facts.described, NotRead) else NOT_SHOWN
        return [unverified("study_type", NotRead(where, why), essential=True)]
    if facts.study_type.casefold() == RECONTACT:
        return []
    seen = f"The study type is {facts.study_type}, not {RECONTACT}: uploaded IDs would not decide who may enter."
    mend = set_with(facts, f"study_type_code to {RECONTACT}")
    if facts.state is not State.DRAFT:
        mend = f"{LOCKED} with study type {RECONTACT}."
    if isinstance(facts.study_types, Seen) and RECONTACT not in facts.study_types.value:
        mend += f" {endpoints.STUDY_TYPES} does not list {RECONTACT}: ask Cint to enable it."
    return [Finding("study_type", Severity.BLOCKS, seen, where, mend)]


def check_dates(facts: Facts, now: datetime) -> list[Finding]:
    """Judge whether there is time left in the field."""
    if isinstance(facts.dates, NotRead):
        return [unverified("dates", facts.dates, essential=True)]
    start, end, where = facts.dates.value.start, facts.dates.value.end, facts.dates.where
    if end is None:
        return [unverified("dates", NotRead(f"end of {where}", NOT_SHOWN), essential=True)]
    if end <= now:
        return [_date(facts, Severity.BLOCKS, f"It ended at {end.isoformat()}.")]
    if start is not None and end <= start:
        return [_date(facts, Severity.BLOCKS, "It is to end before it starts.")]
    if start is not None and start > now:
        return [_date(facts, Severity.INFO, f"It is to start at {start.isoformat()} and to end at {end.isoformat()}.")]
    return []


def _date(facts: Facts, severity: Severity, seen: str) -> Finding:
    mend = "Nothing, if that is meant."
    if severity is Severity.BLOCKS:
        mend = "Change the end with PUT .../fielding-runs/{fielding_run_id} (with If-Match), or in the Cint UI."
        if facts.state is State.DRAFT:
            mend = set_with(facts, "fielding_specification.end_at")
    return Finding("dates", severity, seen, facts.dates.where, mend)
