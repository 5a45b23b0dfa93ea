"""A job that was called off before it was sent, as those see it who ask for it afterwards."""

from typing import TYPE_CHECKING

import pytest

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_mcp.storage import existing_ledger
from recontact_tools.ledger import Intent, IntentState
from recontact_tools.models import JobKind, TargetGroup
from recontact_tools.snapshotting import cancelled

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call

pytestmark = pytest.mark.anyio

GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")


async def test_a_job_that_was_called_off_says_that_nothing_was_changed(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", settings: Settings
) -> None:
    now = api.moment[0]
    intent = Intent(
        intent_id="01WAITING",
        kind=JobKind.REMOVAL,
        principal="local",
        group=GROUP,
        ids=3,
        stored_before=3,
        state=IntentState.PLANNED,
        created_at=now,
        updated_at=now,
    )
    async with connect(era, effects=effects) as client:
        await client.call_tool("get_recontact_overview", {"target_group_id": GROUP.target_group_id})
        async with existing_ledger(settings) as ledger:
            await ledger.open_intent(intent, payload=None)
            assert await ledger.withdraw("01WAITING", cancelled().as_dict(), now=now)
        error = await refused(client, "get_removal_job", job_id="01WAITING")
    assert (error["code"], error["changed"], error["safe_to_repeat"]) == ("CANCELLED", "no", False)
