"""Say how a removal job stands, waiting a little for its end."""

from recontact_tools.handles import handle, iso
from recontact_tools.injected import (
    AccountId,
    Injected,
    InjectedProgress,
    JobId,
    ProjectId,
    TargetGroupId,
    WaitSeconds,
)
from recontact_tools.locating import locate
from recontact_tools.looking import wait_for
from recontact_tools.models import JobKind
from recontact_tools.plan_reports import plan_as_removal, plan_seen
from recontact_tools.results import RemovalJobReport
from recontact_tools.snapshot_reports import snapshot_of


async def get_removal_job(
    runtime: Injected,
    progress: InjectedProgress,
    target_group_id: TargetGroupId,
    job_id: JobId,
    wait_seconds: WaitSeconds = 0,
    project_id: ProjectId = None,
    account_id: AccountId = None,
) -> RemovalJobReport:
    """Get a removal job: status is Preparing (the snapshot), Processing, Completed or Failed.

    Removals take 3 to 5 minutes per 10,000 IDs at Cint. With wait_seconds the call returns as soon as it ends.
    """
    group = await locate(runtime, target_group_id, project_id, account_id)
    asked = await plan_seen(runtime, progress, group, job_id, seconds=wait_seconds)
    if asked is not None and asked.work_id is None:
        return plan_as_removal(runtime, asked)
    job_id = job_id if asked is None or asked.work_id is None else asked.work_id
    seen = await wait_for(runtime, progress, group, JobKind.REMOVAL, job_id, seconds=wait_seconds)
    fields = await handle(
        runtime, group, JobKind.REMOVAL, job=seen.job, ids=seen.ids, started=seen.started, seen=seen.moved
    )
    snapshot = await snapshot_of(runtime, seen.intent)
    if seen.job.is_completed and snapshot is not None and snapshot.complete:
        fields["next_step"] += " restore_recontacts with this snapshot_id puts the removed ones back."
    return RemovalJobReport(
        **fields,
        ids_done=seen.moved.done if seen.moved else None,
        ids_total=seen.moved.total if seen.moved else None,
        created_at=iso(seen.job.created_at),
        completed_at=iso(seen.job.completed_at),
        failure_reason=seen.failure_reason,
        ids_to_remove=seen.ids,
        snapshot=snapshot,
    )
