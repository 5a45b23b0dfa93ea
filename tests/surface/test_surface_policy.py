"""What the operator decided binds every client: read-only, allow-lists, no local files, needed settings."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tool_arguments import EVERY_TOOL, arguments_of

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_service.operations import Operation
from recontact_tools.catalog import catalog

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
WRITERS = [operation.name for operation in catalog(local_files=True) if not operation.read_only]


@pytest.mark.parametrize("name", EVERY_TOOL)
@pytest.mark.parametrize(
    ("rule", "setting"),
    [
        pytest.param({"allowed_accounts": frozenset({7})}, "RECONTACT_ALLOWED_ACCOUNTS", id="accounts"),
        pytest.param({"allowed_projects": frozenset[str]()}, "RECONTACT_ALLOWED_PROJECTS", id="projects"),
        pytest.param(
            {"allowed_target_groups": frozenset({"01BTGNYV6HRNK8K8VKZASZCFP9"})},
            "RECONTACT_ALLOWED_TARGET_GROUPS",
            id="target groups",
        ),
    ],
)
async def test_an_allow_list_holds_for_every_tool(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    replying: "Replying",
    name: str,
    rule: dict[str, object],
    setting: str,
) -> None:
    async with connect(era, effects=effects, answer=replying(), **rule) as client:
        error = await refused(client, name, **arguments_of(name))
    assert (error["code"], error["changed"], error["setting"]) == ("POLICY_DENIED", "no", setting)
    assert "01BTGNYV6HRNK8K8VKZASZCFP9" not in json.dumps(error)
    assert not api.faults.requests


async def test_allow_lists_that_hold_the_target_group_let_it_through(
    era: str, connect: "Connect", effects: Effects, call: "Call"
) -> None:
    rules = {
        "allowed_accounts": frozenset({101}),
        "allowed_projects": frozenset({"01BTGNYV6HRNK8K8VKZASZCFP0"}),
        "allowed_target_groups": frozenset({"01BTGNYV6HRNK8K8VKZASZCFP1"}),
    }
    async with connect(era, effects=effects, **rules) as client:
        overview = await call(client, "get_recontact_overview")
    assert overview["saved_respondent_ids_count"] == 0


async def test_a_read_only_server_reads_and_changes_nothing(
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
    async with connect(era, effects=effects, answer=replying(), read_only=True) as client:
        errors = [await refused(client, name, **arguments_of(name)) for name in WRITERS]
        overview = await call(client, "get_recontact_overview")
    assert [(error["code"], error["setting"]) for error in errors] == [("READ_ONLY", "RECONTACT_READ_ONLY")] * 5
    assert overview["saved_respondent_ids_count"] == 2
    assert api.asked(Operation.UPLOAD_RSIDS) + api.asked(Operation.REMOVE_ALL) == 0


async def test_a_server_without_local_files_takes_ids_only(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    settings: Settings,
    identifiers: Identifiers,
) -> None:
    (settings.upload_roots[0] / "wave1.csv").write_text("\n".join(identifiers(2)))
    async with connect(era, effects=effects, local_files=False) as client:
        there = await refused(client, "upload_recontacts", path="wave1.csv")
        nowhere = await refused(client, "upload_recontacts", path="missing.csv")
        started = await call(client, "upload_recontacts", ids=identifiers(2))
    assert there == nowhere
    assert (there["code"], there["changed"]) == ("POLICY_DENIED", "no")
    assert started["ids_sent"] == 2


async def test_without_upload_roots_no_file_can_be_read(
    era: str, connect: "Connect", effects: Effects, refused: "Call", settings: Settings, identifiers: Identifiers
) -> None:
    file = settings.upload_roots[0] / "wave1.csv"
    file.write_text("\n".join(identifiers(2)))
    async with connect(era, effects=effects, upload_roots=()) as client:
        error = await refused(client, "upload_recontacts", path=str(file))
    assert error["code"] == "FILE_NOT_READABLE"


@pytest.mark.parametrize("name", EVERY_TOOL)
async def test_an_account_that_is_neither_given_nor_configured_is_asked_for(
    era: str, connect: "Connect", effects: Effects, refused: "Call", replying: "Replying", name: str
) -> None:
    # With credentials there are no embedded defaults to fall back on.
    async with connect(era, effects=effects, answer=replying(), cint_client_id="somebody") as client:
        account = await refused(client, name, **arguments_of(name))
        project = await refused(client, name, **arguments_of(name), account_id=101)
    assert [error["code"] for error in (account, project)] == ["INVALID_ARGUMENTS"] * 2
    assert account["message"].startswith("account_id and project_id are needed")
    assert project["message"].startswith("project_id is needed")
