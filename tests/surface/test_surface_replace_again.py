"""A replacement that is asked for again, meets other work, or goes on after a restart."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult
from removing import removed
from replacing import GROUP_ID, HERE, PHRASE, REMOVE, UPLOAD, until

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Read, Replying
pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]


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


@pytest.mark.sqlite_only(reason="what is damaged is the engine's file")
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


@pytest.mark.sqlite_only(reason="looks into the files; tests/ledger looks into the pages of both databases")
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


async def test_what_was_replaced_again_since_is_another_wish(
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
        for ids in (new, old, new):
            api.pass_time(seconds=1)
            started = await call(client, "replace_recontacts", ids=ids)
            job = await followed(client, started)
            assert (started["repeated"], job["status"], await api.stored()) == (False, "Completed", ids)
        api.pass_time(seconds=1)
        await removed(call, client)
        await api.upload_elsewhere(old)
        again = await call(client, "replace_recontacts", ids=new)
    assert again["repeated"] is False
