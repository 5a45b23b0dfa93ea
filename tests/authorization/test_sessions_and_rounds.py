"""What belongs to one person cannot be used by another: sessions of 2025, and the rounds of a question."""

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from authorization_server import EVERY_SCOPE, READ
from two_tenants import OURS, Town

from recontact_tools.uris import overview_uri

if TYPE_CHECKING:
    from tests.authorization.conftest import Serving

pytestmark = pytest.mark.anyio

ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
HELLO: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
OVERVIEW: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "tools/call",
    "params": {"name": "get_recontact_overview", "arguments": {"target_group_id": OURS.target_group_id}},
}


async def said(place: Town, token: str, body: object, session: str | None = None) -> httpx.Response:
    headers = {**ACCEPT, **({"mcp-session-id": session, "mcp-protocol-version": "2025-11-25"} if session else {})}
    async with place.http(token) as http:
        return await http.post("/mcp", json=body, headers=headers)


async def opened(place: Town, token: str) -> str:
    hello = await said(place, token, HELLO)
    session = hello.headers["mcp-session-id"]
    await said(place, token, {"jsonrpc": "2.0", "method": "notifications/initialized"}, session)
    return session


async def test_the_session_of_another_person_is_not_there(serving: "Serving") -> None:
    async with serving() as place:
        session = await opened(place, place.token("ann"))
        stolen = await said(place, place.token("bob"), OVERVIEW, session)
        made_up = await said(place, place.token("bob"), OVERVIEW, "0" * 32)
        own = await said(place, place.token("ann"), OVERVIEW, session)
        async with place.http(place.token("bob")) as http:
            listening = await http.get("/mcp", headers={"accept": "text/event-stream", "mcp-session-id": session})
            ending = await http.delete("/mcp", headers={"mcp-session-id": session})
    assert {stolen.status_code, made_up.status_code, listening.status_code, ending.status_code} == {404}
    assert stolen.content == made_up.content
    assert own.status_code == 200


async def test_in_a_session_the_token_of_the_request_counts_and_not_that_of_the_first(serving: "Serving") -> None:
    async with serving() as place:
        session = await opened(place, place.token("ann", EVERY_SCOPE))
        upload = {**OVERVIEW, "params": {**OVERVIEW["params"], "name": "upload_recontacts"}}
        narrowed = await said(place, place.token("ann", READ), upload, session)
        expired = await said(place, place.token("ann", exp=1_000_000_000), OVERVIEW, session)
        nobody = await said(place, "", OVERVIEW, session)
    assert narrowed.status_code == 403
    assert expired.status_code == nobody.status_code == 401


async def test_the_answer_to_a_question_counts_only_from_whom_it_was_put_to(serving: "Serving") -> None:
    async with serving() as place:
        await place.stored(OURS, 3)
        question = await modern(place, "ann", {})
        state = question["result"]["requestState"]
        [name] = question["result"]["inputRequests"]
        phrase = question["result"]["inputRequests"][name]["params"]["message"].partition("type: ")[2]
        answer = {name: {"action": "accept", "content": {"phrase": phrase.partition("\n")[0]}}}
        stolen = await modern(place, "bob", {"inputResponses": answer, "requestState": state})
        forged = await modern(place, "ann", {"inputResponses": answer, "requestState": state[:-6] + "AAAAAA"})
        assert not place.posted()
        own = await modern(place, "ann", {"inputResponses": answer, "requestState": state})
    assert "error" in stolen
    assert stolen["error"] == forged["error"]
    assert own["result"]["structuredContent"]["kind"] == "removal"


async def modern(place: Town, subject: str, more: dict[str, Any]) -> dict[str, Any]:
    arguments = {"target_group_id": OURS.target_group_id}
    meta: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
    }
    params: dict[str, Any] = {"name": "remove_all_recontacts", "arguments": arguments, "_meta": meta, **more}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {
        **ACCEPT,
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "remove_all_recontacts",
    }
    async with place.http(place.token(subject)) as http:
        found: dict[str, Any] = (await http.post("/mcp", json=body, headers=headers)).json()
    return found


async def test_a_stream_of_news_ends_with_the_token_that_opened_it(serving: "Serving") -> None:
    async with serving() as place:
        session = await opened(place, place.token("ann"))
        short = place.token("ann", exp=int(time.time()) + 2)
        streams: list[bytes] = []
        headers = {"accept": "text/event-stream", "mcp-session-id": session, "mcp-protocol-version": "2025-11-25"}
        async with place.http(short) as http, http.stream("GET", "/mcp", headers=headers) as stream:
            status = stream.status_code
            streams.append(await stream.aread())
    assert status == 200
    assert streams


async def test_a_token_that_is_over_opens_no_stream_although_clocks_may_differ(serving: "Serving") -> None:
    async with serving(auth_leeway_seconds=60.0) as place:
        session = await opened(place, place.token("ann"))
        over = place.token("ann", exp=int(time.time()) - 5)
        called = await said(place, over, OVERVIEW, session)
        headers = {"accept": "text/event-stream", "mcp-session-id": session, "mcp-protocol-version": "2025-11-25"}
        async with place.http(over) as http:
            listening = await http.get("/mcp", headers=headers)
    assert called.status_code == 200
    assert listening.status_code == 401
    assert "invalid_token" in listening.headers["www-authenticate"]


async def test_a_subscription_of_2026_ends_with_its_token(serving: "Serving") -> None:
    async with serving() as place:
        meta: dict[str, Any] = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        wanted = {"resourceSubscriptions": [overview_uri(OURS)]}
        params: dict[str, Any] = {"notifications": wanted, "_meta": meta}
        body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}
        headers = {**ACCEPT, "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen"}
        short = place.token("ann", exp=int(time.time()) + 2)
        async with place.http(short) as http, http.stream("POST", "/mcp", json=body, headers=headers) as stream:
            status, told = stream.status_code, await stream.aread()
    assert status == 200
    assert b"subscriptions" in told
