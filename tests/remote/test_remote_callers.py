"""Who calls: limits and sessions belong to one caller, and nobody gets at those of another."""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import anyio
import httpx
import pytest
from http_process import content_of, served
from mcp import Client
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from two_tenants import Town, town

from recontact_mcp.app import build_server
from recontact_mcp.remote.app import build_app
from recontact_mcp.remote.binding import cure, objection
from recontact_mcp.remote.callers import caller_of
from recontact_mcp.remote.serving import config_of
from recontact_mcp.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from authorization_server import AuthorizationServer

    from recontact_mcp.remote.parts import Parts

pytestmark = pytest.mark.anyio

GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
ISSUER = "https://login.example.com"
LEGACY = {"accept": "application/json, text/event-stream"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
LIST: dict[str, Any] = {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}}
LONG = [str(UUID(int=0x5A3B2ADA_0000_4000_8000_000000000000 + number)) for number in range(1_000)]
MODERN = {
    "accept": "application/json, text/event-stream",
    "content-type": "application/json",
    "mcp-protocol-version": "2026-07-28",
}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}

Village = Callable[..., AbstractAsyncContextManager[Town]]


@pytest.fixture
def village(settings: Settings, authorization: "AuthorizationServer", tmp_path: Path) -> Village:
    """Serve with a token asked for; overrides go to the settings."""

    def served_with(**overrides: Any) -> AbstractAsyncContextManager[Town]:
        return town(settings.model_copy(update=overrides), authorization, tmp_path / "town")

    return served_with


async def test_a_session_serves_nobody_but_who_opened_it(village: Village) -> None:
    async with village() as place, place.http(place.token("ann")) as ann, place.http(place.token("ben")) as ben:
        opened = await ann.post("/mcp", json=INITIALIZE, headers=LEGACY)
        named = {"mcp-session-id": opened.headers["mcp-session-id"], **LEGACY}
        taken = [
            await ben.post("/mcp", json=LIST, headers=named),
            await ben.get("/mcp", headers=named),
            await ben.delete("/mcp", headers=named),
        ]
        async with place.http() as nobody:
            unknown = await nobody.post("/mcp", json=LIST, headers=named)
        own = await ann.post("/mcp", json=LIST, headers=named)
    assert [answer.status_code for answer in taken] == [404, 404, 404]
    assert unknown.status_code == 401
    assert own.status_code == 200


async def test_one_caller_does_not_use_up_what_another_may_call(village: Village) -> None:
    async with village(calls_per_second=0.5) as place:
        statuses: list[int] = []
        for who in ("ann", "ann", "ben"):
            async with place.http(place.token(who)) as client:
                statuses.append((await client.post("/mcp", json=INITIALIZE, headers=LEGACY)).status_code)
    assert statuses == [200, 429, 200]


def test_a_caller_is_the_principal_else_the_address() -> None:
    token = AccessToken(token="t", client_id="agent", scopes=[], subject="ann", claims={"iss": ISSUER})
    assert caller_of({"user": AuthenticatedUser(token), "client": ("192.0.2.1", 5)}) == f"{ISSUER}#ann"
    assert caller_of({"client": ("192.0.2.1", 5)}) == "192.0.2.1"
    assert caller_of({"client": None}) == ""


@pytest.mark.parametrize(
    ("trusted", "second"),
    [pytest.param((), 429, id="nobody is believed"), pytest.param(("127.0.0.0/8",), 200, id="a proxy is believed")],
)
async def test_only_a_trusted_proxy_says_who_calls(
    parts: "Callable[..., Parts]", trusted: tuple[str, ...], second: int
) -> None:
    made = parts(calls_per_second=0.5, trusted_proxies=trusted)
    app = build_app(made)
    config = config_of(app, made)
    config.load()
    statuses: list[int] = []
    transport = httpx.ASGITransport(cast("Any", config).loaded_app, client=("127.0.0.1", 5))
    async with app.running(), httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as client:
        for address in ("192.0.2.1", "192.0.2.2"):
            told = {**LEGACY, "x-forwarded-for": address}
            statuses.append((await client.post("/mcp", json=INITIALIZE, headers=told)).status_code)
    assert statuses == [200, second]


@pytest.mark.parametrize("token", [{}, {"progressToken": "p"}], ids=["json", "stream"])
async def test_a_call_ends_when_its_client_hangs_up(tmp_path: Path, token: dict[str, str]) -> None:
    with anyio.fail_after(60), served(tmp_path, RECONTACT_PACE="1", RECONTACT_CALLS_AT_ONCE="1") as server:
        async with Client(server.url) as client:
            call = {"target_group_id": GROUP, "ids": LONG}
            job = content_of(await client.call_tool("upload_recontacts", call))["job_id"]
        name, arguments = "get_upload_job", {"target_group_id": GROUP, "job_id": job, "wait_seconds": 45}
        params = {"name": name, "arguments": arguments, "_meta": {**META, **token}}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        told = {**MODERN, "mcp-method": "tools/call", "mcp-name": name}
        look = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}})
        async with httpx.AsyncClient(base_url=server.base) as http:
            with anyio.move_on_after(1.0):
                await http.post("/mcp", content=body, headers=told)
        async with httpx.AsyncClient(base_url=server.base) as http:
            statuses = set[int]()
            with anyio.fail_after(20):  # the wait alone would last for longer
                while 200 not in statuses:  # the one call that it may have is not its own any more
                    listing = {**MODERN, "mcp-method": "tools/list"}
                    statuses.add((await http.post("/mcp", content=look, headers=listing)).status_code)
    assert statuses <= {429, 200}


async def test_no_parameter_of_a_tool_is_a_header_too(settings: Settings) -> None:
    for local_files in (True, False):
        tools = await build_server(settings, local_files=local_files).list_tools()
        assert "x-mcp-header" not in json.dumps([tool.input_schema for tool in tools])


@pytest.mark.parametrize(
    ("host", "given", "said"),
    [
        ("127.0.0.1", {}, None),
        ("::1", {"public_url": "http://localhost:8765"}, None),
        ("127.0.0.1", {"public_url": "https://recontact.example.com"}, "authorization"),
        ("0.0.0.0", {"public_url": "https://recontact.example.com"}, "authorization"),  # noqa: S104 (nothing listens)
        ("0.0.0.0", {"auth_issuer": ISSUER}, "URL"),  # noqa: S104 (the same)
        ("0.0.0.0", {"auth_issuer": ISSUER, "public_url": "https://recontact.example.com"}, None),  # noqa: S104 (the same)
    ],
)
def test_beyond_this_machine_nobody_is_served_without_authorization_and_a_public_url(
    host: str, given: dict[str, str], said: str | None
) -> None:
    settings = Settings().model_copy(update=given)
    answer = objection(settings, host)
    assert (answer is None) if said is None else (answer is not None and said in answer)
    assert "RECONTACT_PUBLIC_URL" in cure(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RECONTACT_TRUSTED_PROXIES", "anybody"),
        ("RECONTACT_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("RECONTACT_METRICS_ADDRESS", "9464"),
        ("RECONTACT_METRICS_ADDRESS", "127.0.0.1:port"),
        ("RECONTACT_METRICS_ADDRESS", "::1:9464"),
        ("RECONTACT_METRICS_ADDRESS", ":9464"),
    ],
)
def test_an_address_that_is_none_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings({name: value})


def test_addresses_and_networks_are_read() -> None:
    settings = load_settings(
        {"RECONTACT_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.1", "RECONTACT_METRICS_ADDRESS": "[::1]:9464"}
    )
    assert settings.trusted_proxies == ("10.0.0.0/8", "192.0.2.1/32")
    assert settings.metrics_address == "[::1]:9464"
