"""One POST per intent, whatever happens to it or to its answer."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from desk_setting import ANYTHING, IDS, Setting

from recontact_service.faults import Fault, FaultKind
from recontact_service.operations import Operation
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.ledger import IntentState
from recontact_tools.lost_jobs import PAGES_LOOKED_AT
from recontact_tools.models import JobKind
from recontact_tools.objections import PLANS_HOLD
from recontact_tools.schedule import settle_delays
from recontact_tools.stages import Sent, ended, follow, send, settle
from recontact_tools.uris import job_uri

pytestmark = pytest.mark.anyio

UPLOAD, REMOVAL = Operation.UPLOAD_RSIDS, Operation.REMOVE_ALL


async def test_an_upload_is_sent_followed_and_told_to_subscribers(setting: Setting) -> None:
    intent = await setting.intend("A", JobKind.UPLOAD, IDS)

    assert await send(setting.desk, "A") is Sent.STARTED
    await follow(setting.desk, "A")

    state, job = await setting.finished_job("A")
    assert (state, job.status, (await setting.recorded("A")).settled_by) == (IntentState.FINISHED, "Completed", "job")
    assert await setting.desk.gateway.get_overview(intent.group) == len(IDS)
    assert [uri.rpartition("target-groups/")[2].split("/")[1] for uri in setting.published[-3:]] == [
        "upload-jobs",
        "overview",
        "respondents.csv",
    ]


async def test_an_intent_that_was_sent_is_never_sent_again(setting: Setting) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)

    sent = [await send(setting.desk, "A") for _ in range(3)]
    await follow(setting.desk, "A")

    assert [*sent, await send(setting.desk, "A")] == [Sent.STARTED] * 4
    assert setting.faults.requests[UPLOAD] == 1


async def test_a_refusal_is_recorded_with_its_words_and_frees_the_target_group(setting: Setting) -> None:
    setting.faults.script(UPLOAD, Fault(FaultKind.CONFLICT))
    intent = await setting.intend("A", JobKind.UPLOAD, IDS)

    assert await send(setting.desk, "A") is Sent.REFUSED
    assert await send(setting.desk, "A") is Sent.REFUSED

    state, error = await setting.failure("A")
    assert (state, error["code"], error["changed"]) == (IntentState.REFUSED, "JOB_RUNNING", "no")
    assert await setting.desk.ledger.active(intent.group) is None
    assert setting.faults.requests[UPLOAD] == 1


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(FaultKind.LOST_ANSWER, id="the connection broke after the commit"),
        pytest.param(FaultKind.ERROR_AFTER_COMMIT, id="a 500 after the commit"),
    ],
)
async def test_a_lost_upload_answer_is_settled_by_the_unique_file_name(setting: Setting, fault: FaultKind) -> None:
    setting.faults.script(UPLOAD, Fault(fault))
    await setting.intend("A", JobKind.UPLOAD, IDS)

    assert await send(setting.desk, "A") is Sent.LOST
    assert await settle(setting.desk, "A") is Sent.STARTED
    assert await settle(setting.desk, "A") is Sent.STARTED
    await follow(setting.desk, "A")

    state, job = await setting.finished_job("A")
    assert (state, job.job_id) == (IntentState.FINISHED, (await setting.recorded("A")).job_id)
    assert setting.faults.requests[UPLOAD] == 1


async def test_a_lost_upload_that_is_not_listed_stays_unknown_and_is_not_repeated(setting: Setting) -> None:
    setting.faults.script(UPLOAD, Fault(FaultKind.LOST_REQUEST))
    await setting.intend("A", JobKind.UPLOAD, IDS)

    assert await send(setting.desk, "A") is Sent.LOST
    assert await settle(setting.desk, "A") is Sent.REFUSED

    state, error = await setting.failure("A")
    assert (state, error["code"], error["changed"]) == (IntentState.UNKNOWN, "OUTCOME_UNKNOWN", "unknown")
    assert (error["safe_to_repeat"], error["file_name"]) == (False, "recontacts-A.csv")
    assert setting.faults.requests[UPLOAD] == 1


async def test_settling_outlasts_a_list_that_cannot_be_read(setting: Setting) -> None:
    setting.faults.script(UPLOAD, Fault(FaultKind.LOST_ANSWER))
    setting.faults.script(Operation.LIST_UPLOADS, Fault(FaultKind.ERROR), times=4)
    await setting.intend("A", JobKind.UPLOAD, IDS)

    await send(setting.desk, "A")

    assert await settle(setting.desk, "A") is Sent.STARTED


async def test_settling_looks_through_pages_and_stops_at_older_jobs(setting: Setting) -> None:
    for number in range(3):
        await setting.intend(f"OLD{number}", JobKind.UPLOAD, IDS)
        await send(setting.desk, f"OLD{number}")
        await follow(setting.desk, f"OLD{number}")
    setting.moment += timedelta(days=365 * 50)
    setting.faults.script(UPLOAD, Fault(FaultKind.LOST_REQUEST))
    await setting.intend("A", JobKind.UPLOAD, IDS)

    await send(setting.desk, "A")

    assert await settle(setting.desk, "A") is Sent.REFUSED


async def test_settling_reads_further_pages_but_never_without_end(setting: Setting) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    await setting.desk.ledger.mark_sending("A", now=setting.moment)
    other = {"file_name": "other.csv", "status": "Completed", "created_by": "b551326b-ac9d-4d32-8823-4f025787dab9"}
    read: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 86400, "token_type": "Bearer"})
        read.append(request.url.path)
        job = {**other, "job_id": f"J{len(read)}", "created_at": "2999-01-01T00:00:00Z"}
        return httpx.Response(200, json={"data": [job], "next_cursor": f"C{len(read)}"})

    connection = Connection("https://api.invalid/v1", "https://auth.invalid/token", "id", "secret")
    async with Gateway(connection, transport=httpx.MockTransport(answer)) as endless:
        setting.desk.gateway = endless
        assert await settle(setting.desk, "A") is Sent.REFUSED

    assert len(read) == PAGES_LOOKED_AT * len(settle_delays(JobKind.UPLOAD, len(IDS), pace=0.0))


async def test_a_lost_removal_answer_is_settled_by_an_empty_target_group(setting: Setting) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    await send(setting.desk, "A")
    await follow(setting.desk, "A")
    setting.faults.script(REMOVAL, Fault(FaultKind.LOST_ANSWER))
    await setting.intend("B", JobKind.REMOVAL, IDS)

    assert await send(setting.desk, "B") is Sent.LOST
    assert await settle(setting.desk, "B") is Sent.STARTED
    await follow(setting.desk, "B")

    state, job = await setting.finished_job("B")
    assert (state, job.status, job.job_id) == (IntentState.FINISHED, "Completed", "B")
    assert (await setting.recorded("B")).settled_by == "overview"
    assert setting.faults.requests[REMOVAL] == 1


async def test_a_lost_removal_is_unknown_after_a_second_look_that_still_finds_ids(setting: Setting) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    await send(setting.desk, "A")
    await follow(setting.desk, "A")
    setting.faults.script(REMOVAL, Fault(FaultKind.LOST_REQUEST))
    intent = await setting.intend("B", JobKind.REMOVAL, IDS)

    await send(setting.desk, "B")

    assert await settle(setting.desk, "B") is Sent.REFUSED
    state, error = await setting.failure("B")
    assert (state, error["code"]) == (IntentState.UNKNOWN, "OUTCOME_UNKNOWN")
    assert await setting.desk.gateway.get_overview(intent.group) == len(IDS)
    assert setting.faults.requests[REMOVAL] == 1


async def test_a_removal_is_followed_to_its_end(setting: Setting) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    await send(setting.desk, "A")
    await follow(setting.desk, "A")
    intent = await setting.intend("B", JobKind.REMOVAL, IDS)

    await send(setting.desk, "B")
    await follow(setting.desk, "B")

    assert (await setting.recorded("B")).settled_by == "job"
    assert await setting.desk.gateway.get_overview(intent.group) == 0


@pytest.mark.parametrize("kind", list(JobKind))
async def test_what_is_resumed_long_after_it_was_asked_is_not_sent(setting: Setting, kind: JobKind) -> None:
    await setting.intend("A", kind, IDS)
    setting.moment += PLANS_HOLD[kind] + timedelta(seconds=1)

    assert await send(setting.desk, "A") is Sent.REFUSED

    state, error = await setting.failure("A")
    assert (state, error["code"], error["changed"]) == (IntentState.REFUSED, "PLAN_NOT_VALID", "no")
    assert setting.faults.requests[UPLOAD] + setting.faults.requests[REMOVAL] == 0


async def test_a_removal_is_not_sent_when_the_count_has_changed_since_a_person_agreed(setting: Setting) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    await send(setting.desk, "A")
    await follow(setting.desk, "A")
    await setting.intend("B", JobKind.REMOVAL, IDS[:2])

    assert await send(setting.desk, "B") is Sent.REFUSED

    state, error = await setting.failure("B")
    assert (state, error["code"], error["planned"], error["stored"]) == (IntentState.REFUSED, "PLAN_DRIFTED", 2, 3)
    assert setting.faults.requests[REMOVAL] == 0


async def test_the_rules_of_the_process_that_would_send_decide_too(setting: Setting) -> None:
    setting.desk.policy = replace(ANYTHING, read_only=True)
    await setting.intend("A", JobKind.UPLOAD, IDS)

    assert await send(setting.desk, "A") is Sent.REFUSED

    assert (await setting.failure("A"))[1]["code"] == "READ_ONLY"
    assert setting.faults.requests[UPLOAD] == 0


async def test_an_outage_is_waited_out_before_the_outcome_is_called_unknown(setting: Setting) -> None:
    setting.faults.script(UPLOAD, Fault(FaultKind.LOST_ANSWER))
    setting.faults.script(Operation.LIST_UPLOADS, Fault(FaultKind.ERROR), times=400)
    await setting.intend("A", JobKind.UPLOAD, IDS)

    await send(setting.desk, "A")

    assert await settle(setting.desk, "A") is Sent.STARTED


@pytest.mark.parametrize(
    ("kind", "looked_at"),
    [(JobKind.UPLOAD, Operation.LIST_UPLOADS), (JobKind.REMOVAL, Operation.OVERVIEW)],
    ids=["upload", "removal"],
)
@pytest.mark.parametrize(
    ("fault", "times"),
    [
        pytest.param(FaultKind.ERROR, 100_000, id="an outage without end"),
        pytest.param(FaultKind.EXPIRED_TOKEN, 2, id="no permission to look"),
    ],
)
async def test_what_could_not_be_looked_at_is_not_said_to_have_been_seen(
    setting: Setting, kind: JobKind, looked_at: Operation, fault: FaultKind, times: int
) -> None:
    await setting.intend("A", kind, IDS)
    await setting.desk.ledger.mark_sending("A", now=setting.moment)
    setting.faults.script(looked_at, Fault(fault), times=times)

    assert await settle(setting.desk, "A") is Sent.REFUSED

    state, error = await setting.failure("A")
    assert (state, error["changed"]) == (IntentState.UNKNOWN, "unknown")
    assert "could not be read" in str(error["message"])


async def test_who_watches_a_removal_since_its_snapshot_hears_of_its_end(setting: Setting) -> None:
    upload = await setting.intend("A", JobKind.UPLOAD, IDS)
    await ended(setting.desk, "A")
    await setting.intend("B", JobKind.REMOVAL, IDS)
    known = job_uri(upload.group, JobKind.REMOVAL, "B")

    await send(setting.desk, "B")
    sent = setting.published.count(known)
    await follow(setting.desk, "B")

    assert sent >= 1
    assert known in setting.published[-4:]
