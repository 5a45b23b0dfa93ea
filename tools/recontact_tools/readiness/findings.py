"""What a check has to say, and the words that many checks share."""

from dataclasses import dataclass
from enum import StrEnum

from recontact_tools.readiness.facts import Facts, NotRead, State

LOCKED = "This is locked after launch: make a new target group"
_BY_HAND = "Look at it in the Cint UI, or repeat the call later."


class Severity(StrEnum):
    """How much a finding matters: nobody can enter, fewer may than expected, or merely good to know."""

    BLOCKS = "blocks"
    RISK = "risk"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: *seen* where, and how to *mend* it. One that is not *verified* found nothing out."""

    check: str
    severity: Severity
    seen: str
    where: str
    mend: str
    verified: bool = True


def unverified(check: str, read: NotRead, *, essential: bool = False, mend: str = _BY_HAND) -> Finding:
    """Say that a check could not look; nobody should launch without an *essential* one."""
    severity = Severity.RISK if essential else Severity.INFO
    return Finding(check, severity, f"not verified: {read.why}", read.where, mend, verified=False)


def set_with(facts: Facts, field: str) -> str:
    """Say how a field of the settings is changed in this state of the target group."""
    if facts.state is State.DRAFT:
        return f"Set {field} with PUT .../target-groups/{{id}} (which takes the whole draft), or in the Cint UI."
    return f"Set {field} with PUT .../target-groups/{{id}}/details, or in the Cint UI."


def some(names: list[str], most: int = 5) -> str:
    """Name the first few, and say how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
