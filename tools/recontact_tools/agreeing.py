"""From a person's answer to a plan that is used up: the only way to anything that removes."""

from recontact_tools.errors import ErrorCode, NotAllowed, RecontactError, Unreachable
from recontact_tools.guardrails import check_phrase, check_plan, may_decide, plan_not_valid
from recontact_tools.injected import ApprovedElsewhere, Confirmation, Unanswered
from recontact_tools.ledger import Approval, Evidence, Plan
from recontact_tools.models import TargetGroup
from recontact_tools.plans import NewList, open_plan, plan_gone
from recontact_tools.runtime import ApprovalRules, Runtime

_WHY = {
    "declined": (ErrorCode.CONFIRMATION_DECLINED, "The user declined"),
    "cancelled": (ErrorCode.CONFIRMATION_DECLINED, "The user closed the question without an answer"),
    "empty": (ErrorCode.CONFIRMATION_MISMATCH, "The answer came back empty"),
    "timed_out": (ErrorCode.CONFIRMATION_TIMED_OUT, "Nobody answered the question in time"),
    "not_asked": (ErrorCode.PLAN_NOT_VALID, "An earlier call with this idempotency_key has just been refused"),
    "failed": (ErrorCode.CONFIRMATION_TIMED_OUT, "This client could not put the question to the user"),
}


async def agreed(
    runtime: Runtime, group: TargetGroup, answer: Confirmation | ApprovedElsewhere | Unanswered, new: NewList | None
) -> Plan:
    """Spend the open plan if a person agreed to it and the count of this moment is that of the plan; else close it.

    They have typed its phrase here, or where no client speaks for them. What was approved there stays so while only the
    API cannot be asked.

    *new* is what is to be stored instead, None where everything is to be removed.

    Raises:
        NotAllowed: Nobody agreed, the count has drifted, or the plan is spent, replaced or expired.
    """
    now = runtime.clock.now()
    plan = await open_plan(runtime, group, new)
    try:
        evidence = evidence_of(plan, answer, rules=runtime.rules.approval)
        if isinstance(answer, ApprovedElsewhere):
            _check_approver(plan, await runtime.ledger.approvals.of_plan(plan.plan_id), runtime.rules.approval)
        stored = await runtime.gateway.get_overview(group)
        check_plan(plan, count_now=stored, now=runtime.clock.now(), principal=runtime.principal)
    except RecontactError as refusal:
        if not (isinstance(answer, ApprovedElsewhere) and isinstance(refusal, Unreachable)):
            await runtime.ledger.close_plan(plan.plan_id, now=now, code=refusal.code)
        raise
    now, spend = runtime.clock.now(), runtime.ledger.spend_plan
    if not await spend(plan.plan_id, principal=runtime.principal, now=now, evidence=evidence):
        raise await plan_gone(runtime, group)
    return plan


def evidence_of(plan: Plan, answer: Confirmation | ApprovedElsewhere | Unanswered, *, rules: ApprovalRules) -> Evidence:
    """Return how sure it is that a person agreed to a plan; that they did elsewhere, the ledger has the last word on.

    Raises:
        NotAllowed: Nobody agreed, or it is less sure than the *rules* ask for.
    """
    if isinstance(answer, ApprovedElsewhere):
        if answer.plan_id != plan.plan_id:
            raise plan_not_valid()
        return Evidence.HUMAN_OOB
    if isinstance(answer, Unanswered):
        raise _unanswered(answer)
    if not rules.are_met_by(Evidence.CLIENT_ELICITED):
        raise plan_not_valid()
    check_phrase(answer.phrase, plan)
    return Evidence.CLIENT_ELICITED


def _check_approver(plan: Plan, approval: Approval | None, rules: ApprovalRules) -> None:
    """Accept who approved a plan, if they still may: the rules may have changed since.

    Raises:
        NotAllowed: They may not any more, or nobody approved.
    """
    approver = approval.approver if approval is not None else None
    may = approver is not None and may_decide(
        approver, asker=plan.principal, approvers=rules.approvers, two_person=rules.two_person
    )
    if not may:
        raise plan_not_valid()


def _unanswered(answer: Unanswered) -> NotAllowed:
    code, happened = _WHY[answer.reason]
    return NotAllowed(
        f"{happened}; nothing was removed.",
        code=code,
        next_step="Tell the user that nothing was removed. Ask again only if they say that they want it.",
    )
