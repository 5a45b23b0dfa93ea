"""List the stored respondent IDs of a target group, page by page."""

from recontact_tools.injected import AccountId, Cursor, Injected, PageSize, ProjectId, TargetGroupId
from recontact_tools.locating import locate
from recontact_tools.policy import check_read
from recontact_tools.results import RespondentList
from recontact_tools.uris import respondents_uri


async def list_recontacts(
    runtime: Injected,
    target_group_id: TargetGroupId,
    page_size: PageSize = 10,
    cursor: Cursor = None,
    project_id: ProjectId = None,
    account_id: AccountId = None,
) -> RespondentList:
    """List stored respondent IDs (RSIDs). They are personal data: call this only when the user asks for IDs.

    For the number alone use get_recontact_overview. Go on until next_cursor is null.
    """
    group = await locate(runtime, target_group_id, project_id, account_id)
    check_read(runtime.rules.policy, group)
    page = await runtime.gateway.list_respondents(group, page_size=page_size, cursor=cursor)
    return RespondentList(
        target_group_id=group.target_group_id,
        respondent_ids=list(page.respondent_ids),
        next_cursor=page.next_cursor,
        resource_uri=respondents_uri(group),
        next_step=("Call again with cursor=next_cursor for more." if page.next_cursor else "This is the last page."),
    )
