"""What a person is asked before everything is removed or replaced: a stored plan, and the question made from it."""

from dataclasses import dataclass
from datetime import timedelta

from recontact_tools.capping import check_left_today
from recontact_tools.conflicts import check_no_job_runs, running_job, running_replacement
from recontact_tools.errors import ErrorCode, NotAllowed, RecontactError
from recontact_tools.guardrails import (
    check_something_stored,
    job_in_the_way,
    phrase_of,
    plan_not_valid,
)
from recontact_tools.ledger import Plan, PlanPurpose, PlanState
from recontact_tools.ledger.usage import a_plan
from recontact_tools.models import TargetGroup
from recontact_tools.policy import check_write
from recontact_tools.runtime import Runtime
from recontact_tools.staged import Staged, ticket_not_valid

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class NewList:
    """What is to replace the stored list: how many IDs, and a digest of the whole wish.

    *staged* is the staged file that it is in, which lives as long as anybody may agree, and no longer than it may.
    """

    ids: int
    fingerprint: str
    staged: Staged | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What is put to a person; made from the plan alone, so that it reads the same in every round."""

    plan: Plan
    message: str


async def question(runtime: Runtime, group: TargetGroup, *, answered: bool, new: NewList | None = None) -> Question:
    """Return the question of a new plan, or of the open one when an answer has come back.

    *new* is what is to be stored instead, None where everything is to be removed.

    Raises:
        InvalidInput: There is nothing to remove.
        JobRunning: A job runs on this target group.
        NotAllowed: Policy or a cap refuses, or the plan that was answered is spent or expired.
    """
    check_write(runtime.rules.policy, group)
    plan = await (open_plan(runtime, group, new) if answered else _new_plan(runtime, group, new))
    return Question(plan=plan, message=message(plan, kept=runtime.rules.snapshots_kept))


async def open_plan(runtime: Runtime, group: TargetGroup, new: NewList | None) -> Plan:
    """Return the open plan of exactly this wish.

    Raises:
        NotAllowed: There is none: it is spent, expired, or of something else.
        JobRunning: It is spent, and its job runs.
    """
    plan = await runtime.ledger.open_plan(runtime.principal, group, now=runtime.clock.now())
    if plan is None:
        raise await plan_gone(runtime, group)
    if plan.fingerprint != (new.fingerprint if new else None):
        raise _other_list()
    return plan


async def _new_plan(runtime: Runtime, group: TargetGroup, new: NewList | None) -> Plan:
    plan = await made_plan(runtime, group, new, seconds=runtime.rules.plan_seconds)
    await runtime.ledger.record_plan(plan)
    await keep_staged(runtime, plan, new)
    return plan


async def keep_staged(runtime: Runtime, plan: Plan, new: NewList | None) -> None:
    """Keep the staged file of a replacement for as long as somebody may agree to its plan, and be asked once more.

    Raises:
        InvalidInput: It has just been deleted or used: nobody is asked in vain.
    """
    if new is None or new.staged is None:
        return
    now = runtime.clock.now()
    again = now + timedelta(seconds=runtime.rules.approval.seconds)
    until = max(plan.expires_at, min(again, new.staged.kept_until))
    if not await runtime.ledger.tickets.prolong(new.staged.ticket_id, until=until, now=now):
        refusal = ticket_not_valid()
        await runtime.ledger.close_plan(plan.plan_id, now=runtime.clock.now(), code=refusal.code)
        raise refusal


async def made_plan(runtime: Runtime, group: TargetGroup, new: NewList | None, *, seconds: float) -> Plan:
    """Return a plan of this wish and of what is stored now; it is not written yet.

    It may be agreed to for so many *seconds*, or until the file that it needs is deleted.

    Raises:
        NotAllowed: It would be more than the day allows: nobody is asked for what cannot be done.
        InvalidInput: There is nothing to remove.
        JobRunning: A job runs on this target group.
    """
    await check_left_today(runtime, a_plan(new.ids if new else None))
    await check_no_job_runs(runtime, group)
    count = check_something_stored(await runtime.gateway.get_overview(group))
    now = runtime.clock.now()
    until = now + timedelta(seconds=seconds)
    if new is not None and new.staged is not None:
        until = min(until, new.staged.kept_until)
    return Plan(
        plan_id=runtime.new_id(),
        principal=runtime.principal,
        group=group,
        count=count,
        created_at=now,
        expires_at=until,
        state=PlanState.OPEN,
        purpose=PlanPurpose.REPLACEMENT if new else PlanPurpose.REMOVAL,
        new_ids=new.ids if new else None,
        fingerprint=new.fingerprint if new else None,
    )


def message(plan: Plan, *, kept: timedelta) -> str:
    """Write the question: what would happen to what, what it means, and the phrase that agrees to it."""
    group = plan.group
    where = f"in target group {group.target_group_id} (account {group.account_id}, project {group.project_id})?"
    return (
        f"{asked_for(plan)} {where} {meaning(plan, kept=kept)}\nTo agree, type: {phrase_of(plan)}\n"
        f"(Plan {plan.plan_id[-6:]}, valid until {plan.expires_at:%H:%M} UTC.)"
    )


def asked_for(plan: Plan) -> str:
    """Say what a plan would do, without where."""
    if plan.new_ids is None:
        return f"Remove ALL {plan.count} respondent IDs stored for recontact"
    return f"Replace ALL {plan.count} respondent IDs stored for recontact by {plan.new_ids} others"


def meaning(plan: Plan, *, kept: timedelta) -> str:
    """Say what it would mean to carry a plan out, and how it can be undone."""
    days = kept.total_seconds() / _DAY
    back = "" if plan.new_ids is None else " If the new ones cannot be uploaded, the old ones are."
    return (
        "While none are stored nobody can enter the survey and it cannot be launched. "
        f"A snapshot is taken first and kept for {days:g} days: from it they can be uploaded again.{back}"
    )


def _other_list() -> NotAllowed:
    return NotAllowed(
        "What is asked for now is not what the user was asked about, but another list; nothing was removed.",
        code=ErrorCode.PLAN_NOT_VALID,
        next_step="If the user still wants it, call the tool again with the list as it is now; they are asked anew.",
    )


async def plan_gone(runtime: Runtime, group: TargetGroup) -> RecontactError:
    """Say why an answer finds no open plan: an earlier call used it and its job runs, or it cannot be used."""
    replacement = await runtime.ledger.replacements.active(group)
    if replacement is not None:
        return job_in_the_way(running_replacement(group, replacement.replacement_id))
    active = await runtime.ledger.active(group)
    return plan_not_valid() if active is None else job_in_the_way(running_job(runtime, active))
