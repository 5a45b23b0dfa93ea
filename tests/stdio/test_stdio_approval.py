"""A client over stdio that cannot ask: the server opens a page in its user's browser, late and on this machine only."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest
from mcp import Client

if TYPE_CHECKING:
    from tests.stdio.conftest import Call, Connecting

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"


def browser_at(tmp_path: Path, exit_code: int = 0) -> tuple[dict[str, str], Path]:
    """Return the environment in which a browser keeps the link it is to open, and talks; and where it keeps it."""
    link, program = tmp_path / "link", tmp_path / "browser"
    program.write_text(
        f'#!/bin/sh\necho "Opening in existing browser session."\nprintf %s "$1" > {link}\nexit {exit_code}\n'
    )
    program.chmod(0o700)
    return {"BROWSER": str(program)}, link


async def refused(client: Client) -> dict[str, Any]:
    """Ask for a removal that nobody agreed to yet."""
    result = await client.call_tool("remove_all_recontacts", {"target_group_id": GROUP})
    answer: dict[str, Any] = result.structured_content or {}
    error: dict[str, Any] = answer["error"]
    assert error["code"] == "APPROVAL_REQUIRED"
    return error


async def test_a_person_approves_on_the_page_that_was_opened_for_them(
    era: str, connected: "Connecting", call: "Call", tmp_path: Path, identifiers: Identifiers
) -> None:
    browser, kept = browser_at(tmp_path)
    async with connected(era, **browser) as client:
        uploaded = await call(client, "upload_recontacts", ids=identifiers(5))
        await call(client, "get_upload_job", job_id=uploaded["job_id"], wait_seconds=45)
        error = await refused(client)
        link = kept.read_text()
        kept.unlink()
        assert await refused(client) == error
        assert not kept.exists()  # one page is enough
        base = link.partition("/approve")[0]
        async with httpx.AsyncClient(base_url=base, headers={"origin": base}, follow_redirects=True) as person:
            assert (await person.get("/approve", headers={"host": "evil.example"})).status_code == 421
            looked = await person.get(link)
            found = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
            page = await person.post("/approve/link", data=found)
            token = page.text.partition('name="token" value="')[2].partition('"')[0]
            form = {"token": token, "phrase": f"REMOVE 5 FROM {GROUP}", "decision": "approve"}
            assert "<h1>Approved" in (await person.post("/approve", data=form)).text
        plan = await call(client, "get_removal_job", job_id=error["plan_id"], wait_seconds=45)
        removed = await call(client, "remove_all_recontacts")
    assert (error["approve_url"], base.startswith("http://127.0.0.1:")) == (None, True)
    assert "opened in their browser" in error["next_step"]
    assert 'name="token"' not in looked.text
    assert link.partition("key=")[2][:20] not in str(error)
    assert (plan["status"], removed["ids_to_remove"]) == ("Approved", 5)
    async with httpx.AsyncClient() as late:
        with pytest.raises(httpx.ConnectError):  # it ends with the server
            await late.get(base)


@pytest.mark.parametrize("way", ["no browser", "not wanted"])
async def test_where_no_browser_can_be_opened_the_terminal_is_the_way(
    connected: "Connecting", call: "Call", tmp_path: Path, identifiers: Identifiers, way: str
) -> None:
    browser, kept = browser_at(tmp_path, exit_code=1)
    chosen = browser if way == "no browser" else {**browser, "RECONTACT_OPEN_BROWSER": "false"}
    async with connected("auto", **chosen) as client:
        uploaded = await call(client, "upload_recontacts", ids=identifiers(5))
        await call(client, "get_upload_job", job_id=uploaded["job_id"], wait_seconds=45)
        error = await refused(client)
    assert f"Tell the user to run `recontact-mcp approve {error['approval_code']}`" in error["next_step"]
    assert kept.exists() is (way == "no browser")


async def test_a_server_that_asks_nobody_opens_no_port(
    era: str, connected: "Connecting", call: "Call", tmp_path: Path
) -> None:
    browser, kept = browser_at(tmp_path)
    async with connected(era, **browser) as client:
        await call(client, "get_recontact_overview")
        await anyio.lowlevel.checkpoint()
    assert not kept.exists()
