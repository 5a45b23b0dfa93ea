"""Signing in to approve: what an id token must say, and of whom nothing else is believed."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest
from authorization_server import SERVER_CLIENT, AuthorizationServer, new_key
from one_answer import answering

from recontact_mcp.remote.approval.loopback import open_in_browser
from recontact_mcp.remote.approval.signing_in import SignIn, sign_in_for
from recontact_mcp.remote.authorization.discovery import Endpoints
from recontact_mcp.settings import Settings

pytestmark = pytest.mark.anyio
BEGUN = {"state": "s" * 43, "nonce": "n" * 43, "verifier": "v" * 43}
Wrong = Callable[[AuthorizationServer], object]


def id_claims(server: AuthorizationServer, **changes: object) -> dict[str, Any]:
    """Return what a good id token says but for *changes*; None leaves a claim out."""
    told: dict[str, Any] = {
        "aud": SERVER_CLIENT,
        "nonce": BEGUN["nonce"],
        "auth_time": int(time.time()) - 890,
        **changes,
    }
    return server.claims(**told)


def id_token(server: AuthorizationServer, *, headers: dict[str, Any] | None = None, **claims: object) -> str:
    """Return an id token that is good but for what is given."""
    return server.signed(id_claims(server, **claims), headers={"typ": "JWT", **(headers or {})})


async def signed_in_with(token: object, settings: Settings) -> str | None:
    """Finish a sign-in whose code the issuer exchanges for *token*; return who it is."""
    sign_in = sign_in_for(settings, "http://127.0.0.1:8765/approve/signed-in")
    assert sign_in is not None
    async with answering(json.dumps({"id_token": token}).encode()) as url:
        return await exchanging_at(url, sign_in).finish({"code": "c", "state": BEGUN["state"]}, BEGUN)


def exchanging_at(url: str, sign_in: SignIn) -> SignIn:
    """Return a sign-in whose codes are exchanged at another place."""

    async def metadata(_url: str) -> dict[str, Any]:
        return {"issuer": sign_in.issuer, "token_endpoint": url}

    return replace(sign_in, endpoints=Endpoints(sign_in.issuer, fetch=metadata))


async def test_a_good_id_token_says_who_it_is(
    authorization: AuthorizationServer, signing_in: Settings, ann: str
) -> None:
    assert await signed_in_with(id_token(authorization), signing_in) == ann
    azp = id_token(authorization, azp=SERVER_CLIENT)
    assert await signed_in_with(azp, signing_in) == ann


WRONG: dict[str, Wrong] = {
    "none": lambda _server: None,
    "no text": lambda _server: {"alg": "RS256"},
    "no token": lambda _server: "a.b.c",
    "an access token": lambda server: server.token(),
    "the nonce of another visit": lambda server: id_token(server, nonce="m" * 43),
    "no nonce": lambda server: id_token(server, nonce=None),
    "another client's": lambda server: id_token(server, aud="another client"),
    "another issuer": lambda server: id_token(server, iss=f"{server.issuer}/x"),
    "expired": lambda server: id_token(server, exp=int(time.time()) - 100),
    "signed in too long ago": lambda server: id_token(server, auth_time=int(time.time()) - 1_000),
    "signed in nobody knows when": lambda server: id_token(server, auth_time=None),
    "signed in at no time": lambda server: id_token(server, auth_time=True),
    "nobody": lambda server: id_token(server, subject=""),
    "authorized for another client": lambda server: id_token(server, azp="another client"),
    "a key that is not there": lambda server: id_token(server, headers={"kid": "unknown"}),
    "no key named": lambda server: jwt.encode(id_claims(server), server.key, "RS256"),
    "a condition": lambda server: id_token(server, headers={"crit": ["x"], "x": 1}),
    "somebody else's key of that name": lambda server: server.signed(id_claims(server), key=new_key()),
    "a shared secret": lambda server: server.signed(id_claims(server), key="k" * 64, algorithm="HS256"),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_an_id_token_with_anything_wrong_signs_nobody_in(
    authorization: AuthorizationServer, signing_in: Settings, wrong: str
) -> None:
    assert await signed_in_with(WRONG[wrong](authorization), signing_in) is None


async def test_the_issuer_is_asked_to_have_people_sign_in_who_did_so_too_long_ago(signing_in: Settings) -> None:
    for seconds, asked in ((900, "&max_age=900"), (60, "&max_age=60"), (0, None)):
        sign_in = sign_in_for(signing_in.model_copy(update={"approval_login_seconds": seconds}), "http://127.0.0.1/x")
        assert sign_in is not None
        url = (await sign_in.begin()).url
        assert (asked in url) if asked else ("max_age" not in url)


async def test_where_an_earlier_sign_in_will_do_the_issuer_need_not_say_when_it_was(
    authorization: AuthorizationServer, signing_in: Settings, ann: str
) -> None:
    settings = signing_in.model_copy(update={"approval_login_seconds": 0})
    assert await signed_in_with(id_token(authorization, auth_time=None), settings) == ann


async def test_a_browser_that_does_not_open_in_time_is_none() -> None:
    assert not await open_in_browser("about:blank", seconds=0.0)
