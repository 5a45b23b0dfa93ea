"""Count the stored respondent IDs of a target group."""

from recontact_tools.guardrails import IDS_PER_TARGET_GROUP
from recontact_tools.injected import AccountId, Injected, ProjectId, TargetGroupId
from recontact_tools.locating import locate
from recontact_tools.policy import check_read
from recontact_tools.results import RecontactOverview
from recontact_tools.uris import overview_uri


async def get_recontact_overview(
    runtime: Injected,
    target_group_id: TargetGroupId,
    project_id: ProjectId = None,
    account_id: AccountId = None,
) -> RecontactOverview:
    """Count the respondent IDs stored for recontact, and the room left of 100,000.

    The count is the ceiling for the completes goal, not a forecast of completes.
    """
    group = await locate(runtime, target_group_id, project_id, account_id)
    check_read(runtime.rules.policy, group)
    count = await runtime.gateway.get_overview(group)
    return RecontactOverview(
        saved_respondent_ids_count=count,
        room_left=max(0, IDS_PER_TARGET_GROUP - count),
        resource_uri=overview_uri(group),
        next_step=(
            "The survey can be entered by these respondents only; keep the completes goal at or below the count."
            if count
            else "Nobody can enter yet: upload IDs with upload_recontacts."
        ),
    )
