"""Who is kept out: Cint looks at exclusions at every entry, and nothing says that a recontact list overrides them."""

from recontact_tools.readiness import endpoints
from recontact_tools.readiness.facts import NOT_SHOWN, Facts, NotRead, State
from recontact_tools.readiness.findings import Finding, Severity, set_with, some, unverified
from recontact_tools.target_group_facts import ActivityExclusion, ExcludedCounts

NO_LOCKOUT = "no_lock_out"  # source: cint-api.md section 3.2
_UNNAMED = "one outside this server's allow-lists"
_EMPTY = "Empty them with POST .../exclusions/jobs/remove-all-respondents, if these people are to enter."


def check_project_exclusion(facts: Facts) -> list[Finding]:
    """Judge whether completing wave 1 in the same project locks the listed people out."""
    own, others = facts.project_exclusion, facts.project_groups
    if isinstance(own, NotRead):
        return [unverified("project_exclusion", own)]
    if not own.value:
        return []
    seen = "It is enabled: who completed another target group of this project cannot enter."
    if isinstance(others, NotRead):
        seen += f" Which others have it enabled too is not verified: {others.why}."
        return [_project(facts, Severity.RISK, seen, own.where)]
    # source: cint-api.md section 3.2, note B: it acts between groups that both have it; guides say any other
    elsewhere = [(name, enabled) for name, enabled in others.value if name != facts.group_id]
    enabled = [name or _UNNAMED for name, is_enabled in elsewhere if is_enabled]
    where = f"{own.where}; {others.where}"
    if enabled:
        seen += f" {len(enabled)} other target groups of it have it enabled too: {some(enabled)}."
        return [_project(facts, Severity.RISK, seen, where)]
    if elsewhere:
        seen += " No other target group of it has it enabled, but Cint's guides say that any other counts."
        return [_project(facts, Severity.RISK, seen, where)]
    return [_project(facts, Severity.INFO, "It is enabled, but the project has no other target group.", where)]


def _project(facts: Facts, severity: Severity, seen: str, where: str) -> Finding:
    mend = "Disable it with PUT .../projects/{project_id}/exclusion-policies, if wave 1 is in this project."
    if facts.state is State.DRAFT:
        mend = "Disable exclusion.enabled with PUT .../target-groups/{id}, if wave 1 is in this project."
    return Finding("project_exclusion", severity, seen, where, mend)


def check_activity_exclusions(facts: Facts) -> list[Finding]:
    """Name the target groups and projects whose respondents are kept out: wave 1 must not be one."""
    if isinstance(facts.activity, NotRead):
        return [unverified("activity_exclusions", facts.activity)]
    if not facts.activity.value:
        return []
    named = [_activity(one, facts) for one in facts.activity.value]
    seen = f"Kept out is who was active in: {some(named, 10)}."
    mend = (
        "Take wave 1 off the list, if it is on it, with PUT .../respondent-activity-exclusions (which replaces it all)."
    )
    if facts.state is State.DRAFT:
        mend = f"Take wave 1 off the list, if it is on it. {set_with(facts, 'respondent_activity_exclusions')}"
    return [Finding("activity_exclusions", Severity.RISK, seen, facts.activity.where, mend)]


def _activity(one: ActivityExclusion, facts: Facts) -> str:
    own = " (this project itself)" if one.entity_id.upper() == facts.project_id else ""
    return f"{one.kind} {one.entity_id}{own}" + (f" for {one.duration}" if one.duration else "")


def check_excluded_ids(facts: Facts) -> list[Finding]:
    """Judge how many of the stored respondents may not enter."""
    if isinstance(facts.excluded, NotRead):
        return [unverified("excluded_ids", facts.excluded)]
    counts = facts.excluded.value
    if not counts.rsids and not counts.guids:
        return []
    return [_excluded(facts, counts)]


def _excluded(facts: Facts, counts: ExcludedCounts) -> Finding:
    where = f"{endpoints.EXCLUDED}; {endpoints.EXCLUDED_RSIDS}"
    apart = f" Besides, {counts.guids} GUIDs are excluded, which cannot be compared." if counts.guids else ""
    severity = Severity.RISK if counts.guids else Severity.INFO
    overlap = facts.overlap
    if overlap is None:
        seen = f"{counts.rsids} RSIDs are excluded; there was nothing to compare them with.{apart}"
        return Finding("excluded_ids", severity, seen, where, _EMPTY)
    if isinstance(overlap, NotRead):
        seen = f"{counts.rsids} RSIDs are excluded; not compared with the stored IDs: {overlap.why}.{apart}"
        return Finding("excluded_ids", Severity.RISK, seen, where, _EMPTY, verified=False)
    seen = f"{counts.rsids} RSIDs are excluded, {overlap.value} of them are stored for recontact.{apart}"
    if overlap.value:
        everybody = not isinstance(facts.stored, NotRead) and overlap.value >= facts.stored.value
        severity = Severity.BLOCKS if everybody else Severity.RISK
    return Finding("excluded_ids", severity, seen, where, _EMPTY)


def check_exclusion_groups(facts: Facts) -> list[Finding]:
    """Name the exclusion groups: wave 1 must not be in one with this target group."""
    if isinstance(facts.exclusion_groups, NotRead):
        return [unverified("exclusion_groups", facts.exclusion_groups)]
    groups = [group for group in facts.exclusion_groups.value if group.others != 0]
    if not groups:
        return []
    named = [
        f"{group.tag or 'without a tag'} ({'unknown' if group.others is None else group.others} others)"
        for group in groups
    ]
    seen = f"It shares exclusion groups with other target groups: {some(named)}."
    mend = "Take this target group or wave 1 out, if both are in one of them (exclusion groups in the Cint UI)."
    return [Finding("exclusion_groups", Severity.RISK, seen, facts.exclusion_groups.where, mend)]


def check_industry_lockout(facts: Facts) -> list[Finding]:
    """Judge whether having just taken wave 1, in the same industry, keeps people out."""
    where = f"industry_lockout_code of {facts.settings_endpoint}"
    if isinstance(facts.described, NotRead):
        return [unverified("industry_lockout", NotRead(where, facts.described.why))]
    code = facts.described.value.industry_lockout
    if code is None:
        return [unverified("industry_lockout", NotRead(where, NOT_SHOWN))]
    if code.casefold() == NO_LOCKOUT:
        return []
    seen = f"It is {code}: it may keep out who just took wave 1, if that is of the same industry."
    return [
        Finding(
            "industry_lockout", Severity.RISK, seen, where, set_with(facts, f"industry_lockout_code to {NO_LOCKOUT}")
        )
    ]
