"""All checks in the order in which they are told, and what they come to together."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from recontact_tools.readiness.allocation import check_allocations
from recontact_tools.readiness.exclusions import (
    check_activity_exclusions,
    check_excluded_ids,
    check_exclusion_groups,
    check_industry_lockout,
    check_project_exclusion,
)
from recontact_tools.readiness.facts import Facts
from recontact_tools.readiness.findings import Finding, Severity
from recontact_tools.readiness.goal import check_completes_goal, check_running_job, check_stored_ids
from recontact_tools.readiness.launch import check_dates, check_state, check_study_type
from recontact_tools.readiness.narrowing import check_profiling, check_re_entry, report_figures
from recontact_tools.readiness.urls import check_url

if TYPE_CHECKING:
    from collections.abc import Callable

_GRAVITY = [*Severity]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all checks found, the gravest first, and the names of those that had nothing to say."""

    findings: tuple[Finding, ...]
    passed: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Whether nothing blocks, and everything that could was looked at."""
        return not any(
            finding.severity is Severity.BLOCKS or (finding.check in ESSENTIAL and not finding.verified)
            for finding in self.findings
        )

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity is severity)


# Without these nobody can say that respondents will be let in.
ESSENTIAL = frozenset({"state", "study_type", "live_url", "test_url", "stored_ids", "completes_goal", "dates"})


def judge(facts: Facts, *, now: datetime, template_id: str) -> Verdict:
    """Put every check to the facts; *template_id* is the allocation template that the operator expects."""
    checks: dict[str, Callable[[Facts], list[Finding]]] = {
        "state": check_state,
        "study_type": check_study_type,
        "live_url": partial(check_url, field="live_url"),
        "test_url": partial(check_url, field="test_url"),
        "stored_ids": check_stored_ids,
        "completes_goal": check_completes_goal,
        "running_job": check_running_job,
        "dates": partial(check_dates, now=now),
        "allocations": partial(check_allocations, template_id=template_id),
        "excluded_ids": check_excluded_ids,
        "project_exclusion": check_project_exclusion,
        "activity_exclusions": check_activity_exclusions,
        "exclusion_groups": check_exclusion_groups,
        "industry_lockout": check_industry_lockout,
        "profiling": check_profiling,
        "re_entry": check_re_entry,
        "figures": report_figures,
    }
    found = {name: check(facts) for name, check in checks.items()}
    findings = sorted((one for several in found.values() for one in several), key=_gravity)
    return Verdict(tuple(findings), tuple(name for name, several in found.items() if not several))


def _gravity(finding: Finding) -> int:
    return _GRAVITY.index(finding.severity)
