"""What strangers may cost: by their address where it tells them apart, and all together where it does not."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from recontact_mcp.remote.addresses import ADDRESSES_MAX, Client, address_of
from recontact_mcp.remote.app import build_app
from recontact_mcp.remote.authorization.fetching import CannotTell
from recontact_mcp.remote.authorization.introspected import BELIEVED_SECONDS, IntrospectedTokens
from recontact_mcp.remote.parts import Parts
from recontact_mcp.remote.questions import SHARES, Allowance
from recontact_mcp.remote.strangers import SHARED_SECONDS, Once, Strangers
from recontact_tools.errors import RateLimited

if TYPE_CHECKING:
    from mcp.server.auth.provider import AccessToken

pytestmark = pytest.mark.anyio

PUBLIC: Client = ("8.8.8.8", 4_711)
OTHER: Client = ("9.9.9.9", 4_711)
NAMED: Client = ("10.1.2.3", 0)  # by a trusted proxy
HIDDEN: Client = ("10.0.0.7", 4_711)  # by a balancer that nobody told us of
GOOD = {"active": True, "sub": "ann", "aud": "here", "iss": "issuer", "scope": "recontacts:read", "exp": 1e9}
BAD: dict[str, Any] = {"active": False}


class Issuer:
    """Knows the tokens that begin with `good`, in a time that the test moves; *holds* keeps it from answering."""

    def __init__(self, **allowed: Any) -> None:
        self.asked: list[str] = []
        self.refused: list[str] = []
        self.time = 1_000.0
        self.holds: anyio.Event | None = None
        self.is_away = False
        told: dict[str, Any] = {"failures_per_minute": 6.0, "questions_per_second": 1_000.0, **allowed}
        allowance = Allowance(**told)
        self.strangers = Strangers(allowance, now=lambda: self.time, refused=self.refused.append)
        self.tokens = IntrospectedTokens(
            self, "issuer", "here", 10.0, self.strangers, now=lambda: self.time, wall=lambda: self.time
        )

    async def __call__(self, token: str) -> dict[str, Any]:
        self.asked.append(token)
        if self.holds is not None:
            await self.holds.wait()
        if self.is_away:
            raise CannotTell
        return GOOD if token.startswith("good") else BAD

    async def verified(self, token: str, client: Client = PUBLIC) -> "AccessToken | None":
        return await self.tokens.verify_token(token, client)

    async def until_refused(self, client: Client = PUBLIC) -> RateLimited:
        for number in range(100):
            try:
                assert await self.verified(f"bad-{client and client[0]}-{number}", client) is None
            except RateLimited as refused:
                return refused
        raise AssertionError("nothing was refused")


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (PUBLIC, "8.8.8.8"),
        (("10.1.2.3", 4_711), None),
        (("127.0.0.1", 4_711), None),
        (("192.168.0.1", 4_711), None),
        (("::1", 4_711), None),
        (("fd00::1", 4_711), None),
        (NAMED, "10.1.2.3"),
        (("8.8.8.8", 0), "8.8.8.8"),
        (("4.4.4.4", 4_711), None),  # trusted: a proxy's own
        (("::ffff:8.8.8.8", 4_711), "8.8.8.8"),
        (("2600:1::1", 4_711), "2600:1::/64"),
        (("2600:1::abcd:1", 4_711), "2600:1::/64"),
        (("testclient", 50_000), None),
        (None, None),
    ],
)
def test_an_address_counts_only_where_it_tells_one_client_from_another(client: Client, address: str | None) -> None:
    from ipaddress import ip_network  # noqa: PLC0415 (what trusts is made here alone)

    assert address_of(client, (ip_network("4.4.4.0/24"),)) == address


async def test_made_up_tokens_of_one_address_are_refused_before_the_issuer_is_asked_and_others_are_not() -> None:
    issuer = Issuer()
    refused = await issuer.until_refused()
    assert len(issuer.asked) == 6
    assert refused.retry_after == 10
    assert issuer.refused == ["address"]
    assert await issuer.verified("bad", OTHER) is None
    assert await issuer.verified("good", OTHER) is not None
    issuer.time += 10.0
    assert await issuer.verified("good") is not None


async def test_a_token_that_is_known_to_be_good_passes_from_an_address_that_is_refused() -> None:
    issuer = Issuer()
    assert await issuer.verified("good", OTHER) is not None
    await issuer.until_refused()
    asked = len(issuer.asked)
    assert await issuer.verified("good") is not None
    assert len(issuer.asked) == asked
    issuer.time += BELIEVED_SECONDS
    assert await issuer.verified("good") is not None
    assert len(issuer.asked) == asked + 1


async def test_an_address_from_which_somebody_proved_themselves_is_shared_and_not_refused() -> None:
    issuer = Issuer()
    assert await issuer.verified("good") is not None
    for number in range(50):
        assert await issuer.verified(f"bad-{number}") is None
    assert await issuer.verified("good-2") is not None
    issuer.time += SHARED_SECONDS
    await issuer.until_refused()


async def test_no_stranger_locks_out_whom_a_balancer_hides() -> None:
    issuer = Issuer()
    for number in range(50):
        assert await issuer.verified(f"bad-{number}", HIDDEN) is None
    assert await issuer.verified("good", HIDDEN) is not None
    assert issuer.refused == []


async def test_where_a_trusted_proxy_names_addresses_they_count_also_if_they_are_private() -> None:
    issuer = Issuer()
    await issuer.until_refused(NAMED)
    assert await issuer.verified("good", ("10.1.2.4", 0)) is not None


async def test_no_limit_refuses_no_address() -> None:
    issuer = Issuer(failures_per_minute=0.0)
    for number in range(100):
        assert await issuer.verified(f"bad-{number}") is None


async def test_who_asks_while_the_issuer_is_away_has_not_failed() -> None:
    strangers = Strangers(Allowance(failures_per_minute=1.0))
    for _ in range(5):
        with strangers.trying(PUBLIC):
            pass
    with strangers.trying(PUBLIC) as one:
        one.proved = False
    with pytest.raises(RateLimited), strangers.trying(PUBLIC):
        pass


async def test_all_strangers_together_have_so_many_questions_a_second_and_known_tokens_are_not_among_them() -> None:
    issuer = Issuer(questions_per_second=1.0, failures_per_minute=0.0)
    assert await issuer.verified("good") is not None
    refused = await issuer.until_refused(HIDDEN)
    assert len(issuer.asked) == 10
    assert refused.retry_after == 1
    assert issuer.refused == ["questions"]
    assert await issuer.verified("good") is not None
    issuer.time += 0.9
    with pytest.raises(RateLimited):
        await issuer.verified("good-2")
    issuer.time += 5.0
    assert await issuer.verified("good-2") is not None
    await issuer.until_refused(HIDDEN)
    issuer.time += BELIEVED_SECONDS
    await issuer.until_refused(("10.0.0.8", 1))
    assert await issuer.verified("good") is not None, "one that is believed no more is asked about all the same"


async def test_who_floods_from_an_address_that_is_shared_leaves_most_questions_to_everybody_else() -> None:
    issuer = Issuer(questions_per_second=4.0)
    assert await issuer.verified("good") is not None
    issuer.time += BELIEVED_SECONDS
    await issuer.until_refused()
    assert len(issuer.asked) == 40 / SHARES + 1
    assert issuer.refused == ["share"]
    for number in range(20):
        assert await issuer.verified(f"good-{number}", (f"9.9.9.{number}", 1)) is not None
    issuer.time += 1.0
    assert await issuer.verified("good-20") is not None
    with pytest.raises(RateLimited) as refused:
        await issuer.verified("good-21")
    assert refused.value.retry_after == 1


async def test_who_is_slow_to_be_asked_about_from_one_address_takes_no_place_of_others() -> None:
    issuer = Issuer(failures_per_minute=0.0, questions_at_once=8, line_seconds=60.0)
    issuer.holds = anyio.Event()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(issuer.verified, f"good-{number}")
            await anyio.wait_all_tasks_blocked()
            assert len(issuer.asked) == 8 / SHARES, "the others wait, and not in the line of everybody"
            tasks.start_soon(issuer.verified, "good-other", OTHER)
            for number in range(10):
                tasks.start_soon(issuer.verified, f"good-hidden-{number}", HIDDEN)
            await anyio.wait_all_tasks_blocked()
            assert issuer.asked[2:] == ["good-other", *(f"good-hidden-{number}" for number in range(5))]
            issuer.holds.set()
    assert (len(issuer.asked), issuer.refused) == (31, [])


async def test_an_address_whose_places_are_taken_waits_no_longer_than_for_a_line() -> None:
    issuer = Issuer(questions_at_once=4, line_seconds=0.0)
    issuer.holds = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(issuer.verified, "good")
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(RateLimited):
            await issuer.verified("good-2")
        issuer.holds.set()
    assert issuer.refused == ["share"]
    assert await issuer.verified("good-2") is not None


async def test_of_addresses_that_made_us_ask_only_so_many_are_kept() -> None:
    issuer = Issuer(questions_per_second=100_000.0)
    for number in range(ADDRESSES_MAX + 1):
        async with issuer.strangers.tokens.asking((f"2600:{number:x}::1", 1)):
            assert issuer.strangers.tokens.known <= ADDRESSES_MAX + 1
    assert issuer.strangers.tokens.known == ADDRESSES_MAX
    assert issuer.strangers.sign_ins.known == 0


async def test_a_known_token_does_not_wait_for_the_places_of_strangers() -> None:
    issuer = Issuer(questions_at_once=1, line_seconds=0.0)
    assert await issuer.verified("good") is not None
    issuer.time += BELIEVED_SECONDS
    issuer.holds, places = anyio.Event(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(issuer.verified, "bad")
        with anyio.fail_after(10):
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(RateLimited):
                await issuer.verified("new", OTHER)  # found no place

            async def known() -> None:
                assert await issuer.verified("good") is not None
                places.set()

            tasks.start_soon(known)
            await anyio.wait_all_tasks_blocked()
            assert issuer.asked == ["good", "bad", "good"]
            issuer.holds.set()
            await places.wait()
    assert issuer.refused == ["questions"]
    assert "new" not in issuer.asked


async def test_all_who_bring_a_token_at_once_are_answered_by_one_question() -> None:
    issuer = Issuer()
    issuer.holds = anyio.Event()
    found: list[object] = []

    async def one(token: str) -> None:
        found.append(await issuer.verified(token))

    async with anyio.create_task_group() as tasks:
        for number in range(40):
            tasks.start_soon(one, "good" if number % 2 else "bad")
        await anyio.wait_all_tasks_blocked()
        issuer.holds.set()
    assert sorted(issuer.asked) == ["bad", "good"]
    assert (len(found), found.count(None)) == (40, 20)


async def test_all_who_wait_for_an_answer_that_does_not_come_are_told_so_at_once() -> None:
    issuer, told = Issuer(), list[str]()
    issuer.holds, issuer.is_away = anyio.Event(), True

    async def one() -> None:
        with pytest.raises(CannotTell):
            await issuer.verified("good")
        told.append("nobody can tell")

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(one)
        await anyio.wait_all_tasks_blocked()
        issuer.holds.set()
    assert (len(told), issuer.asked, issuer.refused) == (5, ["good"], [])


async def test_who_finds_no_place_for_a_question_waits_a_little_for_one() -> None:
    issuer = Issuer(questions_at_once=1, line_seconds=60.0)
    issuer.holds = anyio.Event()
    found: list[object] = []

    async def one(token: str) -> None:
        found.append(await issuer.verified(token))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one, "good")
            tasks.start_soon(one, "good-2")
            await anyio.wait_all_tasks_blocked()
            assert issuer.asked == ["good"]
            issuer.holds.set()
    assert (len(found), None in found, issuer.asked) == (2, False, ["good", "good-2"])


def test_what_was_used_is_used_once_and_the_oldest_forgotten() -> None:
    once = Once(2)
    assert [once.is_first(name) for name in "aabbab"] == [True, False, True, False, False, False]
    assert [once.is_first(name) for name in "ca"] == [True, True]


async def test_who_waited_for_the_question_of_somebody_who_went_away_asks_in_turn() -> None:
    issuer = Issuer()
    issuer.holds = anyio.Event()
    found: list[object] = []
    async with anyio.create_task_group() as tasks:
        first = anyio.CancelScope()

        async def leaving() -> None:
            with first:
                await issuer.verified("good")

        async def staying() -> None:
            found.append(await issuer.verified("good"))

        tasks.start_soon(leaving)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(staying)
        await anyio.wait_all_tasks_blocked()
        first.cancel()
        await anyio.wait_all_tasks_blocked()
        issuer.holds.set()
    assert issuer.asked == ["good", "good"]
    assert found[0] is not None


def test_what_is_kept_of_addresses_is_bounded() -> None:
    strangers = Strangers(Allowance(failures_per_minute=1.0))
    for proved in (False, True):
        for number in range(ADDRESSES_MAX + 1):
            with strangers.trying((f"2600:{number:x}:{proved:x}::1", 1)) as one:
                one.proved = proved
    assert strangers.known == ADDRESSES_MAX
    with strangers.trying(("2600:0:0::1", 1)) as one:  # the oldest is forgotten, and begins anew
        one.proved = False
    with pytest.raises(RateLimited), strangers.trying(("2600:2710:0::1", 1)):
        pass


@asynccontextmanager
async def coming_from(client: tuple[str, int], made: Parts) -> AsyncGenerator[httpx.AsyncClient]:
    """Open an HTTP client that comes from an address."""
    app = build_app(made)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=client)
    async with app.running(), httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as http:
        yield http


async def test_addresses_of_files_cannot_be_tried_for_ever(parts: Callable[..., Parts]) -> None:
    made = parts(http_failures_per_minute=3.0, metrics_address="127.0.0.1:0")
    async with coming_from(("8.8.8.8", 1), made) as http:
        tried = [await http.put(f"/staged/{'x' * 43}", content=b"1") for _ in range(4)]
        told = await http.put("/staged/x", content=b"1", headers={"accept": "application/json"})
    assert [answer.status_code for answer in tried] == [404, 404, 404, 429]
    assert (told.status_code, told.headers["retry-after"], told.json()["code"]) == (429, "20", "RATE_LIMITED")
    assert made.metrics is not None
    value = made.metrics.registry.get_sample_value("recontact_refused_strangers_total", {"reason": "address"})
    assert value == 2


async def test_links_cannot_be_tried_for_ever(parts: Callable[..., Parts]) -> None:
    made = parts(http_failures_per_minute=3.0)
    headers = {"origin": "http://127.0.0.1:8765"}
    async with coming_from(("8.8.8.8", 1), made) as http:
        tried = [await http.post("/approve/link", data={"key": "x"}, headers=headers) for _ in range(4)]
    assert [answer.status_code for answer in tried] == [401, 401, 401, 429]
    assert tried[-1].headers["retry-after"] == "20"
    assert "Too many requests from your address" in tried[-1].text
