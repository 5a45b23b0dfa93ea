"""What our own checks refuse: nothing is sent, and nothing that the caller wrote comes back."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolResult
from tool_arguments import EVERY_TOOL, arguments_of
from tool_arguments import SOMEBODY as CANARY

from recontact_mcp.app import build_server
from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
POSTS = (Operation.UPLOAD_RSIDS, Operation.UPLOAD_RESPONDENTS, Operation.REMOVE_ALL)


@pytest.mark.parametrize("name", EVERY_TOOL)
async def test_an_argument_that_a_tool_does_not_have_is_refused(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", name: str
) -> None:
    async with connect(era, effects=effects) as client:
        error = await refused(client, name, **arguments_of(name), confirm=CANARY)
    assert (error["code"], error["changed"], error["safe_to_repeat"]) == ("INVALID_ARGUMENTS", "no", True)
    assert "target_group_id" in error["next_step"]
    assert CANARY not in json.dumps(error)
    assert "confirm" not in json.dumps(error).replace("confirmed", "")
    assert not api.faults.requests


@pytest.mark.parametrize("name", EVERY_TOOL)
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"target_group_id": CANARY}, id="respondent id for a target group"),
        pytest.param({"target_group_id": [CANARY]}, id="list for a target group"),
        pytest.param({"target_group_id": None}, id="null for a target group"),
        pytest.param({"project_id": CANARY}, id="respondent id for a project"),
        pytest.param({"project_id": {"id": CANARY}}, id="object for a project"),
        pytest.param({"account_id": CANARY}, id="respondent id for an account"),
        pytest.param({"account_id": 0}, id="account below one"),
        pytest.param({"account_id": 2**31}, id="account beyond 32 bits"),
    ],
)
async def test_an_id_that_is_none_is_refused_without_being_repeated(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    replying: "Replying",
    name: str,
    wrong: dict[str, object],
) -> None:
    async with connect(era, effects=effects, answer=replying()) as client:
        error = await refused(client, name, **{**arguments_of(name), **wrong})
    assert (error["code"], error["changed"]) == ("INVALID_ARGUMENTS", "no")
    assert CANARY not in json.dumps(error)
    assert not api.faults.requests


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        pytest.param("upload_recontacts", {"ids": [{"id": CANARY}]}, id="objects for ids"),
        pytest.param("upload_recontacts", {"ids": CANARY}, id="text for ids"),
        pytest.param("upload_recontacts", {"path": [CANARY]}, id="list for path"),
        pytest.param("upload_recontacts", {"path": CANARY, "ids": [CANARY]}, id="path and ids"),
        pytest.param("upload_recontacts", {}, id="neither path nor ids"),
        pytest.param("upload_recontacts", {"path": "", "ids": []}, id="nothing in either"),
        pytest.param("upload_recontacts", {"ids": [CANARY], "id_type": CANARY}, id="other id type"),
        pytest.param("upload_recontacts", {"ids": [CANARY], "column": {CANARY: 1}}, id="object for column"),
        pytest.param("replace_recontacts", {"ids": CANARY}, id="text for other ids"),
        pytest.param("restore_recontacts", {"snapshot_id": [CANARY]}, id="list for a snapshot"),
        pytest.param("restore_recontacts", {"upload_job_id": {"id": CANARY}}, id="object for an upload"),
        pytest.param("cancel_recontact_job", {}, id="nothing to cancel"),
        pytest.param("get_upload_job", {}, id="no job"),
        pytest.param("get_upload_job", {"job_id": CANARY, "wait_seconds": 46}, id="wait too long"),
        pytest.param("get_removal_job", {"job_id": CANARY, "wait_seconds": -1}, id="wait back"),
        pytest.param("get_removal_job", {"job_id": {"id": CANARY}}, id="object for a job"),
        pytest.param("get_removal_job", {"job_id": ".."}, id="dots for a job"),
        pytest.param("list_recontacts", {"page_size": 101, "cursor": CANARY}, id="page too large"),
        pytest.param("list_upload_jobs", {"page_size": 0, "cursor": CANARY}, id="page too small"),
        pytest.param("list_recontacts", {"page_size": CANARY}, id="text for page size"),
        pytest.param("list_recontacts", {"cursor": [CANARY]}, id="list for cursor"),
    ],
)
async def test_wrong_arguments_are_refused_without_being_repeated(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    name: str,
    wrong: dict[str, object],
) -> None:
    async with connect(era, effects=effects) as client:
        error = await refused(client, name, **wrong)
    assert (error["code"], error["changed"]) == ("INVALID_ARGUMENTS", "no")
    assert CANARY not in json.dumps(error)
    assert set(api.faults.requests) <= {Operation.ISSUE_TOKEN}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(f"name,mail\nAda {CANARY} Lovelace,ada@example.org\n", "INVALID_FILE", id="people"),
        pytest.param("", "INVALID_FILE", id="empty"),
        pytest.param("\n" * 1_000_001, "FILE_TOO_LARGE", id="endless lines"),
    ],
)
async def test_a_file_without_identifiers_never_leaves_the_machine(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    settings: Settings,
    content: str,
    code: str,
) -> None:
    (settings.upload_roots[0] / "people.csv").write_text(content)
    async with connect(era, effects=effects) as client:
        error = await refused(client, "upload_recontacts", path="people.csv")
    assert (error["code"], error["changed"]) == (code, "no")
    assert not {"Ada", "Lovelace", "ada@example.org", CANARY} & set(json.dumps(error).replace(",", " ").split())
    assert "people.csv" not in json.dumps(error)
    assert not api.faults.requests


async def test_a_file_that_may_not_be_read_is_refused_in_one_way_whatever_the_reason(
    era: str, connect: "Connect", effects: Effects, refused: "Call", settings: Settings, identifiers: Identifiers
) -> None:
    root = settings.upload_roots[0]
    (root / "folder").mkdir()
    outside = root.parent / "outside.csv"
    outside.write_text("\n".join(identifiers(1)))
    (root / "link.csv").symlink_to(outside)
    paths = ["missing.csv", "folder", "link.csv", "../outside.csv", str(outside), "~/x.csv", "/dev/zero", "a\0b"]
    async with connect(era, effects=effects) as client:
        errors = [await refused(client, "upload_recontacts", path=path) for path in paths]
    assert {error["code"] for error in errors} == {"FILE_NOT_READABLE"}
    assert len({json.dumps(error) for error in errors}) == 1
    assert "RECONTACT_UPLOAD_ROOTS" in errors[0]["next_step"]
    assert str(root.parent) not in json.dumps(errors)


async def test_more_than_a_thousand_ids_belong_in_a_file(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects) as client:
        error = await refused(client, "upload_recontacts", ids=identifiers(1_001))
    assert (error["code"], error["ids"], error["ids_max"]) == ("TOO_MANY_IDS", 1_001, 1_000)
    assert identifiers(1)[0] not in json.dumps(error)
    assert not api.faults.requests


async def test_an_upload_beyond_the_room_left_is_refused_with_the_exact_room(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    settings: Settings,
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(3))
    (settings.upload_roots[0] / "all.txt").write_text("\n".join(identifiers(100_003)[3:]))
    async with connect(era, effects=effects) as client:
        error = await refused(client, "upload_recontacts", path="all.txt")
    assert {key: error[key] for key in ("code", "changed", "stored", "new", "room", "over")} == {
        "code": "CAPACITY_EXCEEDED",
        "changed": "no",
        "stored": 3,
        "new": 100_000,
        "room": 99_997,
        "over": 3,
    }
    assert not sum(api.asked(operation) for operation in POSTS)


async def test_a_tool_that_does_not_exist_is_refused_without_repeating_its_arguments(
    era: str, connect: "Connect"
) -> None:
    async with connect(era) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool(f"drop_{CANARY}", {"ids": [CANARY]})
    assert caught.value.error.code == INVALID_PARAMS
    assert CANARY not in caught.value.error.model_dump_json()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        pytest.param("get_recontact_overview", {}, id="reading"),
        pytest.param("upload_recontacts", {"ids": [CANARY]}, id="upload"),
    ],
)
async def test_what_is_called_outside_of_any_request_is_refused_for_nobody_asked_for_it(
    settings: Settings, effects: Effects, api: "Api", name: str, arguments: dict[str, Any]
) -> None:
    server = build_server(settings, effects=effects)
    async with Client(server):
        result = await server.call_tool(name, {"target_group_id": GROUP, **arguments})
    assert isinstance(result, CallToolResult)
    assert result.is_error
    assert (result.structured_content or {})["error"]["code"] == "INTERNAL_ERROR"
    assert CANARY not in result.model_dump_json()
    assert not api.faults.requests
