"""List the upload jobs of a target group."""

from recontact_tools.handles import iso
from recontact_tools.injected import AccountId, Cursor, Injected, PageSize, ProjectId, TargetGroupId
from recontact_tools.locating import locate
from recontact_tools.models import JobKind
from recontact_tools.policy import check_read
from recontact_tools.results import UploadJobLine, UploadJobList
from recontact_tools.uris import job_uri


async def list_upload_jobs(
    runtime: Injected,
    target_group_id: TargetGroupId,
    page_size: PageSize = 10,
    cursor: Cursor = None,
    project_id: ProjectId = None,
    account_id: AccountId = None,
) -> UploadJobList:
    """List a target group's upload jobs, newest first, whoever started them.

    A page can be short while more follow: go on until next_cursor is null. Removal jobs are not listed.
    """
    group = await locate(runtime, target_group_id, project_id, account_id)
    check_read(runtime.rules.policy, group)
    page = await runtime.gateway.list_upload_jobs(group, page_size=page_size, cursor=cursor)
    return UploadJobList(
        target_group_id=group.target_group_id,
        jobs=[
            UploadJobLine(
                job_id=job.job_id,
                file_name=job.file_name,
                status=job.status,
                created_at=iso(job.created_at),
                resource_uri=job_uri(group, JobKind.UPLOAD, job.job_id),
            )
            for job in page.jobs
        ],
        next_cursor=page.next_cursor,
        next_step=(
            "Call again with cursor=next_cursor for older jobs."
            if page.next_cursor
            else "This is the last page; get_upload_job tells more about one job."
        ),
    )
