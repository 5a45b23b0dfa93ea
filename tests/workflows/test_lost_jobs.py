"""What nobody knows is looked for again: in the list of jobs, or in the count where there is no list."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import anyio
import httpx
import pytest
from desk_setting import GROUP, IDS, Setting

from recontact_service.faults import Fault, FaultKind
from recontact_service.operations import Operation
from recontact_tools.elected import Elected
from recontact_tools.engine import DurableEngine
from recontact_tools.following import MISSES_AT_MOST
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.ledger import Intent, IntentState
from recontact_tools.lost_jobs import look_again
from recontact_tools.models import IdType, JobKind
from recontact_tools.settling import OUTAGE_WAITED_OUT, count_looks
from recontact_tools.stages import Sent, follow, send, settle

pytestmark = pytest.mark.anyio

UPLOAD, REMOVAL, LOOK = Operation.UPLOAD_RSIDS, Operation.REMOVE_ALL, Operation.GET_RSIDS_UPLOAD


@asynccontextmanager
async def older_version(setting: Setting) -> AsyncGenerator[None]:
    """Let the setting's desk speak the version that has no list of jobs."""
    connection = Connection(
        "http://service.invalid/v1", "http://service.invalid/oauth/token", "test", "secret", api_version="2025-05-27"
    )
    transport = httpx.ASGITransport(app=setting.service.app)

    def seconds() -> float:
        return setting.moment.timestamp()

    way = Gateway(connection, transport=transport, now=seconds, sleep=setting.sleep)
    async with way as gateway:
        setting.desk.gateway = gateway
        yield


async def lost(setting: Setting, intent_id: str, kind: JobKind, fault: FaultKind) -> Intent:
    """Send an intent whose answer gets lost, with or without its request, and give its outcome up as unknown."""
    setting.faults.script(UPLOAD if kind is JobKind.UPLOAD else REMOVAL, Fault(fault))
    await setting.intend(intent_id, kind, IDS)
    assert await send(setting.desk, intent_id) is Sent.LOST
    await setting.desk.ledger.mark_unknown(intent_id, {"code": "OUTCOME_UNKNOWN"}, now=setting.moment)
    return await setting.recorded(intent_id)


async def again(setting: Setting, intent: Intent) -> Intent:
    """Look for an intent's job once more."""
    return await look_again(setting.desk.gateway, setting.desk.ledger, intent, now=setting.moment)


@pytest.mark.parametrize(
    ("fault", "stored_now", "told"),
    [
        pytest.param(FaultKind.LOST_ANSWER, 3, "speaks for the upload but does not prove it", id="it grew"),
        pytest.param(FaultKind.LOST_REQUEST, 0, "has not grown", id="it did not grow"),
    ],
)
async def test_without_a_list_of_jobs_the_count_is_told_and_nothing_is_claimed(
    setting: Setting, fault: FaultKind, stored_now: int, told: str
) -> None:
    setting.faults.script(UPLOAD, Fault(fault))
    async with older_version(setting):
        await setting.intend("A", JobKind.UPLOAD, IDS)
        assert [await send(setting.desk, "A"), await settle(setting.desk, "A")] == [Sent.LOST, Sent.REFUSED]

    state, error = await setting.failure("A")
    assert (state, error["code"], error["changed"]) == (IntentState.UNKNOWN, "OUTCOME_UNKNOWN", "unknown")
    assert {key: error[key] for key in ("file_name", "stored_before", "stored_now", "ids_sent")} == {
        "file_name": "recontacts-A.csv",
        "stored_before": 0,
        "stored_now": stored_now,
        "ids_sent": 3,
    }
    assert told in str(error["message"])
    assert "list_upload_jobs" not in str(error["next_step"])
    assert setting.faults.requests[UPLOAD] == 1


async def test_a_count_that_cannot_be_read_is_not_made_up(setting: Setting) -> None:
    setting.faults.script(UPLOAD, Fault(FaultKind.LOST_ANSWER))
    async with older_version(setting):
        await setting.intend("A", JobKind.UPLOAD, IDS)
        await send(setting.desk, "A")
        await setting.desk.gateway.features(GROUP)  # known by now, and not found out through the overview
        setting.faults.script(Operation.OVERVIEW, Fault(FaultKind.EXPIRED_TOKEN), times=100)
        await settle(setting.desk, "A")

    error = (await setting.failure("A"))[1]
    assert error["stored_now"] is None
    assert "could not be read" in str(error["message"])


async def test_the_count_is_looked_at_soon_and_when_an_upload_of_this_size_may_should_and_must_have_ended(
    setting: Setting,
) -> None:
    assert count_looks(100_000, pace=1.0) == (5.0, 6_000, 7_500, 9_000)
    assert count_looks(3, pace=1.0) == (5.0, 5.0, 450, 900)
    assert count_looks(3, pace=0.0) == (0.0, 0.0, 1.0, 2.0)
    setting.faults.script(UPLOAD, Fault(FaultKind.LOST_REQUEST))
    setting.desk.pace = 1.0
    begun = setting.moment
    async with older_version(setting):
        await setting.intend("A", JobKind.UPLOAD, IDS)
        await send(setting.desk, "A")
        await settle(setting.desk, "A")

    assert setting.moment - begun == timedelta(seconds=900)


async def test_what_is_settled_long_after_it_was_sent_is_looked_for_all_the_same(setting: Setting) -> None:
    setting.faults.script(UPLOAD, Fault(FaultKind.LOST_ANSWER))
    await setting.intend("A", JobKind.UPLOAD, IDS)
    await send(setting.desk, "A")
    setting.moment += OUTAGE_WAITED_OUT * 24

    assert await settle(setting.desk, "A") is Sent.STARTED


async def test_settling_waits_as_long_as_the_api_asks_for(setting: Setting) -> None:
    setting.faults.script(UPLOAD, Fault(FaultKind.LOST_ANSWER))
    setting.faults.script(Operation.LIST_UPLOADS, Fault(FaultKind.RATE_LIMITED, seconds=90))
    await setting.intend("A", JobKind.UPLOAD, IDS)
    await send(setting.desk, "A")

    assert await settle(setting.desk, "A") is Sent.STARTED
    assert 90 in setting.waits


async def until(setting: Setting, state: IntentState) -> Intent:
    """Wait until the intent of these tests is in a state."""
    with anyio.fail_after(30):
        while (await setting.recorded("A")).state is not state:  # noqa: ASYNC110 - the engine tells nobody here
            await anyio.sleep(0.01)
    return await setting.recorded("A")


async def test_a_lost_job_that_is_found_running_is_started_and_followed_anew(setting: Setting, tmp_path: Path) -> None:
    setting.faults.script(UPLOAD, Fault(FaultKind.LOST_REQUEST))
    await setting.intend("A", JobKind.UPLOAD, IDS)
    desk = setting.another_desk()
    async with anyio.create_task_group() as tasks:
        engine = DurableEngine(Elected(tmp_path, desk, tasks), desk, tasks)
        await engine.submit("A")
        given_up = await until(setting, IntentState.UNKNOWN)
        # It arrives after all, and is found by somebody who asks.
        content = "".join(f"{line}\n" for line in IDS).encode()
        name = given_up.file_name or ""
        await desk.gateway.upload_file(GROUP, file_name=name, content=content, id_type=IdType.RSID)
        setting.faults.script(LOOK, Fault(FaultKind.ERROR), times=4)
        assert (await again(setting, given_up)).state is IntentState.STARTED
        await engine.submit("A")
        await until(setting, IntentState.FINISHED)
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await engine.aclose()

    found = await setting.recorded("A")
    assert (found.adoptions, found.settled_by, found.error) == (1, "job", None)


async def test_a_listed_job_is_adopted_as_it_stands(setting: Setting) -> None:
    intent = await lost(setting, "A", JobKind.UPLOAD, FaultKind.LOST_ANSWER)
    await setting.service.advance()

    found = await again(setting, intent)

    assert (found.state, found.error) == (IntentState.FINISHED, None)
    assert found.job is not None
    assert (found.job_id, found.job.status) == (found.job.job_id, "Completed")


async def test_a_listed_job_that_cannot_be_read_is_there_all_the_same(setting: Setting) -> None:
    intent = await lost(setting, "A", JobKind.UPLOAD, FaultKind.LOST_ANSWER)
    setting.faults.script(LOOK, Fault(FaultKind.ERROR), times=4)

    assert (await again(setting, intent)).state is IntentState.STARTED


async def test_a_job_that_was_lost_sight_of_is_found_by_its_id_once_it_shows(setting: Setting) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    await send(setting.desk, "A")
    setting.faults.script(LOOK, Fault(FaultKind.EXPIRED_TOKEN), times=2 * MISSES_AT_MOST + 2)
    await follow(setting.desk, "A")
    given_up = await setting.recorded("A")

    unseen = await again(setting, given_up)
    setting.faults.clear()
    seen = await again(setting, given_up)

    assert [intent.state for intent in (given_up, unseen, seen)] == [
        IntentState.UNKNOWN,
        IntentState.UNKNOWN,
        IntentState.FINISHED,
    ]
    assert seen.job_id == given_up.job_id


@pytest.mark.parametrize(
    ("fault", "listed"),
    [
        pytest.param(FaultKind.LOST_REQUEST, None, id="it is not there"),
        pytest.param(FaultKind.LOST_ANSWER, FaultKind.ERROR, id="nobody can look"),
        pytest.param(FaultKind.LOST_ANSWER, FaultKind.EXPIRED_TOKEN, id="nobody may look"),
    ],
)
async def test_a_look_that_tells_nothing_changes_nothing(
    setting: Setting, fault: FaultKind, listed: FaultKind | None
) -> None:
    intent = await lost(setting, "A", JobKind.UPLOAD, fault)
    if listed is not None:
        setting.faults.script(Operation.LIST_UPLOADS, Fault(listed), times=10)

    assert await again(setting, intent) == intent


async def test_a_job_that_is_found_while_another_runs_stays_unknown_until_that_has_ended(setting: Setting) -> None:
    intent = await lost(setting, "A", JobKind.UPLOAD, FaultKind.LOST_ANSWER)
    setting.faults.script(LOOK, Fault(FaultKind.ERROR), times=4)
    await setting.intend("B", JobKind.UPLOAD, IDS)

    assert (await again(setting, intent)).state is IntentState.UNKNOWN


async def test_whoever_finds_second_what_somebody_else_has_settled_sees_that(setting: Setting) -> None:
    intent = await lost(setting, "A", JobKind.UPLOAD, FaultKind.LOST_ANSWER)
    await setting.service.advance()
    await again(setting, intent)
    setting.faults.script(LOOK, Fault(FaultKind.ERROR), times=4)

    assert (await again(setting, intent)).state is IntentState.FINISHED


@pytest.mark.parametrize(
    ("fault", "later", "state"),
    [
        pytest.param(FaultKind.LOST_ANSWER, False, IntentState.FINISHED, id="it is empty"),
        pytest.param(FaultKind.LOST_REQUEST, False, IntentState.UNKNOWN, id="it is not empty"),
        pytest.param(FaultKind.LOST_REQUEST, True, IntentState.UNKNOWN, id="a later removal emptied it"),
    ],
)
async def test_a_lost_removal_is_found_in_an_empty_target_group_that_no_later_job_can_have_emptied(
    setting: Setting, fault: FaultKind, *, later: bool, state: IntentState
) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    await send(setting.desk, "A")
    await follow(setting.desk, "A")
    intent = await lost(setting, "B", JobKind.REMOVAL, fault)
    if later:
        await setting.intend("C", JobKind.REMOVAL, IDS)
        await send(setting.desk, "C")
        await follow(setting.desk, "C")
    await setting.service.advance()

    found = await again(setting, intent)

    assert found.state is state
    assert found.settled_by == ("overview" if state is IntentState.FINISHED else None)
    assert found.job_id is None
