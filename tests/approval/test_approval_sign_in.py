"""Signing in to approve: what an id token must say, and of whom nothing else is believed."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest
from authorization_server import KID, SERVER_CLIENT, AuthorizationServer, new_key
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
    told: dict[str, Any] = {"aud": SERVER_CLIENT, "nonce": BEGUN["nonce"], **changes}
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


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda _server: None, id="none"),
        pytest.param(lambda _server: {"alg": "RS256"}, id="no text"),
        pytest.param(lambda _server: "a.b.c", id="no token"),
        pytest.param(lambda server: server.token(), id="an access token"),
        pytest.param(lambda server: id_token(server, nonce="m" * 43), id="the nonce of another visit"),
        pytest.param(lambda server: id_token(server, nonce=None), id="no nonce"),
        pytest.param(lambda server: id_token(server, aud="another client"), id="another client's"),
        pytest.param(lambda server: id_token(server, iss=f"{server.issuer}/x"), id="another issuer"),
        pytest.param(lambda server: id_token(server, exp=int(time.time()) - 100), id="expired"),
        pytest.param(lambda server: id_token(server, subject=""), id="nobody"),
        pytest.param(lambda server: id_token(server, azp="another client"), id="authorized for another client"),
        pytest.param(lambda server: id_token(server, headers={"kid": "unknown"}), id="a key that is not there"),
        pytest.param(lambda server: jwt.encode(id_claims(server), server.key, "RS256"), id="no key named"),
        pytest.param(lambda server: id_token(server, headers={"crit": ["x"], "x": 1}), id="a condition"),
        pytest.param(
            lambda server: server.signed(id_claims(server), key=new_key()),
            id=f"somebody else's key under the name {KID}",
        ),
        pytest.param(
            lambda server: server.signed(id_claims(server), key="k" * 64, algorithm="HS256"),
            id="a shared secret",
        ),
    ],
)
async def test_an_id_token_with_anything_wrong_signs_nobody_in(
    authorization: AuthorizationServer, signing_in: Settings, wrong: Wrong
) -> None:
    assert await signed_in_with(wrong(authorization), signing_in) is None


async def test_a_browser_that_does_not_open_in_time_is_none() -> None:
    assert not await open_in_browser("about:blank", seconds=0.0)
