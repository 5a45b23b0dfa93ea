"""Tokens that must not pass, against the real edge: whatever is wrong with one, the answer is the same."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest
from authorization_server import EVERY_SCOPE, KID, AuthorizationServer, new_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from jwt.utils import base64url_encode
from two_tenants import OURS, Town

if TYPE_CHECKING:
    from tests.authorization.conftest import Serving

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.sqlite_only(reason="what a token lets pass is decided before anything is kept"),
]

LIST: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
HEADERS = {"accept": "application/json, text/event-stream"}


def unsigned(server: AuthorizationServer) -> str:
    return jwt.encode(server.claims(), "", algorithm="none", headers={"kid": KID, "typ": "at+jwt"})


def shared_secret_from_the_public_key(server: AuthorizationServer) -> str:
    pem = server.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header, payload = (_segment(part) for part in ({"alg": "HS256", "typ": "at+jwt", "kid": KID}, server.claims()))
    signature = jwt.get_algorithm_by_name("HS256").sign(f"{header}.{payload}".encode(), pem)
    return f"{header}.{payload}.{base64url_encode(signature).decode()}"


def _segment(value: dict[str, Any]) -> str:
    return base64url_encode(json.dumps(value).encode()).decode()


def tampered(server: AuthorizationServer) -> str:
    header, _, signature = server.token("ann", "recontacts:read").split(".")
    return f"{header}.{_segment(server.claims('ann', EVERY_SCOPE))}.{signature}"


def with_key_of_its_own(server: AuthorizationServer) -> str:
    rogue = new_key()
    shown = json.loads(RSAAlgorithm.to_jwk(rogue.public_key()))
    return server.signed(server.claims(), key=rogue, headers={"jwk": shown, "jku": "http://127.0.0.1:9/jwks"})


BAD: dict[str, Callable[[AuthorizationServer], str]] = {
    "no signature": unsigned,
    "HS256 with the public key": shared_secret_from_the_public_key,
    "another audience": lambda server: server.token(aud="https://elsewhere.example/mcp"),
    "no audience": lambda server: server.token(aud=None),
    "another issuer": lambda server: server.token(iss="https://elsewhere.example"),
    "issuer with a slash": lambda server: server.token(iss=f"{server.issuer}/"),
    "no issuer": lambda server: server.token(iss=None),
    "expired": lambda server: server.token(exp=1_000_000_000),
    "no expiry": lambda server: server.token(exp=None),
    "expiry that is no number": lambda server: server.token(exp="tomorrow"),
    "not valid yet": lambda server: server.token(nbf=4_000_000_000),
    "issued in the future": lambda server: server.token(iat=4_000_000_000),
    "no time of issue": lambda server: server.token(iat=None),
    "no subject": lambda server: server.token(sub=None),
    "empty subject": lambda server: server.token(sub=""),
    "subject with a line end": lambda server: server.token(sub="ann\nbob"),
    "subject of great length": lambda server: server.token(sub="a" * 513),
    "a key of nobody": lambda server: server.signed(server.claims(), key=new_key()),
    "an unknown key id": lambda server: server.signed(server.claims(), headers={"kid": "unheard-of"}),
    "a key id that is a path": lambda server: server.signed(
        server.claims(), key=new_key(), headers={"kid": "../../../../dev/null"}
    ),
    "a key id that is SQL": lambda server: server.signed(
        server.claims(), key=new_key(), headers={"kid": "x' UNION SELECT 'secret"}
    ),
    "a key id of great length": lambda server: server.signed(server.claims(), headers={"kid": "k" * 257}),
    "its own key in the header": with_key_of_its_own,
    "an id token": lambda server: server.signed(server.claims(aud="agent", nonce="n"), headers={"typ": "JWT"}),
    "an id token for this server": lambda server: server.signed(server.claims(), headers={"typ": "JWT"}),
    "no type": lambda server: server.signed(server.claims(), headers={"typ": ""}),
    "a critical header": lambda server: server.signed(server.claims(), headers={"crit": ["exp"], "b64": True}),
    "another algorithm with the same key": lambda server: server.signed(server.claims(), algorithm="RS512"),
    "changed claims": tampered,
    "of great length": lambda server: server.token(padding="x" * 20_000),
    "no token at all": lambda _server: "not.a.token",
    "three empty parts": lambda _server: "..",
    "two tokens in one": lambda server: f"{server.token()} {server.token()}",
}


async def answer(place: Town, headers: list[tuple[str, str]] | dict[str, str], query: str = "") -> httpx.Response:
    async with httpx.AsyncClient(headers=[*HEADERS.items()]) as http:
        return await http.post(place.url + query, json=LIST, headers=headers)


async def test_a_token_with_something_wrong_does_not_pass_and_nobody_is_told_what(serving: "Serving") -> None:
    async with serving() as place:
        known = await answer(place, {"authorization": "Bearer nothing"})
        refused = {
            wrong: await answer(place, {"authorization": f"Bearer {made(place.authorization)}"})
            for wrong, made in BAD.items()
        }
        assert not place.requests
    assert {wrong for wrong, one in refused.items() if one.status_code != 401} == set()
    assert {wrong for wrong, one in refused.items() if one.content != known.content} == set()
    assert {one.headers["www-authenticate"] for one in refused.values()} == {known.headers["www-authenticate"]}
    assert 'error="invalid_token"' in known.headers["www-authenticate"]


async def test_without_a_token_the_challenge_says_where_to_learn_how_to_get_one(serving: "Serving") -> None:
    async with serving() as place:
        refused = await answer(place, {})
        basic = await answer(place, {"authorization": "Basic YTpi"})
        where = refused.headers["www-authenticate"].partition('resource_metadata="')[2].partition('"')[0]
        async with place.http() as http:
            metadata = (await http.get(where)).json()
    assert refused.status_code == basic.status_code == 401
    assert "error=" not in refused.headers["www-authenticate"]
    assert 'scope="recontacts:read"' in refused.headers["www-authenticate"]
    assert where == f"{place.base}/.well-known/oauth-protected-resource/mcp"
    assert metadata["resource"] == place.url
    assert metadata["authorization_servers"] == [place.authorization.issuer]
    assert metadata["bearer_methods_supported"] == ["header"]
    assert metadata["scopes_supported"] == EVERY_SCOPE.split()


async def test_two_tokens_are_one_too_many(serving: "Serving") -> None:
    async with serving() as place:
        good = f"Bearer {place.token()}"
        refused = await answer(place, [("authorization", good), ("authorization", good)])
    assert refused.status_code == 400
    assert 'error="invalid_request"' in refused.headers["www-authenticate"]


async def test_a_token_in_the_query_is_not_looked_at(serving: "Serving") -> None:
    async with serving() as place:
        refused = await answer(place, {}, query=f"?access_token={place.token()}")
    assert refused.status_code == 401


async def test_a_good_token_passes_in_both_eras(serving: "Serving", era: str) -> None:
    async with serving() as place, place.client(place.token(), era) as client:
        tools = (await client.list_tools()).tools
        found = await client.call_tool("get_recontact_overview", {"target_group_id": OURS.target_group_id})
    assert tools
    assert not found.is_error


async def test_a_token_of_the_authorization_servers_own_making_passes(serving: "Serving", era: str) -> None:
    async with serving() as place, place.client(place.authorization.from_robot(), era) as client:
        found = await client.call_tool("get_recontact_overview", {"target_group_id": OURS.target_group_id})
    assert not found.is_error


async def test_the_clients_token_is_never_sent_upstream(serving: "Serving", era: str) -> None:
    async with serving() as place:
        token = place.token()
        async with place.client(token, era) as client:
            await client.call_tool("get_recontact_overview", {"target_group_id": OURS.target_group_id})
        assert place.requests
        for one in place.requests:
            assert token not in one.request.headers.get("authorization", "")
            assert token.encode() not in one.request.content


async def test_an_issuer_that_sets_no_type_is_served_when_the_settings_say_so(serving: "Serving") -> None:
    async with serving(auth_token_type="JWT") as place:
        server = place.authorization
        plain = server.signed(server.claims(), headers={"typ": "JWT"})
        id_token = server.signed(server.claims(nonce="n"), headers={"typ": "JWT"})
        other = server.signed(server.claims(), headers={"typ": "logout+jwt"})
        found = [
            (await answer(place, {"authorization": f"Bearer {token}"})).status_code
            for token in (plain, id_token, other)
        ]
    assert found[1:] == [401, 401]
    assert found[0] != 401
