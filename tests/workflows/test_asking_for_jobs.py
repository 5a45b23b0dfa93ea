"""What a caller is told of a job: one that is still being sent, one that ended, one that was lost."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from desk_setting import GROUP, IDS, KEPT, SEAL, Setting
from mcp.server.mcpserver import AcceptedElicitation

from recontact_service.faults import Fault, FaultKind
from recontact_service.operations import Operation
from recontact_tools.conflicts import check_no_job_runs
from recontact_tools.errors import (
    AnswerAwaited,
    ErrorCode,
    FeatureMissing,
    InvalidInput,
    JobRunning,
    NotAllowed,
    OutcomeUnknown,
    RateLimited,
    RecontactError,
    Unreachable,
)
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.handles import next_step
from recontact_tools.injected import Unanswered
from recontact_tools.ledger import IntentState
from recontact_tools.looking import Seen, look_once, look_soon, wait_for
from recontact_tools.models import Job, JobKind, Reason
from recontact_tools.plans import question
from recontact_tools.policy import Policy
from recontact_tools.remove_all_recontacts import remove_all_recontacts
from recontact_tools.revived import revived
from recontact_tools.runtime import Clock, Rules, Runtime
from recontact_tools.schedule import settle_delays, settled_within
from recontact_tools.settling import count_looks
from recontact_tools.stages import follow, send, settle
from recontact_tools.starting import ANSWER_WAITED_FOR_SECONDS, repeated, start
from recontact_tools.wishes import planned

pytestmark = pytest.mark.anyio


class NobodyExecutes:
    """An engine whose executing process has died and has not been replaced yet."""

    async def submit(self, intent_id: str) -> None:
        """Take the intent down."""


def runtime(setting: Setting, *, pace: float = 0.0) -> Runtime:
    """Return what an operation works with, over the setting."""
    rules = Rules(
        snapshots_kept=KEPT,
        policy=Policy(read_only=False, accounts=None, projects=None, target_groups=None),
        account_id=GROUP.account_id,
        project_id=GROUP.project_id,
        upload_roots=(Path("/nowhere"),),
        local_files=True,
        pace=pace,
        plan_seconds=600,
        compare_pages=1_000,
        template_id="01JH0PEGPC4Z8RDD304E2SF0EW",
    )
    desk = setting.desk
    return Runtime(rules, desk.gateway, desk.ledger, NobodyExecutes(), desk.clock, lambda: "NEW", "local", SEAL)


async def unheard(_done: float, _total: float | None, _message: str) -> None:
    """Hear progress and forget it."""


async def test_a_start_whose_answer_stays_out_ends_as_unknown_with_a_handle(setting: Setting) -> None:
    work = runtime(setting)
    begun = setting.moment

    with pytest.raises(OutcomeUnknown) as raised:
        await start(work, await planned(work, JobKind.UPLOAD, GROUP, ids=3), b"")

    assert (raised.value.details, raised.value.safe_to_repeat) == ({"job_id": "NEW", "kind": "upload"}, False)
    assert (setting.moment - begun).total_seconds() == pytest.approx(ANSWER_WAITED_FOR_SECONDS, abs=1)


class BrokenEngine:
    """An engine whose database cannot be used."""

    def __init__(self, then: Callable[[], Awaitable[object]]) -> None:
        self._then = then

    async def submit(self, intent_id: str) -> None:
        """Fail, as an engine without a disk does."""
        del intent_id
        await self._then()
        raise RuntimeError("no engine")


async def test_what_the_engine_cannot_take_is_taken_back_and_blocks_nothing(setting: Setting) -> None:
    async def nothing() -> None:
        """Do nothing before failing."""

    work = replace(runtime(setting), engine=BrokenEngine(nothing))

    with pytest.raises(Unreachable) as raised:
        await start(work, await planned(work, JobKind.UPLOAD, GROUP, ids=3), b"")

    assert (raised.value.code, raised.value.changed) == (ErrorCode.UNAVAILABLE, "no")
    assert (await setting.recorded("NEW")).state is IntentState.REFUSED
    assert await setting.desk.ledger.active(GROUP) is None


async def test_what_is_being_sent_already_is_not_taken_back(setting: Setting) -> None:
    async def send_first() -> None:
        await setting.desk.ledger.mark_sending("NEW", now=setting.moment)

    work = replace(runtime(setting), engine=BrokenEngine(send_first))

    with pytest.raises(AnswerAwaited):
        await start(work, await planned(work, JobKind.UPLOAD, GROUP, ids=3), b"")

    assert (await setting.recorded("NEW")).state is IntentState.SENDING


async def test_a_wait_for_an_answer_that_comes_ends_with_the_job(setting: Setting) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)

    async def hear(_done: float, _total: float | None, _message: str) -> None:
        """Hear nothing."""

    async def sleep_and_send(seconds: float) -> None:
        await setting.sleep(seconds)
        await send(setting.desk, "A")

    work = replace(runtime(setting), clock=Clock(now=setting.now, sleep=sleep_and_send))

    assert (await wait_for(work, hear, GROUP, JobKind.UPLOAD, "A", seconds=5)).job.is_completed


async def test_a_look_that_takes_too_long_is_given_up(setting: Setting) -> None:
    async def never(_request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    connection = Connection("https://api.invalid/v1", "https://auth.invalid/token", "id", "secret")
    async with Gateway(connection, transport=httpx.MockTransport(never)) as silent:
        work = replace(runtime(setting), gateway=silent)
        with pytest.raises(Unreachable) as raised:
            await look_soon(work, GROUP, JobKind.UPLOAD, "J", seconds=0.01)

    assert (raised.value.code, raised.value.safe_to_repeat) == (ErrorCode.UNAVAILABLE, True)


async def test_an_intent_without_an_answer_yet_is_still_awaited(setting: Setting) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)

    with pytest.raises(OutcomeUnknown):
        await look_once(runtime(setting), GROUP, JobKind.UPLOAD, "A")


async def test_an_intent_whose_answer_was_lost_for_good_says_so_again(setting: Setting) -> None:
    setting.faults.script(Operation.UPLOAD_RSIDS, Fault(FaultKind.LOST_REQUEST))
    await setting.intend("A", JobKind.UPLOAD, IDS)
    await send(setting.desk, "A")
    await settle(setting.desk, "A")

    with pytest.raises(OutcomeUnknown) as raised:
        await look_once(runtime(setting), GROUP, JobKind.UPLOAD, "A")

    assert raised.value.as_dict() == (await setting.failure("A"))[1]


async def test_a_job_that_was_given_up_and_shows_after_all_is_adopted_by_the_next_look(setting: Setting) -> None:
    setting.faults.script(Operation.UPLOAD_RSIDS, Fault(FaultKind.LOST_ANSWER))
    await setting.intend("A", JobKind.UPLOAD, IDS)
    await send(setting.desk, "A")
    await setting.desk.ledger.mark_unknown("A", {"code": "OUTCOME_UNKNOWN"}, now=setting.moment)
    await setting.service.advance()

    seen = await look_once(runtime(setting), GROUP, JobKind.UPLOAD, "A")

    assert (seen.job.status, (await setting.recorded("A")).state) == ("Completed", IntentState.FINISHED)


async def test_a_look_for_a_caller_settles_what_the_follower_has_not_seen(setting: Setting) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    await send(setting.desk, "A")
    await setting.service.advance()

    seen = await look_once(runtime(setting), GROUP, JobKind.UPLOAD, "A")

    assert (seen.job.status, (await setting.recorded("A")).state) == ("Completed", IntentState.FINISHED)


async def test_a_job_that_has_ended_unseen_does_not_stand_in_the_way(setting: Setting) -> None:
    for intent_id, kind in (("A", JobKind.UPLOAD), ("B", JobKind.REMOVAL)):
        await setting.intend(intent_id, kind, IDS)
        await send(setting.desk, intent_id)
        await setting.service.advance()

        await check_no_job_runs(runtime(setting), GROUP)

        assert (await setting.recorded(intent_id)).state is IntentState.FINISHED


@pytest.mark.parametrize("state", ["planned", "started"])
async def test_an_active_intent_stands_in_the_way_even_when_its_job_cannot_be_read(
    setting: Setting, state: str
) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    if state == "started":
        await send(setting.desk, "A")
    setting.faults.script(Operation.GET_RSIDS_UPLOAD, Fault(FaultKind.ERROR), times=4)

    with pytest.raises(JobRunning) as raised:
        await check_no_job_runs(runtime(setting), GROUP)

    assert raised.value.details["job_id"] == ((await setting.recorded("A")).job_id or "A")


async def test_a_wait_outlasts_a_lost_connection_and_reports_the_last_one(setting: Setting) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    await send(setting.desk, "A")
    setting.faults.script(Operation.GET_RSIDS_UPLOAD, Fault(FaultKind.ERROR), times=400)

    with pytest.raises(Unreachable):
        await wait_for(runtime(setting), unheard, GROUP, JobKind.UPLOAD, "A", seconds=5)

    setting.faults.clear()
    seen = await wait_for(runtime(setting), unheard, GROUP, JobKind.UPLOAD, "A", seconds=5)
    assert seen.job.is_completed


@pytest.mark.parametrize(
    ("job", "told"),
    [
        pytest.param(
            Job("J", "Failed", failure_reason=Reason("Ask Cint.", "StartFailed"), job_trace_id="0af7"),
            "StartFailed: Ask Cint. (job_trace_id 0af7)",
            id="with a code and a trace",
        ),
        pytest.param(Job("J", "Failed", failure_reason=Reason("Ask Cint.")), "Ask Cint.", id="with words alone"),
        pytest.param(Job("J", "Failed"), None, id="without a reason"),
    ],
)
async def test_why_a_job_failed_is_told_in_the_words_of_the_api(setting: Setting, job: Job, told: str | None) -> None:
    assert Seen(job, None, setting.moment).failure_reason == told
    assert "failure_reason" in next_step(JobKind.UPLOAD, job, 0, can_cancel=True)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(RateLimited("Slower.", next_step="Wait.", details={"retry_after_seconds": 3}), id="rate limited"),
        pytest.param(
            Unreachable("No answer.", next_step="Repeat.", code=ErrorCode.UNAVAILABLE), id="a code of its own"
        ),
        pytest.param(OutcomeUnknown("Perhaps.", next_step="Look."), id="unknown"),
        pytest.param(FeatureMissing("Not here.", next_step="Go on."), id="missing"),
    ],
)
def test_a_recorded_error_comes_back_as_it_was(error: RecontactError) -> None:
    again = revived(error.as_dict())

    assert (type(again), again.as_dict()) == (type(error), error.as_dict())


def test_a_job_that_stored_only_a_part_is_not_called_done() -> None:
    job = Job("J", "Completed", partial_success_reason=Reason("0 uploaded, 5 failed."))

    assert "partial_success_reason" in next_step(JobKind.UPLOAD, job, 0, can_cancel=True)
    assert "done" not in next_step(JobKind.UPLOAD, job, 0, can_cancel=True)


@pytest.mark.parametrize(
    ("kind", "ids", "latest"),
    [(JobKind.UPLOAD, 10_000, 900), (JobKind.UPLOAD, 100_000, 9_000), (JobKind.REMOVAL, 10_000, 300)],
)
async def test_what_has_no_answer_yet_is_not_called_a_running_job_and_says_when_it_is_settled(
    setting: Setting, kind: JobKind, ids: int, latest: int
) -> None:
    work = runtime(setting, pace=1.0)
    await setting.intend("A", kind, [f"{number}" for number in range(ids)])
    setting.moment += timedelta(minutes=2)

    with pytest.raises(JobRunning) as raised:
        await check_no_job_runs(work, GROUP)
    setting.moment += timedelta(hours=3)
    with pytest.raises(JobRunning) as later:
        await check_no_job_runs(work, GROUP)

    assert "is awaited, or was lost and the server is looking for it" in raised.value.message
    assert "runs on this target group" not in raised.value.message
    assert f"get_{kind.value}_job (job_id below, wait_seconds=45) says how that stands" in raised.value.next_step
    assert f"about {latest // 60 - 2} minutes at most" in raised.value.next_step
    assert "should have happened by now; longer only while the API" in later.value.next_step
    assert raised.value.details["job_id"] == "A"


@pytest.mark.parametrize("pace", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("ids", [1, 10_000, 100_000])
def test_a_lost_answer_is_settled_within_what_is_told(ids: int, pace: float) -> None:
    upload = settled_within(JobKind.UPLOAD, ids, pace=pace)

    assert count_looks(ids, pace=pace)[-1] <= upload
    assert sum(settle_delays(JobKind.UPLOAD, ids, pace=pace)) <= upload
    assert sum(settle_delays(JobKind.REMOVAL, ids, pace=pace)) <= settled_within(JobKind.REMOVAL, ids, pace=pace)


async def test_a_removal_that_nobody_was_asked_about_removes_nothing_when_its_key_turns_out_to_be_free(
    setting: Setting,
) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    await send(setting.desk, "A")
    await follow(setting.desk, "A")
    work = runtime(setting)
    await question(work, GROUP, answered=False)
    unasked = AcceptedElicitation[Any](data=Unanswered(reason="not_asked"))

    with pytest.raises(NotAllowed) as raised:
        await remove_all_recontacts(work, unasked, GROUP.target_group_id, idempotency_key="k")

    assert (raised.value.code, raised.value.changed) == (ErrorCode.PLAN_NOT_VALID, "no")
    assert setting.faults.requests[Operation.REMOVE_ALL] == 0


async def test_a_repeated_call_takes_up_what_nobody_submitted_and_waits_for_its_answer(setting: Setting) -> None:
    class Executes:
        async def submit(self, intent_id: str) -> None:
            await send(setting.desk, intent_id)

    dead = runtime(setting)
    wish = await planned(dead, JobKind.UPLOAD, GROUP, ids=3, content=b"x")
    await setting.desk.ledger.open_intent(wish, payload="".join(f"{line}\n" for line in IDS).encode())
    alive = replace(dead, engine=Executes(), new_id=lambda: "AGAIN")

    same = await repeated(alive, await planned(alive, JobKind.UPLOAD, GROUP, ids=3, content=b"x"))

    assert same is not None
    assert (same.intent_id, same.state) == ("NEW", IntentState.STARTED)


async def test_a_call_that_lost_the_race_to_write_joins_the_one_that_won(setting: Setting) -> None:
    work = runtime(setting)
    wish = await planned(work, JobKind.UPLOAD, GROUP, ids=3, content=b"x", key="k")
    await setting.desk.ledger.open_intent(wish, payload=b"")
    await setting.desk.ledger.mark_sending("NEW", now=setting.moment)
    await setting.desk.ledger.mark_started("NEW", job_id="JOB", now=setting.moment)

    joined = await start(work, replace(wish, intent_id="LATER"), b"")
    with pytest.raises(InvalidInput) as raised:
        await start(work, replace(wish, intent_id="LATER", fingerprint="another"), b"")

    assert (joined.intent_id, joined.job_id) == ("NEW", "JOB")
    assert raised.value.code is ErrorCode.IDEMPOTENCY_CONFLICT


async def test_a_missing_list_of_jobs_neither_fails_nor_delays_a_start(setting: Setting) -> None:
    connection = Connection(
        "http://service.invalid/v1", "http://service.invalid/oauth/token", "test", "secret", api_version="2025-05-27"
    )
    transport = httpx.ASGITransport(app=setting.service.app)
    async with Gateway(connection, transport=transport, sleep=setting.sleep) as older:
        begun = setting.moment
        await check_no_job_runs(replace(runtime(setting), gateway=older), GROUP)

    assert setting.moment == begun
