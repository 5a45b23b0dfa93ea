"""Tickets where everybody has to show a token: whoever knows the address sends, and only its principal uses it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr
from two_tenants import GENERAL, OURS, town

if TYPE_CHECKING:
    from authorization_server import AuthorizationServer
    from mcp import Client

    from recontact_mcp.settings import Settings

pytestmark = pytest.mark.anyio


async def ask(client: "Client", name: str, **arguments: object) -> dict[str, Any]:
    group = {"target_group_id": OURS.target_group_id, "project_id": OURS.project_id, "account_id": OURS.account_id}
    result = await client.call_tool(name, {**group, **arguments})
    found: dict[str, Any] = result.structured_content or {}
    return found


@pytest.fixture
def configured(settings: "Settings") -> "Settings":
    return settings.model_copy(update={"cint_client_id": GENERAL, "cint_client_secret": SecretStr("x")})


async def test_a_file_needs_no_token_and_its_ticket_is_of_no_use_to_another_principal(
    era: str, configured: "Settings", authorization: "AuthorizationServer", tmp_path: Path, content: bytes
) -> None:
    async with (
        town(configured, authorization, tmp_path / "town") as place,
        place.client(place.token("ann"), era) as ann,
        place.client(place.token("bob"), era) as bob,
        place.http() as web,
    ):
        ticket = await ask(ann, "stage_upload")
        sent = await web.put(ticket["upload_url"], content=content)
        page = await web.get("/staged")
        stolen = [await ask(bob, name, ticket=ticket["ticket"]) for name in ("preview_upload", "upload_recontacts")]
        guessed = await ask(bob, "upload_recontacts", ticket="A" * 22)
        job = await ask(ann, "upload_recontacts", ticket=ticket["ticket"])
    assert ticket["upload_url"].startswith(place.base)
    assert (sent.status_code, page.status_code) == (201, 200)
    assert stolen == [guessed] * 2
    assert guessed["error"]["code"] == "TICKET_NOT_VALID"
    assert job["ids_sent"] == 3


async def test_a_token_that_may_only_read_gets_no_ticket(
    era: str, configured: "Settings", authorization: "AuthorizationServer", tmp_path: Path
) -> None:
    async with (
        town(configured, authorization, tmp_path / "town") as place,
        place.http(place.token("ann", "recontacts:read")) as web,
    ):
        call = {"name": "stage_upload", "arguments": {"target_group_id": OURS.target_group_id}}
        modern = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "stage_upload"}
        headers = {"accept": "application/json, text/event-stream", **(modern if era == "auto" else {})}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        refused = await web.post("/mcp", json=body, headers=headers)
    assert refused.status_code == 403
    assert "recontacts:upload" in refused.headers["www-authenticate"]
