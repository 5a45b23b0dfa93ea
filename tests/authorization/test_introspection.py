"""Tokens that only their issuer can read: asked about, believed for seconds, and refused where nobody answers."""

from typing import TYPE_CHECKING, Any

import pytest
from authorization_server import SERVER_CLIENT, SERVER_SECRET
from pydantic import SecretStr
from two_tenants import OURS

from recontact_mcp.remote.authorization.fetching import CannotTell
from recontact_mcp.remote.authorization.introspected import BELIEVED_SECONDS, KEPT_MAX, IntrospectedTokens
from recontact_mcp.remote.questions import Allowance
from recontact_mcp.remote.strangers import Strangers

if TYPE_CHECKING:
    from authorization_server import AuthorizationServer
    from tests.authorization.conftest import Serving

pytestmark = pytest.mark.anyio

GOOD = {"active": True, "sub": "ann", "aud": "here", "iss": "issuer", "scope": "recontacts:read", "exp": 2_000.0}


class Asked:
    """An issuer that answers what a test says, in a time that the test moves."""

    def __init__(self, **others: object) -> None:
        self.answer: dict[str, Any] | None = {
            name: value for name, value in {**GOOD, **others}.items() if value is not None
        }
        self.times = 0
        self.time = 1_000.0

    async def __call__(self, _token: str) -> dict[str, Any]:
        self.times += 1
        if self.answer is None:
            raise CannotTell
        return self.answer

    def tokens(self) -> IntrospectedTokens:
        strangers = Strangers(Allowance(questions_per_second=100_000.0))
        return IntrospectedTokens(
            self, "issuer", "here", 10.0, strangers, now=lambda: self.time, wall=lambda: self.time
        )


async def test_a_good_answer_says_who_and_what() -> None:
    token = await Asked(client_id="c").tokens().verify_token("t")
    assert token is not None
    assert (token.subject, token.scopes, token.resource, token.client_id) == ("ann", ["recontacts:read"], "here", "c")
    assert (token.claims or {})["iss"] == "issuer"


@pytest.mark.parametrize(
    "wrong",
    [
        {"active": False},
        {"active": "true"},
        {"active": None},
        {"sub": None},
        {"sub": 7},
        {"aud": "elsewhere"},
        {"aud": None},
        {"iss": "another"},
        {"exp": 900.0},
        {"exp": "soon"},
        {"nbf": 1_100.0},
        {"nbf": "never"},
    ],
)
async def test_anything_else_is_refused(wrong: dict[str, object]) -> None:
    assert await Asked(**wrong).tokens().verify_token("t") is None


async def test_an_answer_is_believed_for_seconds_and_never_beyond_the_end_of_the_token() -> None:
    asked = Asked(exp=1_002.0)
    tokens = asked.tokens()
    assert await tokens.verify_token("t") is not None
    assert await tokens.verify_token("t") is not None
    assert asked.times == 1
    asked.time += 2.0
    await tokens.verify_token("t")
    assert asked.times == 2
    forever = Asked(exp=None)
    tokens = forever.tokens()
    await tokens.verify_token("t")
    await tokens.verify_token("t")
    assert forever.times == 2


async def test_a_revoked_token_is_refused_after_seconds_and_a_bad_one_is_not_asked_about_each_time() -> None:
    asked = Asked()
    tokens = asked.tokens()
    assert await tokens.verify_token("t") is not None
    asked.answer = {"active": False}
    asked.time += BELIEVED_SECONDS
    assert await tokens.verify_token("t") is None
    assert await tokens.verify_token("t") is None
    assert asked.times == 2


async def test_an_issuer_that_does_not_answer_lets_nobody_in_and_is_asked_again() -> None:
    asked = Asked()
    asked.answer = None
    tokens = asked.tokens()
    for _ in range(2):
        with pytest.raises(CannotTell):
            await tokens.verify_token("t")
    assert asked.times == 2


async def test_what_cannot_be_a_token_is_not_asked_about() -> None:
    asked = Asked()
    for text in ("", "with blank", "x" * 20_000, "lïne"):
        assert await asked.tokens().verify_token(text) is None
    assert asked.times == 0


async def test_only_so_many_answers_are_kept() -> None:
    asked = Asked()
    tokens = asked.tokens()
    for number in range(KEPT_MAX + 1):
        await tokens.verify_token(f"t{number}")
    await tokens.verify_token("t1")
    assert asked.times == KEPT_MAX + 1
    await tokens.verify_token("t0")
    assert asked.times == KEPT_MAX + 2


def introspecting(authorization: "AuthorizationServer") -> dict[str, Any]:
    """Return the settings of a server that asks this issuer about tokens."""
    return {
        "auth_introspection_url": f"{authorization.issuer}/introspect",
        "auth_client_id": SERVER_CLIENT,
        "auth_client_secret": SecretStr(SERVER_SECRET),
    }


async def test_a_real_issuer_is_asked_as_a_client_with_a_secret(
    serving: "Serving", authorization: "AuthorizationServer", era: str
) -> None:
    async with serving(**introspecting(authorization)) as place:
        token = place.authorization.from_robot()
        async with place.client(token, era) as client:
            found = await client.call_tool("get_recontact_overview", {"target_group_id": OURS.target_group_id})
        async with place.http(place.token()) as http:  # well signed, but not one that the issuer gave out
            unknown = await http.post("/mcp", json={})
    assert not found.is_error
    assert unknown.status_code == 401
    wrong = {**introspecting(authorization), "auth_client_secret": SecretStr("wrong")}
    async with serving(**wrong) as place, place.http(place.authorization.from_robot()) as http:
        unchecked = await http.post("/mcp", json={})
    assert unchecked.status_code == 503
    assert unchecked.headers["retry-after"]


async def test_while_the_keys_cannot_be_fetched_nobody_is_let_in_and_clients_are_asked_to_wait(
    serving: "Serving",
) -> None:
    async with serving(auth_jwks_url="http://127.0.0.1:9/jwks") as place, place.http(place.token()) as http:
        refused = await http.post("/mcp", json={})
    assert refused.status_code == 503
    assert refused.json()["error"] == "temporarily_unavailable"
    assert refused.headers["retry-after"]


async def test_made_up_tokens_do_not_drive_out_what_is_known_of_good_ones() -> None:
    asked = Asked()
    tokens = asked.tokens()
    good = asked.answer
    assert await tokens.verify_token("t") is not None
    asked.answer = {"active": False}
    for number in range(KEPT_MAX + 1):
        assert await tokens.verify_token(f"made-up-{number}") is None
    asked.answer, times = good, asked.times
    assert await tokens.verify_token("t") is not None
    assert asked.times == times


async def test_a_stranger_with_made_up_tokens_is_asked_to_wait_and_nobody_else(
    serving: "Serving", authorization: "AuthorizationServer", era: str
) -> None:
    settings = {**introspecting(authorization), "http_failures_per_minute": 3.0}
    stranger, office = {"x-forwarded-for": "203.0.113.7"}, {"x-forwarded-for": "203.0.113.8"}
    async with serving(**settings) as place:
        token, before = place.authorization.from_robot(), authorization.counts().get("introspect", 0)
        async with place.http() as http:
            tried = [
                await http.post("/mcp", json={}, headers={**stranger, "authorization": f"Bearer made-up-{number}"})
                for number in range(5)
            ]
            asked = authorization.counts()["introspect"] - before
            others = await http.post("/mcp", json={}, headers={**office, "authorization": "Bearer made-up"})
        async with place.client(token, era) as client:
            found = await client.call_tool("get_recontact_overview", {"target_group_id": OURS.target_group_id})
    assert [answer.status_code for answer in tried] == [401, 401, 401, 429, 429]
    assert (asked, others.status_code, found.is_error) == (3, 401, False)
    told = tried[-1].json()["error"]
    assert (told["data"]["error"]["code"], tried[-1].headers["retry-after"]) == ("RATE_LIMITED", "20")
