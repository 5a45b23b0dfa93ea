"""What the approval page gives nobody: a way in, a way round the phrase, a second use, or the plan of somebody else."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from approval_site import CODE, PHRASE, Site, signed_in, site
from authorization_server import AuthorizationServer
from httpx import AsyncClient, Response

from recontact_mcp.access import LOCAL_PRINCIPAL
from recontact_mcp.callers import principal_of
from recontact_mcp.decided import SNAPSHOT_KEY_FILE
from recontact_mcp.remote.approval.place import Place
from recontact_mcp.settings import Settings
from recontact_tools.errors import ErrorCode
from recontact_tools.ledger.trail import Wanted

pytestmark = pytest.mark.anyio
UNIFORM = "There is no such code for you to decide about, or it has expired."


def token_of(answer: Response) -> str:
    """Return the token of the form on a page."""
    [found] = re.findall(r'name="token" value="([^"]+)"', answer.text)
    return str(found)


async def approved(http: AsyncClient, token: str, **changes: str) -> Response:
    """Send the form."""
    return await http.post("/approve", data={"token": token, "phrase": PHRASE, "decision": "approve", **changes})


async def test_every_answer_forbids_frames_scripts_and_copies(served: Site, ann: str) -> None:
    await served.asked(ann, code=CODE)
    async with served.http() as http:
        stranger = await http.get("/approve")
        answers = [
            stranger,
            await signed_in(http, code=CODE),
            await http.post("/approve"),
            await http.get("/approve?code=1"),
        ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        for part in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"):
            assert part in policy
        assert "unsafe" not in policy
        assert "script-src" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["referrer-policy"] == "same-origin"
    assert stranger.status_code == 401


async def test_a_stranger_sees_and_decides_nothing(served: Site, ann: str) -> None:
    await served.asked(ann, code=CODE)
    async with served.http() as http:
        shown = await http.get(f"/approve?code={CODE}")
        token = "x" * 40
        decided = await approved(http, token)
    assert (shown.status_code, decided.status_code) == (401, 401)
    assert "500" not in shown.text
    assert await served.standing() == "AwaitingApproval"


async def test_a_code_of_somebody_else_reads_like_one_that_never_was_and_guessing_ends(served: Site, ann: str) -> None:
    await served.asked(ann, code=CODE)
    async with served.http() as mallory, served.http() as user:
        await signed_in(mallory, "mallory")
        answers = [await mallory.get(f"/approve?code={code}") for code in (CODE, "22222222", "nonsense", "<script>")]
        assert [answer.status_code for answer in answers] == [404] * 4
        # But for the sealed token of its sign-out, which is another one each time.
        assert len({re.sub(r'name="leaving" value="[^"]+"', "", answer.text) for answer in answers}) == 1
        assert UNIFORM in answers[0].text
        for _ in range(16):
            await mallory.get("/approve?code=22222222")
        limited = await mallory.get(f"/approve?code={CODE}")
        assert limited.status_code == 429
        assert PHRASE in (await signed_in(user, "ann", CODE)).text


async def test_the_form_of_another_visit_or_of_nobody_decides_nothing(served: Site, ann: str) -> None:
    await served.asked(ann, code=CODE)
    async with served.http() as ours, served.http() as theirs:
        token = token_of(await signed_in(ours, code=CODE))
        other = token_of(await signed_in(theirs, code=CODE))
        spoilt = urlsafe_b64decode(token)
        forged = urlsafe_b64encode(spoilt[:-1] + bytes([spoilt[-1] ^ 1])).decode()
        answers = [await approved(ours, wrong) for wrong in ("", other, forged, "€", "x" * 5_000)]
        answers += [
            await ours.post("/approve", data={"token": token}, headers={"origin": origin}) for origin in ("null",)
        ]
        ours.headers.pop("origin")
        answers += [await approved(ours, token)]
    assert [answer.status_code for answer in answers] == [403] * len(answers)
    assert await served.standing() == "AwaitingApproval"


async def test_cookies_cannot_be_made_changed_or_kept(served: Site, ann: str) -> None:
    await served.asked(ann, code=CODE)
    async with served.http() as http:
        answer = await signed_in(http, code=CODE)
        token, [name] = token_of(answer), [one for one in http.cookies if "approval" in one]
        cookie = http.cookies[name]
        for wrong in ("", "x", token, cookie[:-4] + "AAA=", cookie[4:]):
            async with AsyncClient(base_url=served.base, cookies={name: wrong}) as forger:
                assert (await forger.get(f"/approve?code={CODE}")).status_code == 401
        served.later[0] = timedelta(minutes=10)
        assert (await http.get(f"/approve?code={CODE}")).status_code == 401


async def test_a_plan_is_approved_once_and_a_replayed_form_changes_nothing(served: Site, ann: str) -> None:
    await served.asked(ann, code=CODE)
    async with served.http() as http:
        token = token_of(await signed_in(http, code=CODE))
        first, second = await approved(http, token), await approved(http, token)
        denied = await approved(http, token, decision="deny")
    assert [one.text.partition("<h1>")[2][:8] for one in (first, second, denied)] == ["Approved"] * 3
    entries = await (await served.parts.opening.decisions()).ledger.audit.newest(10, Wanted())
    assert [entry.event for entry in entries].count("approval_given") == 1


async def test_what_has_drifted_expired_or_was_denied_cannot_be_approved(served: Site, ann: str) -> None:
    await served.asked(ann, code=CODE)
    decisions = await served.parts.opening.decisions()
    async with served.http() as http:
        token = token_of(await signed_in(http, code=CODE))
        await decisions.ledger.close_plan("PLAN1", now=served.now(), code=ErrorCode.PLAN_DRIFTED)
        assert "<h1>No longer asked" in (await approved(http, token)).text
        await served.asked(ann, "PLAN2", code="EFGH2345", expires_at=served.now() + timedelta(minutes=5))
        token = token_of(await http.get("/approve?code=EFGH2345"))
        served.later[0] = timedelta(minutes=6)
        assert "<h1>Expired" in (await approved(http, token)).text
        assert (await http.get("/approve?code=EFGH2345")).status_code == 404
    assert (await served.standing(), await served.standing("PLAN2")) == ("Closed", "Expired")


async def test_phrases_cannot_be_tried_for_ever(served: Site, ann: str) -> None:
    await served.asked(ann, code=CODE)
    async with served.http() as http:
        token = token_of(await signed_in(http, code=CODE))
        tried = [(await approved(http, token, phrase="REMOVE 1")).status_code for _ in range(21)]
    assert (set(tried[:20]), tried[20]) == ({409}, 429)
    assert await served.standing() == "AwaitingApproval"


@pytest.mark.parametrize("wrong", ["state", "iss", "code", "cookie", "nothing", "replayed"])
async def test_a_sign_in_that_this_browser_did_not_begin_lets_nobody_in(
    served: Site, authorization: AuthorizationServer, wrong: str
) -> None:
    async with served.http() as http, AsyncClient() as elsewhere:
        begun = await http.get("/approve/sign-in")
        asked = parse_qs(urlsplit(begun.headers["location"]).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["redirect_uri"] == [f"{served.url}/signed-in"]
        assert not begun.headers["location"].startswith(served.base)
        back = (await elsewhere.get(f"{begun.headers['location']}&login_hint=mallory")).headers["location"]
        query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        if wrong == "cookie":
            http.cookies.clear()
        if wrong == "replayed":
            assert (await http.get("/approve/signed-in", params=query)).status_code == 303
            http.cookies.clear()
        changed = {"cookie": {}, "replayed": {}, "nothing": {"code": ""}}.get(
            wrong, {wrong: f"{authorization.issuer}/x"}
        )
        answer = await http.get("/approve/signed-in", params={**query, **changed})
    assert answer.status_code in {403, 503}  # the second where the issuer refuses a code that is none
    assert not [cookie for cookie in http.cookies if "approval" in cookie]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=a", b"zzzz"),
        ("application/x-www-form-urlencoded", b"a&" * 1_500),
    ],
)
async def test_what_is_no_form_is_refused_in_our_own_words(served: Site, ann: str, kind: str, content: bytes) -> None:
    await served.asked(ann, code=CODE)
    async with served.http() as http:
        await signed_in(http, code=CODE)
        answer = await http.post("/approve", content=content, headers={"content-type": kind})
    assert (answer.status_code, "This form is not of this visit" in answer.text) == (400, True)
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_whoever_knocks_without_end_does_not_make_the_server_ask_its_issuer_each_time(
    served: Site, authorization: AuthorizationServer
) -> None:
    before = authorization.counts().get("metadata", 0)
    async with served.http() as http:
        begun = [await http.get("/approve/sign-in") for _ in range(10)]
    assert {answer.status_code for answer in begun} == {303}
    assert authorization.counts()["metadata"] - before == 1


async def test_an_issuer_that_is_away_and_a_page_that_nobody_can_enter_say_so(
    settings: Settings, authorization: AuthorizationServer, signing_in: Settings
) -> None:
    away = signing_in.model_copy(update={"auth_issuer": "http://127.0.0.1:9"})
    async with site(away) as served, served.http() as http:
        assert (await http.get("/approve/sign-in")).status_code == 503
    closed = settings.model_copy(update={"auth_issuer": authorization.issuer})
    async with site(closed) as served, served.http() as http:
        answer = await http.get("/approve")
        assert (answer.status_code, "Nobody can sign in" in answer.text) == (503, True)
        assert (await http.get("/approve/link?key=x")).status_code == 404
        assert (await http.get("/approve/sign-in")).status_code == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_stranger_registers_no_passkey(signing_in: Settings, method: str) -> None:
    async with site(signing_in.model_copy(update={"approval_passkey": "required"})) as served, served.http() as http:
        answer = await http.request(method, "/approve/passkey")
    assert (answer.status_code, "Sign in" in answer.text) == (401, True)


@pytest.mark.parametrize("wrong", ["nobody's form", "another form", "no origin"])
async def test_no_passkey_is_registered_by_a_form_that_is_not_ours_for_it(
    signing_in: Settings, ann: str, wrong: str
) -> None:
    async with site(signing_in.model_copy(update={"approval_passkey": "optional"})) as served, served.http() as http:
        await served.asked(ann, code=CODE)
        other = token_of(await signed_in(http, code=CODE))
        own = token_of(await http.get("/approve/passkey"))
        token = {"nobody's form": "x", "another form": other}.get(wrong, own)
        ours = await http.post("/approve/passkey", data={"token": own})
        if wrong == "no origin":
            http.headers.pop("origin")
        answer = await http.post("/approve/passkey", data={"token": token})
    assert (answer.status_code, "Nothing was registered" in answer.text) == (403, True)
    assert "This form is not of this visit" in answer.text
    assert "The code is not yours" in ours.text


async def test_a_server_that_cannot_use_its_key_lets_nobody_in_and_says_whose_turn_it_is(
    served: Site, signing_in: Settings, ann: str
) -> None:
    await served.asked(ann, code=CODE)
    key = signing_in.home / SNAPSHOT_KEY_FILE
    key.write_bytes(b"too short")
    key.chmod(0o600)
    async with served.http() as http:
        answer = await http.get("/approve/sign-in")
    assert (answer.status_code, "tell whoever runs it" in answer.text) == (503, True)
    assert "32 bytes" not in answer.text
    assert not http.cookies


def without_tokens(answer: Response) -> str:
    """Return a page without what differs from visit to visit."""
    return re.sub(r'(?<=name="leaving" value=")[^"]+', "", answer.text)


async def test_of_two_persons_the_second_is_a_named_approver(
    signing_in: Settings, authorization: AuthorizationServer, ann: str
) -> None:
    boss = principal_of(authorization.issuer, "boss")
    told = {"approval_two_person": True, "approval_approvers": frozenset({boss})}
    async with site(signing_in.model_copy(update=told)) as served:
        await served.asked(ann, code=CODE)
        async with served.http() as http:
            asker = await signed_in(http, "ann", CODE)
        async with served.http() as http:
            other = await signed_in(http, "bob", CODE)
            never = await http.get("/approve?code=ZZZZ-9999")
        assert (asker.status_code, "an approver has to decide about it" in asker.text) == (409, True)
        assert "500" not in asker.text
        assert 'name="decision"' not in asker.text
        # Nobody else learns that there is such a code.
        assert (other.status_code, never.status_code) == (404, 404)
        assert without_tokens(other) == without_tokens(never)
        async with served.http() as http:
            shown = await signed_in(http, "boss", CODE)
            assert (ann in shown.text, f"you ({ann})" in shown.text) == (True, False)
            await approved(http, token_of(shown))
        approval = await served.approval()
    assert (approval.approver, approval.decision) == (boss, "approved")


async def test_whoever_asked_and_does_not_decide_is_told_nothing_of_a_code_that_has_expired(
    signing_in: Settings, ann: str
) -> None:
    told = {"approval_two_person": True, "approval_approvers": frozenset({f"{ann}-boss"})}
    async with site(signing_in.model_copy(update=told)) as served, served.http() as http:
        await served.asked(ann, code=CODE)
        served.later[0] = timedelta(minutes=31)
        answer = await signed_in(http, "ann", CODE)
    assert (answer.status_code, "it has expired" in answer.text) == (404, True)


async def test_over_https_cookies_are_kept_from_everything_else(signing_in: Settings, ann: str) -> None:
    public = signing_in.model_copy(update={"public_url": "https://recontact.example"})
    async with site(public) as served:
        await served.asked(ann, code=CODE)
        async with AsyncClient(base_url=served.base, headers={"host": "recontact.example"}) as http:
            begun = await http.get("/approve/sign-in")
    cookie = begun.headers["set-cookie"]
    assert cookie.startswith("__Host-")
    for part in ("; HttpOnly", "; Path=/", "; SameSite=lax", "; Secure", "; Max-Age=600"):
        assert part in cookie
    assert "Domain" not in cookie


async def came_back(http: AsyncClient) -> str:
    """Sign in as Ann at the issuer, and return where the browser is sent with what."""
    begun = await http.get("/approve/sign-in")
    async with AsyncClient() as elsewhere:
        return str((await elsewhere.get(f"{begun.headers['location']}&login_hint=ann")).headers["location"])


async def test_the_issuer_is_asked_once_for_each_sign_in_however_often_its_end_is_repeated(
    served: Site, authorization: AuthorizationServer
) -> None:
    before = authorization.counts().get("token", 0)
    async with served.http() as http:
        back = await came_back(http)
        cookies = dict(http.cookies)
        first = await http.get(back)
        answers = list[Response]()
        for _ in range(5):
            http.cookies.update(cookies)
            answers.append(await http.get(back))
    assert first.status_code == 303
    assert [answer.status_code for answer in answers] == [403] * 5
    assert authorization.counts()["token"] - before == 1


async def test_ends_of_sign_ins_that_come_to_nothing_are_refused_by_address(
    signing_in: Settings, authorization: AuthorizationServer
) -> None:
    before = authorization.counts().get("token", 0)
    async with site(signing_in.model_copy(update={"http_failures_per_minute": 2.0})) as served, served.http() as http:
        answers = list[Response]()
        for _ in range(3):
            query = parse_qs(urlsplit(await came_back(http)).query)
            http.headers["x-forwarded-for"] = "203.0.113.7"
            wrong = id_of_nobody(query)
            answers.append(await http.get("/approve/signed-in", params=wrong))
        http.headers["x-forwarded-for"] = "203.0.113.8"
        let_in = await http.get(await came_back(http))
    assert [answer.status_code for answer in answers] == [403, 403, 429]
    assert (answers[-1].headers["retry-after"], let_in.status_code) == ("30", 303)
    assert authorization.counts()["token"] - before == 3


async def test_who_signs_in_again_and_again_at_one_address_leaves_questions_to_others(signing_in: Settings) -> None:
    told = {"auth_questions_per_second": 0.4}  # four at once, of which an address has one
    async with site(signing_in.model_copy(update=told)) as served:
        answers = list[Response]()
        for address in ("203.0.113.7", "203.0.113.7", "203.0.113.7", "203.0.113.8"):
            async with served.http() as http:
                back = await came_back(http)
                answers.append(await http.get(back, headers={"x-forwarded-for": address}))
    assert [answer.status_code for answer in answers] == [303, 429, 429, 303]


async def test_a_sign_in_that_nobody_can_check_is_nobodys_failure(signing_in: Settings) -> None:
    told = {"http_failures_per_minute": 1.0, "auth_jwks_url": "http://127.0.0.1:9/jwks"}
    async with site(signing_in.model_copy(update=told)) as served, served.http() as http:
        http.headers["x-forwarded-for"] = "203.0.113.7"
        answers = [await http.get(await came_back(http)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503] * 3


def id_of_nobody(query: dict[str, list[str]]) -> dict[str, str]:
    """Return what came back with a code that the issuer never gave out."""
    return {**{name: values[0] for name, values in query.items()}, "code": "none"}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_whoever_only_looks_at_a_link_does_not_use_it_up(settings: Settings, method: str) -> None:
    async with site(settings, []) as served, served.http() as http:
        asked = await served.asked(LOCAL_PRINCIPAL)
        place = Place(served.base, frozenset({served.base}), served.parts.opening.decisions, links=True)
        link = urlsplit(await place.link(asked.code, LOCAL_PRINCIPAL))
        form = {name: values[0] for name, values in parse_qs(link.query).items()}
        looked = [await http.request(method, f"{link.path}?{link.query}") for _ in range(3)]
        async with AsyncClient(base_url=served.base) as program:
            elsewhere = await program.post(link.path, data=form)  # of no page of ours
        followed, again = await http.post(link.path, data=form), await http.post(link.path, data=form)
    assert [answer.status_code for answer in looked] == [200] * 3
    assert not any("set-cookie" in answer.headers for answer in looked)
    assert (elsewhere.status_code, followed.status_code, again.status_code) == (403, 303, 401)
    assert followed.headers["location"] == f"/approve?code={asked.code}"
