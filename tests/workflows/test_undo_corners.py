"""What keeps a list from being read, kept or proved, and work from being begun beside other work."""

from dataclasses import replace

import httpx
import pytest
from desk_setting import GROUP, IDS, KEPT, SEAL, Setting

from recontact_tools.desk import Desk
from recontact_tools.errors import JobRunning, Unreachable
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.identifiers import read_inline
from recontact_tools.ledger import IntentState, Replacement, Stage
from recontact_tools.listing import READINGS_AT_MOST, all_ids
from recontact_tools.models import IdType, JobKind
from recontact_tools.policy import Policy
from recontact_tools.proving import FROM_SNAPSHOT, prove
from recontact_tools.runtime import Rules, Runtime
from recontact_tools.starting import start
from recontact_tools.starting_replacements import start_replacement

pytestmark = pytest.mark.anyio

POLICY = Policy(read_only=False, accounts=None, projects=None, target_groups=None)


class Idle:
    """An engine that leaves what it is handed to nobody."""

    async def submit(self, work_id: str, /) -> None:
        """Do nothing about it."""


def runtime(setting: Setting) -> Runtime:
    """Return what an operation works with, over the setting."""
    rules = Rules(POLICY, GROUP.account_id, GROUP.project_id, (), False, 0.0, 600.0, 9, KEPT, "")  # noqa: FBT003 - no local files
    return Runtime(
        rules, setting.desk.gateway, setting.desk.ledger, Idle(), setting.desk.clock, lambda: "NEW", "local", SEAL
    )


def replacement(setting: Setting, replacement_id: str = "R") -> Replacement:
    """Return a replacement that was agreed to."""
    return Replacement(
        replacement_id=replacement_id,
        removal_id=f"OLD-{replacement_id}",
        principal="local",
        group=GROUP,
        id_type=IdType.RSID,
        ids=len(IDS),
        stored_before=3,
        stage=Stage.REMOVING,
        fingerprint=replacement_id,
        created_at=setting.moment,
        updated_at=setting.moment,
    )


async def test_a_list_that_never_agrees_with_its_count_is_not_taken_for_the_whole(setting: Setting) -> None:
    counts: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        counts.append(name)
        answers = {
            "token": {"access_token": "t", "expires_in": 3600},
            "overview": {"saved_respondent_ids_count": 4},
            "rsids": {"data": IDS, "next_cursor": None},
        }
        return httpx.Response(200, json=answers[name])

    connection = Connection("https://api.example/v1", "https://api.example/oauth/token", "robot", "sesame")
    async with Gateway(connection, transport=httpx.MockTransport(answer)) as gateway:
        desk = Desk(gateway, setting.desk.ledger, setting.desk.clock, 0.0, POLICY, SEAL, KEPT)
        with pytest.raises(Unreachable) as refusal:
            await all_ids(desk, GROUP)
    assert refusal.value.code.value == "SNAPSHOT_INCOMPLETE"
    assert counts.count("rsids") == READINGS_AT_MOST


async def test_nothing_is_begun_beside_a_replacement_and_a_replacement_beside_nothing(setting: Setting) -> None:
    file, ledger = read_inline(IDS), setting.desk.ledger
    intent = replace(await setting.intend("GONE", JobKind.UPLOAD, IDS), intent_id="U")
    await ledger.withdraw("GONE", {"code": "CANCELLED"}, now=setting.moment)
    await ledger.replacements.open(replacement(setting))
    with pytest.raises(JobRunning) as upload:
        await start(runtime(setting), intent, b"")
    with pytest.raises(JobRunning) as other:
        await start_replacement(runtime(setting), replacement(setting, "S"), file)
    await ledger.replacements.move("R", Stage.REMOVING, Stage.REFUSED, now=setting.moment)
    await setting.intend("A", JobKind.UPLOAD, IDS)
    with pytest.raises(JobRunning) as beside:
        await start_replacement(runtime(setting), replacement(setting, "S"), file)
    found = [refusal.value.details["job_id"] for refusal in (upload, other, beside)]
    assert found == ["R", "R", "A"]
    assert await ledger.snapshots.get("S") is None


async def test_only_a_finished_restore_is_proved(setting: Setting) -> None:
    planned = replace(await setting.intend("A", JobKind.UPLOAD, IDS), restores=f"{FROM_SNAPSHOT}S")
    for unproved in (planned, replace(planned, state=IntentState.FINISHED), replace(planned, restores=None)):
        await prove(setting.desk, unproved)
    kept = await setting.recorded("A")
    assert kept.proof is None
