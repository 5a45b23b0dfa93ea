"""Passkeys on the approval page, with Chromium's own virtual authenticator: registered once, asked for each plan."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from approval_site import CODE, PHRASE, Site, site
from authorization_server import AuthorizationServer
from chromium import Chromium, Window

from recontact_mcp.callers import principal_of
from recontact_mcp.remote.approval.passkeys import CHARACTERS_MAX, Passkeys
from recontact_mcp.remote.approval.place import ENROLMENT_LASTS, enrolment
from recontact_mcp.settings import Settings
from recontact_tools.errors import NotAllowed

pytestmark = pytest.mark.anyio


@pytest.fixture
async def served(signing_in: Settings) -> AsyncIterator[Site]:
    """A server where nobody approves without a passkey; its origin has a name, which passkeys need."""
    async with site(signing_in.model_copy(update={"approval_passkey": "required"}), host="localhost") as running:
        yield running


async def device(window: Window, *, verified: bool = True) -> Any:
    """Give a window a device that holds passkeys; *verified* is whether its owner unlocks it."""
    session: Any = await window.page.context.new_cdp_session(window.page)  # Any: playwright leaves its types open
    await session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": verified,
        "automaticPresenceSimulation": True,
    }
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session


async def entered(window: Window, served: Site, name: str = "ann") -> None:
    """Sign in, and open the plan."""
    await window.page.goto(f"{served.url}?code={CODE}")
    await window.page.get_by_role("link", name="Sign in").click()
    await window.page.locator("input[name=username]").fill(name)
    await window.page.get_by_role("button").click()
    await window.page.wait_for_url(f"{served.url}?code=*")


async def code_for(served: Site, principal: str) -> str:
    """Make an enrolment code as the command line does."""
    decisions = await served.parts.opening.decisions()
    return await enrolment(decisions.ledger.approvals, principal, now=served.now(), lasts=ENROLMENT_LASTS)


async def register(window: Window, served: Site, code: str) -> None:
    """Register the device."""
    await window.page.goto(f"{served.url}/passkey")
    await window.page.get_by_label("Enrolment code").fill(code)
    await window.page.get_by_role("button", name="Register this device").click()


async def approve(window: Window) -> None:
    """Type the phrase and press the button."""
    await window.page.get_by_label("To approve, type this phrase").fill(PHRASE)
    await window.page.get_by_role("button", name="Approve").click()


async def test_a_passkey_is_registered_with_a_code_and_then_approves(
    browser: Chromium, served: Site, authorization: AuthorizationServer, ann: str
) -> None:
    await served.asked(ann, code=CODE)
    origins = (served.base, authorization.issuer)
    async with browser.window("dark") as window:
        await device(window)
        await entered(window, served)
        assert await window.page.get_by_role("button", name="Approve").count() == 0
        await window.check(*origins)
        await window.page.get_by_role("link", name="Register a passkey").click()
        await window.check(*origins)
        await window.picture("passkey")
        await register(window, served, await code_for(served, ann))
        await window.page.get_by_role("heading", name="Passkey registered").wait_for()
        await window.check(*origins)
        await window.page.goto(f"{served.url}?code={CODE}")
        await approve(window)
        await window.page.get_by_role("heading", name="Approved").wait_for()
        await window.check(*origins)
    approval = await served.approval()
    assert '"method":"oidc+passkey"' in (approval.receipt or "")
    decisions = await served.parts.opening.decisions()
    [key] = await decisions.ledger.approvals.passkeys(ann)
    assert key.signed > 0


async def test_without_the_device_nothing_is_approved_and_a_denial_needs_none(
    browser: Chromium, served: Site, ann: str
) -> None:
    await served.asked(ann, code=CODE)
    async with browser.window() as window:
        session = await device(window)
        await entered(window, served)
        await register(window, served, await code_for(served, ann))
        await window.page.get_by_role("heading", name="Passkey registered").wait_for()
        await session.send("WebAuthn.disable")
        await window.page.goto(f"{served.url}?code={CODE}")
        await device(window)  # another device, which has no such key
        await approve(window)
        await window.page.get_by_text("The passkey gave no answer.").wait_for()
        assert await served.standing() == "AwaitingApproval"
        await window.page.get_by_role("button", name="Deny").click()
        await window.page.get_by_role("heading", name="Denied").wait_for()
    assert await served.standing() == "Denied"


async def test_what_a_passkey_signed_for_one_plan_approves_no_other_and_only_once(
    browser: Chromium, served: Site, ann: str
) -> None:
    await served.asked(ann, code=CODE)
    async with browser.window() as window:
        page = window.page
        await device(window)
        await entered(window, served)
        await register(window, served, await code_for(served, ann))
        await page.get_by_role("heading", name="Passkey registered").wait_for()
        sent: list[str] = []
        await page.goto(f"{served.url}?code={CODE}")
        page.on("request", lambda request: sent.append(request.post_data or "") if request.method == "POST" else None)
        await page.get_by_label("To approve, type this phrase").fill("not the phrase")
        await page.get_by_role("button", name="Approve").click()
        await page.get_by_role("alert").first.wait_for()
        fields = dict(pair.split("=", 1) for pair in sent[0].split("&"))
        for form in (
            {"nonce": fields["nonce"], "passkey": fields["passkey"]},  # used up
            {"nonce": "", "passkey": fields["passkey"]},
            {"nonce": "", "passkey": "{}"},
        ):
            token = await page.locator("input[name=token]").get_attribute("value")
            answer = await page.request.post(
                served.url,
                form={"token": token or "", "phrase": PHRASE, "decision": "approve", **form},
                headers={"origin": served.base},
            )
            assert answer.status == 409
    assert await served.standing() == "AwaitingApproval"


@pytest.mark.parametrize("wrong", ["code", "somebody else's", "not unlocked", "used"])
async def test_nobody_registers_a_passkey_without_a_code_of_their_own_and_an_unlocked_device(
    browser: Chromium, served: Site, authorization: AuthorizationServer, ann: str, wrong: str
) -> None:
    await served.asked(ann, code=CODE)
    owner = principal_of(authorization.issuer, "bob") if wrong == "somebody else's" else ann
    code = await code_for(served, owner)
    async with browser.window() as window:
        await device(window, verified=wrong != "not unlocked")
        await entered(window, served)
        if wrong == "used":
            await register(window, served, code)
            await window.page.get_by_role("heading", name="Passkey registered").wait_for()
        await register(window, served, "guessed" if wrong == "code" else code)
        await window.page.get_by_role("alert").filter(visible=True).wait_for()
        assert await window.page.get_by_role("heading", name="Passkey registered").count() == 0
    decisions = await served.parts.opening.decisions()
    assert len(await decisions.ledger.approvals.passkeys(ann)) == (wrong == "used")


async def test_an_answer_of_great_depth_proves_nothing_and_breaks_nothing(served: Site, ann: str) -> None:
    approvals, passkeys, now = (
        (await served.parts.opening.decisions()).ledger.approvals,
        Passkeys(served.base),
        served.now(),
    )
    asked = await passkeys.to_approve(approvals, (), "PLAN1", now=now)
    assert not await passkeys.proved(approvals, (), "PLAN1", asked.nonce, "[" * CHARACTERS_MAX, now=now)
    asked = await passkeys.to_register(approvals, ann, now=now)
    assert not await passkeys.register(approvals, ann, asked.nonce, "[" * CHARACTERS_MAX, now=now)


async def test_an_answer_to_nothing_that_was_asked_registers_nothing(served: Site, ann: str) -> None:
    approvals, passkeys, now = (
        (await served.parts.opening.decisions()).ledger.approvals,
        Passkeys(served.base),
        served.now(),
    )
    for_another = await passkeys.to_register(approvals, f"{ann} and more", now=now)
    for_a_plan = await passkeys.to_approve(approvals, (), ann, now=now)
    for nonce in ("made up", for_another.nonce, for_a_plan.nonce):
        assert not await passkeys.register(approvals, ann, nonce, "{}", now=now)
    assert not await approvals.passkeys(ann)


async def test_a_key_that_is_not_registered_proves_nothing(served: Site) -> None:
    approvals, passkeys, now = (
        (await served.parts.opening.decisions()).ledger.approvals,
        Passkeys(served.base),
        served.now(),
    )
    asked = await passkeys.to_approve(approvals, (), "PLAN1", now=now)
    signed = {"clientDataJSON": "e30", "authenticatorData": "AAAA", "signature": "AAAA"}
    answer = json.dumps({"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": signed})
    assert not await passkeys.proved(approvals, (), "PLAN1", asked.nonce, answer, now=now)


async def test_where_it_is_required_no_other_way_approves(served: Site, ann: str) -> None:
    await served.asked(ann, code=CODE)
    decisions = await served.parts.opening.decisions()
    with pytest.raises(NotAllowed, match="registered passkey"):
        await decisions.approve("PLAN1", who=ann, typed=PHRASE, method="oidc")
