"""The allocation template: a match is told only when the API shows it, never guessed."""

from dataclasses import dataclass
from typing import Literal

from recontact_tools.readiness.facts import Facts, NotRead, State
from recontact_tools.readiness.findings import Finding, Severity, unverified
from recontact_tools.target_group_facts import Allocations

_COMPARED = {
    "exchange_min_percentage": "minimum",
    "exchange_max_percentage": "maximum",
    "exchange_suppliers": "suppliers",
    "blocked_suppliers": "blocked",
    "groups": "groups",
    "private blocked_suppliers": "private_blocked",
}
_WITHOUT = "Respondents can be reached only through the supplier they came from, which other allocations may leave out."


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a target group's allocations compare with the template's: which fields differ, and which are not shown."""

    differing: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def outcome(self) -> Literal["verified", "mismatched", "cannot verify"]:
        """Return what may be said: one difference is enough to tell, a match takes every field."""
        if self.differing:
            return "mismatched"
        return "cannot verify" if self.unknown else "verified"


def compare(group: Allocations, template: Allocations) -> Comparison:
    """Compare percentages and the sets of supplier ids, field by field."""
    differing: list[str] = []
    unknown: list[str] = []
    for name, attribute in _COMPARED.items():
        ours, theirs = getattr(group, attribute), getattr(template, attribute)
        if ours is None or theirs is None:
            unknown.append(name)
        elif ours != theirs:
            differing.append(name)
    return Comparison(tuple(differing), tuple(unknown))


def check_allocations(facts: Facts, template_id: str) -> list[Finding]:
    """Judge whether the expected allocation template is applied."""
    mend = _mend(facts, template_id)
    if isinstance(facts.allocations, NotRead):
        return [_cannot(facts.allocations, mend)]
    found, where = facts.allocations.value, facts.allocations.where
    # source: cint-api.md section 3.2, note A: the id decides where it is shown, which no description promises
    if found.template_id is not None:
        if found.template_id == template_id:
            return []
        seen = f"mismatched: another allocation template is applied. {_WITHOUT}"
        return [Finding("allocations", Severity.RISK, seen, f"template_id of {where}", mend)]
    if isinstance(facts.template, NotRead):
        return [_cannot(facts.template, mend)]
    return _compared(compare(found, facts.template.value), f"{where}; {facts.template.where}", mend)


def _compared(comparison: Comparison, where: str, mend: str) -> list[Finding]:
    if comparison.outcome == "verified":
        return []
    if comparison.outcome == "cannot verify":
        return [_cannot(NotRead(where, f"not shown: {', '.join(comparison.unknown)}"), mend)]
    seen = f"mismatched: {', '.join(comparison.differing)} differ from the template's. {_WITHOUT}"
    return [Finding("allocations", Severity.RISK, seen, where, mend)]


def _cannot(read: NotRead, mend: str) -> Finding:
    return unverified("allocations", NotRead(read.where, f"cannot verify the template, {read.why}"), mend=mend)


def _mend(facts: Facts, template_id: str) -> str:
    field = "allocations of PUT .../target-groups/{id}"
    if facts.state is not State.DRAFT:
        field = "PUT .../target-groups/{id}/allocation-specification"
    return f"Apply template {template_id} (Cint's Recontact template by default) in the Cint UI, or with {field}."
