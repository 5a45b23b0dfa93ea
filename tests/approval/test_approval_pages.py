"""What people do on the approval page, in a real browser: with a mouse, with a keyboard, by day and by night."""

import re
from collections.abc import Callable
from typing import Literal

import pytest
from approval_site import GROUP, PHRASE, Site, site
from authorization_server import AuthorizationServer
from chromium import Chromium, Window
from http_process import content_of
from mcp import Client

from recontact_mcp.remote.approval.views import duration
from recontact_mcp.settings import Settings
from recontact_tools.guardrails import code_shown
from recontact_tools.ledger import Evidence
from recontact_tools.schedule import Eta

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.sqlite_only(
        reason="what a browser shows; tests/approval/test_approval_abuse.py decides on each database"
    ),
]

Identifiers = Callable[[int], list[str]]


async def sign_in(window: Window, name: str) -> None:
    """Press the button, and be somebody at the authorization server."""
    await window.page.get_by_role("link", name="Sign in").click()
    await window.page.locator("input[name=username]").fill(name)
    await window.page.get_by_role("button").click()
    await window.page.wait_for_url(re.compile(r"/approve(\?code=.*)?$"))


async def test_who_asked_signs_in_reads_types_and_approves(
    browser: Chromium, served: Site, authorization: AuthorizationServer, ann: str
) -> None:
    asked = await served.asked(ann)
    origins = (served.base, authorization.issuer)
    async with browser.window() as window:
        page = window.page
        await page.goto(served.url)
        await window.check(*origins)
        await sign_in(window, "ann")
        await window.check(*origins)
        await window.picture("approve-code")
        await page.get_by_label("Code from the assistant").fill(code_shown(asked.code).lower())
        await page.get_by_role("button", name="Show what is asked").click()
        await page.get_by_label("To approve, type this phrase").wait_for()
        await window.check(*origins)
        await window.picture("approve")
        text = await page.inner_text("main")
        for told in (ann, "Remove ALL 500", GROUP.target_group_id, GROUP.project_id, "101", "min", "30 days", PHRASE):
            assert told in text
        await page.get_by_label("To approve, type this phrase").fill(PHRASE)
        await page.get_by_role("button", name="Approve").click()
        await page.get_by_role("heading", name="Approved").wait_for()
        await window.check(*origins)
        await page.reload()
        assert await page.inner_text("h1") == "Approved"
    approval = await served.approval()
    assert (await served.standing(), approval.approver) == ("Approved", ann)
    ledger = (await served.parts.opening.decisions()).ledger
    assert await ledger.spend_plan("PLAN1", principal=ann, now=served.now(), evidence=Evidence.HUMAN_OOB)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everything_works_with_a_keyboard_alone_and_is_readable_in_both_schemes(
    browser: Chromium, served: Site, authorization: AuthorizationServer, ann: str, scheme: Literal["light", "dark"]
) -> None:
    asked = await served.asked(ann, new_ids=3, fingerprint="f")
    async with browser.window(scheme) as window:
        page = window.page
        await page.goto(f"{served.url}?code={asked.code}")
        await window.check(served.base)
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{authorization.issuer}/**")
        await page.locator("input[name=username]").fill("ann")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{served.url}?code=*")
        await window.check(served.base, authorization.issuer)
        await window.picture(f"approve-{scheme}")
        await page.keyboard.press("Tab")
        outline: str = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        await page.keyboard.type("REPLACE 500 BY 4 IN " + GROUP.target_group_id)
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.get_by_role("alert").wait_for()
        assert "nothing was removed" in await page.inner_text("[role=alert]")
        await window.check(served.base, authorization.issuer)
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await page.get_by_role("status").wait_for()
        assert await page.inner_text("h1") == "Denied"
        await window.check(served.base, authorization.issuer)
    assert (outline, await served.standing()) == ("solid", "Denied")


async def test_without_authorization_the_servers_own_terminal_shows_a_link_that_works_once(
    era: str, browser: Chromium, settings: Settings, identifiers: Identifiers
) -> None:
    arguments, announced = {"target_group_id": GROUP.target_group_id}, list[str]()
    async with site(settings, announced) as served, Client(f"{served.base}/mcp", mode=era) as client:
        uploaded = await client.call_tool("upload_recontacts", {**arguments, "ids": identifiers(5)})
        job_id = content_of(uploaded)["job_id"]
        await client.call_tool("get_upload_job", {**arguments, "job_id": job_id, "wait_seconds": 45})
        refused = await client.call_tool("remove_all_recontacts", arguments)
        link = announced[-1].partition("opens it first: ")[2].split()[0]
        async with browser.window() as window, browser.window() as other:
            await window.page.goto(link)
            await window.page.get_by_label("To approve, type this phrase").wait_for()
            await window.check(served.base)
            assert "key=" not in window.page.url
            await other.page.goto(link)
            await other.page.get_by_role("heading", name="A link is needed").wait_for()
            await other.check(served.base)
            await window.page.get_by_label("To approve, type this phrase").fill(PHRASE.replace("500", "5"))
            await window.page.get_by_role("button", name="Approve").click()
            await window.page.get_by_role("heading", name="Approved").wait_for()
            await window.check(served.base)
        removed = await client.call_tool("remove_all_recontacts", arguments)
    error = content_of(refused)["error"]
    assert (error["code"], error["approve_url"]) == ("APPROVAL_REQUIRED", served.url)
    assert link.removeprefix(f"{served.base}/approve/link?key=")[:20] not in str(refused)
    assert content_of(removed)["ids_to_remove"] == 5


async def test_two_tabs_decide_once(browser: Chromium, served: Site, ann: str) -> None:
    asked = await served.asked(ann)
    async with browser.context() as context:
        first, second = Window(await context.new_page()), Window(await context.new_page())
        await first.page.goto(f"{served.url}?code={asked.code}")
        await sign_in(first, "ann")
        await second.page.goto(f"{served.url}?code={asked.code}")
        for one in (first, second):
            await one.page.get_by_label("To approve, type this phrase").fill(PHRASE)
        await first.page.get_by_role("button", name="Deny").click()
        await first.page.get_by_role("heading", name="Denied").wait_for()
        await second.page.get_by_role("button", name="Approve").click()
        await second.page.get_by_role("heading", name="Denied").wait_for()
    assert await served.standing() == "Denied"


async def test_no_page_of_another_site_can_show_it_in_a_frame(browser: Chromium, served: Site) -> None:
    async with browser.context() as context:
        page = await context.new_page()
        framed = f'<iframe src="{served.url}"></iframe>'
        await page.route("http://evil.example/", lambda route: route.fulfill(body=framed, content_type="text/html"))
        await page.goto("http://evil.example/")
        frame = page.frames[-1]
        await frame.wait_for_load_state()
        assert "Sign in" not in await frame.content()


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (1, 20, "less than a minute"),
        (20, 100, "up to 2 min"),
        (50, 70, "about 1 min"),
        (600, 900, "10 to 15 min"),
    ],
)
def test_how_long_putting_them_back_takes_is_said_as_people_do(low: int, high: int, said: str) -> None:
    assert duration(Eta(low, high)) == said
