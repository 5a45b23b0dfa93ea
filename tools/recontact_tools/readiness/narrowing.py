"""What narrows or prices a fixed list of people: profiles, re-entry, and the figures of the study."""

from recontact_tools.readiness import endpoints
from recontact_tools.readiness.facts import Facts, NotRead, Seen, State
from recontact_tools.readiness.findings import Finding, Severity, set_with, some, unverified


def check_profiling(facts: Facts) -> list[Finding]:
    """Judge whether profiles let only some of the listed people in."""
    if isinstance(facts.profiles, NotRead):
        return [unverified("profiling", facts.profiles)]
    if not facts.profiles.value:
        return []
    seen = (
        f"{len(facts.profiles.value)} profiles let only some of the stored people in: {some([*facts.profiles.value])}."
    )
    mend = "Remove them in the Cint UI, if everybody on the list is wanted."
    if facts.state is State.DRAFT:
        mend = f"{set_with(facts, 'profiling to null')} Keep it, if not everybody on the list is wanted."
    return [Finding("profiling", Severity.RISK, seen, facts.profiles.where, mend)]


def check_re_entry(facts: Facts) -> list[Finding]:
    """Say that people may come back into this wave, where that is set."""
    if not facts.re_entry:
        return []
    seen = "Re-entry is configured: who was in this wave before may be let in again."
    where = f"re_entry_configuration of {endpoints.DRAFT}"
    return [Finding("re_entry", Severity.INFO, seen, where, "Nothing, if that is meant.")]


def report_figures(facts: Facts) -> list[Finding]:
    """Tell price, length and incidence, which decide how willingly suppliers send people."""
    shown: list[str] = [f"price {facts.price}"] if facts.price else []
    if isinstance(facts.described, Seen):
        described = facts.described.value
        if described.minutes is not None:
            shown.append(f"expected length {described.minutes:g} minutes")
        if described.incidence is not None:
            shown.append(f"expected incidence {described.incidence:.0%}")
    if isinstance(facts.overview, Seen) and facts.overview.value.median_seconds:
        shown.append(f"median length so far {facts.overview.value.median_seconds / 60:.1f} minutes")
    if not shown:
        return []
    seen = f"{', '.join(shown)}."
    return [Finding("figures", Severity.INFO, seen, facts.settings_endpoint, "Nothing, if these are meant.")]
