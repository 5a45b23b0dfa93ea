"""The page for whoever has no terminal, in a real browser, at a server of its own process."""

import os
import shutil
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio
import chromium
import httpx
import pytest
from playwright.async_api import Locator, Page, expect
from served_files import send, serving, tool

from recontact_mcp.remote.staging_page import staging_page
from recontact_mcp.settings import Settings

pytestmark = pytest.mark.anyio

PATIENCE = 90.0


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Serve over HTTP in a process of its own; the address of MCP."""
    with serving(tmp_path_factory.mktemp("data"), RECONTACT_STAGED_BYTES="20000") as (url, _):
        yield url


@dataclass(frozen=True)
class Visit:
    """A page that somebody looks at."""

    window: chromium.Window

    @property
    def page(self) -> Page:
        """The page itself."""
        return self.window.page

    async def says(self, text: str) -> None:
        """Wait until the page says something."""
        await expect(self.page.get_by_role("status")).to_contain_text(text)

    async def complains(self, text: str) -> None:
        """Wait until the page says that something is wrong."""
        await expect(self.page.get_by_role("alert")).to_contain_text(text)


@asynccontextmanager
async def visited(url: str, scheme: Literal["light", "dark"] = "light") -> AsyncGenerator[Visit]:
    """Open a page in a fresh browser; in the end everybody must be able to use it, and it has loaded nothing."""
    with anyio.fail_after(PATIENCE):
        async with chromium.chromium() as running, running.window(scheme) as window:
            await window.page.goto(url)
            yield Visit(window)
            await window.check(url.partition("/staged")[0])


@pytest.fixture
def file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "wave 1.csv"
    path.write_bytes(content)
    return path


async def looks(element: Locator) -> dict[str, str]:
    """Tell how something looks, and what the mouse over it does."""
    style: dict[str, str] = await element.evaluate(
        "one => { const {cursor, backgroundColor} = getComputedStyle(one); return {cursor, colour: backgroundColor}; }"
    )
    return style


async def test_a_person_uploads_a_file_with_the_keyboard_and_is_told_what_it_holds(address: str, file: Path) -> None:
    ticket = await tool(address, "stage_upload")
    secret = ticket["upload_url"].rpartition("/")[2]
    async with visited(ticket["page_url"]) as visit:
        page = visit.page
        send = page.get_by_role("button", name="Upload")
        await expect(page).to_have_title("Upload a file - Recontacts")
        await expect(send).to_be_disabled()
        idle = await looks(send)
        await page.get_by_label("File with identifiers").set_input_files(file)
        ready = await looks(send)
        assert (idle["cursor"], ready["cursor"], idle["colour"] == ready["colour"]) == ("not-allowed", "pointer", False)
        await visit.says("wave 1.csv, 165 bytes, is ready to be sent.")
        await visit.window.picture("upload")
        await send.focus()
        await page.keyboard.press("Enter")
        await visit.says("3 identifiers received. Left out: 1 line (given twice), in line 5.")
        await expect(send).to_be_disabled()
    preview = await tool(address, "preview_upload", ticket=ticket["ticket"])
    assert preview["ids_to_send"] == 3
    assert all(secret not in url.partition("#")[0] for url in visit.window.requests)


DROPPED = """
([zone, names]) => {
  const data = new DataTransfer();
  for (const name of names) data.items.add(new File([%r], name));
  zone.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
}
"""


async def dropped(visit: Visit, text: str, *names: str) -> None:
    """Drop files on the box."""
    zone = await visit.page.query_selector("#zone")
    await visit.page.evaluate(DROPPED % text, [zone, names])


async def test_a_dropped_file_is_checked_before_it_is_sent_and_again_by_the_server(
    address: str, identifiers: Callable[[int], list[str]]
) -> None:
    ticket = await tool(address, "stage_upload")
    async with visited(ticket["page_url"], "dark") as visit:
        send = visit.page.get_by_role("button", name="Upload")
        await dropped(visit, "x" * 20_001, "large.csv")
        await visit.complains("This file has 20,001 bytes; at most 20,000 bytes can be sent.")
        await dropped(visit, "", "empty.csv")
        await visit.complains("This file is empty.")
        await dropped(visit, "x", "one.csv", "two.csv")
        await visit.complains("Send one file at a time.")
        await expect(send).to_be_disabled()
        await dropped(visit, "<b>no identifiers</b>", "<b>page</b>.html")
        await visit.says("<b>page</b>.html, 21 bytes, is ready to be sent.")
        await send.click()
        await visit.complains("This is a web page or XML, not a list of identifiers.")
        await visit.complains("the same address can still be used")
        await dropped(visit, identifiers(1)[0], "right.csv")
        await send.click()
        await visit.says("1 identifier received.")
        await dropped(visit, identifiers(1)[0], "another.csv")
        await visit.says("1 identifier received.")


async def test_an_address_that_is_cut_off_or_never_was_says_so(address: str) -> None:
    base = address.removesuffix("/mcp")
    async with visited(f"{base}/staged") as visit:
        await visit.complains("This address is not complete.")
        await expect(visit.page.get_by_label("File with identifiers")).to_be_hidden()
    async with visited(f"{base}/staged#nobody-made-this") as visit:
        await visit.complains("This address is of no use")
        await expect(visit.page.get_by_label("File with identifiers")).to_be_hidden()


async def test_a_file_that_came_another_way_meanwhile_is_kept_once(address: str, file: Path, content: bytes) -> None:
    ticket = await tool(address, "stage_upload")
    async with visited(ticket["page_url"]) as visit:
        await visit.page.get_by_label("File with identifiers").set_input_files(file)
        await visit.says("is ready to be sent")
        assert await send(ticket["upload_url"], content) == 201
        await visit.page.get_by_role("button", name="Upload").click()
        await visit.complains("This address is of no use")
        await expect(visit.page.get_by_role("button", name="Upload")).to_be_disabled()


async def test_whoever_comes_back_is_told_what_became_of_the_file(address: str, file: Path) -> None:
    ticket = await tool(address, "stage_upload")
    async with visited(ticket["page_url"]) as visit:
        page, form = visit.page, visit.page.get_by_label("File with identifiers")
        await form.set_input_files(file)
        await page.get_by_role("button", name="Upload").click()
        await visit.says("I have uploaded wave 1.csv.")
        await expect(page.get_by_text("recontact-mcp jobs")).to_be_visible()
        await page.reload()
        await visit.says("The file has arrived. Tell your assistant that it is uploaded")
        await expect(form).to_be_hidden()
        job = await tool(address, "upload_recontacts", ticket=ticket["ticket"])
        await tool(address, "get_upload_job", job_id=job["job_id"], wait_seconds=45)
        await page.reload()
        await visit.says("Your assistant has used the file")
        await expect(page.get_by_text("recontact-mcp jobs")).to_be_visible()
        assert await page.get_by_role("link").count() == 0  # nothing here would let them in


@pytest.mark.parametrize(
    "incomplete", [pytest.param(False, id="another file"), pytest.param(True, id="an incomplete address")]
)
async def test_the_address_of_another_file_in_the_same_window_begins_anew(
    address: str, file: Path, *, incomplete: bool
) -> None:
    first, second = [await tool(address, "stage_upload") for _ in range(2)]
    async with visited(first["page_url"]) as visit:
        page, form = visit.page, visit.page.get_by_label("File with identifiers")
        await form.set_input_files(file)
        await page.get_by_role("button", name="Upload").click()
        await visit.says("3 identifiers received.")
        if incomplete:
            await page.goto(f"{address.removesuffix('/mcp')}/staged#")
            await visit.complains("This address is not complete.")
        await page.goto(second["page_url"])
        await expect(form).to_be_enabled()
        await expect(page.get_by_role("status")).to_be_empty()
        await expect(page.get_by_role("alert")).to_be_hidden()
        await form.set_input_files(file)
        await page.get_by_role("button", name="Upload").click()
        await visit.says("3 identifiers received.")
    previews = [await tool(address, "preview_upload", ticket=one["ticket"]) for one in (first, second)]
    assert [one["ids_to_send"] for one in previews] == [3, 3]


@pytest.mark.parametrize(
    ("client", "way"), [("recontact", 'href="/status"'), (None, "Your assistant can tell you how it goes.")]
)
async def test_the_page_leads_on_only_where_people_sign_in(settings: Settings, client: str | None, way: str) -> None:
    told = {"auth_issuer": "https://issuer.example", "approval_client_id": client}
    shown = staging_page(settings.model_copy(update=told))
    assert way in bytes(shown.body).decode()


async def test_a_page_that_cannot_ask_what_became_of_its_file_still_takes_one(address: str, file: Path) -> None:
    ticket = await tool(address, "stage_upload")
    async with visited(f"{address.removesuffix('/mcp')}/staged#") as visit:
        page = visit.page
        await page.route(
            "**/staged",
            lambda route: (
                route.fulfill(status=503, body="down") if route.request.resource_type == "fetch" else route.continue_()
            ),
        )
        await page.goto("about:blank")
        await page.goto(ticket["page_url"])
        await page.get_by_label("File with identifiers").set_input_files(file)
        await page.get_by_role("button", name="Upload").click()
        await visit.says("3 identifiers received.")


async def test_a_page_of_another_site_can_frame_load_and_script_nothing(address: str) -> None:
    async with httpx.AsyncClient() as web:
        page = await web.get(f"{address.removesuffix('/mcp')}/staged")
    policy = page.headers["content-security-policy"]
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert page.headers["referrer-policy"] in {"no-referrer", "same-origin"}
    for part in ("default-src 'none'", "frame-ancestors 'none'", "connect-src 'self'", "base-uri 'none'"):
        assert part in policy
    assert "unsafe" not in policy
    assert '<label for="file">' in page.text
    assert 'role="alert"' in page.text


async def test_curl_sends_a_file_as_the_assistant_shows(address: str, file: Path) -> None:
    curl = shutil.which("curl")
    if not curl and not os.environ.get("CI"):
        pytest.skip("needs curl (apt-get install curl), which is not on this machine")
    assert curl, "curl is missing: apt-get install curl"
    ticket = await tool(address, "stage_upload", file_name=file.name)
    with anyio.fail_after(PATIENCE):
        sent = await anyio.run_process(["sh", "-c", f"{ticket['curl']} -s"], cwd=file.parent)
        again = await anyio.run_process(["sh", "-c", f"{ticket['curl']} -s"], cwd=file.parent)
    assert sent.stdout.decode().startswith("3 identifiers received.\n")
    assert again.stdout.decode().startswith("This address is of no use")
    assert (await tool(address, "preview_upload", ticket=ticket["ticket"]))["ids_to_send"] == 3
