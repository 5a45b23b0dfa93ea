"""What a look of the doctor comes to, and the rule by which looks follow each other."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

# A well-formed target group that nobody has: "not found" proves host, token and version at once.
NOBODYS_TARGET_GROUP = "0" * 26

State: TypeAlias = Literal["ok", "warn", "fail", "skip"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: what was looked at, how it is, what was seen, and the cure.

    `skip` is a look that was not made; nothing is known then, neither good nor bad.
    """

    name: str
    state: State
    seen: str
    cure: str | None = None


def skipped(name: str) -> Finding:
    """Say that a look was not made because an earlier one failed."""
    return Finding(name, "skip", "not looked at")


Look: TypeAlias = Callable[[], Awaitable[Finding]]


async def until_one_fails(looks: Sequence[tuple[str, Look]]) -> list[Finding]:
    """Make the looks in their order; what comes after one that fails would fail for the same reason."""
    findings: list[Finding] = []
    for name, look in looks:
        if any(finding.state == "fail" for finding in findings):
            findings.append(skipped(name))
        else:
            findings.append(await look())
    return findings
