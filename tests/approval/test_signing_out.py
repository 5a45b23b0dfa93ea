"""Signing out of the pages: the visit ends for the browser and for its copies, and nobody else can end it."""

import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from approval_site import CODE, Site, signed_in, site
from authorization_server import AuthorizationServer
from chromium import Chromium, Window

from recontact_mcp.settings import Settings

pytestmark = pytest.mark.anyio


async def left(window: Window) -> None:
    """Sign out, and see that the browser is nobody any more."""
    await window.page.get_by_role("button", name="Sign out").click()
    await window.page.get_by_role("heading", name="Signed out").wait_for()


async def test_a_person_signs_out_and_what_the_browser_had_is_worth_nothing(
    browser: Chromium, served: Site, authorization: AuthorizationServer, ann: str
) -> None:
    asked = await served.asked(ann)
    async with browser.window() as window:
        page = window.page
        await page.goto(f"{served.url}?code={asked.code}")
        await page.get_by_role("link", name="Sign in").click()
        await page.locator("input[name=username]").fill("ann")
        await page.get_by_role("button").click()
        await page.get_by_label("To approve, type this phrase").wait_for()
        before = await page.context.cookies()
        await left(window)
        await window.check(served.base, authorization.issuer)
        after = await page.context.cookies(served.base)
        await page.get_by_role("link", name="Come back").click()
        await page.get_by_role("link", name="Sign in").wait_for()
    mine = {str(one.get("name")): str(one.get("value")) for one in before if "recontact" in str(one.get("name"))}
    async with served.http() as thief:
        thief.cookies.update(mine)
        stolen = [(await thief.get(path)).status_code for path in (f"/approve?code={asked.code}", "/status")]
        again = await thief.post("/approve/sign-out")
    assert (set(mine), [one for one in after if "recontact" in str(one.get("name"))]) == (
        {"recontact-approval", "recontact-status"},
        [],
    )
    assert (stolen, again.status_code) == ([401, 401], 200)


async def test_no_other_site_and_no_other_visit_signs_anybody_out(served: Site) -> None:
    async with served.http() as user, served.http() as other:
        tokens = [
            re.findall(r'name="leaving" value="([^"]+)"', (await signed_in(one)).text)[0] for one in (user, other)
        ]
        own, foreign = tokens
        form_of_a_plan = "x" * 60
        answers = [await user.post("/approve/sign-out", data={"leaving": wrong}) for wrong in (foreign, form_of_a_plan)]
        evil = {"origin": "https://evil.example"}
        answers.append(await user.post("/approve/sign-out", data={"leaving": own}, headers=evil))
        read = await user.get("/approve/sign-out")
        still = await user.get("/approve")
        left = await user.post("/approve/sign-out", data={"leaving": own})
        unaffected = await other.get("/approve")
    assert [answer.status_code for answer in (*answers, read)] == [403, 403, 403, 405]
    assert "You are still signed in" in answers[0].text
    assert [one.status_code for one in (still, left, unaffected)] == [200, 200, 200]


async def test_who_came_by_a_link_of_this_machine_signs_out_and_needs_a_new_one(settings: Settings) -> None:
    announced = list[str]()
    async with site(settings, announced) as served, served.http() as user:
        approval = await served.asked("local", code=CODE)
        await served.parts.opening.where_to_approve(approval)
        link = announced[-1].partition("opens it first: ")[2].split()[0]
        entered = await user.post("/approve/link", data=dict(parse_qsl(urlsplit(link).query)))
        shown = await user.get(entered.headers["location"])
        token = re.findall(r'name="leaving" value="([^"]+)"', shown.text)[0]
        left = await user.post("/approve/sign-out", data={"leaving": token})
        after = await user.get("/status")
    assert "Come back" not in left.text  # nothing but "A link is needed" would be there
    assert (left.status_code, "it makes a new link" in left.text, "sign-in service" in left.text) == (200, True, False)
    assert (after.status_code, "A link is needed" in after.text) == (401, True)
