"""Before anything is removed all of it is kept: complete, verified and sealed, or nothing is removed."""

import json
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio
import httpx
import pytest
from pydantic import SecretStr
from removing import removed

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation
from recontact_tools.runtime import Clock

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Between, Call, Forward, Read, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
HERE = "recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/"
PIECE = 1_000
KEY = SecretStr(b64encode(bytes(range(32))).decode())
OTHER_KEY = SecretStr(b64encode(bytes(32)).decode())


def listing(change: Callable[[int, dict[str, Any]], dict[str, Any]]) -> "Between":
    """Change what the API lists; pages are counted from 1."""
    seen = 0

    async def between(request: httpx.Request, forward: "Forward") -> httpx.Response:
        nonlocal seen
        response = await forward(request)
        if not request.url.path.endswith("/recontacts/rsids"):
            return response
        seen += 1
        body = json.loads(await response.aread())
        return httpx.Response(response.status_code, json=change(seen, body))

    return between


def twice(_page: int, body: dict[str, Any]) -> dict[str, Any]:
    """List the first id in place of the second, too."""
    first, _second, *others = body["data"]
    return {**body, "data": [first, first, *others]}


def one_less(_page: int, body: dict[str, Any]) -> dict[str, Any]:
    """Leave an id out."""
    return {**body, "data": body["data"][1:]}


def one_more(_page: int, body: dict[str, Any]) -> dict[str, Any]:
    """List an id that nobody counts."""
    return {**body, "data": [*body["data"], "ffffffff-0000-4000-8000-000000000000"]}


def no_id(_page: int, body: dict[str, Any]) -> dict[str, Any]:
    """List what is no id."""
    return {**body, "data": ["Ada Lovelace", *body["data"][1:]]}


async def test_a_removal_first_keeps_all_that_is_stored(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    read: "Read",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(250))
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "remove_all_recontacts")
        job = await call(client, "get_removal_job", job_id=started["job_id"], wait_seconds=45)
        kept = await read(client, job["snapshot"]["resource_uri"])
    assert job["snapshot"] == {
        "snapshot_id": job["snapshot"]["snapshot_id"],
        "ids": 250,
        "complete": True,
        "expires_at": "2030-01-31T12:00:00+00:00",
        "resource_uri": f"{HERE}snapshots/{job['snapshot']['snapshot_id']}.csv",
    }
    assert started["snapshot"] == job["snapshot"]
    assert "restore_recontacts" in job["next_step"]
    assert kept.splitlines() == identifiers(250)
    assert (api.asked(Operation.LIST_RSIDS), api.asked(Operation.REMOVE_ALL), await api.count()) == (3, 1, 0)


async def test_a_snapshot_is_kept_for_as_long_as_the_operator_says(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(1))
    async with connect(era, effects=effects, answer=replying(), snapshot_days=0.5) as client:
        started = await call(client, "remove_all_recontacts")
    assert started["snapshot"]["expires_at"] == "2030-01-02T00:00:00+00:00"


async def test_a_snapshot_reads_under_its_own_target_group_and_the_policy_only(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    unread: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(2))
    async with connect(era, effects=effects, answer=replying()) as client:
        uri = (await call(client, "remove_all_recontacts"))["snapshot"]["resource_uri"]
        elsewhere = await unread(client, uri.replace("SZCFP1", "SZCFP2"))
        unknown = await unread(client, f"{HERE}snapshots/01BTGNYV6HRNK8K8VKZASZCFZZ.csv")
    async with connect(era, effects=effects, allowed_target_groups=frozenset[str]()) as client:
        denied = await unread(client, uri)
    assert (elsewhere["code"], unknown["code"], denied["code"]) == ("NOT_FOUND", "NOT_FOUND", "POLICY_DENIED")


async def test_a_read_only_server_shows_the_snapshot_of_another(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    read: "Read",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(2))
    async with connect(era, effects=effects, answer=replying()) as client:
        job = await removed(call, client)
    async with connect(era, effects=effects, read_only=True) as client:
        assert (await read(client, job["snapshot"]["resource_uri"])).splitlines() == identifiers(2)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(twice, "SNAPSHOT_INCOMPLETE", id="an id twice"),
        pytest.param(one_less, "SNAPSHOT_INCOMPLETE", id="fewer than are counted"),
        pytest.param(one_more, "SNAPSHOT_INCOMPLETE", id="more than are counted"),
        pytest.param(no_id, "UNAVAILABLE", id="something that is no id"),
    ],
)
async def test_a_list_that_is_not_what_the_api_counts_is_no_snapshot_and_nothing_is_removed(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    change: Callable[[int, dict[str, Any]], dict[str, Any]],
    code: str,
) -> None:
    await api.upload_elsewhere(identifiers(5))
    api.between.append(listing(change))
    async with connect(era, effects=effects, answer=replying()) as client:
        error = await refused(client, "remove_all_recontacts")
    assert (error["code"], error["changed"]) == (code, "no")
    assert not [one for one in identifiers(5) if one in json.dumps(error)]
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 5)


async def test_a_list_that_held_still_after_a_slip_is_kept_and_removed(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    read: "Read",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(5))
    api.between.append(listing(lambda page, body: twice(page, body) if page == 1 else body))
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "remove_all_recontacts")
        kept = await read(client, started["snapshot"]["resource_uri"])
    assert kept.splitlines() == identifiers(5)
    assert (api.asked(Operation.LIST_RSIDS), api.asked(Operation.REMOVE_ALL)) == (2, 1)


async def test_a_list_that_changes_while_it_is_read_is_not_the_one_that_was_agreed_to(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(150))
    held = api.hold("/recontacts/rsids", after=1)
    errors: list[dict[str, Any]] = []
    async with connect(era, effects=effects, answer=replying()) as client, anyio.create_task_group() as tasks:

        async def remove() -> None:
            errors.append(await refused(client, "remove_all_recontacts"))

        tasks.start_soon(remove)
        await held.arrive()
        await api.upload_elsewhere(identifiers(151)[150:])
        held.release()
    [error] = errors
    assert (error["code"], error["changed"], error["planned"], error["stored"]) == ("PLAN_DRIFTED", "no", 150, 151)
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 151)


async def test_a_page_that_the_api_refuses_ends_the_removal_before_it_is_sent(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(150))
    api.meet(Operation.LIST_RSIDS, FaultKind.SLOW, seconds=0)  # the first page answers
    api.meet(Operation.LIST_RSIDS, FaultKind.NO_PERMISSION, times=2)  # with a fresh token, too
    async with connect(era, effects=effects, answer=replying()) as client:
        error = await refused(client, "remove_all_recontacts")
    assert (error["code"], error["changed"]) == ("NOT_PERMITTED", "no")
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 150)


async def test_a_short_outage_is_waited_out_and_what_was_read_before_is_kept(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    read: "Read",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(150))
    api.meet(Operation.LIST_RSIDS, FaultKind.SLOW, seconds=0)
    api.meet(Operation.LIST_RSIDS, FaultKind.ERROR, times=8)
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "remove_all_recontacts")
        kept = await read(client, started["snapshot"]["resource_uri"])
    assert kept.splitlines() == identifiers(150)
    assert api.asked(Operation.REMOVE_ALL) == 1


async def test_a_long_outage_ends_the_removal_before_it_is_sent(
    era: str, connect: "Connect", refused: "Call", api: "Api", replying: "Replying", identifiers: Identifiers
) -> None:
    async def sleep(seconds: float) -> None:
        if api.asked(Operation.LIST_RSIDS):  # nobody waits for anything else by then
            api.pass_time(minutes=4)
        await anyio.sleep(min(seconds, 0.001))

    await api.upload_elsewhere(identifiers(150))
    api.meet(Operation.LIST_RSIDS, FaultKind.ERROR, times=1_000)
    effects = Effects(
        clock=Clock(now=lambda: api.moment[0], sleep=sleep),
        gateway=lambda settings: api.gateway(settings, faults=api.faults),
    )
    async with connect(era, effects=effects, answer=replying()) as client:
        error = await refused(client, "remove_all_recontacts")
    assert (error["code"], error["changed"]) == ("UNAVAILABLE", "no")
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 150)


@pytest.mark.sqlite_only(reason="looks into the files; tests/ledger looks into the pages of both databases")
async def test_what_is_kept_lies_sealed_without_an_id_or_a_cursor_in_clear(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    read: "Read",
    api: "Api",
    settings: Settings,
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    ids = identifiers(2 * PIECE + 500)
    cursors: list[str] = []

    def note(_page: int, body: dict[str, Any]) -> dict[str, Any]:
        cursors.append(body.get("next_cursor") or "")
        return body

    await api.upload_elsewhere(ids)
    api.between.append(listing(note))
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "remove_all_recontacts")
        files = {path.name: path.read_bytes() for path in settings.data_dir.glob("ledger.sqlite*")}
        assert (await read(client, started["snapshot"]["resource_uri"])).splitlines() == ids
    files |= {f"{path.name} afterwards": path.read_bytes() for path in settings.data_dir.glob("ledger.sqlite*")}
    whole = b"".join(files.values()).lower()
    assert "ledger.sqlite-wal" in files
    assert started["snapshot"]["snapshot_id"].lower().encode() in whole
    assert len(set(filter(None, cursors))) == 24
    for cursor in filter(None, cursors):
        assert cursor.lower().encode() not in whole
    for one in ids:
        assert one.encode() not in whole
        assert UUID(one).hex.encode() not in whole
        assert UUID(one).bytes.lower() not in whole


@pytest.mark.sqlite_only(reason="on a database the key is made when a server joins, to be compared")
async def test_the_key_is_made_with_the_first_snapshot_and_closed_to_everybody_else(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    settings: Settings,
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    key = settings.data_dir / "snapshots.key"
    await api.upload_elsewhere(identifiers(2))
    async with connect(era, effects=effects, answer=replying()) as client:
        await call(client, "get_recontact_overview")
        made_for_nothing = key.exists()
        await call(client, "remove_all_recontacts")
    assert not made_for_nothing
    assert (key.stat().st_mode & 0o777, len(key.read_bytes())) == (0o600, 32)
    assert not list(settings.data_dir.glob(".snapshots.key*"))


def open_to_others(key: Path) -> None:
    """Leave a key that others can read."""
    key.write_bytes(bytes(32))
    key.chmod(0o644)


def too_short(key: Path) -> None:
    """Leave a key that lost a byte."""
    key.write_bytes(bytes(31))
    key.chmod(0o600)


def too_long(key: Path) -> None:
    """Leave a key with a line end."""
    key.write_bytes(bytes(32) + b"\n")
    key.chmod(0o600)


def linked(key: Path) -> None:
    """Leave a link to a key."""
    elsewhere = key.with_name("elsewhere.key")
    elsewhere.write_bytes(bytes(32))
    elsewhere.chmod(0o600)
    key.symlink_to(elsewhere)


def folder(key: Path) -> None:
    """Leave a folder."""
    key.mkdir(mode=0o700)


@pytest.mark.parametrize("leave", [open_to_others, too_short, too_long, linked, folder])
async def test_a_key_that_cannot_be_trusted_is_refused_before_anything_is_removed(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    settings: Settings,
    replying: "Replying",
    identifiers: Identifiers,
    leave: Callable[[Path], None],
) -> None:
    await api.upload_elsewhere(identifiers(2))
    leave(settings.data_dir / "snapshots.key")
    async with connect(era, effects=effects, answer=replying()) as client:
        removal = await refused(client, "remove_all_recontacts")
        replacement = await refused(client, "replace_recontacts", ids=identifiers(3))
        nothing_kept = await refused(client, "restore_recontacts")
    assert {(error["code"], error["changed"]) for error in (removal, replacement)} == {("SNAPSHOT_UNREADABLE", "no")}
    assert nothing_kept["code"] == "NOT_FOUND"
    assert str(settings.data_dir) not in json.dumps([removal, replacement])
    assert (api.asked(Operation.REMOVE_ALL), api.asked(Operation.UPLOAD_RSIDS), await api.count()) == (0, 0, 2)


async def test_the_configured_key_is_used_and_no_file_is_made(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    read: "Read",
    refused: "Call",
    unread: "Call",
    api: "Api",
    settings: Settings,
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(2))
    async with connect(era, effects=effects, answer=replying(), snapshot_key=KEY) as client:
        started = await call(client, "remove_all_recontacts")
        await call(client, "get_removal_job", job_id=started["job_id"], wait_seconds=45)
    made = (settings.data_dir / "snapshots.key").exists()
    uri = started["snapshot"]["resource_uri"]
    async with connect(era, effects=effects, snapshot_key=KEY) as client:
        kept = await read(client, uri)
    errors: list[dict[str, Any]] = []
    for key in (OTHER_KEY, None):
        async with connect(era, effects=effects, snapshot_key=key) as client:
            errors += [await unread(client, uri), await refused(client, "restore_recontacts")]
    assert not made
    assert kept.splitlines() == identifiers(2)
    assert {(error["code"], error["changed"]) for error in errors} == {("SNAPSHOT_UNREADABLE", "no")}
    assert "RECONTACT_SNAPSHOT_KEY" in errors[0]["next_step"]
    assert (api.asked(Operation.UPLOAD_RSIDS), await api.count()) == (0, 0)


async def test_a_long_snapshot_is_followed_and_nothing_is_removed_before_it_is_complete(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    read: "Read",
    unread: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    ids = identifiers(PIECE + 500)
    await api.upload_elsewhere(ids)
    held = api.hold("/recontacts/rsids", after=12)
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "remove_all_recontacts")
        waited = await call(client, "get_removal_job", job_id=started["job_id"], wait_seconds=2)
        resource = json.loads(await read(client, started["resource_uri"]))
        unfinished = await unread(client, started["snapshot"]["resource_uri"])
        errors = [
            await refused(client, "remove_all_recontacts"),
            await refused(client, "upload_recontacts", ids=identifiers(1)),
            await refused(client, "replace_recontacts", ids=identifiers(1)),
        ]
        nothing_kept = await refused(client, "restore_recontacts")
        sent = api.asked(Operation.REMOVE_ALL)
        held.release()
        begun = await call(client, "get_removal_job", job_id=started["job_id"], wait_seconds=45)
        job = await call(client, "get_removal_job", job_id=started["job_id"], wait_seconds=45)
    assert begun["status"] in {"Processing", "Completed"}
    for report in (started, waited, resource):
        assert (report["status"], report["ids_to_remove"]) == ("Preparing", PIECE + 500)
        assert (report["snapshot"]["ids"], report["snapshot"]["complete"]) == (PIECE, False)
        assert "cancel_recontact_job" in report["next_step"]
    assert unfinished["code"] == "NOT_FOUND"
    assert {(one["code"], one["job_id"], one["resource_uri"]) for one in errors} == {
        ("JOB_RUNNING", started["job_id"], started["resource_uri"])
    }
    assert nothing_kept["code"] == "NOT_FOUND"
    assert sent == 0
    assert (job["status"], job["snapshot"]["ids"], job["snapshot"]["complete"]) == ("Completed", PIECE + 500, True)
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (1, 0)


async def test_the_same_removal_under_a_key_is_the_one_that_is_being_prepared(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(150))
    held = api.hold("/recontacts/rsids", after=1)
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "remove_all_recontacts", idempotency_key="wave-1")
        again = await call(client, "remove_all_recontacts", idempotency_key="wave-1")
        held.release()
        await call(client, "get_removal_job", job_id=started["job_id"], wait_seconds=45)
    assert (again["job_id"], again["repeated"], again["status"]) == (started["job_id"], True, "Preparing")
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (1, 0)


async def test_a_snapshot_that_took_too_long_is_not_followed_by_a_removal(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(150))
    held = api.hold("/recontacts/rsids", after=1)
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "remove_all_recontacts")
        await held.arrive()
        api.pass_time(hours=1, seconds=1)
        held.release()
        error: dict[str, Any] = {}
        while not error:  # the job is being prepared until the refusal is written down
            with suppress(AssertionError):
                error = await refused(client, "get_removal_job", job_id=started["job_id"])
    assert (error["code"], error["changed"]) == ("PLAN_NOT_VALID", "no")
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 150)
