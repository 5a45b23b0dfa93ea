"""Remove every stored respondent ID of a target group, once a person has agreed."""

from dataclasses import replace

from recontact_tools.agreeing import agreed
from recontact_tools.handles import handle, job_of
from recontact_tools.injected import (
    AccountId,
    IdempotencyKey,
    Injected,
    InjectedConfirmation,
    ProjectId,
    TargetGroupId,
    answer_of,
)
from recontact_tools.ledger import Intent
from recontact_tools.locating import locate
from recontact_tools.models import JobKind
from recontact_tools.policy import check_write
from recontact_tools.results import RemovalStarted
from recontact_tools.runtime import Runtime
from recontact_tools.snapshot_reports import snapshot_of
from recontact_tools.starting import repeated, start, told_again
from recontact_tools.wishes import planned


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
    stored nobody can enter the survey, and it cannot be launched. A snapshot of all IDs is taken first:
    restore_recontacts puts them back.
    """
    group = await locate(runtime, target_group_id, project_id, account_id)
    check_write(runtime.rules.policy, group)
    wanted = await planned(runtime, JobKind.REMOVAL, group, key=idempotency_key)
    intent = await repeated(runtime, wanted)
    if intent is None:
        plan = await agreed(runtime, group, answer_of(confirmation), None)
        confirmed = replace(wanted, ids=plan.count, stored_before=plan.count, plan_id=plan.plan_id)
        intent = await start(runtime, confirmed, None)
    return await _started(runtime, intent, is_repeat=intent.intent_id != wanted.intent_id)


async def _started(runtime: Runtime, intent: Intent, *, is_repeat: bool) -> RemovalStarted:
    fields = await handle(
        runtime, intent.group, JobKind.REMOVAL, job=job_of(intent), ids=intent.ids, started=intent.created_at
    )
    return RemovalStarted(
        **(told_again(fields) if is_repeat else fields),
        repeated=is_repeat,
        ids_to_remove=intent.ids or 0,
        snapshot=await snapshot_of(runtime, intent),
    )
