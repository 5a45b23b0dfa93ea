"""What comes in the way of a replacement: it ends with the new list, the old one, or with what is left to do."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import pytest
from replacing import LISTED, REMOVALS, REMOVE, UPLOAD, UPLOADS, failing, unconnected, unlisted, until, uploads

from recontact_mcp.opening import Effects
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Forward, Read, Replaced, Replying
pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]


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
    api: "Api",
    old: list[str],
    replaced: "Replaced",
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
    job = await replaced()
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


async def test_where_no_jobs_can_be_listed_what_is_stored_proves_an_upload_whose_answer_was_lost(
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
        api.meet(UPLOAD, FaultKind.LOST_ANSWER)
        api.between.append(unlisted)
        job = await followed(client, await call(client, "replace_recontacts", ids=new))
    assert (job["status"], job["proof"]["equal"]) == ("Completed", True)
    assert (api.asked(UPLOAD), await api.stored()) == (1, new)


async def test_where_neither_list_can_be_uploaded_it_stops_and_says_what_is_left_to_do(
    api: "Api",
    old: list[str],
    replaced: "Replaced",
) -> None:
    await api.upload_elsewhere(old)
    api.refuse(UPLOADS, 400, times=2)
    job = await replaced()
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
    api: "Api",
    old: list[str],
    replaced: "Replaced",
) -> None:
    async def twice(request: httpx.Request, forward: "Forward") -> httpx.Response:
        response = await forward(request)
        if not request.url.path.endswith(LISTED):
            return response
        body = json.loads(await response.aread())
        return httpx.Response(200, json={**body, "data": [body["data"][0], *body["data"][:-1]]})

    await api.upload_elsewhere(old)
    api.between.append(twice)
    job = await replaced()
    assert (job["status"], job["replacement"]["stage"]) == ("Failed", "refused")
    assert job["failure_reason"].startswith("SNAPSHOT_INCOMPLETE: ")
    assert (api.asked(REMOVE), api.asked(UPLOAD)) == (0, 0)


@pytest.mark.parametrize(("kind", "asked"), [(FaultKind.LOST_ANSWER, 1), (FaultKind.LOST_REQUEST, 2)])
async def test_a_removal_whose_answer_was_lost_is_judged_by_what_is_stored(
    api: "Api",
    old: list[str],
    new: list[str],
    kind: FaultKind,
    asked: int,
    replaced: "Replaced",
) -> None:
    await api.upload_elsewhere(old)
    api.meet(REMOVE, kind)
    job = await replaced()
    assert (job["status"], job["proof"]["equal"]) == ("Completed", True)
    assert (api.asked(REMOVE), api.asked(UPLOAD), await api.stored()) == (asked, 1, new)


async def test_a_removal_job_that_failed_and_removed_nothing_leaves_everything_as_it_was(
    api: "Api",
    old: list[str],
    replaced: "Replaced",
) -> None:
    async def idle(request: httpx.Request, forward: "Forward") -> httpx.Response:
        if request.method == "POST" and request.url.path.endswith(REMOVALS):
            return httpx.Response(201, json={"job_id": "01IDLE"})
        if request.url.path.endswith("01IDLE"):
            return httpx.Response(200, json={"job_id": "01IDLE", "status": "Failed"})
        return await forward(request)

    await api.upload_elsewhere(old)
    api.between.append(idle)
    job = await replaced()
    assert (job["status"], job["replacement"]["stage"]) == ("Failed", "refused")
    assert "nothing was changed" in job["failure_reason"]
    assert "uploaded again" not in job["failure_reason"]
    assert (api.asked(UPLOAD), await api.stored()) == (0, old)


async def test_what_others_stored_after_the_removal_is_not_built_upon(
    api: "Api",
    identifiers: Identifiers,
    old: list[str],
    replaced: "Replaced",
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
    job = await replaced()
    assert (job["status"], job["replacement"]["stage"]) == ("Failed", "restored")
    assert (job["proof"]["missing"], job["proof"]["extra"]) == (0, 1)
    assert await api.stored() == [*old, *theirs]


@pytest.mark.parametrize("fault", ["refused", "twice the same"])
async def test_a_proof_that_cannot_be_made_does_not_undo_what_was_done(
    api: "Api",
    old: list[str],
    new: list[str],
    fault: str,
    replaced: "Replaced",
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
    job = await replaced()
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
