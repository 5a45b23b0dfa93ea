"""What a token must carry: challenged at the edge with all that is missing, and checked again where work begins."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from authorization_server import EVERY_SCOPE, READ, REMOVE, UPLOAD
from mcp import Client
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from task_speaker import speaking_with
from tool_arguments import REMOTE_TOOLS, arguments_of
from two_tenants import OURS, Town

from recontact_mcp.app import build_server
from recontact_mcp.scopes import ALL, OF_TOOL, Scope, of_request
from recontact_tools.catalog import EVERYTHING

if TYPE_CHECKING:
    from tests.authorization.conftest import Serving

    from recontact_mcp.settings import Settings

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.sqlite_only(reason="what a scope lets pass is decided before anything is kept"),
]

GROUP = {"target_group_id": OURS.target_group_id}
MODERN = "2026-07-28"


def call(name: str, **arguments: object) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": name, "arguments": {**GROUP, **arguments}},
    }


async def status_of(place: Town, scope: str, body: object) -> tuple[int, str]:
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    async with place.http(place.token("ann", scope)) as http:
        answer = await http.post("/mcp", content=json.dumps(body), headers=headers)
    return answer.status_code, answer.headers.get("www-authenticate", "")


def wanted(challenge: str) -> set[str]:
    return set(challenge.partition('scope="')[2].partition('"')[0].split())


def test_the_table_knows_every_tool_and_no_tool_that_changes_something_is_open_to_readers() -> None:
    assert {operation.name for operation in EVERYTHING} <= set(OF_TOOL)
    for operation in EVERYTHING:
        assert Scope.READ in OF_TOOL[operation.name]
        assert (OF_TOOL[operation.name] == {Scope.READ}) == operation.read_only
        assert (Scope.REMOVE in OF_TOOL[operation.name]) == operation.destructive


def test_what_is_in_no_table_takes_all_there_is() -> None:
    assert of_request("tools/call", "a_tool_of_tomorrow") == ALL
    assert of_request("tools/call", None) == ALL
    assert of_request("a/method", None) == ALL
    assert of_request("notifications/initialized", None) == frozenset()


@pytest.mark.parametrize("name", REMOTE_TOOLS)
async def test_a_token_that_carries_too_little_is_challenged_with_all_that_is_needed(
    serving: "Serving", name: str
) -> None:
    needed = {scope.value for scope in OF_TOOL[name]}
    async with serving() as place:
        for left_out in sorted(needed):
            carried = " ".join(sorted({READ, UPLOAD, REMOVE} - {left_out}))
            status, challenge = await status_of(place, carried, call(name, **arguments_of(name)))
            assert status == 403
            assert 'error="insufficient_scope"' in challenge
            assert f'resource_metadata="{place.base}/.well-known' in challenge
            assert wanted(challenge) >= needed
        status, _ = await status_of(place, " ".join(sorted(needed)), call(name, **arguments_of(name)))
        assert status != 403
        assert not place.posted()


async def test_the_challenge_asks_again_for_what_the_token_carries_already(serving: "Serving") -> None:
    async with serving() as place:
        _, challenge = await status_of(place, f"{READ} {UPLOAD} openid", call("remove_all_recontacts"))
    assert wanted(challenge) == {READ, UPLOAD, REMOVE}


async def test_one_call_of_a_batch_that_needs_more_stops_the_whole_batch(serving: "Serving") -> None:
    batch = [call("get_recontact_overview"), call("upload_recontacts", ids=["x"])]
    async with serving() as place:
        status, challenge = await status_of(place, READ, batch)
    assert status == 403
    assert wanted(challenge) == {READ, UPLOAD}


@pytest.mark.parametrize(
    "method",
    ["resources/read", "resources/subscribe", "subscriptions/listen", "completion/complete", "tasks/get"],
)
async def test_everything_that_tells_of_data_takes_the_scope_of_reading(serving: "Serving", method: str) -> None:
    async with serving() as place:
        status, challenge = await status_of(place, UPLOAD, {"jsonrpc": "2.0", "id": 1, "method": method, "params": {}})
    assert status == 403
    assert wanted(challenge) == {READ, UPLOAD}


async def test_a_stream_of_news_takes_the_scope_of_reading(serving: "Serving") -> None:
    async with serving() as place, place.http(place.token("ann", REMOVE)) as http:
        refused = await http.get("/mcp", headers={"accept": "text/event-stream"})
    assert refused.status_code == 403


async def test_a_body_that_is_no_json_is_for_mcp_to_refuse(serving: "Serving") -> None:
    async with serving() as place:
        for body in (b"{", b"[" * 100_000, b"17", b'{"method": 5}', b"[null]"):
            async with place.http(place.token()) as http:
                headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
                answer = await http.post("/mcp", content=body, headers=headers)
            assert 400 <= answer.status_code < 500
            assert answer.status_code not in {401, 403}


@pytest.mark.parametrize("name", REMOTE_TOOLS)
async def test_the_operation_checks_again_whatever_got_past_the_edge(era: str, settings: "Settings", name: str) -> None:
    issuer = "https://issuer.example"
    carried = {READ, UPLOAD, REMOVE} - {max(OF_TOOL[name])}
    token = AccessToken(
        token="t", client_id="c", scopes=sorted(carried), subject="ann", claims={"iss": issuer}, expires_at=None
    )
    auth_context_var.set(AuthenticatedUser(token))  # in the context of this test only
    server = build_server(settings.model_copy(update={"auth_issuer": issuer}), local_files=False)
    async with Client(server, mode=era) as client:
        refused = await client.call_tool(name, {**GROUP, **arguments_of(name)})
    assert refused.is_error
    assert refused.structured_content is not None
    error = refused.structured_content["error"]
    assert (error["code"], error["changed"]) == ("INSUFFICIENT_SCOPE", "no")
    assert set(error["required_scopes"]) == {scope.value for scope in OF_TOOL[name]}
    assert error["rule"]
    assert error["lifted_by"]


async def test_without_a_caller_nothing_is_done_even_behind_the_edge(era: str, settings: "Settings") -> None:
    auth_context_var.set(None)
    server = build_server(settings.model_copy(update={"auth_issuer": "https://issuer.example"}), local_files=False)
    async with Client(server, mode=era) as client:
        refused = await client.call_tool("get_recontact_overview", GROUP)
    assert refused.structured_content is not None
    assert refused.structured_content["error"]["code"] == "POLICY_DENIED"


async def test_every_scope_lets_everything_through(serving: "Serving") -> None:
    async with serving() as place:
        found = [(await status_of(place, EVERY_SCOPE, call(name, **arguments_of(name))))[0] for name in REMOTE_TOOLS]
    assert 403 not in found
    assert 401 not in found


@pytest.mark.parametrize(("method", "scope"), [("tasks/get", REMOVE), ("tasks/cancel", READ)])
async def test_tasks_are_looked_at_and_cancelled_only_with_their_scopes(
    settings: "Settings", method: str, scope: str
) -> None:
    issuer = "https://issuer.example"
    token = AccessToken(token="t", client_id="c", scopes=[scope], subject="ann", claims={"iss": issuer})
    auth_context_var.set(AuthenticatedUser(token))
    server = build_server(settings.model_copy(update={"auth_issuer": issuer}), local_files=False)
    async with speaking_with(server) as speaker:
        refused = await speaker.refused(method, taskId="0" * 32)
    assert refused.error.data["error"]["code"] == "INSUFFICIENT_SCOPE"
