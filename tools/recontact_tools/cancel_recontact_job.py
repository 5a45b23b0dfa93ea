"""Stop a job or a replacement that has not been sent, or say why it goes on."""

from recontact_tools.cancelling import cancel_job
from recontact_tools.injected import AccountId, Injected, JobId, ProjectId, TargetGroupId
from recontact_tools.locating import locate
from recontact_tools.results import CancelAnswer


async def cancel_recontact_job(
    runtime: Injected,
    target_group_id: TargetGroupId,
    job_id: JobId,
    project_id: ProjectId = None,
    account_id: AccountId = None,
) -> CancelAnswer:
    """Stop an upload, a removal or a replacement that was not sent yet; a snapshot that is being taken stops too.

    What runs at Cint cannot be cancelled, and the answer says so: tell the user.
    """
    group = await locate(runtime, target_group_id, project_id, account_id)
    outcome = await cancel_job(runtime, group, job_id)
    return CancelAnswer(
        job_id=job_id,
        cancelled=outcome.stopped,
        explanation=outcome.explanation,
        next_step="Tell the user the explanation.",
    )
