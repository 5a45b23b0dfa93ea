"""Read, judge, and tell what came of it in the shape of the tool's answer."""

from recontact_tools.models import TargetGroup
from recontact_tools.readiness.checks import Verdict, judge
from recontact_tools.readiness.facts import Facts, Seen, State
from recontact_tools.readiness.findings import Finding, Severity
from recontact_tools.readiness.reading import read_facts
from recontact_tools.results import Readiness, ReadinessFinding
from recontact_tools.runtime import Runtime


async def tell_readiness(runtime: Runtime, group: TargetGroup) -> Readiness:
    """Return the answer about *group*, which policy lets be read.

    Raises:
        RecontactError: Nothing at all could be read of it.
    """
    facts = await read_facts(runtime, group)
    verdict = judge(facts, now=runtime.clock.now(), template_id=runtime.rules.template_id)
    return Readiness(
        target_group_id=group.target_group_id,
        ready=verdict.ready,
        state=facts.state.value,
        status=facts.status,
        saved_respondent_ids_count=facts.stored.value if isinstance(facts.stored, Seen) else None,
        completes_goal=facts.goal,
        findings=[_shown(finding) for finding in verdict.findings],
        passed=list(verdict.passed),
        next_step=_next_step(facts, verdict),
    )


def _shown(finding: Finding) -> ReadinessFinding:
    return ReadinessFinding(
        check=finding.check,
        severity=finding.severity.value,
        seen=finding.seen,
        where=finding.where,
        mend=finding.mend,
    )


def _next_step(facts: Facts, verdict: Verdict) -> str:
    blocks, risks = len(verdict.of(Severity.BLOCKS)), len(verdict.of(Severity.RISK))
    if blocks:
        return f"Tell the user what blocks ({blocks}) and how to mend it; then check again. Risks: {risks}."
    if not verdict.ready:
        return "Nothing that was seen blocks, but not everything could be verified: tell the user what was not."
    if risks:
        return f"Nothing blocks. Ask the user to decide about each risk ({risks}) first."
    if facts.state is State.DRAFT:
        return "Nothing speaks against a launch, which is done in the Cint UI or API: no tool here launches."
    return "Nothing is in the way of the respondents on the list."
