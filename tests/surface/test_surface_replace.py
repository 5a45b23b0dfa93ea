"""One list for another, agreed to once, and proved: the question, and the way to its end."""

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import anyio
import pytest
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult
from replacing import GROUP_ID, HERE, LISTED, PHRASE, REMOVE, UPLOAD, stage, until, uploads

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Read, Replying
pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]


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
    assert {(error["code"], error["changed"]) for error in errors} == {("APPROVAL_REQUIRED", "no")}
    assert (api.asked(REMOVE), await api.stored()) == (0, old)


async def test_what_was_agreed_to_for_one_list_stores_no_other(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    followed: "Call",
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
        if era == "legacy":  # one call, which reads the file once
            await followed(client, await call(client, "replace_recontacts", path="wave2.csv"))
            assert await api.stored() == new
            return
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
