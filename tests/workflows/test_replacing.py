"""Each stage of a replacement decides by what is on record and what is stored, over the real service."""

from dataclasses import replace
from datetime import timedelta
from itertools import count

import httpx
import pytest
from anyio import from_thread
from desk_setting import GROUP, IDS, KEPT, SEAL, Setting

from recontact_service.faults import Fault, FaultKind
from recontact_service.operations import Operation
from recontact_tools import stages
from recontact_tools.comparing import packed_ids
from recontact_tools.errors import NotAllowed, NotPermitted, Unreachable
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.ledger import Intent, IntentState, Purpose, Replacement, Snapshot, Stage
from recontact_tools.models import IdType, JobKind
from recontact_tools.policy import Policy
from recontact_tools.replacing import TRIED_FOR, advance
from recontact_tools.sealed_lists import pieces_of, set_hash
from recontact_tools.sealing import Seal
from recontact_tools.snapshotting import cancelled, take_snapshot

pytestmark = pytest.mark.anyio

NEW = [f"5a3b2ada-0000-4000-8000-{number:012x}" for number in range(2, 6)]
UPLOAD, REMOVE = Operation.UPLOAD_RSIDS, Operation.REMOVE_ALL
ERROR = cancelled().as_dict()


async def store(setting: Setting, ids: list[str] = IDS) -> None:
    """Store ids by an upload of our own."""
    await setting.intend(f"STORED-{len(ids)}-{setting.moment:%H%M%S%f}", JobKind.UPLOAD, ids)
    [intent] = await setting.desk.ledger.unsettled()
    await stages.ended(setting.desk, intent.intent_id)


async def keep(setting: Setting, list_id: str, ids: list[str]) -> None:
    """Keep a complete list, as a call of replace_recontacts does."""
    snapshots, packed = setting.desk.ledger.snapshots, packed_ids(ids)
    await snapshots.begin(
        Snapshot(
            snapshot_id=list_id,
            purpose=Purpose.REPLACEMENT,
            principal="local",
            group=GROUP,
            expected=len(ids),
            created_at=setting.moment,
            updated_at=setting.moment,
            expires_at=setting.moment + KEPT,
        )
    )
    await snapshots.add(list_id, pieces_of(SEAL, list_id, packed), now=setting.moment)
    await snapshots.complete(list_id, set_hash=await set_hash(setting.desk.ledger, packed), now=setting.moment)


async def agree(setting: Setting, *, stored: int = len(IDS), id_type: IdType = IdType.RSID) -> None:
    """Write a replacement by the new list down, as it is agreed to."""
    await keep(setting, "R", NEW)
    await setting.desk.ledger.replacements.open(
        Replacement(
            replacement_id="R",
            removal_id="OLD",
            principal="local",
            group=GROUP,
            id_type=id_type,
            ids=len(NEW),
            stored_before=stored,
            stage=Stage.REMOVING,
            fingerprint="print",
            created_at=setting.moment,
            updated_at=setting.moment,
        )
    )


async def recorded(setting: Setting) -> Replacement:
    """Return the replacement as it stands."""
    found = await setting.desk.ledger.replacements.get("R")
    assert found is not None
    return found


async def stored(setting: Setting) -> list[str]:
    """List what is stored."""
    page = await setting.desk.gateway.list_respondents(GROUP, page_size=100, cursor=None)
    return sorted(page.respondent_ids)


async def parts(setting: Setting) -> list[tuple[str, IntentState]]:
    """Return what was done for the replacement, and what came of each."""
    return [(part.intent_id, part.state) for part in await setting.desk.ledger.replacements.parts("R")]


async def test_all_stages_are_gone_through_to_the_proof(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    assert await advance(setting.desk, "R") == "done"
    ended = await recorded(setting)
    assert ended.proof is not None
    assert (ended.proof.is_equal, ended.proof.stored, ended.error) == (True, len(NEW), None)
    assert await stored(setting) == NEW
    assert await parts(setting) == [("OLD", IntentState.FINISHED), ("R-1", IntentState.FINISHED)]
    assert await setting.desk.ledger.snapshots.get("R") is None  # the new list is not needed any more
    snapshot = await setting.desk.ledger.snapshots.get("OLD")
    assert snapshot is not None
    assert (snapshot.is_complete, snapshot.count) == (True, len(IDS))
    assert [uri for uri in setting.published if "/replacements/" in uri] == [setting.published[-2]] * 3
    assert await advance(setting.desk, "R") == "done"
    assert setting.faults.requests[UPLOAD] == 2


async def test_a_replacement_that_was_never_written_is_a_fault_of_ours(setting: Setting) -> None:
    with pytest.raises(AssertionError):
        await advance(setting.desk, "NONE")


async def test_one_that_was_cancelled_before_its_removal_was_written_ends_there(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    assert await setting.desk.ledger.replacements.withdraw("R", ERROR, now=setting.moment)
    assert await advance(setting.desk, "R") == "refused"
    assert (await parts(setting), setting.faults.requests[REMOVE], await stored(setting)) == ([], 0, IDS)
    assert await setting.desk.ledger.snapshots.get("R") is None


@pytest.mark.parametrize("stage", [Stage.UPLOADING, Stage.VERIFYING, Stage.RESTORING])
async def test_it_goes_on_from_the_stage_that_is_on_record(setting: Setting, stage: Stage) -> None:
    await store(setting)
    await agree(setting)
    removal = await removal_done(setting)
    await setting.desk.ledger.replacements.move("R", Stage.REMOVING, Stage.UPLOADING, now=setting.moment)
    if stage is Stage.VERIFYING:
        await uploaded(setting)
    if stage is not Stage.UPLOADING:
        await setting.desk.ledger.replacements.move("R", Stage.UPLOADING, stage, now=setting.moment)
    end = await advance(setting.desk, "R")
    ended = await recorded(setting)
    assert end == ("restored" if stage is Stage.RESTORING else "done")
    assert ended.proof is not None
    assert ended.proof.is_equal
    assert await stored(setting) == (IDS if stage is Stage.RESTORING else NEW)
    assert (removal.state, setting.faults.requests[REMOVE]) == (IntentState.FINISHED, 1)


async def removal_done(setting: Setting) -> Intent:
    """Let the removal of the replacement run, as an earlier process did."""
    replacement = await recorded(setting)
    intent = Intent(
        intent_id="OLD",
        kind=JobKind.REMOVAL,
        principal="local",
        group=GROUP,
        ids=replacement.stored_before,
        stored_before=replacement.stored_before,
        state=IntentState.PLANNED,
        created_at=setting.moment,
        updated_at=setting.moment,
        parent_id="R",
    )
    await setting.desk.ledger.open_intent(intent, payload=None)
    return await stages.ended(setting.desk, "OLD")


async def uploaded(setting: Setting) -> None:
    """Let the upload of the new list run, as an earlier process did."""
    content = "".join(f"{line}\n" for line in NEW).encode()
    intent = Intent(
        intent_id="R-1",
        kind=JobKind.UPLOAD,
        principal="local",
        group=GROUP,
        id_type=IdType.RSID,
        file_name="recontacts-R-1.csv",
        ids=len(NEW),
        stored_before=0,
        state=IntentState.PLANNED,
        created_at=setting.moment,
        updated_at=setting.moment,
        parent_id="R",
    )
    await setting.desk.ledger.open_intent(intent, payload=content)
    await stages.ended(setting.desk, "R-1")


async def test_an_upload_that_was_sent_before_a_crash_is_followed_and_not_sent_again(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    await removal_done(setting)
    await setting.desk.ledger.replacements.move("R", Stage.REMOVING, Stage.UPLOADING, now=setting.moment)
    await uploaded(setting)
    assert await advance(setting.desk, "R") == "done"
    assert (setting.faults.requests[UPLOAD], await stored(setting)) == (2, NEW)


async def test_a_removal_that_nobody_worked_on_for_a_minute_is_not_sent(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    setting.moment += timedelta(seconds=61)
    assert await advance(setting.desk, "R") == "refused"
    ended = await recorded(setting)
    assert ended.error is not None
    assert (ended.error["code"], ended.error["changed"]) == ("PLAN_NOT_VALID", "no")
    assert (setting.faults.requests[REMOVE], await stored(setting)) == (0, IDS)


async def test_a_removal_that_got_lost_is_sent_again_while_the_agreement_holds(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    setting.faults.script(REMOVE, Fault(FaultKind.LOST_REQUEST), times=2)
    assert await advance(setting.desk, "R") == "done"
    assert await parts(setting) == [
        ("OLD", IntentState.UNKNOWN),
        ("OLD-1", IntentState.UNKNOWN),
        ("OLD-2", IntentState.FINISHED),
        ("R-3", IntentState.FINISHED),
    ]
    assert await stored(setting) == NEW


async def test_a_removal_that_is_lost_again_and_again_changes_nothing(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    setting.faults.script(REMOVE, Fault(FaultKind.LOST_REQUEST), times=100_000)
    setting.desk.pace = 1.0  # each settling takes minutes
    assert await advance(setting.desk, "R") == "refused"
    ended = await recorded(setting)
    assert ended.error is not None
    assert (ended.error["code"], ended.error["changed"]) == ("REPLACEMENT_FAILED", "no")
    assert await stored(setting) == IDS


async def test_a_removal_that_shows_late_is_taken_for_done(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    setting.faults.script(REMOVE, Fault(FaultKind.LOST_REQUEST))
    setting.faults.script(REMOVE, Fault(FaultKind.CONFLICT))  # the first one runs after all

    looks = 0
    real_sleep = setting.sleep

    async def sleep(seconds: float) -> None:
        nonlocal looks
        await real_sleep(seconds)
        if setting.faults.requests[REMOVE] == 2 and not looks:
            looks += 1
            await setting.desk.gateway.remove_all(GROUP)
            await real_sleep(60)

    setting.desk.clock = replace(setting.desk.clock, sleep=sleep)
    assert await advance(setting.desk, "R") == "done"
    assert await stored(setting) == NEW


async def test_a_list_that_others_left_partly_is_made_whole_again(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    await removal_done(setting)
    await setting.desk.gateway.upload_file(
        GROUP, file_name="theirs.csv", content=f"{NEW[3]}\n".encode(), id_type=IdType.RSID
    )
    await setting.sleep(60)
    assert await advance(setting.desk, "R") == "restored"
    ended = await recorded(setting)
    assert ended.proof is not None
    assert (ended.proof.missing, ended.proof.extra) == (0, 1)
    assert await stored(setting) == [*IDS, NEW[3]]


async def test_what_is_refused_for_a_day_is_given_up_from_its_first_day_on(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    setting.faults.script(UPLOAD, Fault(FaultKind.RATE_LIMITED, seconds=3_600), times=26)
    begun = setting.moment
    assert await advance(setting.desk, "R") == "restored"
    assert TRIED_FOR <= setting.moment - begun <= TRIED_FOR + timedelta(hours=3)
    assert await stored(setting) == IDS


async def test_uploads_that_are_lost_for_a_day_end_with_what_a_person_can_do(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    setting.faults.script(UPLOAD, Fault(FaultKind.LOST_REQUEST), times=100_000)
    setting.desk.pace = 1.0

    async def longer(seconds: float) -> None:
        """Sleep longer: an attempt takes some three minutes, and a day of them would take the test seconds."""
        await setting.sleep(20 * seconds)

    setting.desk.clock = replace(setting.desk.clock, sleep=longer)
    begun = setting.moment
    assert await advance(setting.desk, "R") == "stuck"
    ended = await recorded(setting)
    assert ended.error is not None
    assert (ended.error["code"], ended.error["snapshot_id"]) == ("REPLACEMENT_FAILED", "OLD")
    assert "restore_recontacts" in str(ended.error["next_step"])
    assert TRIED_FOR <= setting.moment - begun <= TRIED_FOR + timedelta(hours=3)
    assert await setting.desk.ledger.snapshots.get("R") is not None  # the new list is kept for a person


async def test_a_lost_upload_that_is_listed_late_is_adopted(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    await removal_done(setting)
    await setting.desk.ledger.replacements.move("R", Stage.REMOVING, Stage.UPLOADING, now=setting.moment)
    await uploaded(setting)
    [*_, upload] = await setting.desk.ledger.replacements.parts("R")
    # What an earlier process knew of it, when its list did not show the job yet.
    with_lost = replace(upload, intent_id="R-2", file_name=upload.file_name, state=IntentState.PLANNED, job=None)
    await setting.desk.ledger.replacements.try_again("R", 1)
    await setting.desk.ledger.open_intent(replace(with_lost, job_id=None, settled_by=None), payload=b"")
    await setting.desk.ledger.mark_sending("R-2", now=setting.moment)
    await setting.desk.ledger.mark_unknown("R-2", ERROR, now=setting.moment)
    assert await advance(setting.desk, "R") == "done"
    assert (await setting.recorded("R-2")).job_id == upload.job_id
    assert setting.faults.requests[UPLOAD] == 2


async def test_a_policy_that_forbids_writing_by_now_ends_before_anything_is_sent(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    setting.desk.policy = Policy(read_only=True, accounts=None, projects=None, target_groups=None)
    assert await advance(setting.desk, "R") == "refused"
    ended = await recorded(setting)
    assert ended.error is not None
    assert (ended.error["code"], setting.faults.requests[REMOVE]) == ("READ_ONLY", 0)


async def test_a_new_list_that_cannot_be_opened_gives_the_old_one_back(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    await setting.desk.ledger.snapshots.delete("R", now=setting.moment)
    assert await advance(setting.desk, "R") == "restored"
    assert await stored(setting) == IDS


async def test_a_key_that_is_another_one_after_the_removal_stops_it_with_words(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    await removal_done(setting)
    setting.desk.seal = Seal(lambda: bytes([7]) * 32)
    assert await advance(setting.desk, "R") == "stuck"
    ended = await recorded(setting)
    assert ended.error is not None
    assert "key of the snapshots" in str(ended.error["message"])
    assert (setting.faults.requests[UPLOAD], await stored(setting)) == (1, [])


async def test_one_that_is_turned_back_while_its_new_list_is_opened_sends_the_old_one_only(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    await removal_done(setting)
    await setting.desk.ledger.replacements.move("R", Stage.REMOVING, Stage.UPLOADING, now=setting.moment)
    turned: list[bool] = []

    async def turn_back() -> None:
        turned.append(await setting.desk.ledger.replacements.turn_back("R", ERROR, now=setting.moment))

    def key() -> bytes:
        if not turned:
            from_thread.run(turn_back)
        return bytes(32)

    setting.desk.seal = Seal(key)
    assert await advance(setting.desk, "R") == "restored"
    assert turned == [True]
    assert (setting.faults.requests[UPLOAD], await stored(setting)) == (2, IDS)


async def test_an_upload_that_was_lost_sight_of_and_found_by_a_caller_goes_first(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    await removal_done(setting)
    ledger = setting.desk.ledger
    await ledger.replacements.move("R", Stage.REMOVING, Stage.UPLOADING, now=setting.moment)
    setting.faults.script(UPLOAD, Fault(FaultKind.LOST_ANSWER))
    setting.faults.script(Operation.LIST_UPLOADS, Fault(FaultKind.NO_PERMISSION), times=2)
    await uploaded(setting)
    assert (await setting.recorded("R-1")).state is IntentState.UNKNOWN
    await ledger.replacements.try_again("R", 1)
    page = await setting.desk.gateway.list_upload_jobs(GROUP, page_size=10, cursor=None)
    [job_id] = [job.job_id for job in page.jobs if job.file_name == "recontacts-R-1.csv"]
    await ledger.mark_started("R-1", job_id=job_id, now=setting.moment)  # a caller looked again, and found it
    assert await advance(setting.desk, "R") == "done"
    assert await parts(setting) == [
        ("OLD", IntentState.FINISHED),
        ("R-1", IntentState.FINISHED),
        ("R-2", IntentState.FINISHED),
    ]
    assert await stored(setting) == NEW


async def test_where_both_lists_were_deleted_it_stops(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    await removal_done(setting)
    for list_id in ("R", "OLD"):
        await setting.desk.ledger.snapshots.delete(list_id, now=setting.moment)
    assert await advance(setting.desk, "R") == "stuck"
    assert (setting.faults.requests[UPLOAD], await stored(setting)) == (1, [])


async def test_response_ids_are_not_compared(setting: Setting) -> None:
    await store(setting)
    await agree(setting, id_type=IdType.RID)
    assert await advance(setting.desk, "R") == "done"
    assert (await recorded(setting)).proof is None
    assert setting.faults.requests[Operation.UPLOAD_RESPONDENTS] == 1


async def test_a_count_that_the_api_refuses_is_not_taken_for_any_count(setting: Setting) -> None:
    await store(setting)
    await agree(setting)
    await removal_done(setting)
    setting.faults.script(Operation.OVERVIEW, Fault(FaultKind.NO_PERMISSION), times=2)
    with pytest.raises(NotPermitted):  # the durable engine runs the step again
        await advance(setting.desk, "R")
    assert (await recorded(setting)).stage is Stage.REMOVING
    assert await advance(setting.desk, "R") == "done"


async def planned_removal(setting: Setting, count: int) -> Intent:
    """Store so many ids, and write their removal down as a person agreed to it."""
    ids = [f"5a3b2ada-0000-4000-8000-{number:012x}" for number in range(count)]
    await store(setting, ids)
    return await setting.intend("REMOVAL", JobKind.REMOVAL, ids)


async def test_a_snapshot_goes_on_where_an_earlier_process_stopped(setting: Setting) -> None:
    intent = await planned_removal(setting, 2_100)
    setting.faults.script(Operation.LIST_RSIDS, Fault(FaultKind.SLOW, seconds=0), times=15)
    setting.faults.script(Operation.LIST_RSIDS, Fault(FaultKind.NO_PERMISSION), times=2)
    with pytest.raises(NotPermitted):
        await take_snapshot(setting.desk, intent)
    begun = await setting.desk.ledger.snapshots.get("REMOVAL")
    assert begun is not None
    assert (begun.count, begun.is_complete) == (1_000, False)
    before = setting.faults.requests[Operation.LIST_RSIDS]
    snapshot = await take_snapshot(setting.desk, intent)
    assert (snapshot.count, snapshot.pieces, snapshot.is_complete) == (2_100, 3, True)
    assert setting.faults.requests[Operation.LIST_RSIDS] - before == 11
    assert await take_snapshot(setting.desk, intent) == snapshot
    assert setting.faults.requests[Operation.LIST_RSIDS] - before == 11


async def test_a_snapshot_that_was_begun_with_another_key_is_not_gone_on_with(setting: Setting) -> None:
    intent = await planned_removal(setting, 1_500)
    setting.faults.script(Operation.LIST_RSIDS, Fault(FaultKind.SLOW, seconds=0), times=12)
    setting.faults.script(Operation.LIST_RSIDS, Fault(FaultKind.NO_PERMISSION), times=2)
    with pytest.raises(NotPermitted):
        await take_snapshot(setting.desk, intent)
    setting.desk.seal = Seal(lambda: bytes([7]) * 32)
    await stages.send(setting.desk, "REMOVAL")
    state, error = await setting.failure("REMOVAL")
    assert (state, error["code"]) == (IntentState.REFUSED, "SNAPSHOT_UNREADABLE")
    assert setting.faults.requests[REMOVE] == 0


async def test_a_snapshot_is_not_read_on_once_its_removal_is_cancelled(setting: Setting) -> None:
    intent = await planned_removal(setting, 2_100)

    async def cancel(*uris: str) -> None:
        assert [uri.rpartition("/target-groups/")[2].split("/")[1:] for uri in uris] == [["removal-jobs", "REMOVAL"]]
        await setting.desk.ledger.withdraw("REMOVAL", ERROR, now=setting.moment)

    setting.desk.publish = cancel
    with pytest.raises(NotAllowed):
        await take_snapshot(setting.desk, intent)
    assert setting.faults.requests[Operation.LIST_RSIDS] == 10


async def test_a_list_without_an_end_is_no_snapshot(setting: Setting) -> None:
    intent = await planned_removal(setting, 3)

    pages = count(1)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 86400, "token_type": "Bearer"})
        if request.url.path.endswith("/overview"):
            return httpx.Response(200, json={"saved_respondent_ids_count": 3})
        return httpx.Response(200, json={"data": [], "next_cursor": f"C{next(pages)}"})

    connection = Connection("https://api.invalid/v1", "https://auth.invalid/token", "id", "secret")
    async with Gateway(connection, transport=httpx.MockTransport(answer)) as endless:
        setting.desk.gateway = endless
        with pytest.raises(Unreachable, match="no end"):
            await take_snapshot(setting.desk, intent)
