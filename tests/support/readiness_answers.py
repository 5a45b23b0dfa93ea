"""Looking things up in what check_recontact_readiness answers."""

from typing import Any

CHECKS = [
    "state",
    "study_type",
    "live_url",
    "test_url",
    "stored_ids",
    "completes_goal",
    "running_job",
    "dates",
    "allocations",
    "excluded_ids",
    "project_exclusion",
    "activity_exclusions",
    "exclusion_groups",
    "industry_lockout",
    "profiling",
    "re_entry",
    "figures",
]


def findings(answer: dict[str, Any], check: str) -> list[dict[str, str]]:
    """Return the findings of one check, which has passed if and only if there are none."""
    found = [finding for finding in answer["findings"] if finding["check"] == check]
    assert (check in answer["passed"]) == (not found)
    return found


def finding(answer: dict[str, Any], check: str) -> dict[str, str]:
    """Return the one finding of a check."""
    [found] = findings(answer, check)
    return found
