"""What the API does not know or permit is explained: a wrong project, a wrong account, a job of another group."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from mcp import MCPError
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS
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
from tool_arguments import ASKING_TOOLS, NOBODYS_JOB, arguments_of
from tool_arguments import SOMEBODY as CANARY

from recontact_mcp.opening import Effects, Opening
from recontact_mcp.settings import Settings
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation
from recontact_tools.errors import InvalidInput, NotFound, NotPermitted, RecontactError
from recontact_tools.explaining import Subject, explained
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.runtime import Runtime

if TYPE_CHECKING:
    from mcp import Client
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
EVERY_TOOL = pytest.mark.parametrize("name", ASKING_TOOLS)
EVERY_RESOURCE = pytest.mark.parametrize(
    "tail", ["overview", "respondents.csv", "upload-jobs/X", "upload-jobs/X/file", "removal-jobs/X"]
)
POSTS = (Operation.UPLOAD_RSIDS, Operation.UPLOAD_RESPONDENTS, Operation.REMOVE_ALL)
THERE: dict[str, Any] = {"account_id": OTHER_ACCOUNT_ID, "project_id": OTHER_PROJECT_ID}


def uri_of(tail: str, *, project_id: str = PROJECT_ID) -> str:
    """Return a resource of the target group, as if it were in the configured account."""
    return f"recontact://accounts/{ACCOUNT_ID}/projects/{project_id}/target-groups/{GROUP_ID}/{tail}"


async def unread(client: "Client", uri: str) -> tuple[int, dict[str, Any]]:
    """Read a resource that must not be readable, and return the code and the fields of the error."""
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    fields: dict[str, Any] = caught.value.error.data["error"]
    return caught.value.error.code, fields


@EVERY_TOOL
@pytest.mark.parametrize(
    ("there", "said"),
    [
        pytest.param({"project_id": OTHER_PROJECT_ID}, "in another project;", id="project"),
        pytest.param({"account_id": OTHER_ACCOUNT_ID}, "in another account;", id="account"),
        pytest.param(THERE, "in another account and project;", id="both"),
    ],
)
async def test_every_tool_says_where_a_target_group_is_and_uses_nothing_of_it(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    settings: Settings,
    replying: "Replying",
    name: str,
    there: dict[str, Any],
    said: str,
) -> None:
    place(settings, **there)
    async with connect(era, effects=effects, answer=replying()) as client:
        error = await refused(client, name, **arguments_of(name))
    found = {"account_id": ACCOUNT_ID, "project_id": PROJECT_ID, **there}
    assert (error["code"], error["changed"], error["http_status"]) == ("NOT_FOUND", "no", 404)
    assert said in error["message"]
    assert {key: error[key] for key in found} == found
    assert "repeat the call" in error["next_step"]
    assert api.asked(Operation.GET_OVERVIEW_BY_ID) == 1
    assert not sum(api.asked(operation) for operation in POSTS)


async def test_repeating_the_call_with_what_the_error_says_works(
    era: str, connect: "Connect", effects: Effects, call: "Call", refused: "Call", settings: Settings
) -> None:
    place(settings, **THERE)
    async with connect(era, effects=effects) as client:
        error = await refused(client, "get_recontact_overview", account_id=ACCOUNT_ID)
        there = {key: error[key] for key in ("account_id", "project_id")}
        overview = await call(client, "get_recontact_overview", **there)
    assert overview["saved_respondent_ids_count"] == 0


async def test_a_number_in_any_form_that_the_schema_takes_is_explained(
    era: str, connect: "Connect", effects: Effects, refused: "Call", settings: Settings
) -> None:
    place(settings, **THERE)
    async with connect(era, effects=effects) as client:
        errors = [
            await refused(client, "get_recontact_overview", account_id=account) for account in (101, "101", 101.0)
        ]
    assert {error.get("account_id") for error in errors} == {OTHER_ACCOUNT_ID}


@EVERY_RESOURCE
async def test_every_resource_says_where_a_target_group_is(
    era: str, connect: "Connect", effects: Effects, settings: Settings, tail: str
) -> None:
    place(settings, project_id=OTHER_PROJECT_ID)
    async with connect(era, effects=effects) as client:
        code, error = await unread(client, uri_of(tail))
        _, hidden = await unread(client, uri_of(tail, project_id="0" * 26))
    assert (code, error["code"], error["project_id"]) == (INVALID_PARAMS, "NOT_FOUND", OTHER_PROJECT_ID)
    assert hidden["project_id"] == OTHER_PROJECT_ID


@EVERY_TOOL
async def test_a_target_group_that_the_allow_lists_hide_looks_as_if_there_were_none(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    settings: Settings,
    replying: "Replying",
    name: str,
) -> None:
    place(settings, **THERE)
    allowed = {"allowed_accounts": frozenset({ACCOUNT_ID})}
    async with connect(era, effects=effects, answer=replying(), **allowed) as client:
        hidden = await refused(client, name, **arguments_of(name))
        missing = await refused(client, name, **arguments_of(name), target_group_id=NOWHERE_ID)
    assert hidden == missing
    assert hidden["code"] == "NOT_FOUND"
    assert not {str(OTHER_ACCOUNT_ID), OTHER_PROJECT_ID} & set(json.dumps(hidden).replace('"', " ").split())


async def test_a_draft_that_is_nowhere_is_answered_with_where_it_was_looked_for(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", settings: Settings
) -> None:
    place(settings, DRAFT, **THERE)
    async with connect(era, effects=effects) as client:
        error = await refused(client, "get_recontact_overview")
    assert error["looked_in"] == {"account_id": ACCOUNT_ID, "project_id": PROJECT_ID}
    assert "project_id" in error["next_step"]
    assert "project_id" not in error
    assert dict(api.faults.requests) == {
        Operation.ISSUE_TOKEN: 1,
        Operation.OVERVIEW: 1,
        Operation.GET_OVERVIEW_BY_ID: 1,
    }


async def test_a_draft_is_explained_by_the_jobs_that_were_started_here(
    era: str, connect: "Connect", effects: Effects, call: "Call", refused: "Call", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects) as client:
        job_id = (await call(client, "upload_recontacts", ids=identifiers(2)))["job_id"]
        wrong = {"project_id": OTHER_PROJECT_ID}
        count = await refused(client, "get_recontact_overview", **wrong)
        job = await refused(client, "get_upload_job", job_id=job_id, **wrong)
    assert count == job
    assert (count["code"], count["account_id"], count["project_id"]) == ("NOT_FOUND", ACCOUNT_ID, PROJECT_ID)


async def test_a_job_that_is_not_there_does_not_make_the_target_group_looked_up_again(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    settings: Settings,
) -> None:
    place(settings)
    async with connect(era, effects=effects, cint_client_id="somebody") as client:
        await refused(client, "get_upload_job", job_id=NOBODYS_JOB)
        await call(client, "get_recontact_overview")
    assert api.asked(Operation.GET_OVERVIEW_BY_ID) == 1


async def test_a_target_group_that_has_moved_is_looked_up_again(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    settings: Settings,
) -> None:
    place(settings)
    async with connect(era, effects=effects, cint_client_id="somebody") as client:
        await call(client, "get_recontact_overview")
        place(settings, **THERE)
        error = await refused(client, "get_recontact_overview")
        overview = await call(client, "get_recontact_overview")
    assert {key: error[key] for key in THERE} == THERE
    assert f"accounts/{OTHER_ACCOUNT_ID}/" in overview["resource_uri"]
    assert api.asked(Operation.GET_OVERVIEW_BY_ID) == 3


async def test_a_read_of_a_resource_that_the_api_does_not_answer_is_not_explained(
    era: str, connect: "Connect", effects: Effects, api: "Api"
) -> None:
    api.meet(Operation.OVERVIEW, FaultKind.ERROR, times=4)
    async with connect(era, effects=effects) as client:
        _, error = await unread(client, uri_of("overview"))
    assert error["code"] == "UNAVAILABLE"
    assert not api.asked(Operation.GET_OVERVIEW_BY_ID)


@pytest.mark.parametrize(
    ("name", "kind", "hint"),
    [
        pytest.param("get_upload_job", "upload", "list_upload_jobs", id="upload"),
        pytest.param("get_removal_job", "removal", "remove_all_recontacts", id="removal"),
    ],
)
async def test_a_job_that_a_target_group_does_not_have_is_not_blamed_on_the_target_group(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    name: str,
    kind: str,
    hint: str,
) -> None:
    async with connect(era, effects=effects) as client:
        error = await refused(client, name, job_id=NOBODYS_JOB)
        read = await unread(client, uri_of(f"{kind}-jobs/{NOBODYS_JOB}"))
    assert error["message"] == f"The target group has no such {kind} job."
    assert hint in error["next_step"]
    assert read == (INVALID_PARAMS, error)
    assert (api.asked(Operation.OVERVIEW), api.asked(Operation.GET_OVERVIEW_BY_ID)) == (2, 0)


async def test_a_job_that_was_started_here_on_another_target_group_is_known(
    era: str, connect: "Connect", effects: Effects, call: "Call", refused: "Call", settings: Settings, api: "Api"
) -> None:
    place(settings, DRAFT, target_group_id=NOWHERE_ID)
    async with connect(era, effects=effects) as client:
        job_id = (await call(client, "upload_recontacts", ids=[CANARY]))["job_id"]
        await call(client, "get_upload_job", job_id=job_id, wait_seconds=45)
        asked = api.asked(Operation.OVERVIEW)
        error = await refused(client, "get_upload_job", target_group_id=NOWHERE_ID, job_id=job_id)
    hiding = {"allowed_target_groups": frozenset({NOWHERE_ID})}
    async with connect(era, effects=effects, **hiding) as client:
        hidden = await refused(client, "get_upload_job", target_group_id=NOWHERE_ID, job_id=job_id)
    assert error["message"] == "This upload job belongs to another target group."
    assert (error["target_group_id"], error["project_id"]) == (GROUP_ID, PROJECT_ID)
    assert hidden["message"] == "The target group has no such upload job."
    assert GROUP_ID not in json.dumps(hidden)
    assert api.asked(Operation.OVERVIEW) == asked + 1


Handler = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]


def way_to(found: Handler) -> Effects:
    """Open a way to an API that knows no recontacts, and answers with *found* where a target group is."""

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={"access_token": "x", "expires_in": 86_400, "token_type": "Bearer"})
        if "/recontacts/" in request.url.path:
            return httpx.Response(404, json={"object": "not_found_error", "detail": CANARY})
        answered = found(request)
        return answered if isinstance(answered, httpx.Response) else await answered

    @asynccontextmanager
    async def way(_settings: Settings) -> AsyncGenerator[Gateway]:
        connection = Connection("http://api.example/v1", "http://api.example/token", "x", "y")
        async with Gateway(connection, transport=httpx.MockTransport(answer)) as gateway:
            yield gateway

    return Effects(gateway=way)


def here(_request: httpx.Request) -> httpx.Response:
    """Say that the target group is where it was looked for."""
    return httpx.Response(200, json={"account_id": ACCOUNT_ID, "project_id": PROJECT_ID})


async def test_a_launched_target_group_without_recontacts_is_told_apart_from_one_that_is_not_there(
    era: str, connect: "Connect", refused: "Call"
) -> None:
    async with connect(era, effects=way_to(here)) as client:
        error = await refused(client, "get_recontact_overview")
    assert error["message"].startswith("The target group is there")
    assert "study type" in error["next_step"]


@asynccontextmanager
async def running(settings: Settings, effects: Effects) -> AsyncGenerator[Runtime]:
    """Open what operations work with."""
    opening = Opening(settings, effects, bus=InMemorySubscriptionBus(), local_files=False)
    async with opening.running():
        yield await opening.runtime()


async def test_an_explanation_that_takes_too_long_is_given_up(settings: Settings) -> None:
    async def never(_request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    error = NotFound("said before", next_step="done before", details={"http_status": 404})
    with anyio.fail_after(30):
        async with running(settings, way_to(never)) as runtime:
            assert await explained(runtime, error, Subject(GROUP_ID), seconds=0.01) is error


@pytest.mark.parametrize(
    ("error", "subject"),
    [
        pytest.param(NotFound("ours", next_step="x"), Subject(GROUP_ID), id="not an answer of the api"),
        pytest.param(
            InvalidInput("ours", next_step="x", details={"http_status": 404}), Subject(GROUP_ID), id="another class"
        ),
        pytest.param(
            NotFound("ours", next_step="x", details={"http_status": 404}), Subject(CANARY), id="no target group"
        ),
        pytest.param(
            NotPermitted("ours", next_step="x", details={"http_status": 403}),
            Subject(f"target-groups/{GROUP_ID}"),
            id="a target group that nobody knows a place of",
        ),
    ],
)
async def test_what_cannot_be_explained_stays_as_it_was(
    settings: Settings, error: RecontactError, subject: Subject
) -> None:
    unconfigured = settings.model_copy(update={"cint_client_id": "somebody"})
    async with running(unconfigured, way_to(here)) as runtime:
        assert await explained(runtime, error, subject) is error


@pytest.mark.parametrize(
    ("kind", "times"),
    [
        pytest.param(FaultKind.ERROR, 4, id="broken"),
        pytest.param(FaultKind.RATE_LIMITED, 1, id="too many requests"),
        pytest.param(FaultKind.EXPIRED_TOKEN, 2, id="credentials refused"),
        pytest.param(FaultKind.PROXY_HTML, 4, id="page of a proxy"),
    ],
)
async def test_an_explanation_that_fails_leaves_the_error_as_it_was(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", kind: FaultKind, times: int
) -> None:
    api.meet(Operation.GET_OVERVIEW_BY_ID, kind, times=times, seconds=60)
    async with connect(era, effects=effects) as client:
        error = await refused(client, "get_recontact_overview", target_group_id=NOWHERE_ID)
    assert (error["code"], error["http_status"]) == ("NOT_FOUND", 404)
    assert "looked_in" not in error
    assert api.asked(Operation.GET_OVERVIEW_BY_ID) == times


@pytest.mark.parametrize(
    ("given", "whose"),
    [
        pytest.param({}, "the configured one (CINT_ACCOUNT_ID)", id="configured"),
        pytest.param({"account_id": 202}, "named by the call", id="named"),
    ],
)
async def test_a_refused_permission_names_the_account_it_was_for(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    given: dict[str, int],
    whose: str,
) -> None:
    api.meet(Operation.OVERVIEW, FaultKind.EXPIRED_TOKEN, times=4)
    account = given.get("account_id", ACCOUNT_ID)
    async with connect(era, effects=effects) as client:
        error = await refused(client, "get_recontact_overview", **given)
        uri = uri_of("overview").replace(str(ACCOUNT_ID), str(account), 1)
        code, read = await unread(client, uri)
    assert (error["code"], error["account_id"]) == ("NOT_PERMITTED", account)
    assert f"The account was {account}, {whose}." in error["next_step"]
    assert (code, read) == (INTERNAL_ERROR, error)
    assert not api.asked(Operation.GET_OVERVIEW_BY_ID)
