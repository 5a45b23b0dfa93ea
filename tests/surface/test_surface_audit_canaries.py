"""The audit trail holds no respondent ID, token, path or name of a user's file, whatever a caller writes and where."""

import json
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_mcp.storage import reading
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Replying

pytestmark = pytest.mark.anyio

CANARIES = [str(UUID(int=0xCA7A_0000_0000_4000_8000_0000_0000_0000 + number)) for number in range(3)]
TOKEN = "eyJhbGciOi.eyJzdWIi.c2ln"


async def test_no_row_holds_what_a_caller_wrote_besides_ids_of_target_groups(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    settings: Settings,
) -> None:
    file = settings.upload_roots[0] / "canary-file.csv"
    file.write_text("\n".join(CANARIES))
    async with connect(era, effects=effects, answer=replying()) as client:
        for strange in (CANARIES[0], CANARIES[0].replace("-", ""), str(file), TOKEN, f"Bearer {TOKEN}", ""):
            await refused(client, "upload_recontacts", target_group_id=strange, ids=CANARIES)
            await refused(client, "upload_recontacts", project_id=strange or "-", path=str(file))
            await refused(client, "remove_all_recontacts", target_group_id=f"https://x/target-groups/{strange}")
            await refused(client, "upload_recontacts", ids=CANARIES, id_type=strange)
        await refused(client, "upload_recontacts", path=str(file), ids=CANARIES)
        await refused(client, "upload_recontacts", path=str(file.with_name("canary-missing.csv")))
        await refused(client, "upload_recontacts", **{CANARIES[1]: TOKEN})
        api.meet(Operation.UPLOAD_RSIDS, FaultKind.LOST_ANSWER)
        started = await call(client, "upload_recontacts", path=str(file), idempotency_key=f"{TOKEN}{CANARIES[2]}")
        await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
        removal = await call(client, "remove_all_recontacts", idempotency_key=CANARIES[2])
        await call(client, "get_removal_job", job_id=removal["job_id"], wait_seconds=45)
    with reading(settings) as connection:
        rows = [dict(row) for row in connection.execute("SELECT * FROM audit").fetchall()]
        counted = [dict(row) for row in connection.execute("SELECT * FROM refusals").fetchall()]
    assert len(rows) + sum(row["further"] for row in counted) > 30
    told = json.dumps([*rows, *counted]).casefold()
    assert not [canary for canary in CANARIES if canary in told or canary.replace("-", "") in told]
    for word in ("canary", "eyj", "bearer", "open sesame", "/", ".csv", str(settings.data_dir).casefold()):
        assert word not in told
