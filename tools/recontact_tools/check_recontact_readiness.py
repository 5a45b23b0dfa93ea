"""Check whether a target group is set up so that the respondents on its list can come back."""

from recontact_tools.injected import AccountId, Injected, ProjectId, TargetGroupId
from recontact_tools.locating import locate
from recontact_tools.policy import check_read
from recontact_tools.results import Readiness


async def check_recontact_readiness(
    runtime: Injected,
    target_group_id: TargetGroupId,
    project_id: ProjectId = None,
    account_id: AccountId = None,
) -> Readiness:
    """Check whether a target group is set up for a recontact: before its launch, or when nobody comes back.

    Findings are blocks, risk or info, each with what was seen, where, and how to mend it. "not verified" means
    that nobody could look: never report it as fine.
    """
    from recontact_tools.readiness.telling import tell_readiness

    group = await locate(runtime, target_group_id, project_id, account_id)
    check_read(runtime.rules.policy, group)
    return await tell_readiness(runtime, group)
