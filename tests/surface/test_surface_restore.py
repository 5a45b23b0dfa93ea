"""What was removed comes back from its snapshot, and it is proved that exactly that is stored."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from removing import removed, removed_snapshot

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Forward, Read, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
UPLOAD = Operation.UPLOAD_RSIDS
NOBODYS = "01BTGNYV6HRNK8K8VKZASZCFZZ"


async def test_what_was_removed_is_uploaded_again_and_proved_to_be_all_there_is(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    # Two pieces: what a piece holds is read and compared as a whole.
    await api.upload_elsewhere(identifiers(1_250))
    async with connect(era, effects=effects, answer=replying()) as client:
        snapshot_id = await removed_snapshot(call, client)
        started = await call(client, "restore_recontacts")
        job = await followed(client, started)
    assert {key: started[key] for key in ("kind", "repeated", "restores", "ids_sent", "stored_before")} == {
        "kind": "upload",
        "repeated": False,
        "restores": f"snapshot:{snapshot_id}",
        "ids_sent": 1_250,
        "stored_before": 0,
    }
    assert job["proof"] == {
        "equal": True,
        "stored": 1_250,
        "expected": 1_250,
        "missing": 0,
        "extra": 0,
        "set_hash": job["proof"]["set_hash"],
    }
    assert job["proof"]["set_hash"]
    assert job["next_step"] == "Restored and proved: exactly the 1250 RSIDs of the list are stored."
    assert (job["differences_uri"], job["replacement"]) == (None, None)
    assert await api.stored() == identifiers(1_250)
    assert api.asked(UPLOAD) == 1


async def test_the_latest_snapshot_is_restored_unless_another_one_is_named(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    snapshots: list[str] = []
    async with connect(era, effects=effects, answer=replying()) as client:
        for ids in (identifiers(2), identifiers(5)[2:]):
            await api.upload_elsewhere(ids)
            snapshots.append(await removed_snapshot(call, client))
        latest = await call(client, "preview_upload", snapshot_id=snapshots[1])
        named = await call(client, "restore_recontacts", snapshot_id=snapshots[0])
        assert (await followed(client, named))["proof"]["equal"]
        after_named = await api.stored()
        unnamed = await call(client, "restore_recontacts")
        await followed(client, unnamed)
    assert (named["restores"], unnamed["restores"]) == tuple(f"snapshot:{one}" for one in snapshots)
    assert after_named == identifiers(2)
    assert latest["ids_to_send"] == 3
    assert (unnamed["stored_before"], await api.stored()) == (2, identifiers(5))


async def test_the_file_of_a_finished_upload_is_sent_again(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    async with connect(era, effects=effects, answer=replying()) as client:
        uploaded = await call(client, "upload_recontacts", ids=identifiers(3))
        await followed(client, uploaded)
        await removed(call, client)
        started = await call(client, "restore_recontacts", upload_job_id=uploaded["job_id"])
        job = await followed(client, started)
    assert (started["restores"], started["ids_sent"]) == (f"upload:{uploaded['job_id']}", 3)
    assert started["job_id"] != uploaded["job_id"]
    assert (job["proof"]["equal"], job["proof"]["stored"]) == (True, 3)
    assert await api.stored() == identifiers(3)


@pytest.mark.parametrize("source", ["snapshot", "upload"])
async def test_a_preview_says_what_a_restore_would_do_and_sends_nothing(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    source: str,
) -> None:
    async with connect(era, effects=effects, answer=replying()) as client:
        uploaded = await call(client, "upload_recontacts", ids=identifiers(5))
        await followed(client, uploaded)
        snapshot_id = await removed_snapshot(call, client)
        await api.upload_elsewhere(identifiers(2))
        chosen = {"snapshot_id": snapshot_id} if source == "snapshot" else {"upload_job_id": uploaded["job_id"]}
        preview = await call(client, "preview_upload", **chosen)
        before = api.asked(UPLOAD)
        started = await call(client, "restore_recontacts", **chosen)
        again = await call(client, "preview_upload", **chosen)
        await followed(client, started)
    assert (preview["already_stored"], preview["new"], preview["refusal"]) == (2, 3, None)
    assert "restore_recontacts" in preview["next_step"]
    assert before == 1
    assert again["job_id"] == started["job_id"]
    assert await api.stored() == identifiers(5)


async def test_a_preview_takes_one_source_only(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(2))
    async with connect(era, effects=effects, answer=replying()) as client:
        snapshot_id = await removed_snapshot(call, client)
        error = await refused(client, "preview_upload", ids=identifiers(1), snapshot_id=snapshot_id)
    assert (error["code"], error["changed"]) == ("INVALID_ARGUMENTS", "no")


async def test_what_others_stored_meanwhile_stays_and_the_proof_says_so(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    read: "Read",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect(era, effects=effects, answer=replying()) as client:
        await removed(call, client)
        await api.upload_elsewhere(identifiers(5)[3:])
        started = await call(client, "restore_recontacts")
        job = await followed(client, started)
        differences = await read(client, job["differences_uri"])
    proof = job["proof"]
    assert (proof["equal"], proof["stored"], proof["expected"]) == (False, 5, 3)
    assert (proof["missing"], proof["extra"]) == (0, 2)
    assert "0 RSIDs are missing and 2 others are stored" in job["next_step"]
    assert differences == "".join(f"extra,{one}\n" for one in identifiers(5)[3:])
    assert not [one for one in identifiers(5) if one in json.dumps(job)]


async def test_what_got_lost_before_the_proof_is_counted_and_listed(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    read: "Read",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect(era, effects=effects, answer=replying()) as client:
        await removed(call, client)
        held = api.hold("/recontacts/rsids")
        started = await call(client, "restore_recontacts")
        await held.arrive()
        unproved = await call(client, "get_upload_job", job_id=started["job_id"])
        await api.remove_elsewhere()
        await api.upload_elsewhere(identifiers(4)[1:])
        held.release()
        job = await followed(client, started)
        differences = await read(client, job["differences_uri"])
    assert (unproved["status"], unproved["proof"], unproved["differences_uri"]) == ("Completed", None, None)
    assert "wait_seconds=45" in unproved["next_step"]
    assert (job["proof"]["missing"], job["proof"]["extra"], job["proof"]["stored"]) == (1, 1, 3)
    assert differences == f"missing,{identifiers(4)[0]}\nextra,{identifiers(4)[3]}\n"


async def test_a_list_that_changes_while_the_proof_is_made_is_read_again(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(150))
    async with connect(era, effects=effects, answer=replying()) as client:
        await removed(call, client)
        held = api.hold("/recontacts/rsids", after=1)
        started = await call(client, "restore_recontacts")
        await held.arrive()
        await api.upload_elsewhere(identifiers(151)[150:])
        held.release()
        job = await followed(client, started)
    assert (job["proof"]["stored"], job["proof"]["missing"], job["proof"]["extra"]) == (151, 0, 1)


async def test_a_proof_that_cannot_be_made_is_not_made_up(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect(era, effects=effects, answer=replying()) as client:
        await removed(call, client)
        api.meet(Operation.LIST_RSIDS, FaultKind.NO_PERMISSION, times=2)
        started = await call(client, "restore_recontacts")
        job = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
    assert (job["status"], job["proof"], job["differences_uri"], job["stored_after"]) == ("Completed", None, None, 3)
    assert "compare=true" in job["next_step"]
    assert await api.stored() == identifiers(3)


async def test_a_restore_whose_job_fails_is_not_proved(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    async def failed(request: httpx.Request, forward: "Forward") -> httpx.Response:
        response = await forward(request)
        if request.method == "GET" and "/upload-rsids-by-file/" in request.url.path:
            return httpx.Response(200, json={**json.loads(await response.aread()), "status": "Failed"})
        return response

    await api.upload_elsewhere(identifiers(3))
    api.between.append(failed)
    async with connect(era, effects=effects, answer=replying()) as client:
        await removed(call, client)
        before = api.asked(Operation.LIST_RSIDS)
        job = await followed(client, await call(client, "restore_recontacts"))
    assert (job["status"], job["proof"], job["differences_uri"]) == ("Failed", None, None)
    assert "The job failed" in job["next_step"]
    assert api.asked(Operation.LIST_RSIDS) == before


async def test_response_ids_are_sent_again_and_not_compared(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    async with connect(era, effects=effects, answer=replying()) as client:
        uploaded = await call(client, "upload_recontacts", ids=identifiers(2), id_type="RID")
        await followed(client, uploaded)
        started = await call(client, "restore_recontacts", upload_job_id=uploaded["job_id"])
        job = await followed(client, started)
    assert (api.asked(Operation.UPLOAD_RESPONDENTS), api.asked(UPLOAD)) == (2, 0)
    assert (started["ids_sent"], job["proof"], job["differences_uri"]) == (2, None, None)
    assert "RIDs cannot be compared" in job["next_step"]


async def test_only_a_snapshot_of_this_target_group_that_is_kept_can_be_restored(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    async with connect(era, effects=effects, answer=replying()) as client:
        nothing = await refused(client, "restore_recontacts")
        await api.upload_elsewhere(identifiers(2))
        snapshot_id = await removed_snapshot(call, client)
        unknown = await refused(client, "restore_recontacts", snapshot_id=NOBODYS)
        other = await refused(
            client,
            "restore_recontacts",
            target_group_id="01BTGNYV6HRNK8K8VKZASZCFP2",
            project_id="01BTGNYV6HRNK8K8VKZASZCFP0",
            snapshot_id=snapshot_id,
        )
        previewed = await refused(client, "preview_upload", snapshot_id=NOBODYS)
    assert {(error["code"], error["changed"]) for error in (nothing, unknown, other, previewed)} == {
        ("NOT_FOUND", "no")
    }
    assert api.asked(UPLOAD) == 0


async def test_a_snapshot_and_an_upload_cannot_both_be_meant(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(2))
    async with connect(era, effects=effects, answer=replying()) as client:
        snapshot_id = await removed_snapshot(call, client)
        error = await refused(client, "restore_recontacts", snapshot_id=snapshot_id, upload_job_id=NOBODYS)
    assert (error["code"], error["changed"], error["safe_to_repeat"]) == ("INVALID_ARGUMENTS", "no", True)
    assert api.asked(UPLOAD) == 0


async def test_an_upload_that_runs_or_was_started_elsewhere_cannot_be_sent_again(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    identifiers: Identifiers,
) -> None:
    elsewhere = await api.upload_elsewhere(identifiers(2))
    async with connect(era, effects=effects, pace=1.0) as client:
        foreign = await refused(client, "restore_recontacts", upload_job_id=elsewhere)
        unknown = await refused(client, "restore_recontacts", upload_job_id=NOBODYS)
        running = await call(client, "upload_recontacts", ids=identifiers(3))
        unfinished = await refused(client, "restore_recontacts", upload_job_id=running["job_id"])
    assert [error["code"] for error in (foreign, unknown, unfinished)] == [
        "INVALID_ARGUMENTS",
        "NOT_FOUND",
        "INVALID_ARGUMENTS",
    ]
    assert api.asked(UPLOAD) == 1


async def test_a_file_that_does_not_come_back_as_it_was_sent_is_not_restored(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    refused: "Call",
    api: "Api",
    identifiers: Identifiers,
) -> None:
    async def shortened(request: httpx.Request, forward: "Forward") -> httpx.Response:
        if request.url.path.endswith("/download"):
            return httpx.Response(200, content=f"{identifiers(1)[0]}\n".encode())
        return await forward(request)

    async with connect(era, effects=effects) as client:
        uploaded = await call(client, "upload_recontacts", ids=identifiers(3))
        await followed(client, uploaded)
        api.between.append(shortened)
        error = await refused(client, "restore_recontacts", upload_job_id=uploaded["job_id"])
    assert (error["code"], error["changed"]) == ("UNAVAILABLE", "no")
    assert api.asked(UPLOAD) == 1


@pytest.mark.parametrize("content", [b"Ada Lovelace\n", None], ids=["no list", "refused"])
async def test_a_file_that_cannot_be_read_back_leaves_the_proof_open(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    identifiers: Identifiers,
    content: bytes | None,
) -> None:
    async def broken(request: httpx.Request, forward: "Forward") -> httpx.Response:
        if not request.url.path.endswith("/download"):
            return await forward(request)
        return httpx.Response(404) if content is None else httpx.Response(200, content=content)

    async with connect(era, effects=effects) as client:
        uploaded = await call(client, "upload_recontacts", ids=identifiers(3))
        await followed(client, uploaded)
        api.pass_time(hours=1)
        held = api.hold("/upload-rsids-by-file", method="POST")
        jobs: list[dict[str, Any]] = []
        async with anyio.create_task_group() as tasks:

            async def restore() -> None:
                jobs.append(await call(client, "restore_recontacts", upload_job_id=uploaded["job_id"]))

            tasks.start_soon(restore)
            await held.arrive()
            api.between.append(broken)
            held.release()
        job = await call(client, "get_upload_job", job_id=jobs[0]["job_id"], wait_seconds=2)
    assert (job["status"], job["proof"]) == ("Completed", None)


@pytest.mark.parametrize("key", [{}, {"idempotency_key": "undo-1"}], ids=["without a key", "under a key"])
async def test_the_same_restore_again_is_the_same_job(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    key: dict[str, str],
) -> None:
    await api.upload_elsewhere(identifiers(10))
    async with connect(era, effects=effects, answer=replying()) as client:
        snapshot_id = await removed_snapshot(call, client)
    async with connect(era, effects=effects, pace=1.0) as client:
        first = await call(client, "restore_recontacts", snapshot_id=snapshot_id, **key)
        running = await call(client, "restore_recontacts", **key)
        api.pass_time(minutes=5)
        await followed(client, first)
        ended = await call(client, "restore_recontacts", **key)
    assert [job["job_id"] for job in (running, ended)] == [first["job_id"]] * 2
    assert [job["repeated"] for job in (first, running, ended)] == [False, True, True]
    assert [job["status"] for job in (first, running, ended)] == ["Processing", "Processing", "Completed"]
    assert api.asked(UPLOAD) == 1


async def test_a_key_of_a_restore_stands_for_nothing_else(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    async with connect(era, effects=effects, answer=replying()) as client:
        uploaded = await call(client, "upload_recontacts", ids=identifiers(3))
        await followed(client, uploaded)
        await removed(call, client)
        restored = await call(client, "restore_recontacts", idempotency_key="undo-1")
        await followed(client, restored)
        others = [
            await refused(client, "upload_recontacts", ids=identifiers(3), idempotency_key="undo-1"),
            await refused(client, "restore_recontacts", upload_job_id=uploaded["job_id"], idempotency_key="undo-1"),
        ]
    assert {(one["code"], one["job_id"]) for one in others} == {("IDEMPOTENCY_CONFLICT", restored["job_id"])}
    assert api.asked(UPLOAD) == 2


async def test_a_restore_beyond_the_room_left_is_refused_and_nothing_is_sent(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    ids = identifiers(100_001)
    await api.upload_elsewhere(ids[:2])
    async with connect(era, effects=effects, answer=replying()) as client:
        await removed(call, client)
        await api.upload_elsewhere(ids[2:])
        error = await refused(client, "restore_recontacts")
    assert (error["code"], error["changed"]) == ("CAPACITY_EXCEEDED", "no")
    assert api.asked(UPLOAD) == 0


async def test_a_job_that_runs_is_in_the_way_of_a_restore(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(2))
    async with connect(era, effects=effects, answer=replying()) as client:
        snapshot_id = await removed_snapshot(call, client)
    async with connect(era, effects=effects, pace=1.0) as client:
        running = await call(client, "upload_recontacts", ids=identifiers(1))
        error = await refused(client, "restore_recontacts", snapshot_id=snapshot_id)
    assert (error["code"], error["changed"], error["job_id"]) == ("JOB_RUNNING", "no", running["job_id"])
    assert api.asked(UPLOAD) == 1


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        pytest.param({"read_only": True}, "READ_ONLY", id="read-only"),
        pytest.param({"allowed_target_groups": frozenset[str]()}, "POLICY_DENIED", id="another target group"),
    ],
)
async def test_a_restore_keeps_to_the_policy(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    setting: dict[str, Any],
    code: str,
) -> None:
    await api.upload_elsewhere(identifiers(2))
    async with connect(era, effects=effects, answer=replying()) as client:
        await removed(call, client)
    async with connect(era, effects=effects, **setting) as client:
        error = await refused(client, "restore_recontacts")
    assert (error["code"], error["changed"]) == (code, "no")
    assert api.asked(UPLOAD) == 0


@pytest.mark.sqlite_only(reason="looks into the files; tests/ledger looks into the pages of both databases")
async def test_a_finished_restore_leaves_no_id_in_clear(
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
        await removed(call, client)
        await followed(client, await call(client, "restore_recontacts"))
        files = [path.read_bytes() for path in settings.data_dir.glob("ledger.sqlite*")]
    whole = b"".join([*files, (settings.data_dir / "engine.sqlite").read_bytes()])
    assert not [one for one in identifiers(250) if one.encode() in whole]


async def test_the_snapshot_of_a_removal_that_was_refused_is_not_kept_and_never_meant(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    wanted, others = identifiers(3), identifiers(5)[3:]
    await api.upload_elsewhere(wanted)
    async with connect(era, effects=effects, answer=replying()) as client:
        removal = await removed(call, client)
        await api.upload_elsewhere(others)
        api.meet(Operation.REMOVE_ALL, FaultKind.CONFLICT)
        error = await refused(client, "remove_all_recontacts")
        restored = await call(client, "restore_recontacts")
        empty = [await refused(client, "restore_recontacts", **{name: ""}) for name in ("snapshot_id", "upload_job_id")]
    assert error["code"] == "JOB_RUNNING"
    assert (restored["restores"], restored["ids_sent"]) == (f"snapshot:{removal['snapshot']['snapshot_id']}", 3)
    assert {one["code"] for one in empty} == {"INVALID_ARGUMENTS"}
