"""The issuer's keys: fetched late, again in time, and never as often as somebody with made-up keys asks."""

import json
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from authorization_server import AuthorizationServer, new_key
from jwt.algorithms import RSAAlgorithm
from one_answer import answering

from recontact_mcp.callers import Callers, principal_of
from recontact_mcp.remote.authorization.discovery import FRESH_SECONDS as METADATA_FRESH_SECONDS
from recontact_mcp.remote.authorization.discovery import PAUSE_SECONDS as METADATA_PAUSE_SECONDS
from recontact_mcp.remote.authorization.discovery import Endpoints, discovered, metadata_urls
from recontact_mcp.remote.authorization.fetching import BYTES_MAX, CannotTell, fetched, posted
from recontact_mcp.remote.authorization.keys import FRESH_SECONDS, PAUSE_SECONDS, STALE_SECONDS, Keys
from recontact_mcp.remote.authorization.lasting import served_for
from recontact_tools.errors import NotAllowed
from recontact_tools.policy import Policy

pytestmark = pytest.mark.anyio


def shown(kid: str, **others: object) -> dict[str, Any]:
    return {**json.loads(RSAAlgorithm.to_jwk(new_key().public_key())), "kid": kid, **others}


class Issuer:
    """An issuer whose keys a test changes, in a time that the test moves."""

    def __init__(self, *keys: object) -> None:
        self.answer: dict[str, Any] | None = {"keys": [*keys]}
        self.fetched = 0
        self.time = 1_000.0

    async def fetch(self) -> dict[str, Any]:
        self.fetched += 1
        if self.answer is None:
            raise CannotTell
        return self.answer

    def keys(self) -> Keys:
        return Keys(self.fetch, now=lambda: self.time)


async def test_keys_are_fetched_once_and_again_when_they_are_no_longer_fresh() -> None:
    issuer = Issuer(shown("a"))
    keys = issuer.keys()
    assert issuer.fetched == 0
    for _ in range(3):
        assert await keys.key("a", "RS256") is not None
    assert issuer.fetched == 1
    issuer.answer = {"keys": [shown("b")]}
    issuer.time += FRESH_SECONDS
    assert await keys.key("a", "RS256") is None
    assert await keys.key("b", "RS256") is not None
    assert issuer.fetched == 2


async def test_made_up_key_ids_do_not_make_us_ask_faster() -> None:
    issuer = Issuer(shown("a"))
    keys = issuer.keys()
    for number in range(1_000):
        assert await keys.key(f"made-up-{number}", "RS256") is None
    assert issuer.fetched == 1
    issuer.time += PAUSE_SECONDS
    for number in range(1_000):
        assert await keys.key(f"made-up-{number}", "RS256") is None
    assert issuer.fetched == 2


async def test_a_key_that_is_new_at_the_issuer_is_found_after_the_pause() -> None:
    issuer = Issuer(shown("a"))
    keys = issuer.keys()
    assert await keys.key("b", "RS256") is None
    issuer.answer = {"keys": [shown("a"), shown("b")]}
    assert await keys.key("b", "RS256") is None
    issuer.time += PAUSE_SECONDS
    assert await keys.key("b", "RS256") is not None


async def test_while_the_issuer_is_away_its_last_keys_hold_for_a_while_and_then_nobody_can_tell() -> None:
    issuer = Issuer(shown("a"))
    keys = issuer.keys()
    assert await keys.key("a", "RS256") is not None
    issuer.answer = None
    issuer.time += FRESH_SECONDS
    assert await keys.key("a", "RS256") is not None
    issuer.time += STALE_SECONDS
    with pytest.raises(CannotTell):
        await keys.key("a", "RS256")
    issuer.answer = {"keys": [shown("a")]}
    issuer.time += PAUSE_SECONDS
    assert await keys.key("a", "RS256") is not None


async def test_without_any_keys_nobody_can_tell() -> None:
    issuer = Issuer()
    issuer.answer = None
    with pytest.raises(CannotTell):
        await issuer.keys().key("a", "RS256")


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "a"},
        shown("a", use="enc"),
        shown("a", alg="RS512"),
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "a"},
        {"kty": "RSA", "kid": "a"},
        {"kty": "unheard of", "kid": "a"},
        {**shown("a"), "kid": 7},
        "no key",
        None,
    ],
)
async def test_what_is_no_public_key_for_this_algorithm_verifies_nothing(key: object) -> None:
    issuer = Issuer(key)
    assert await issuer.keys().key("a", "RS256") is None


async def test_an_answer_that_is_no_key_set_holds_no_keys() -> None:
    issuer = Issuer()
    issuer.answer = {"keys": "none"}
    assert await issuer.keys().key("a", "RS256") is None


def test_metadata_are_looked_for_where_both_standards_have_them() -> None:
    assert metadata_urls("https://id.example/tenant/") == (
        "https://id.example/.well-known/oauth-authorization-server/tenant",
        "https://id.example/.well-known/openid-configuration/tenant",
        "https://id.example/tenant/.well-known/openid-configuration",
    )
    assert len(metadata_urls("https://id.example")) == 2


async def test_metadata_of_another_issuer_are_not_believed() -> None:
    async def mixed_up(url: str) -> dict[str, Any]:
        if "oauth-authorization-server" in url:
            return {"issuer": "https://evil.example", "jwks_uri": "https://evil.example/keys"}
        return {"issuer": "https://id.example", "jwks_uri": "https://id.example/keys"}

    assert await discovered("https://id.example", "jwks_uri", fetch=mixed_up) == "https://id.example/keys"
    with pytest.raises(CannotTell):
        await discovered("https://id.example/", "jwks_uri", fetch=mixed_up)


@pytest.mark.parametrize("url", ["http://id.example/keys", "file:///etc/passwd", 7, None])
async def test_keys_come_over_https_or_from_this_machine(url: object) -> None:
    async def said(_url: str) -> dict[str, Any]:
        return {"issuer": "https://id.example", "jwks_uri": url}

    with pytest.raises(CannotTell):
        await discovered("https://id.example", "jwks_uri", fetch=said)


async def test_a_real_issuer_is_discovered(authorization: AuthorizationServer) -> None:
    assert await discovered(authorization.issuer, "jwks_uri") == f"{authorization.issuer}/jwks.json"


async def test_an_answer_that_is_no_use_is_no_answer(authorization: AuthorizationServer) -> None:
    for url in (
        f"{authorization.issuer}/nothing",
        f"{authorization.issuer}/authorize",
        "http://127.0.0.1:9/",
        "nonsense",
    ):
        with pytest.raises(CannotTell):
            await fetched(url)
    with pytest.raises(CannotTell):
        await posted(f"{authorization.issuer}/introspect", {"token": "t"}, user="nobody", password="x")


async def test_of_an_answer_that_is_very_large_no_more_is_read_than_any_such_document_has() -> None:
    small = b'{"keys": []}'
    async with answering(small) as url:
        assert await fetched(url) == {"keys": []}
    async with answering(small.ljust(BYTES_MAX)) as url:
        assert await fetched(url) == {"keys": []}
    async with answering(small.ljust(BYTES_MAX + 1)) as url:
        with pytest.raises(CannotTell):
            await fetched(url)


async def test_those_who_ask_at_once_cause_one_request() -> None:
    issuer, arrived, released = Issuer(shown("a")), anyio.Event(), anyio.Event()

    async def slowly() -> dict[str, Any]:
        arrived.set()
        await released.wait()
        return await issuer.fetch()

    keys = Keys(slowly, now=lambda: issuer.time)
    found: list[object] = []

    async def ask() -> None:
        found.append(await keys.key("a", "RS256"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await arrived.wait()
        issuer.time += PAUSE_SECONDS  # so that whoever comes now would ask, too
        tasks.start_soon(ask)
        await anyio.lowlevel.checkpoint()
        released.set()
    assert len(found) == 2
    assert None not in found
    assert issuer.fetched == 1


async def test_metadata_that_cannot_be_had_at_one_place_are_looked_for_at_the_next() -> None:
    async def second(url: str) -> dict[str, Any]:
        if "oauth-authorization-server" in url:
            raise CannotTell
        return {"issuer": "https://id.example", "jwks_uri": "https://id.example/keys"}

    assert await discovered("https://id.example", "jwks_uri", fetch=second) == "https://id.example/keys"


@pytest.mark.parametrize("seconds", [0.0, 0.01])
async def test_a_stream_that_was_not_begun_in_its_time_is_left_for_the_caller_to_refuse(seconds: float) -> None:
    sent: list[Any] = []

    async def silent(_scope: object, _receive: object, _send: object) -> None:
        await anyio.sleep_forever()

    async def receive() -> dict[str, Any]:
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    assert not await served_for(seconds, silent, {"type": "http"}, receive, send)
    assert not sent


def test_who_is_of_no_issuer_or_of_another_is_nobody() -> None:
    policy = Policy(read_only=False, accounts=None, projects=None, target_groups=None)
    for issuer in (None, "https://id.example"):
        callers = Callers(policy, issuer=issuer, asked_over_http=True)
        assert callers.absent("local", frozenset()).principal == "local"
        with pytest.raises(NotAllowed):
            callers.absent(principal_of("https://elsewhere.example", "ann"), frozenset())
    known = callers.absent(principal_of("https://id.example", "ann"), frozenset())
    assert (known.principal, known.scopes) == ("https://id.example#ann", frozenset())
    assert callers.credentials_for(101) is None


def test_a_policy_within_a_narrower_one_does_not_allow_everywhere() -> None:
    general = Policy(read_only=False, accounts=frozenset({101}), projects=None, target_groups=None)
    entry = Policy(read_only=False, accounts=None, projects=None, target_groups=None, entry="default", within=general)
    assert not entry.allows_everywhere


async def test_endpoints_are_asked_for_in_time_and_stay_where_they_were_while_the_issuer_is_away() -> None:
    times, moment, answer = [0], [1_000.0], [{"issuer": "https://id.example", "jwks_uri": "https://id.example/a"}]

    async def said(_url: str) -> dict[str, Any]:
        times[0] += 1
        if not answer:
            raise CannotTell
        return answer[0]

    endpoints = Endpoints("https://id.example", fetch=said, now=lambda: moment[0])
    for _ in range(3):
        assert await endpoints.url("jwks_uri") == "https://id.example/a"
    assert times[0] == 1
    moment[0] += METADATA_FRESH_SECONDS
    kept, answer[:] = [*answer], []
    for _ in range(3):
        assert await endpoints.url("jwks_uri") == "https://id.example/a"
    assert times[0] == 1 + len(metadata_urls("https://id.example"))
    moment[0] += METADATA_PAUSE_SECONDS
    answer[:] = [{**kept[0], "jwks_uri": "https://id.example/b"}]
    assert await endpoints.url("jwks_uri") == "https://id.example/b"
    with pytest.raises(CannotTell):
        await endpoints.url("token_endpoint")
