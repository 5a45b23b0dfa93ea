"""From a person's answer to a plan that is used up: the only way to anything that removes."""

from recontact_tools.errors import ErrorCode, NotAllowed, RecontactError
from recontact_tools.guardrails import check_phrase, check_plan
from recontact_tools.injected import Confirmation, Unanswered
from recontact_tools.ledger import Plan
from recontact_tools.models import TargetGroup
from recontact_tools.plans import NewList, open_plan, plan_gone
from recontact_tools.runtime import Runtime

_WHY = {
    "declined": (ErrorCode.CONFIRMATION_DECLINED, "The user declined"),
    "cancelled": (ErrorCode.CONFIRMATION_DECLINED, "The user closed the question without an answer"),
    "empty": (ErrorCode.CONFIRMATION_MISMATCH, "The answer came back empty"),
    "timed_out": (ErrorCode.CONFIRMATION_TIMED_OUT, "Nobody answered the question in time"),
    "not_asked": (ErrorCode.PLAN_NOT_VALID, "An earlier call with this idempotency_key has just been refused"),
    "failed": (ErrorCode.CONFIRMATION_UNAVAILABLE, "This client could not put the question to the user"),
}


async def agreed(runtime: Runtime, group: TargetGroup, answer: Confirmation | Unanswered, new: NewList | None) -> Plan:
    """Spend the open plan if the typed phrase and the count of this moment agree with it; else close it.

    *new* is what is to be stored instead, None where everything is to be removed.

    Raises:
        NotAllowed: Nobody agreed, the count has drifted, or the plan is spent, replaced or expired.
    """
    now = runtime.clock.now()
    plan = await open_plan(runtime, group, new)
    try:
        if isinstance(answer, Unanswered):
            raise _unanswered(answer)
        check_phrase(answer.phrase, plan)
        stored = await runtime.gateway.get_overview(group)
        check_plan(plan, count_now=stored, now=runtime.clock.now(), principal=runtime.principal)
    except RecontactError as refusal:
        await runtime.ledger.close_plan(plan.plan_id, now=now, code=refusal.code)
        raise
    if not await runtime.ledger.spend_plan(plan.plan_id, principal=runtime.principal, now=runtime.clock.now()):
        raise await plan_gone(runtime, group)
    return plan


def _unanswered(answer: Unanswered) -> NotAllowed:
    code, happened = _WHY[answer.reason]
    return NotAllowed(
        f"{happened}; nothing was removed.",
        code=code,
        next_step="Tell the user that nothing was removed. Ask again only if they say that they want it.",
    )
