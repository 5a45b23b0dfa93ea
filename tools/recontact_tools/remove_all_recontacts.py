"""Remove every stored respondent ID of a target group, once a person has agreed."""

from dataclasses import replace

from recontact_tools.errors import ErrorCode, NotAllowed, RecontactError
from recontact_tools.guardrails import check_phrase, check_plan
from recontact_tools.handles import handle, job_of
from recontact_tools.injected import (
    AccountId,
    Confirmation,
    IdempotencyKey,
    Injected,
    InjectedConfirmation,
    ProjectId,
    TargetGroupId,
    Unanswered,
    answer_of,
)
from recontact_tools.ledger import Intent, Plan
from recontact_tools.locating import locate
from recontact_tools.models import JobKind, TargetGroup
from recontact_tools.plans import plan_gone
from recontact_tools.policy import check_write
from recontact_tools.results import RemovalStarted
from recontact_tools.runtime import Runtime
from recontact_tools.starting import repeated, start, told_again
from recontact_tools.wishes import planned

_WHY = {
    "declined": (ErrorCode.CONFIRMATION_DECLINED, "The user declined the removal"),
    "cancelled": (ErrorCode.CONFIRMATION_DECLINED, "The user closed the question without an answer"),
    "empty": (ErrorCode.CONFIRMATION_MISMATCH, "The answer came back empty"),
    "timed_out": (ErrorCode.CONFIRMATION_TIMED_OUT, "Nobody answered the question in time"),
    "not_asked": (ErrorCode.PLAN_NOT_VALID, "An earlier call with this idempotency_key has just been refused"),
    "failed": (ErrorCode.CONFIRMATION_UNAVAILABLE, "This client could not put the question to the user"),
}


async def remove_all_recontacts(
    runtime: Injected,
    confirmation: InjectedConfirmation,
    target_group_id: TargetGroupId,
    idempotency_key: IdempotencyKey = None,
    project_id: ProjectId = None,
    account_id: AccountId = None,
) -> RemovalStarted:
    """Remove ALL respondent IDs stored for a target group; starts a job. Single IDs cannot be removed.

    The server itself asks the user, who must type a phrase; you cannot answer for them. While nothing is
    stored nobody can enter the survey, and it cannot be launched. There is no undo.
    """
    group = await locate(runtime, target_group_id, project_id, account_id)
    check_write(runtime.rules.policy, group)
    wanted = await planned(runtime, JobKind.REMOVAL, group, key=idempotency_key)
    intent = await repeated(runtime, wanted)
    if intent is None:
        plan = await _agreed(runtime, group, answer_of(confirmation))
        agreed = replace(wanted, ids=plan.count, stored_before=plan.count, plan_id=plan.plan_id)
        intent = await start(runtime, agreed, None)
    return await _started(runtime, intent, is_repeat=intent.intent_id != wanted.intent_id)


async def _started(runtime: Runtime, intent: Intent, *, is_repeat: bool) -> RemovalStarted:
    fields = await handle(
        runtime, intent.group, JobKind.REMOVAL, job=job_of(intent), ids=intent.ids, started=intent.created_at
    )
    return RemovalStarted(
        **(told_again(fields) if is_repeat else fields),
        repeated=is_repeat,
        ids_to_remove=intent.ids or 0,
    )


async def _agreed(runtime: Runtime, group: TargetGroup, answer: Confirmation | Unanswered) -> Plan:
    """Spend the open plan if the typed phrase and the count of this moment agree with it; else close it.

    Raises:
        NotAllowed: Nobody agreed, the count has drifted, or the plan is spent, replaced or expired.
    """
    now = runtime.clock.now()
    plan = await runtime.ledger.open_plan(runtime.principal, group, now=now)
    if plan is None:
        raise await plan_gone(runtime, group)
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
        next_step="Tell the user that nothing was removed. Ask again only if they say that they want the removal.",
    )
