"""What people see of their jobs in a browser: what waits and runs, one job to its end, and nothing of anybody else."""

import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from approval_site import GROUP, PHRASE, Site, site
from authorization_server import AuthorizationServer
from chromium import PHONE, Chromium
from http_process import content_of
from mcp import Client
from playwright.async_api import Page, expect

from recontact_mcp.remote.approval.status_views import LOOK_MILLISECONDS
from recontact_mcp.settings import Settings
from recontact_tools.guardrails import code_shown
from recontact_tools.models import TargetGroup

pytestmark = pytest.mark.anyio
Identifiers = Callable[[int], list[str]]
OTHER = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP2")
THIRD = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP3")
NOW = datetime(2026, 11, 26, 3, tzinfo=UTC)
RESPONDENT = "0b7f7e0c-7a3e-4b62-9c57-0f6a2f4f8f10"


async def sign_in(page: Page, name: str, ends: str) -> None:
    """Press the button, be somebody at the authorization server, and come back to a page of ours."""
    await page.get_by_role("link", name="Sign in").click()
    await page.locator("input[name=username]").fill(name)
    await page.get_by_role("button").click()
    await page.wait_for_url(re.compile(f"{re.escape(ends)}$"))


@pytest.fixture
async def served(signing_in: Settings) -> AsyncIterator[Site]:
    """A server at the pace of Cint whose pages people sign in to."""
    async with site(signing_in.model_copy(update={"pace": 1.0})) as running:
        yield running


async def stop_time(page: Page) -> None:
    """Let the page's clock stand still until it is told to go on."""
    await page.clock.install(time=NOW)
    await page.clock.pause_at(NOW + timedelta(seconds=1))


async def looks_again(page: Page) -> None:
    """Let the page look again, and wait until it has shown what it saw."""
    async with page.expect_response(lambda answer: "/status" in answer.url):
        await page.clock.run_for(LOOK_MILLISECONDS)


async def test_a_person_sees_what_waits_and_runs_for_them_and_nothing_of_others(
    browser: Chromium, served: Site, authorization: AuthorizationServer, ann: str
) -> None:
    bob, origins = ann.replace("#ann", "#bob"), (served.base, authorization.issuer)
    await served.started(ann, "WORK1", ids=20_000)
    await served.started(bob, "WORK2", group=OTHER)
    await served.started(ann, "WORK3", group=THIRD, ids=1)
    await served.ended("WORK3")
    asked = await served.asked(ann)
    others = await served.asked(bob, "PLAN2", group=OTHER)
    async with browser.window() as window:
        page = window.page
        await stop_time(page)
        await page.goto(f"{served.base}/status")
        await window.check(*origins)
        await sign_in(page, "ann", "/status")
        await window.check(*origins)
        await window.picture("status")
        text = await page.inner_text("main")
        for told in ("Remove ALL 500", code_shown(asked.code), "Upload of 20,000 IDs", "Upload of 1 ID", "Processing"):
            assert told in text
        assert await page.inner_text("[role=status]") == "1 decision awaited, 1 job running."
        content = await page.content()
        for secret in ("WORK2", "PLAN2", OTHER.target_group_id, others.code, "bob", RESPONDENT):
            assert secret not in content
        await served.ended("WORK1")
        await looks_again(page)
        await expect(page.get_by_role("status")).to_have_text("1 decision awaited, 0 jobs running.")
        await expect(page.locator('[data-text="WORK1 status"]')).to_have_text("Completed")
        await page.get_by_role("link", name="Show it").click()  # it stands in another part of the list by now
        await expect(page.get_by_role("heading", name="Runs", exact=True)).to_have_count(0)
        await page.get_by_role("link", name=f"Decide about {code_shown(asked.code)}").click()
        await page.get_by_label("To approve, type this phrase").fill(PHRASE)
        await page.get_by_role("button", name="Approve").click()
        await page.get_by_role("link", name="What waits and runs").click()
        await expect(page.locator('[data-text="PLAN1 status"]')).to_have_text("approved; the assistant can go on")
        await window.check(*origins)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_of_a_job_follows_it_to_its_end_on_a_phone_in_both_schemes(
    browser: Chromium, served: Site, authorization: AuthorizationServer, ann: str, scheme: Literal["light", "dark"]
) -> None:
    origins = (served.base, authorization.issuer)
    await served.started(ann, ids=20_000)
    async with browser.window(scheme, viewport=PHONE) as window:
        page = window.page
        await stop_time(page)
        await page.goto(f"{served.base}/status/WORK1")
        await sign_in(page, "ann", "/status/WORK1")
        await window.check(*origins)
        await window.picture(f"job-{scheme}")
        told = page.get_by_role("status")
        await expect(told).to_have_text("Processing. The API works on it.")
        await expect(page.locator("[data-text=end]")).to_have_text(re.compile("to 30 min, by estimate$"))
        served.later[0] = timedelta(minutes=40)
        await looks_again(page)
        await expect(page.locator("[data-text=end]")).to_have_text("longer than estimated")
        await served.ended()
        await looks_again(page)
        await expect(told).to_have_text("Completed.")
        await window.check(*origins)
        asked = len(window.requests)
        await page.clock.run_for(10 * LOOK_MILLISECONDS)
        assert len(window.requests) == asked
        await page.get_by_role("link", name="What waits and runs").click()
        await page.get_by_role("heading", name="Ended").wait_for()
        await window.check(*origins)


async def test_a_page_says_that_it_does_not_know_and_goes_on_when_it_does(
    browser: Chromium, served: Site, authorization: AuthorizationServer, ann: str
) -> None:
    del authorization
    await served.started(ann)
    async with browser.window() as window:
        page = window.page
        await stop_time(page)
        await page.goto(f"{served.base}/status/WORK1")
        await sign_in(page, "ann", "/status/WORK1")
        told, down = page.get_by_role("status"), f"{served.base}/status/*"
        await page.route(down, lambda route: route.fulfill(status=503, body="<h1>Down"))
        await looks_again(page)
        await expect(told).to_contain_text("The server does not answer just now.")
        await page.unroute(down)
        await looks_again(page)
        await expect(told).to_contain_text("Processing.")
        await page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
        asked = len(window.requests)
        await page.clock.run_for(5 * LOOK_MILLISECONDS)
        assert len(window.requests) == asked  # nobody looks at it
        await page.evaluate("Object.defineProperty(document, 'hidden', {value: false})")
        await page.context.clear_cookies()
        await looks_again(page)
        await expect(told).to_contain_text("You are signed out.")


async def test_without_scripts_it_is_shown_with_a_way_to_look_again(
    browser: Chromium, served: Site, authorization: AuthorizationServer, ann: str
) -> None:
    del authorization
    await served.started(ann)
    async with browser.window(java_script_enabled=False) as window:
        page = window.page
        await page.goto(f"{served.base}/status/WORK1")
        await sign_in(page, "ann", "/status/WORK1")
        await served.ended()
        await page.get_by_role("link", name="Look again").click()
        await expect(page.get_by_role("status")).to_have_text("Completed.")


async def test_without_authorization_the_link_to_decide_also_shows_what_runs(
    era: str, browser: Chromium, settings: Settings, identifiers: Identifiers
) -> None:
    arguments, announced, ids = {"target_group_id": GROUP.target_group_id}, list[str](), identifiers(5)
    async with site(settings, announced) as served, Client(f"{served.base}/mcp", mode=era) as client:
        uploaded = await client.call_tool("upload_recontacts", {**arguments, "ids": ids})
        job_id = content_of(uploaded)["job_id"]
        await client.call_tool("get_upload_job", {**arguments, "job_id": job_id, "wait_seconds": 45})
        await client.call_tool("remove_all_recontacts", arguments)
        link = announced[-1].partition("opens it first: ")[2].split()[0]
        async with served.http() as stranger, browser.window() as window:
            unknown = await stranger.get("/status")
            page = window.page
            await page.goto(link)
            await page.get_by_label("To approve, type this phrase").fill(PHRASE.replace("500", "5"))
            await page.get_by_role("button", name="Approve").click()
            await page.get_by_role("heading", name="Approved").wait_for()
            removed = await client.call_tool("remove_all_recontacts", arguments)
            job_id = content_of(removed)["job_id"]
            await client.call_tool("get_removal_job", {**arguments, "job_id": job_id, "wait_seconds": 45})
            await page.reload()
            await page.get_by_role("link", name="See how it goes").click()
            await expect(page.get_by_role("status")).to_have_text("Completed.")
            await window.check(served.base)
            content = await page.content()
    assert (unknown.status_code, "A link is needed" in unknown.text) == (401, True)
    assert not any(one in content for one in ids)
