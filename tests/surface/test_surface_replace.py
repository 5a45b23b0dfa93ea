"""One list for another, agreed to once: it ends with the new list, with the old one, or with what is left to do."""

import json
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

import anyio
import httpx
import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Between, Call, Forward, Read, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
HERE = "recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/"
GROUP_ID = "01BTGNYV6HRNK8K8VKZASZCFP1"
UPLOAD, REMOVE = Operation.UPLOAD_RSIDS, Operation.REMOVE_ALL
UPLOADS, REMOVALS, LISTED = "/upload-rsids-by-file", "/remove-all-rsids", "/recontacts/rsids"
PHRASE = f"REPLACE 5 BY 3 IN {GROUP_ID}"


@pytest.fixture
def old(identifiers: Identifiers) -> list[str]:
    """The five ids that are stored."""
    return identifiers(5)


@pytest.fixture
def new(identifiers: Identifiers) -> list[str]:
    """The three ids that come instead; two of them are stored already."""
    return identifiers(6)[3:]


def unconnected(path_end: str, times: int) -> "Between":
    """Let so many POSTs find no connection."""
    left = [path_end] * times

    async def between(request: httpx.Request, forward: "Forward") -> httpx.Response:
        if request.method == "POST" and left and request.url.path.endswith(left[0]):
            left.pop()
            raise httpx.ConnectError("refused", request=request)
        return await forward(request)

    return between


def failing(part: str) -> "Between":
    """Let the first job of a kind end as failed, whatever the API says of it."""
    jobs: list[str] = []

    async def between(request: httpx.Request, forward: "Forward") -> httpx.Response:
        response = await forward(request)
        place, _, job_id = request.url.path.rpartition("/")
        if request.method == "GET" and place.endswith(part) and job_id in [*jobs, job_id][:1]:
            jobs[:] = [job_id]
            body = json.loads(await response.aread())
            reason = {"code": "internal", "description": "It broke."}
            return httpx.Response(200, json={**body, "status": "Failed", "failure_reason": reason})
        return response

    return between


async def stage(read: "Read", client: Client, started: dict[str, Any]) -> dict[str, Any]:
    """Read where a replacement stands."""
    report: dict[str, Any] = json.loads(await read(client, started["resource_uri"]))
    standing: dict[str, Any] = report["replacement"]
    return standing


async def until(read: "Read", client: Client, started: dict[str, Any], stage_name: str, part: str) -> dict[str, Any]:
    """Wait until a replacement is in a stage and that part of it is known to the API."""
    while True:
        standing = await stage(read, client, started)
        if standing["stage"] == stage_name and standing[part]:
            return standing
        await anyio.sleep(0.005)


async def uploads(call: "Call", client: Client) -> list[str]:
    """List the upload jobs that the API knows and we started."""
    jobs = (await call(client, "list_upload_jobs"))["jobs"]
    return [job["status"] for job in jobs if job["file_name"] != "elsewhere.csv"]


async def test_the_question_says_what_comes_for_what(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", old: list[str], new: list[str]
) -> None:
    questions: list[str] = []

    async def reply(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context
        questions.append(params.message)
        return ElicitResult(action="decline")

    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, answer=reply) as client:
        await refused(client, "replace_recontacts", ids=new)
    [question] = questions
    assert re.sub(r"Plan \w{6}", "Plan ......", question) == (
        "Replace ALL 5 respondent IDs stored for recontact by 3 others in target group 01BTGNYV6HRNK8K8VKZASZCFP1 "
        "(account 101, project 01BTGNYV6HRNK8K8VKZASZCFP0)? While none are stored nobody can enter the survey and it "
        "cannot be launched. A snapshot is taken first and kept for 30 days: from it they can be uploaded again. If "
        "the new ones cannot be uploaded, the old ones are.\n"
        f"To agree, type: {PHRASE}\n"
        "(Plan ......, valid until 12:10 UTC.)"
    )


@pytest.mark.parametrize(
    "phrase",
    [
        pytest.param("yes", id="yes"),
        pytest.param(f"REMOVE 5 FROM {GROUP_ID}", id="that of a removal"),
        pytest.param(PHRASE.replace("5", "4"), id="another old count"),
        pytest.param(PHRASE.replace("3", "4"), id="another new count"),
        pytest.param(PHRASE.replace("FP1", "FP2"), id="another target group"),
        pytest.param(PHRASE.lower(), id="lower case"),
        pytest.param("", id="nothing"),
    ],
)
async def test_an_answer_that_is_not_the_phrase_replaces_nothing(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
    phrase: str,
) -> None:
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, answer=replying(lambda _question: {"phrase": phrase})) as client:
        error = await refused(client, "replace_recontacts", ids=new)
    assert (error["code"], error["changed"]) == ("CONFIRMATION_MISMATCH", "no")
    assert "nothing was removed" in error["message"]
    assert "REPLACE" not in json.dumps(error)
    assert (api.asked(REMOVE), api.asked(UPLOAD), await api.stored()) == (0, 0, old)


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_question_that_is_declined_or_closed_replaces_nothing(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
    action: Literal["decline", "cancel"],
) -> None:
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, answer=replying(action=action)) as client:
        error = await refused(client, "replace_recontacts", ids=new)
    assert (error["code"], error["changed"]) == ("CONFIRMATION_DECLINED", "no")
    assert (api.asked(REMOVE), api.asked(UPLOAD), await api.stored()) == (0, 0, old)


async def test_a_client_that_cannot_ask_replaces_nothing(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", old: list[str], new: list[str]
) -> None:
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects) as client:
        errors = [await refused(client, "replace_recontacts", ids=new, **key) for key in ({}, {"idempotency_key": "k"})]
    assert {(error["code"], error["changed"]) for error in errors} == {("CONFIRMATION_UNAVAILABLE", "no")}
    assert (api.asked(REMOVE), await api.stored()) == (0, old)


async def test_what_was_agreed_to_for_one_list_does_not_hold_for_another(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    settings: Settings,
    old: list[str],
    new: list[str],
    identifiers: Identifiers,
) -> None:
    file = settings.upload_roots[0] / "wave2.csv"
    file.write_text("\n".join(new))

    async def reply(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context, params
        file.write_text("\n".join(identifiers(9)[6:]))  # as many, but others
        return ElicitResult(action="accept", content={"phrase": PHRASE})

    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, answer=reply) as client:
        error = await refused(client, "replace_recontacts", path="wave2.csv")
    assert (error["code"], error["changed"]) == ("PLAN_NOT_VALID", "no")
    assert (api.asked(REMOVE), api.asked(UPLOAD), await api.stored()) == (0, 0, old)


async def test_a_count_that_changes_between_question_and_answer_replaces_nothing(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    identifiers: Identifiers,
    old: list[str],
    new: list[str],
) -> None:
    async def reply(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context, params
        await api.upload_elsewhere(identifiers(6))
        return ElicitResult(action="accept", content={"phrase": PHRASE})

    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, answer=reply) as client:
        error = await refused(client, "replace_recontacts", ids=new)
    assert (error["code"], error["planned"], error["stored"]) == ("PLAN_DRIFTED", 5, 6)
    assert (api.asked(REMOVE), await api.stored()) == (0, identifiers(6))


async def test_an_empty_target_group_has_nothing_to_replace(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    replying: "Replying",
    new: list[str],
) -> None:
    async with connect(era, effects=effects, answer=replying()) as client:
        error = await refused(client, "replace_recontacts", ids=new)
    assert (error["code"], error["changed"]) == ("NOTHING_TO_REMOVE", "no")
    assert (api.asked(REMOVE), api.asked(UPLOAD)) == (0, 0)


async def test_a_list_that_no_target_group_can_hold_is_refused_before_anything_is_removed(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    settings: Settings,
    replying: "Replying",
    old: list[str],
    identifiers: Identifiers,
) -> None:
    (settings.upload_roots[0] / "wave2.csv").write_text("\n".join(identifiers(100_001)))
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, answer=replying()) as client:
        error = await refused(client, "replace_recontacts", path="wave2.csv")
    assert (error["code"], error["changed"]) == ("TOO_MANY_IDS", "no")
    assert (api.asked(REMOVE), await api.stored()) == (0, old)


async def test_a_list_is_replaced_and_proved_and_the_old_one_is_kept(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    read: "Read",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "replace_recontacts", ids=[*new, new[0].upper()])
        job = await followed(client, started)
        snapshot = await read(client, f"{HERE}snapshots/{job['replacement']['snapshot_id']}.csv")
        jobs = await uploads(call, client)
    assert (started["kind"], started["status"], started["repeated"]) == ("replacement", "Processing", False)
    assert (started["lines_read"], started["dropped"]) == (4, [{"kind": "duplicate", "count": 1, "lines": [4]}])
    assert started["resource_uri"] == f"{HERE}replacements/{started['job_id']}"
    assert (job["job_id"], job["kind"], job["status"]) == (started["job_id"], "replacement", "Completed")
    assert (job["ids_sent"], job["stored_before"], job["stored_after"]) == (3, 5, 3)
    assert (job["failure_reason"], job["differences_uri"], job["not_stored"]) == (None, None, 0)
    assert job["completed_at"] == "2030-01-01T12:00:00+00:00"
    assert (job["poll_after_seconds"], job["eta_seconds"]) == (0, {"low": 0, "high": 0})
    assert job["proof"] == {
        "equal": True,
        "stored": 3,
        "expected": 3,
        "missing": 0,
        "extra": 0,
        "set_hash": job["proof"]["set_hash"],
    }
    assert job["next_step"] == "Replaced and proved: exactly the 3 new RSIDs are stored."
    standing = job["replacement"]
    assert (standing["stage"], standing["ids_before"], standing["ids_after"]) == ("done", 5, 3)
    assert standing["removal_job_id"]
    assert standing["upload_job_id"]
    assert snapshot.splitlines() == old
    assert jobs == ["Completed"]
    assert (api.asked(REMOVE), api.asked(UPLOAD), await api.stored()) == (1, 1, new)


async def test_what_was_replaced_can_be_restored(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    old: list[str],
    new: list[str],
) -> None:
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, answer=replying()) as client:
        job = await followed(client, await call(client, "replace_recontacts", ids=new))
        restored = await call(client, "restore_recontacts", snapshot_id=job["replacement"]["snapshot_id"])
        proof = (await followed(client, restored))["proof"]
    assert (proof["missing"], proof["extra"]) == (0, 1)
    assert await api.stored() == identifiers(6)


async def test_a_file_replaces_by_its_named_column(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    settings: Settings,
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    (settings.upload_roots[0] / "wave2.csv").write_text("\n".join(["one,two", *(f"{one},{one}" for one in new)]))
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "replace_recontacts", path="wave2.csv", column="two")
        await followed(client, started)
    assert (started["column"], started["lines_read"]) == ("two", 4)
    assert await api.stored() == new


async def test_response_ids_replace_and_are_not_proved(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, answer=replying()) as client:
        job = await followed(client, await call(client, "replace_recontacts", ids=new, id_type="RID"))
    assert (job["status"], job["proof"], job["stored_after"]) == ("Completed", None, None)
    assert "was not proved" in job["next_step"]
    assert "3 failed" in job["partial_success_reason"]  # the service knows nobody by these
    assert (api.asked(Operation.UPLOAD_RESPONDENTS), api.asked(UPLOAD), api.asked(REMOVE)) == (1, 0, 1)


async def test_at_every_stage_its_resource_says_where_it_stands_and_what_a_restart_would_do(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    read: "Read",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    await api.upload_elsewhere(old)
    keeping = api.hold(LISTED)
    async with connect(era, effects=effects, answer=replying(), pace=1.0) as client:
        started = await call(client, "replace_recontacts", ids=new)
        await keeping.arrive()
        stages = [started["replacement"], await stage(read, client, started)]
        keeping.release()
        stages.append(await until(read, client, started, "removing", "removal_job_id"))
        estimates = [json.loads(await read(client, started["resource_uri"]))]
        api.pass_time(hours=1)
        stages.append(await until(read, client, started, "uploading", "upload_job_id"))
        estimates.append(json.loads(await read(client, started["resource_uri"])))
        proving = api.hold(LISTED)
        api.pass_time(hours=1)
        await proving.arrive()
        stages.append(await stage(read, client, started))
        proving.release()
        job = await followed(client, started)
        stages.append(await stage(read, client, started))
    assert [standing["stage"] for standing in stages] == [
        "removing",
        "removing",
        "removing",
        "uploading",
        "verifying",
        "done",
    ]
    assert job["replacement"] == stages[-1]
    assert "is stored until" in stages[0]["standing"]
    assert "nothing is removed" in stages[0]["on_restart"]
    assert [standing["removal_job_id"] is None for standing in stages] == [True, True, False, False, False, False]
    assert [standing["upload_job_id"] is None for standing in stages] == [True, True, True, False, False, False]
    assert "kept as a snapshot; the new one is being uploaded" in stages[3]["standing"]
    assert "never a second one" in stages[3]["on_restart"]
    assert stages[4]["on_restart"] == "It reads and compares again."
    assert (stages[5]["standing"], stages[5]["on_restart"]) == (
        "The new list is stored in place of the old one.",
        "Nothing: it has ended.",
    )
    assert all(report["status"] == "Processing" and report["poll_after_seconds"] >= 15 for report in estimates)
    assert estimates[0]["eta_seconds"]["high"] == 300 + 900  # the removal and the upload
    assert estimates[1]["eta_seconds"]["high"] == 900
    assert "get_upload_job" in estimates[0]["next_step"]
    assert not [one for one in {*old, *new} if one in json.dumps([stages, estimates, job])]


async def test_a_wait_ends_with_the_stage(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    read: "Read",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, answer=replying(), pace=1.0) as client:
        started = await call(client, "replace_recontacts", ids=new)
        await until(read, client, started, "removing", "removal_job_id")
        in_vain = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=1)
        reports: list[dict[str, Any]] = []
        async with anyio.create_task_group() as tasks:

            async def wait() -> None:
                reports.append(await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45))

            tasks.start_soon(wait)
            api.pass_time(hours=1)
    assert in_vain["replacement"]["stage"] == "removing"
    assert reports[0]["replacement"]["stage"] == "uploading"


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_where_the_api_refuses_the_new_list_the_old_one_is_restored(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    read: "Read",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
    status: int,
) -> None:
    await api.upload_elsewhere(old)
    api.refuse(UPLOADS, status)
    async with connect(era, effects=effects, answer=replying(), pace=1.0) as client:
        started = await call(client, "replace_recontacts", ids=new)
        await until(read, client, started, "removing", "removal_job_id")
        api.pass_time(hours=1)
        standing = await until(read, client, started, "restoring", "upload_job_id")
        on_the_way = await call(client, "get_upload_job", job_id=started["job_id"])
        api.pass_time(hours=1)
        job = await followed(client, started)
        jobs = await uploads(call, client)
    assert "the old one is being uploaded again" in standing["standing"]
    assert "follows the upload of the old list" in standing["on_restart"]
    assert (on_the_way["status"], "wait_seconds=45" in on_the_way["next_step"]) == ("Processing", True)
    assert (job["status"], job["replacement"]["stage"]) == ("Failed", "restored")
    assert "the old one is stored again" in job["replacement"]["standing"]
    assert job["failure_reason"].startswith("REPLACEMENT_FAILED: ")
    assert (job["proof"]["equal"], job["proof"]["stored"]) == (True, 5)
    assert jobs == ["Completed"]
    assert await api.stored() == old


async def test_where_the_job_of_the_new_list_fails_the_old_one_is_restored(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    read: "Read",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    await api.upload_elsewhere(old)
    api.between.append(failing(UPLOADS))
    async with connect(era, effects=effects, answer=replying()) as client:
        job = await followed(client, await call(client, "replace_recontacts", ids=new))
        differences = await read(client, job["differences_uri"])
    assert (job["status"], job["replacement"]["stage"]) == ("Failed", "restored")
    # What the failed job stored all the same stays, and is told.
    assert (job["proof"]["missing"], job["proof"]["extra"]) == (0, 1)
    assert differences == f"extra,{new[2]}\n"
    assert await api.stored() == [*old, new[2]]


@pytest.mark.parametrize(
    ("trouble", "attempts"),
    [
        pytest.param((FaultKind.CONFLICT, 3), 4, id="409"),
        pytest.param((FaultKind.RATE_LIMITED, 2), 3, id="429"),
        pytest.param((FaultKind.NO_PERMISSION, 4), 5, id="403, each with a fresh token, too"),
        pytest.param(None, 1, id="no connection"),
    ],
)
async def test_what_may_pass_is_tried_again_and_the_new_list_is_uploaded_once(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
    trouble: tuple[FaultKind, int] | None,
    attempts: int,
) -> None:
    await api.upload_elsewhere(old)
    if trouble is None:
        api.between.append(unconnected(UPLOADS, 2))
    else:
        api.meet(UPLOAD, trouble[0], times=trouble[1], seconds=0)
    async with connect(era, effects=effects, answer=replying()) as client:
        job = await followed(client, await call(client, "replace_recontacts", ids=new))
        jobs = await uploads(call, client)
    assert (job["status"], job["replacement"]["stage"], job["proof"]["equal"]) == ("Completed", "done", True)
    assert jobs == ["Completed"]
    assert (api.asked(UPLOAD), api.asked(REMOVE), await api.stored()) == (attempts, 1, new)


async def test_what_does_not_pass_within_a_day_gives_the_old_list_back(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    refusals = 0

    async def between(request: httpx.Request, forward: "Forward") -> httpx.Response:
        nonlocal refusals
        if request.method == "POST" and request.url.path.endswith(UPLOADS) and refusals < 26:
            refusals += 1
            api.pass_time(hours=1)
            return httpx.Response(409, json={"id": "E", "object": "conflict_error", "detail": "Not now."})
        return await forward(request)

    await api.upload_elsewhere(old)
    api.between.append(between)
    async with connect(era, effects=effects, answer=replying()) as client:
        job = await followed(client, await call(client, "replace_recontacts", ids=new))
    assert refusals == 26  # a day of tries for the new list, and one for the old
    assert (job["status"], job["replacement"]["stage"], job["proof"]["equal"]) == ("Failed", "restored", True)
    assert await api.stored() == old


@pytest.mark.parametrize("kind", [FaultKind.LOST_ANSWER, FaultKind.ERROR_AFTER_COMMIT])
async def test_an_upload_whose_answer_was_lost_is_found_and_not_sent_again(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
    kind: FaultKind,
) -> None:
    await api.upload_elsewhere(old)
    api.meet(UPLOAD, kind)
    async with connect(era, effects=effects, answer=replying()) as client:
        job = await followed(client, await call(client, "replace_recontacts", ids=new))
        jobs = await uploads(call, client)
    assert (job["status"], job["proof"]["equal"], jobs) == ("Completed", True, ["Completed"])
    assert (api.asked(UPLOAD), await api.stored()) == (1, new)


async def test_an_upload_that_got_lost_on_its_way_is_sent_again_once_it_is_seen_not_to_be_there(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    await api.upload_elsewhere(old)
    api.meet(UPLOAD, FaultKind.LOST_REQUEST, times=2)
    async with connect(era, effects=effects, answer=replying()) as client:
        job = await followed(client, await call(client, "replace_recontacts", ids=new))
        jobs = await uploads(call, client)
    assert (job["status"], job["proof"]["equal"], jobs) == ("Completed", True, ["Completed"])
    assert (api.asked(UPLOAD), await api.stored()) == (3, new)


async def test_a_replacement_that_can_do_no_more_stops_and_says_how_to_put_the_old_list_back(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    async with connect(era, effects=effects, answer=replying()) as client:
        await api.upload_elsewhere(old)
        api.meet(UPLOAD, FaultKind.LOST_REQUEST)
        api.between.append(unlisted)
        job = await followed(client, await call(client, "replace_recontacts", ids=new))
        before = await api.stored()
        restored = await call(client, "restore_recontacts", snapshot_id=job["replacement"]["snapshot_id"])
        proof = (await followed(client, restored))["proof"]
    assert (job["status"], job["replacement"]["stage"], job["completed_at"] is None) == ("Failed", "stuck", False)
    assert job["failure_reason"].partition(": ")[0] == "REPLACEMENT_FAILED"
    assert "the old one is kept as a snapshot" in job["replacement"]["standing"]
    assert "get_recontact_overview" in job["next_step"]
    assert "restore_recontacts with this snapshot_id" in job["next_step"]
    assert (before, api.asked(UPLOAD)) == ([], 2)
    assert proof["equal"]
    assert await api.stored() == old


async def unlisted(request: httpx.Request, forward: "Forward") -> httpx.Response:
    """Refuse to list the upload jobs once the target group is to be empty, so that nobody can look for one."""
    if request.method == "GET" and request.url.path.endswith("/upload-respondents-by-file"):
        return httpx.Response(403, json={"id": "E", "object": "some_error", "detail": "No."})
    return await forward(request)


async def test_where_neither_list_can_be_uploaded_it_stops_and_says_what_is_left_to_do(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    await api.upload_elsewhere(old)
    api.refuse(UPLOADS, 400, times=2)
    async with connect(era, effects=effects, answer=replying()) as client:
        job = await followed(client, await call(client, "replace_recontacts", ids=new))
    assert (job["status"], job["replacement"]["stage"], job["proof"]) == ("Failed", "stuck", None)
    assert "restore_recontacts" in job["next_step"]
    assert await api.stored() == []


async def test_a_removal_that_the_api_refuses_leaves_everything_as_it_was(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    await api.upload_elsewhere(old)
    api.meet(REMOVE, FaultKind.CONFLICT)
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "replace_recontacts", ids=new)
        job = await followed(client, started)
        again = await call(client, "replace_recontacts", ids=new)
        await followed(client, again)
    assert (job["status"], job["replacement"]["stage"]) == ("Failed", "refused")
    assert job["failure_reason"].startswith("JOB_RUNNING: ")
    assert job["replacement"]["standing"].startswith("Nothing was removed")
    assert (again["repeated"], again["job_id"] == started["job_id"]) == (False, False)
    assert await api.stored() == new


async def test_a_list_that_is_no_snapshot_is_not_replaced(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    async def twice(request: httpx.Request, forward: "Forward") -> httpx.Response:
        response = await forward(request)
        if not request.url.path.endswith(LISTED):
            return response
        body = json.loads(await response.aread())
        return httpx.Response(200, json={**body, "data": [body["data"][0], *body["data"][:-1]]})

    await api.upload_elsewhere(old)
    api.between.append(twice)
    async with connect(era, effects=effects, answer=replying()) as client:
        job = await followed(client, await call(client, "replace_recontacts", ids=new))
    assert (job["status"], job["replacement"]["stage"]) == ("Failed", "refused")
    assert job["failure_reason"].startswith("SNAPSHOT_INCOMPLETE: ")
    assert (api.asked(REMOVE), api.asked(UPLOAD)) == (0, 0)


@pytest.mark.parametrize(("kind", "asked"), [(FaultKind.LOST_ANSWER, 1), (FaultKind.LOST_REQUEST, 2)])
async def test_a_removal_whose_answer_was_lost_is_judged_by_what_is_stored(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
    kind: FaultKind,
    asked: int,
) -> None:
    await api.upload_elsewhere(old)
    api.meet(REMOVE, kind)
    async with connect(era, effects=effects, answer=replying()) as client:
        job = await followed(client, await call(client, "replace_recontacts", ids=new))
    assert (job["status"], job["proof"]["equal"]) == ("Completed", True)
    assert (api.asked(REMOVE), api.asked(UPLOAD), await api.stored()) == (asked, 1, new)


async def test_a_removal_job_that_failed_and_removed_nothing_leaves_everything_as_it_was(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    async def idle(request: httpx.Request, forward: "Forward") -> httpx.Response:
        if request.method == "POST" and request.url.path.endswith(REMOVALS):
            return httpx.Response(201, json={"job_id": "01IDLE"})
        if request.url.path.endswith("01IDLE"):
            return httpx.Response(200, json={"job_id": "01IDLE", "status": "Failed"})
        return await forward(request)

    await api.upload_elsewhere(old)
    api.between.append(idle)
    async with connect(era, effects=effects, answer=replying()) as client:
        job = await followed(client, await call(client, "replace_recontacts", ids=new))
    assert (job["status"], job["replacement"]["stage"]) == ("Failed", "refused")
    assert "nothing was changed" in job["failure_reason"]
    assert "uploaded again" not in job["failure_reason"]
    assert (api.asked(UPLOAD), await api.stored()) == (0, old)


async def test_what_others_stored_after_the_removal_is_not_built_upon(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    old: list[str],
    new: list[str],
) -> None:
    theirs = identifiers(9)[8:]
    done: list[str] = []

    async def meanwhile(request: httpx.Request, forward: "Forward") -> httpx.Response:
        response = await forward(request)
        removing = request.method == "GET" and "/remove-all-rsids/" in request.url.path
        if removing and not done and b'"Completed"' in await response.aread():
            done.append("done")
            await api.upload_elsewhere(theirs)
        return response

    await api.upload_elsewhere(old)
    api.between.append(meanwhile)
    async with connect(era, effects=effects, answer=replying()) as client:
        job = await followed(client, await call(client, "replace_recontacts", ids=new))
    assert (job["status"], job["replacement"]["stage"]) == ("Failed", "restored")
    assert (job["proof"]["missing"], job["proof"]["extra"]) == (0, 1)
    assert await api.stored() == [*old, *theirs]


@pytest.mark.parametrize("fault", ["refused", "twice the same"])
async def test_a_proof_that_cannot_be_made_does_not_undo_what_was_done(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
    fault: str,
) -> None:
    async def twice(request: httpx.Request, forward: "Forward") -> httpx.Response:
        if not (request.url.path.endswith(LISTED) and api.asked(UPLOAD)):
            return await forward(request)
        return httpx.Response(200, json={"data": [new[0], new[0], new[1]], "next_cursor": None})

    await api.upload_elsewhere(old)
    if fault == "refused":
        api.meet(Operation.LIST_RSIDS, FaultKind.SLOW, seconds=0)  # the snapshot
        api.meet(Operation.LIST_RSIDS, FaultKind.NO_PERMISSION, times=2)  # the proof
    else:
        api.between.append(twice)
    async with connect(era, effects=effects, answer=replying()) as client:
        job = await followed(client, await call(client, "replace_recontacts", ids=new))
    assert (job["status"], job["proof"], job["replacement"]["stage"]) == ("Completed", None, "done")
    assert "was not proved" in job["next_step"]
    assert await api.stored() == new


async def test_a_new_list_that_is_stored_with_others_is_told_to_differ(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    read: "Read",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    old: list[str],
    new: list[str],
) -> None:
    theirs = identifiers(9)[8:]
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, answer=replying()) as client:
        held = api.hold(LISTED, after=1)
        started = await call(client, "replace_recontacts", ids=new)
        await held.arrive()
        await api.upload_elsewhere(theirs)
        held.release()
        job = await followed(client, started)
        differences = await read(client, job["differences_uri"])
    assert (job["status"], job["replacement"]["stage"], job["proof"]["equal"]) == ("Completed", "done", False)
    assert "0 RSIDs are missing and 1 others are stored" in job["next_step"]
    assert differences == f"extra,{theirs[0]}\n"


@pytest.mark.parametrize("key", [{}, {"idempotency_key": "wave-2"}], ids=["without a key", "under a key"])
async def test_the_same_call_again_is_the_same_replacement_and_nobody_is_asked_twice(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    read: "Read",
    api: "Api",
    old: list[str],
    new: list[str],
    key: dict[str, str],
) -> None:
    questions: list[str] = []

    async def reply(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context
        questions.append(params.message)
        return ElicitResult(action="accept", content={"phrase": PHRASE})

    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, answer=reply, pace=1.0) as client:
        first = await call(client, "replace_recontacts", ids=new, **key)
        running = await call(client, "replace_recontacts", ids=new, **key)
        for name, part in (("removing", "removal_job_id"), ("uploading", "upload_job_id")):
            await until(read, client, first, name, part)
            api.pass_time(hours=1)
        await followed(client, first)
        ended = await call(client, "replace_recontacts", ids=new, **key)
    assert [answer["job_id"] for answer in (running, ended)] == [first["job_id"]] * 2
    assert [answer["repeated"] for answer in (first, running, ended)] == [False, True, True]
    assert [answer["status"] for answer in (running, ended)] == ["Processing", "Completed"]
    assert "idempotency_key" in running["next_step"]
    assert len(questions) == 1
    assert (api.asked(REMOVE), api.asked(UPLOAD)) == (1, 1)


async def test_a_key_that_stands_for_another_list_is_refused(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "replace_recontacts", ids=new, idempotency_key="wave-2")
        await followed(client, started)
        error = await refused(client, "replace_recontacts", ids=old, idempotency_key="wave-2")
    assert (error["code"], error["changed"], error["job_id"], error["kind"]) == (
        "IDEMPOTENCY_CONFLICT",
        "no",
        started["job_id"],
        "replacement",
    )
    assert api.asked(REMOVE) == 1


async def test_while_it_runs_nothing_else_begins_and_everybody_is_told_what_is_in_the_way(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    read: "Read",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    await api.upload_elsewhere(old)
    errors: list[dict[str, Any]] = []
    async with connect(era, effects=effects, answer=replying(), pace=1.0) as client:
        started = await call(client, "replace_recontacts", ids=new)
        for name, part in (("removing", "removal_job_id"), ("uploading", "upload_job_id")):
            await until(read, client, started, name, part)
            errors += [
                await refused(client, "upload_recontacts", ids=old),
                await refused(client, "remove_all_recontacts"),
                await refused(client, "replace_recontacts", ids=old),
                await refused(client, "restore_recontacts"),
            ]
            preview = await call(client, "preview_upload", ids=old)
            assert (preview["refusal"], preview["job_id"]) == ("JOB_RUNNING", started["job_id"])
            api.pass_time(hours=1)
    assert {(one["code"], one["changed"], one["job_id"], one["resource_uri"]) for one in errors} == {
        ("JOB_RUNNING", "no", started["job_id"], started["resource_uri"])
    }
    assert "get_upload_job" in errors[0]["next_step"]
    assert (api.asked(REMOVE), api.asked(UPLOAD)) == (1, 1)


async def test_a_running_job_is_in_the_way_of_a_replacement(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, answer=replying(), pace=1.0) as client:
        running = await call(client, "upload_recontacts", ids=old)
        error = await refused(client, "replace_recontacts", ids=new)
    assert (error["code"], error["changed"], error["job_id"]) == ("JOB_RUNNING", "no", running["job_id"])
    assert api.asked(REMOVE) == 0


async def test_a_job_that_began_while_the_question_was_open_is_in_the_way(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    old: list[str],
    new: list[str],
) -> None:
    clients: list[Client] = []
    running: list[dict[str, Any]] = []

    async def reply(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context, params
        running.append(await call(clients[0], "upload_recontacts", ids=old))
        return ElicitResult(action="accept", content={"phrase": PHRASE})

    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, answer=reply, pace=1.0) as client:
        clients.append(client)
        error = await refused(client, "replace_recontacts", ids=new)
        nothing_kept = await refused(client, "restore_recontacts")
    assert (error["code"], error["changed"], error["job_id"]) == ("JOB_RUNNING", "no", running[0]["job_id"])
    assert nothing_kept["code"] == "NOT_FOUND"
    assert api.asked(REMOVE) == 0


async def test_of_two_replacements_at_once_one_is_begun(
    era: str,
    connect: "Connect",
    effects: Effects,
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    answers: list[dict[str, Any]] = []

    async def replace(client: Client, ids: Sequence[str]) -> None:
        arguments = {"target_group_id": GROUP_ID, "ids": list(ids)}
        answers.append((await client.call_tool("replace_recontacts", arguments)).structured_content or {})

    await api.upload_elsewhere(old)
    connected = connect(era, effects=effects, answer=replying(), pace=1.0)
    async with connected as client, anyio.create_task_group() as tasks:
        tasks.start_soon(replace, client, new)
        tasks.start_soon(replace, client, old)
    begun = [answer for answer in answers if "error" not in answer]
    errors = [answer["error"] for answer in answers if "error" in answer]
    assert (len(begun), len(errors)) == (1, 1)
    assert errors[0]["code"] in {"PLAN_NOT_VALID", "JOB_RUNNING"}
    assert errors[0]["changed"] == "no"


async def test_a_replacement_goes_on_after_a_restart_wherever_it_was(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    read: "Read",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    @asynccontextmanager
    async def life() -> AsyncGenerator[Client]:
        async with connect(era, effects=effects, answer=replying(), pace=1.0) as client:
            await call(client, "get_recontact_overview")
            yield client

    await api.upload_elsewhere(old)
    async with life() as client:
        started = await call(client, "replace_recontacts", ids=new)
        await until(read, client, started, "removing", "removal_job_id")
    async with life() as client:
        api.pass_time(hours=1)
        await until(read, client, started, "uploading", "upload_job_id")
    api.pass_time(hours=1)
    async with life() as client:
        job = await followed(client, started)
    assert (job["status"], job["proof"]["equal"]) == ("Completed", True)
    assert (api.asked(REMOVE), api.asked(UPLOAD), await api.stored()) == (1, 1, new)


async def test_an_engine_that_cannot_be_used_replaces_nothing(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    settings: Settings,
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    await api.upload_elsewhere(old)
    (settings.data_dir / "engine.sqlite").write_bytes(b"this is no database, but long enough to be looked at" * 20)
    async with connect(era, effects=effects, answer=replying()) as client:
        error = await refused(client, "replace_recontacts", ids=new)
    assert (error["code"], error["changed"]) == ("UNAVAILABLE", "no")
    assert (api.asked(REMOVE), await api.stored()) == (0, old)


async def test_a_replacement_that_nobody_began_is_not_found(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    unread: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, answer=replying(), pace=1.0) as client:
        started = await call(client, "replace_recontacts", ids=new)
        unknown = await unread(client, f"{HERE}replacements/01BTGNYV6HRNK8K8VKZASZCFZZ")
        elsewhere = await unread(client, started["resource_uri"].replace("SZCFP1", "SZCFP2"))
        there = {"target_group_id": GROUP_ID.replace("FP1", "FP2"), "project_id": "01BTGNYV6HRNK8K8VKZASZCFP0"}
        other = await refused(client, "get_upload_job", job_id=started["job_id"], **there)
    async with connect(era, effects=effects, allowed_accounts=frozenset({7})) as client:
        denied = await unread(client, started["resource_uri"])
    assert [error["code"] for error in (unknown, elsewhere, other)] == ["NOT_FOUND"] * 3
    assert denied["code"] == "POLICY_DENIED"


async def test_a_finished_replacement_leaves_no_id_in_clear(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    settings: Settings,
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(250))
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "replace_recontacts", ids=identifiers(500)[250:])
        await followed(client, started)
        names = ("ledger.sqlite*", "engine.sqlite*")
        whole = b"".join(path.read_bytes() for name in names for path in settings.data_dir.glob(name))
    assert not [one for one in identifiers(500) if one.encode() in whole]
