"""The audit trail of whole calls: who asked for what, what a person said, what was sent, and how it ended."""

import json
import logging
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult, TextResourceContents

from recontact_mcp.app import build_server
from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_mcp.storage import LEDGER_FILE, existing_ledger
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation
from recontact_tools import uris
from recontact_tools.ledger.entries import Event, about
from recontact_tools.models import TargetGroup

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
UPLOADED = ["intent_planned", "request_sending", "request_accepted", "job_completed"]
AGREED = ["plan_made", "confirmation_agreed"]


async def trail(client: Client, uri: str = uris.WHOLE_AUDIT) -> dict[str, Any]:
    """Read the trail."""
    [content] = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    assert (content.mime_type, str(content.uri)) == ("application/json", uri)
    answer: dict[str, Any] = json.loads(content.text)
    return answer


async def entries(client: Client, uri: str = uris.WHOLE_AUDIT) -> list[dict[str, Any]]:
    """Read the entries of a trail that must be whole, the oldest first."""
    answer = await trail(client, uri)
    assert (answer["verified"], answer["broken_at"]) == (True, None)
    return list(reversed(answer["entries"]))


def told(found: list[dict[str, Any]]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(entry["event"], entry["subject"], entry["detail"]) for entry in found]


KEPT = ["snapshot_begun", "snapshot_completed"]


@pytest.fixture(params=[False, True], ids=["logging", "silenced"])
def silenced(request: pytest.FixtureRequest) -> Generator[bool]:
    """Run a test once more with logging turned off altogether."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL if request.param else logging.NOTSET)
    yield request.param
    logging.disable(before)


@pytest.mark.usefixtures("silenced")
async def test_an_upload_and_an_agreed_removal_are_recorded_to_their_ends_whatever_is_logged(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    async with connect(era, effects=effects, answer=replying()) as client:
        upload = await call(client, "upload_recontacts", ids=identifiers(3))
        await call(client, "get_upload_job", job_id=upload["job_id"], wait_seconds=45)
        removal = await call(client, "remove_all_recontacts")
        await call(client, "get_removal_job", job_id=removal["job_id"], wait_seconds=45)
        found = await entries(client)
        answer = await trail(client)
    planned, *sent = UPLOADED
    assert [entry["event"] for entry in found] == [*UPLOADED, *AGREED, planned, *KEPT, *sent]
    assert found[5]["detail"] == {"evidence": "client-elicited", "ids": 3}
    assert {entry["principal"] for entry in found} == {"local"}
    assert {uris.audit_uri(TargetGroup(*place)) for place in map(place_of, found)} == {uris.audit_uri(GROUP)}
    assert [entry["job_id"] for entry in found[-2:]] == [removal["job_id"]] * 2
    assert {entry["plan_id"] for entry in found[4:] if entry["event"] not in KEPT} == {found[4]["plan_id"]}
    assert (answer["count"], answer["head"]) == (len(found), found[-1]["hash"])


def place_of(entry: dict[str, Any]) -> tuple[int, str, str]:
    return entry["account_id"], entry["project_id"], entry["target_group_id"]


@pytest.mark.parametrize(
    ("words", "action", "event", "code"),
    [
        pytest.param("wrong", "accept", "confirmation_mismatched", "CONFIRMATION_MISMATCH", id="wrong phrase"),
        pytest.param(None, "decline", "confirmation_declined", "CONFIRMATION_DECLINED", id="declined"),
        pytest.param(None, "cancel", "confirmation_declined", "CONFIRMATION_DECLINED", id="closed"),
    ],
)
async def test_a_person_who_does_not_agree_is_recorded_as_the_caller_was_told(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    words: str | None,
    action: Any,
    event: str,
    code: str,
) -> None:
    await api.upload_elsewhere(identifiers(3))
    reply = replying(lambda _question: {"phrase": words}, action=action)
    async with connect(era, effects=effects, answer=reply) as client:
        await refused(client, "remove_all_recontacts")
        found = await entries(client)
    assert told(found) == [
        ("plan_made", "removal", {"ids": 3}),
        (event, "removal", {"code": code}),
        ("call_refused", "remove_all_recontacts", {"code": code}),
    ]


async def test_nobody_who_answers_in_time_is_recorded(
    connect: "Connect", effects: Effects, refused: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async def reply(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context, params
        await anyio.sleep_forever()
        raise AssertionError

    await api.upload_elsewhere(identifiers(3))
    async with connect("legacy", effects=effects, answer=reply, confirm_seconds=0.01) as client:
        await refused(client, "remove_all_recontacts")
        found = await entries(client)
    assert [entry["event"] for entry in found] == ["plan_made", "confirmation_timed_out", "call_refused"]


async def test_a_client_that_cannot_ask_and_a_count_that_has_drifted_are_recorded(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    identifiers: Identifiers,
) -> None:
    async def reply(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context
        await api.upload_elsewhere(identifiers(5))
        phrase = params.message.partition("type: ")[2].partition("\n")[0]
        return ElicitResult(action="accept", content={"phrase": phrase})

    await api.upload_elsewhere(identifiers(3))
    async with connect(era, effects=effects) as client:
        await refused(client, "remove_all_recontacts")
    async with connect(era, effects=effects, answer=reply) as client:
        await refused(client, "remove_all_recontacts")
        found = await entries(client)
    assert told(found) == [
        ("plan_made", "removal", {"ids": 3}),
        ("approval_asked", "removal", {"ids": 3}),
        ("call_refused", "remove_all_recontacts", {"code": "APPROVAL_REQUIRED"}),
        ("plan_closed", "removal", {"why": "replaced"}),
        ("plan_made", "removal", {"ids": 3}),
        ("plan_closed", "removal", {"code": "PLAN_DRIFTED"}),
        ("call_refused", "remove_all_recontacts", {"code": "PLAN_DRIFTED"}),
    ]


async def test_a_lost_answer_is_recorded_and_so_is_the_job_that_was_found(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    api.meet(Operation.UPLOAD_RSIDS, FaultKind.LOST_ANSWER)
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(3))
        await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
        found = await entries(client)
    assert [entry["event"] for entry in found] == [
        "intent_planned",
        "request_sending",
        "request_unanswered",
        "job_found",
        "job_completed",
    ]


async def test_a_request_that_the_api_refuses_is_recorded_with_what_the_caller_was_told(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", identifiers: Identifiers
) -> None:
    api.meet(Operation.UPLOAD_RSIDS, FaultKind.CONFLICT)
    async with connect(era, effects=effects) as client:
        await refused(client, "upload_recontacts", ids=identifiers(3))
        found = await entries(client)
    assert told(found)[2:] == [
        ("request_refused", "upload", {"code": "JOB_RUNNING"}),
        ("call_refused", "upload_recontacts", {"code": "JOB_RUNNING"}),
    ]


async def test_a_call_that_was_left_unsettled_is_recorded_as_that(
    era: str, settings: Settings, effects: Effects, refused: "Call", identifiers: Identifiers
) -> None:
    server = build_server(settings, effects=effects)
    server.call_seconds = 0.0
    with anyio.fail_after(30):
        async with Client(server, mode=era) as client:
            await refused(client, "upload_recontacts", ids=identifiers(1))
            found = await entries(client)
    assert told(found)[-1] == ("call_unsettled", "upload_recontacts", {"code": "UNAVAILABLE"})


@pytest.mark.parametrize("name", ["upload_recontacts", "remove_all_recontacts"])
async def test_a_refusal_by_policy_is_recorded_with_tool_code_setting_and_place(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    replying: "Replying",
    identifiers: Identifiers,
    name: str,
) -> None:
    arguments = {"ids": identifiers(1)} if name == "upload_recontacts" else {}
    async with connect(era, effects=effects, answer=replying(), read_only=True) as client:
        await refused(client, name, **arguments)
        [entry] = await entries(client)
        [same] = await entries(client, uris.audit_uri(GROUP))
    assert told([entry]) == [("call_refused", name, {"code": "READ_ONLY", "setting": "RECONTACT_READ_ONLY"})]
    assert (entry["principal"], place_of(entry)) == ("local", (101, GROUP.project_id, GROUP.target_group_id))
    assert same == entry


async def test_reads_that_are_refused_are_not_recorded(
    era: str, connect: "Connect", effects: Effects, refused: "Call"
) -> None:
    async with connect(era, effects=effects) as client:
        await refused(client, "list_recontacts", page_size=1_000)
        await refused(client, "preview_upload")
        assert await entries(client) == []


async def test_entries_about_target_groups_that_are_not_allowed_are_recorded_and_not_shown(
    era: str, connect: "Connect", effects: Effects, refused: "Call", identifiers: Identifiers
) -> None:
    other = "01BTGNYV6HRNK8K8VKZASZCFP2"
    allowed = frozenset({GROUP.target_group_id})
    async with connect(era, effects=effects, allowed_target_groups=allowed) as client:
        await refused(client, "upload_recontacts", target_group_id=other, ids=identifiers(1))
        await refused(client, "upload_recontacts", target_group_id=GROUP.target_group_id)
        await refused(client, "upload_recontacts", target_group_id="not one", ids=identifiers(1))
        shown = await trail(client)
    async with connect(era, effects=effects) as client:
        everything = await entries(client)
    assert [entry["target_group_id"] for entry in shown["entries"]] == [None, GROUP.target_group_id]
    assert (shown["count"], shown["verified"]) == (3, True)
    assert [entry["target_group_id"] for entry in everything] == [other, GROUP.target_group_id, None]


async def test_the_place_of_a_refusal_is_the_one_that_the_call_would_have_worked_on(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    identifiers: Identifiers,
) -> None:
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(1), account_id=101)
        await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
    async with connect(era, effects=effects, cint_account_id=7) as client:
        await refused(client, "upload_recontacts", id_type="RSID")  # neither ids nor a path
        await refused(client, "upload_recontacts", account_id=9)
        await refused(client, "upload_recontacts", account_id=0)
        await refused(client, "upload_recontacts", target_group_id="01BTGNYV6HRNK8K8VKZASZCFP2")
        found = [entry for entry in await entries(client) if entry["event"] == "call_refused"]
    assert [entry["account_id"] for entry in found] == [101, 9, None, 7]
    assert found[2]["target_group_id"] is None


async def test_the_trail_of_one_target_group_leaves_the_others_out(
    era: str, connect: "Connect", effects: Effects, call: "Call", refused: "Call", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(1))
        await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
        await refused(client, "upload_recontacts", target_group_id="01BTGNYV6HRNK8K8VKZASZCFP2")
        here = await entries(client, uris.audit_uri(GROUP))
        everywhere = await entries(client)
    assert [entry["event"] for entry in here] == UPLOADED
    assert len(everywhere) == len(UPLOADED) + 1


async def test_what_others_did_counts_in_the_chain_and_is_not_shown(
    era: str, connect: "Connect", effects: Effects, refused: "Call", settings: Settings, api: "Api"
) -> None:
    async with connect(era, effects=effects) as client:
        await refused(client, "upload_recontacts")
        theirs = about(GROUP, Event.SNAPSHOT_DELETED, "snapshot", at=api.moment[0], principal="somebody else")
        async with existing_ledger(settings) as ledger:
            await ledger.audit.record(theirs)
        shown = [await trail(client), await trail(client, uris.audit_uri(GROUP))]
    assert [[entry["principal"] for entry in answer["entries"]] for answer in shown] == [["local"]] * 2
    assert [(answer["count"], answer["verified"]) for answer in shown] == [(2, True)] * 2


@pytest.mark.sqlite_only(reason="tampers with the file; tests/cli/test_commands_on_postgres.py tampers with a table")
async def test_a_trail_that_was_tampered_with_says_so(
    era: str, connect: "Connect", effects: Effects, refused: "Call", settings: Settings
) -> None:
    async with connect(era, effects=effects) as client:
        for _ in range(3):
            await refused(client, "upload_recontacts")
        with closing(sqlite3.connect(settings.home / LEDGER_FILE, isolation_level=None)) as connection:
            connection.execute("DROP TRIGGER audit_is_never_changed")
            connection.execute("UPDATE audit SET principal = 'bob' WHERE seq = 2")
        shown = await trail(client)
    assert (shown["verified"], shown["broken_at"], shown["count"]) == (False, 2, 1)
    assert [entry["seq"] for entry in shown["entries"]] == [3, 1]


@pytest.mark.sqlite_only(reason="what is damaged is the ledger's file")
async def test_a_refusal_is_answered_also_where_it_cannot_be_recorded(
    era: str, connect: "Connect", refused: "Call", settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / "ledger.sqlite").write_bytes(b"no database at all" * 100)
    async with connect(era) as client:
        error = await refused(client, "upload_recontacts", wrong_argument=1)
    assert error["code"] == "INVALID_ARGUMENTS"
    assert caplog.messages == ["The data directory cannot be used: LedgerUnavailable"]
