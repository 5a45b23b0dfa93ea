"""Target groups of the service, put wherever a test wants them."""

from datetime import UTC, datetime

from recontact_mcp.embedded import service_database
from recontact_mcp.settings import Settings
from recontact_service.seed import seed
from recontact_service.values import TargetGroupState

LAUNCHED, DRAFT = TargetGroupState.LAUNCHED, TargetGroupState.DRAFT
ACCOUNT_ID = 101
PROJECT_ID = "01BTGNYV6HRNK8K8VKZASZCFP0"
GROUP_ID = "01BTGNYV6HRNK8K8VKZASZCFP1"
OTHER_ACCOUNT_ID = 202
OTHER_PROJECT_ID = "01BTGNYV6HRNK8K8VKZASZCFP7"
NOWHERE_ID = "01BTGNYV6HRNK8K8VKZASZCFP9"


def place(
    settings: Settings,
    state: TargetGroupState = LAUNCHED,
    *,
    target_group_id: str = GROUP_ID,
    account_id: int = ACCOUNT_ID,
    project_id: str = PROJECT_ID,
) -> None:
    """Put a target group where it is wanted; one that was elsewhere moves with its respondent IDs."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    seed(
        service_database(settings.data_dir, settings.database_url),
        now=lambda: datetime(2030, 1, 1, tzinfo=UTC),
        target_group_id=target_group_id,
        account_id=account_id,
        project_id=project_id,
        state=state,
        move=True,
    )
