"""A target group is found by what people have at hand: its id, a pasted URL, or what was done here before."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from mcp_types import ResourceTemplateReference
from placing import (
    ACCOUNT_ID,
    DRAFT,
    GROUP_ID,
    NOWHERE_ID,
    OTHER_ACCOUNT_ID,
    OTHER_PROJECT_ID,
    PROJECT_ID,
    place,
)
from tool_arguments import EVERY_TOOL as TOOLS
from tool_arguments import SOMEBODY as CANARY
from tool_arguments import TOOLS_OF_A_JOB, arguments_of

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation
from recontact_tools import uris
from recontact_tools.gateway import Connection, Gateway

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
EVERY_TOOL = pytest.mark.parametrize("name", TOOLS)
# With credentials there are no embedded defaults to fall back on.
UNCONFIGURED = {"cint_client_id": "somebody"}
PLACE = f"accounts/{ACCOUNT_ID}/projects/{PROJECT_ID}/target-groups/{GROUP_ID}"
POSTS = (Operation.UPLOAD_RSIDS, Operation.UPLOAD_RESPONDENTS, Operation.REMOVE_ALL)


def written(api: "Api") -> int:
    """Count the requests that could have changed something."""
    return sum(api.asked(operation) for operation in POSTS)


@EVERY_TOOL
@pytest.mark.parametrize(
    "pasted",
    [
        pytest.param(GROUP_ID, id="id"),
        pytest.param(f"https://api.cint.com/v1/demand/{PLACE}/recontacts/overview?x=1", id="url"),
        pytest.param(f"https://ui.example/TARGET-GROUPS/{GROUP_ID.lower()}", id="url without a place"),
    ],
)
async def test_every_tool_finds_a_launched_target_group_without_any_setting(
    era: str,
    connect: "Connect",
    effects: Effects,
    api: "Api",
    settings: Settings,
    replying: "Replying",
    identifiers: Identifiers,
    name: str,
    pasted: str,
) -> None:
    await api.upload_elsewhere(identifiers(2))
    place(settings)
    async with connect(era, effects=effects, answer=replying(), **UNCONFIGURED) as client:
        result = await client.call_tool(name, {"target_group_id": pasted, **arguments_of(name)})
    answer: dict[str, Any] = result.structured_content or {}
    if name in TOOLS_OF_A_JOB:
        assert answer["error"]["message"].endswith("job.")
    else:
        assert not result.is_error, answer
    assert api.asked(Operation.GET_OVERVIEW_BY_ID) == (0 if "/accounts/" in pasted else 1)


async def test_a_pasted_url_names_a_draft_for_both_rounds_of_a_removal(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(3))
    pasted = f"https://ui.example/{PLACE}/details"
    async with connect(era, effects=effects, answer=replying(), **UNCONFIGURED) as client:
        removal = await call(client, "remove_all_recontacts", target_group_id=pasted)
        removed = await call(
            client, "get_removal_job", target_group_id=pasted, job_id=removal["job_id"], wait_seconds=45
        )
    assert (removal["ids_to_remove"], removed["status"]) == (3, "Completed")
    assert removal["resource_uri"] == f"recontact://{PLACE}/removal-jobs/{removal['job_id']}"
    assert not api.asked(Operation.GET_OVERVIEW_BY_ID)


async def test_a_target_group_is_looked_up_once_for_a_whole_removal_and_everything_after_it(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    settings: Settings,
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(3))
    place(settings)
    async with connect(era, effects=effects, answer=replying(), **UNCONFIGURED) as client:
        removal = await call(client, "remove_all_recontacts")
        await call(client, "get_removal_job", job_id=removal["job_id"], wait_seconds=45)
        await call(client, "get_recontact_overview", project_id=PROJECT_ID)
        await call(client, "get_recontact_overview", target_group_id=f"target-groups/{GROUP_ID}", account_id=101)
    assert api.asked(Operation.GET_OVERVIEW_BY_ID) == 1


@EVERY_TOOL
@pytest.mark.parametrize(("group_id", "given"), [(GROUP_ID, {}), (NOWHERE_ID, {"account_id": 101})])
async def test_a_draft_is_not_found_by_its_id_and_the_answer_says_what_to_give(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    replying: "Replying",
    name: str,
    group_id: str,
    given: dict[str, int],
) -> None:
    async with connect(era, effects=effects, answer=replying(), **UNCONFIGURED) as client:
        error = await refused(client, name, **arguments_of(name), target_group_id=group_id, **given)
    assert (error["code"], error["changed"], error["safe_to_repeat"]) == ("INVALID_ARGUMENTS", "no", True)
    assert error["message"].startswith("project_id is needed" if given else "account_id and project_id are needed")
    assert "Drafts cannot be found by their id alone" in error["next_step"]
    assert "URL" in error["next_step"]
    assert set(api.faults.requests) == {Operation.ISSUE_TOKEN, Operation.GET_OVERVIEW_BY_ID}
    assert api.asked(Operation.GET_OVERVIEW_BY_ID) == 1


@EVERY_TOOL
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param({"project_id": OTHER_PROJECT_ID}, "project_id contradicts", id="project"),
        pytest.param({"account_id": 202}, "account_id contradicts", id="account"),
        pytest.param(
            {"target_group_id": f"{CANARY}/{PLACE}/target-groups/{NOWHERE_ID}"}, "more than one", id="two groups"
        ),
        pytest.param({"target_group_id": f"https://x/{CANARY}" + "/x" * 1_000}, "longer than", id="too long"),
        pytest.param({"target_group_id": f"https://x/?token={CANARY}"}, "neither an id", id="no target group"),
    ],
)
async def test_a_pasted_text_that_contradicts_itself_or_the_call_is_refused_without_being_repeated(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    replying: "Replying",
    name: str,
    arguments: dict[str, Any],
    said: str,
) -> None:
    asked = {**arguments_of(name), "target_group_id": f"https://ui.example/{PLACE}", **arguments}
    async with connect(era, effects=effects, answer=replying()) as client:
        error = await refused(client, name, **asked)
    assert error["code"] == "INVALID_ARGUMENTS"
    assert said in error["message"]
    assert not any(secret in json.dumps(error) for secret in (CANARY, OTHER_PROJECT_ID, PROJECT_ID, NOWHERE_ID))
    assert not api.faults.requests


async def test_where_jobs_were_started_is_known_after_a_restart_without_asking_the_api(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    there = {"project_id": PROJECT_ID, "account_id": ACCOUNT_ID}
    async with connect(era, effects=effects, **UNCONFIGURED) as client:
        upload = await call(client, "upload_recontacts", ids=identifiers(2), **there)
        await call(client, "get_upload_job", job_id=upload["job_id"], wait_seconds=45)
    async with connect(era, effects=effects, **UNCONFIGURED) as client:
        job = await call(client, "get_upload_job", job_id=upload["job_id"])
        overview = await call(client, "get_recontact_overview", project_id=PROJECT_ID)
    assert (job["status"], overview["saved_respondent_ids_count"]) == ("Completed", 2)
    assert not api.asked(Operation.GET_OVERVIEW_BY_ID)


async def test_what_was_done_here_counts_more_than_what_is_configured(
    era: str, connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers
) -> None:
    """Even when a call before took the configured project for the right one."""
    configured = {**UNCONFIGURED, "cint_account_id": ACCOUNT_ID, "cint_project_id": OTHER_PROJECT_ID}
    async with connect(era, effects=effects, **configured) as client:
        wrong = await client.call_tool("get_recontact_overview", {"target_group_id": GROUP_ID})
        upload = await call(client, "upload_recontacts", ids=identifiers(2), project_id=PROJECT_ID)
        job = await call(client, "get_upload_job", job_id=upload["job_id"], wait_seconds=45)
    assert wrong.is_error
    assert job["status"] == "Completed"
    assert job["resource_uri"].startswith(f"recontact://{PLACE}/")


async def test_a_project_that_was_only_assumed_gives_way_to_the_one_that_a_call_names(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    configured = {**UNCONFIGURED, "cint_account_id": ACCOUNT_ID, "cint_project_id": OTHER_PROJECT_ID}
    jobs, chosen = ResourceTemplateReference(uri=uris.UPLOAD_JOB), {"target_group_id": GROUP_ID}
    async with connect(era, effects=effects, **configured) as client:
        await client.complete(jobs, {"name": "job_id", "value": ""}, chosen)  # assumes the configured one, unproved
        upload = await call(client, "upload_recontacts", ids=identifiers(2), project_id=PROJECT_ID)
        job = await call(client, "get_upload_job", job_id=upload["job_id"], wait_seconds=45)
    assert job["status"] == "Completed"
    assert not api.asked(Operation.GET_OVERVIEW_BY_ID)


async def test_a_place_named_in_one_call_is_not_mistaken_for_the_configured_one_later(
    era: str, connect: "Connect", effects: Effects, call: "Call", settings: Settings
) -> None:
    place(settings, target_group_id=NOWHERE_ID, project_id=OTHER_PROJECT_ID, account_id=OTHER_ACCOUNT_ID)
    place(settings, target_group_id=GROUP_ID)
    async with connect(era, effects=effects) as client:
        there = {"target_group_id": NOWHERE_ID, "project_id": OTHER_PROJECT_ID, "account_id": OTHER_ACCOUNT_ID}
        named = await call(client, "get_recontact_overview", **there)
        bare = await call(client, "get_recontact_overview")
    assert named["resource_uri"].startswith(f"recontact://accounts/{OTHER_ACCOUNT_ID}/projects/{OTHER_PROJECT_ID}/")
    assert bare["resource_uri"] == f"recontact://{PLACE}/overview"


@pytest.fixture
async def moved(
    connect: "Connect", effects: Effects, call: "Call", settings: Settings, identifiers: Identifiers
) -> None:
    """Start a job of one target group in two projects, one after the other."""
    for number, (account, project) in enumerate([(OTHER_ACCOUNT_ID, OTHER_PROJECT_ID), (ACCOUNT_ID, PROJECT_ID)]):
        place(settings, DRAFT, account_id=account, project_id=project)
        there = {"project_id": project, "account_id": account}
        async with connect(effects=effects, **UNCONFIGURED) as client:
            upload = await call(client, "upload_recontacts", ids=identifiers(number + 1), **there)
            await call(client, "get_upload_job", job_id=upload["job_id"], wait_seconds=45, **there)


@pytest.mark.usefixtures("moved")
async def test_between_several_projects_the_user_is_asked_and_only_told_of_allowed_ones(
    era: str, connect: "Connect", effects: Effects, refused: "Call", call: "Call", api: "Api"
) -> None:
    places = [
        {"account_id": ACCOUNT_ID, "project_id": PROJECT_ID},
        {"account_id": OTHER_ACCOUNT_ID, "project_id": OTHER_PROJECT_ID},
    ]
    allowed, neither = {"allowed_projects": frozenset({PROJECT_ID})}, {"allowed_projects": frozenset({"0" * 26})}
    async with connect(era, effects=effects, **UNCONFIGURED) as client:
        error = await refused(client, "get_recontact_overview")
        narrowed = await call(client, "get_recontact_overview", account_id=ACCOUNT_ID)
    async with connect(era, effects=effects, **UNCONFIGURED, **allowed) as client:
        only = await call(client, "get_recontact_overview")
    async with connect(era, effects=effects, **UNCONFIGURED, **neither) as client:
        denied = await refused(client, "get_recontact_overview")
    async with connect(era, effects=effects) as client:
        configured = await call(client, "get_recontact_overview")
    assert (error["code"], error["places"]) == ("INVALID_ARGUMENTS", places)
    assert narrowed == only == configured
    assert (denied["code"], denied["setting"]) == ("POLICY_DENIED", "RECONTACT_ALLOWED_PROJECTS")
    assert not {PROJECT_ID, OTHER_PROJECT_ID} & set(json.dumps(denied).replace('"', " ").split())
    assert not api.asked(Operation.GET_OVERVIEW_BY_ID)


@EVERY_TOOL
@pytest.mark.parametrize(
    ("rule", "setting", "lookups"),
    [
        pytest.param({"allowed_accounts": frozenset({7})}, "RECONTACT_ALLOWED_ACCOUNTS", 1, id="accounts"),
        pytest.param({"allowed_projects": frozenset({"0" * 26})}, "RECONTACT_ALLOWED_PROJECTS", 1, id="projects"),
        pytest.param(
            {"allowed_target_groups": frozenset({NOWHERE_ID})}, "RECONTACT_ALLOWED_TARGET_GROUPS", 0, id="groups"
        ),
    ],
)
async def test_nothing_is_told_of_a_place_that_the_allow_lists_do_not_hold(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    settings: Settings,
    replying: "Replying",
    name: str,
    rule: dict[str, object],
    setting: str,
    lookups: int,
) -> None:
    place(settings)
    async with connect(era, effects=effects, answer=replying(), **UNCONFIGURED, **rule) as client:
        errors = [await refused(client, name, **arguments_of(name)) for _ in range(2)]
    assert {(error["code"], error["setting"]) for error in errors} == {("POLICY_DENIED", setting)}
    assert PROJECT_ID not in json.dumps(errors)
    assert str(ACCOUNT_ID) not in json.dumps(errors)
    assert api.asked(Operation.GET_OVERVIEW_BY_ID) == 2 * lookups
    assert set(api.faults.requests) <= {Operation.ISSUE_TOKEN, Operation.GET_OVERVIEW_BY_ID}


@pytest.mark.parametrize("given", [{"project_id": OTHER_PROJECT_ID}, {"account_id": OTHER_ACCOUNT_ID}])
async def test_a_group_that_is_found_elsewhere_than_the_call_says_is_told_of_and_not_used(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    settings: Settings,
    given: dict[str, object],
) -> None:
    place(settings)
    async with connect(era, effects=effects, **UNCONFIGURED) as client:
        error = await refused(client, "upload_recontacts", ids=[CANARY], **given)
    assert (error["code"], error["account_id"], error["project_id"]) == ("NOT_FOUND", ACCOUNT_ID, PROJECT_ID)
    assert ("another project" if "project_id" in given else "another account") in error["message"]
    assert (written(api), api.asked(Operation.GET_OVERVIEW_BY_ID)) == (0, 1)


async def test_a_normal_call_asks_nothing_besides_what_it_is_for(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api"
) -> None:
    async with connect(era, effects=effects) as client:
        for _ in range(3):
            await call(client, "get_recontact_overview")
    assert dict(api.faults.requests) == {Operation.ISSUE_TOKEN: 1, Operation.OVERVIEW: 3}


async def test_calls_that_come_together_find_the_same_target_group(
    era: str, connect: "Connect", effects: Effects, call: "Call", settings: Settings
) -> None:
    place(settings)
    counts: list[int] = []

    async with connect(era, effects=effects, **UNCONFIGURED) as client:

        async def count() -> None:
            counts.append((await call(client, "get_recontact_overview"))["saved_respondent_ids_count"])

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(count)
    assert counts == [0] * 5


@pytest.mark.parametrize(
    ("kind", "times", "code"),
    [
        pytest.param(FaultKind.ERROR, 4, "UNAVAILABLE", id="broken"),
        pytest.param(FaultKind.RATE_LIMITED, 1, "RATE_LIMITED", id="too many requests"),
        pytest.param(FaultKind.EXPIRED_TOKEN, 2, "NOT_PERMITTED", id="credentials refused"),
    ],
)
async def test_a_lookup_that_fails_is_not_taken_for_a_group_that_is_not_there(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    call: "Call",
    api: "Api",
    settings: Settings,
    kind: FaultKind,
    times: int,
    code: str,
) -> None:
    place(settings)
    api.meet(Operation.GET_OVERVIEW_BY_ID, kind, times=times, seconds=60)
    async with connect(era, effects=effects, **UNCONFIGURED) as client:
        error = await refused(client, "get_recontact_overview")
        asked = api.asked(Operation.GET_OVERVIEW_BY_ID)
        api.pass_time(minutes=5)
        found = await call(client, "get_recontact_overview")
    assert (error["code"], error["changed"], asked) == (code, "no", times)
    assert found["saved_respondent_ids_count"] == 0


@pytest.mark.parametrize(
    "place_answered",
    [
        pytest.param({"account_id": 0, "project_id": PROJECT_ID}, id="account"),
        pytest.param({"account_id": 101, "project_id": "../../../projects"}, id="project"),
    ],
)
async def test_a_place_that_no_path_may_be_made_of_counts_as_none(
    era: str, connect: "Connect", refused: "Call", place_answered: dict[str, object]
) -> None:
    paths: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        token = {"access_token": "x", "expires_in": 86_400, "token_type": "Bearer"}
        return httpx.Response(200, json=token if request.method == "POST" else place_answered)

    @asynccontextmanager
    async def way(_settings: Settings) -> AsyncGenerator[Gateway]:
        connection = Connection("http://api.example/v1", "http://api.example/token", "x", "y")
        async with Gateway(connection, transport=httpx.MockTransport(answer)) as gateway:
            yield gateway

    async with connect(era, effects=Effects(gateway=way), **UNCONFIGURED) as client:
        error = await refused(client, "get_recontact_overview")
    assert error["code"] == "INVALID_ARGUMENTS"
    assert paths == ["/token", f"/v1/demand/target-groups/{GROUP_ID}/overview"]
