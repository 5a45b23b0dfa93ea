"""What a person is asked before everything is removed: a stored plan, and the question made from it."""

from dataclasses import dataclass
from datetime import timedelta

from recontact_tools.conflicts import check_no_job_runs, running_job
from recontact_tools.errors import RecontactError
from recontact_tools.guardrails import (
    check_something_stored,
    confirmation_phrase,
    job_in_the_way,
    plan_not_valid,
)
from recontact_tools.ledger import Plan, PlanState
from recontact_tools.models import TargetGroup
from recontact_tools.policy import check_write
from recontact_tools.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Question:
    """What is put to a person; made from the plan alone, so that it reads the same in every round."""

    plan: Plan
    message: str


async def question(runtime: Runtime, group: TargetGroup, *, answered: bool) -> Question:
    """Return the question of a new plan, or of the open one when an answer has come back.

    Raises:
        InvalidInput: There is nothing to remove.
        JobRunning: A job runs on this target group.
        NotAllowed: Policy refuses, or the plan that was answered is spent or expired.
    """
    check_write(runtime.rules.policy, group)
    plan = await _open_plan(runtime, group) if answered else await _new_plan(runtime, group)
    return Question(plan=plan, message=message(plan))


async def _open_plan(runtime: Runtime, group: TargetGroup) -> Plan:
    plan = await runtime.ledger.open_plan(runtime.principal, group, now=runtime.clock.now())
    if plan is None:
        raise await plan_gone(runtime, group)
    return plan


async def _new_plan(runtime: Runtime, group: TargetGroup) -> Plan:
    await check_no_job_runs(runtime, group)
    count = check_something_stored(await runtime.gateway.get_overview(group))
    now = runtime.clock.now()
    plan = Plan(
        plan_id=runtime.new_id(),
        principal=runtime.principal,
        group=group,
        count=count,
        created_at=now,
        expires_at=now + timedelta(seconds=runtime.rules.plan_seconds),
        state=PlanState.OPEN,
    )
    await runtime.ledger.record_plan(plan)
    return plan


def message(plan: Plan) -> str:
    """Write the question: what would happen to what, what it means, and the phrase that agrees to it."""
    group = plan.group
    return (
        f"Remove ALL {plan.count} respondent IDs stored for recontact in target group {group.target_group_id} "
        f"(account {group.account_id}, project {group.project_id})? While none are stored nobody can enter the "
        f"survey and it cannot be launched. This cannot be undone here.\n"
        f"To agree, type: {confirmation_phrase(plan.count, group.target_group_id)}\n"
        f"(Plan {plan.plan_id[-6:]}, valid until {plan.expires_at:%H:%M} UTC.)"
    )


async def plan_gone(runtime: Runtime, group: TargetGroup) -> RecontactError:
    """Say why an answer finds no open plan: an earlier call used it and its job runs, or it cannot be used."""
    active = await runtime.ledger.active(group)
    return plan_not_valid() if active is None else job_in_the_way(running_job(runtime, active))
