"""Tokens that live for seconds: renewed early, the old one serving as long as it is valid and nobody refused it."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import anyio
import httpx
import pytest
import respx
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream

from recontact_tools.errors import NotPermitted, RateLimited, Unreachable
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.gateway.accounts import REFUSED_SECONDS
from recontact_tools.models import TargetGroup

pytestmark = pytest.mark.anyio

COUNT = httpx.Response(200, json={"saved_respondent_ids_count": 7})
DENIED = httpx.Response(403, json={"object": "authorization_error", "detail": "no"})
LIFE = 100  # seconds; the last tenth of it is for renewing

MakeGateway = Callable[[Connection], Gateway]


def tokens(route: respx.Route) -> list[str]:
    calls = cast("list[respx.models.Call]", route.calls)
    return [call.request.headers["authorization"].removeprefix("Bearer ") for call in calls]


def token(name: str, seconds: int = LIFE) -> httpx.Response:
    return httpx.Response(200, json={"access_token": name, "expires_in": seconds})


@pytest.fixture
def polite(make_gateway: MakeGateway, connection: Connection) -> Gateway:
    """A gateway as it speaks over a network, whose reads are tried once."""
    return make_gateway(replace(connection, requests_at_once=8, reads_retried=1))


@pytest.fixture
def overview(router: respx.MockRouter) -> respx.Route:
    return router.route(host="api.example").mock(return_value=COUNT)


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(httpx.ConnectError("x"), id="no connection"),
        pytest.param(httpx.Response(503), id="503"),
        pytest.param(httpx.Response(429, headers={"retry-after": "60"}), id="429"),
        pytest.param(httpx.Response(401), id="credentials refused"),
    ],
)
async def test_a_token_that_cannot_be_renewed_serves_until_it_has_expired(
    polite: Gateway,
    group: TargetGroup,
    overview: respx.Route,
    token_route: respx.Route,
    pauses: list[float],
    *,
    failure: httpx.Response | Exception,
) -> None:
    token_route.side_effect = [token("old"), failure, failure, token("new")]
    await polite.get_overview(group)
    pauses.append(LIFE * 0.95)
    await polite.get_overview(group)
    await polite.get_overview(group)
    assert (tokens(overview), token_route.call_count) == (["old"] * 3, 2)
    pauses.append(LIFE * 0.05)
    with pytest.raises((Unreachable, NotPermitted, RateLimited)):
        await polite.get_overview(group)
    await polite.get_overview(group)
    assert tokens(overview) == ["old"] * 3 + ["new"]


async def test_renewing_is_tried_again_after_a_while_and_not_in_every_call(
    polite: Gateway, group: TargetGroup, overview: respx.Route, token_route: respx.Route, pauses: list[float]
) -> None:
    token_route.side_effect = [token("old", 86_400), httpx.Response(503), token("new", 86_400)]
    await polite.get_overview(group)
    pauses.append(86_400 - 300)
    for _ in range(30):
        await polite.get_overview(group)
        pauses.append(1)
    assert token_route.call_count == 2
    await polite.get_overview(group)
    assert tokens(overview) == ["old"] * 31 + ["new"]


async def test_a_call_does_not_wait_for_the_renewal_of_a_token_that_is_still_valid(
    polite: Gateway, group: TargetGroup, overview: respx.Route, token_route: respx.Route, pauses: list[float]
) -> None:
    asked, answer = anyio.Event(), anyio.Event()

    async def slow(_request: httpx.Request) -> httpx.Response:
        asked.set()
        await answer.wait()
        return token("new")

    token_route.side_effect = [token("old")]
    await polite.get_overview(group)
    token_route.side_effect = slow
    pauses.append(LIFE * 0.95)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(polite.get_overview, group)
            await asked.wait()
            for _ in range(3):
                assert await polite.get_overview(group) == 7
            answer.set()
    assert tokens(overview) == ["old"] * 4 + ["new"]
    assert token_route.call_count == 2


async def test_a_token_that_was_refused_while_it_was_being_renewed_does_not_come_back(
    polite: Gateway, group: TargetGroup, router: respx.MockRouter, token_route: respx.Route, pauses: list[float]
) -> None:
    asked, answer = anyio.Event(), anyio.Event()

    async def slow(_request: httpx.Request) -> httpx.Response:
        asked.set()
        await answer.wait()
        return httpx.Response(503)

    async def read() -> None:
        with pytest.raises(Unreachable, match="access token"):
            await polite.get_overview(group)

    route = router.route(host="api.example").mock(side_effect=[COUNT, DENIED, COUNT])
    token_route.side_effect = [token("old")]
    await polite.get_overview(group)
    token_route.side_effect = slow
    pauses.append(LIFE * 0.95)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await asked.wait()
            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            answer.set()
    token_route.side_effect = [token("new")]
    await polite.get_overview(group)
    assert tokens(route) == ["old", "old", "new"]


async def test_a_permission_that_is_missing_costs_one_token_a_while_and_no_other_account_any(
    polite: Gateway, group: TargetGroup, router: respx.MockRouter, token_route: respx.Route, pauses: list[float]
) -> None:
    elsewhere = replace(group, account_id=202)
    denied = router.route(path__regex="/accounts/101/").mock(return_value=DENIED)
    router.route(path__regex="/accounts/202/").mock(return_value=COUNT)
    for _ in range(5):
        with pytest.raises(NotPermitted):
            await polite.get_overview(group)
        assert await polite.get_overview(elsewhere) == 7
    assert (denied.call_count, token_route.call_count) == (6, 2)
    pauses.append(REFUSED_SECONDS)
    with pytest.raises(NotPermitted):
        await polite.get_overview(group)
    assert (denied.call_count, token_route.call_count) == (8, 3)


async def test_a_token_that_expired_later_is_renewed_even_where_a_permission_was_missing(
    polite: Gateway, group: TargetGroup, router: respx.MockRouter, token_route: respx.Route, pauses: list[float]
) -> None:
    token_route.side_effect = [token("1"), token("2", 10), token("3"), token("4")]
    route = router.route(host="api.example").mock(side_effect=[DENIED, DENIED, DENIED, COUNT])
    with pytest.raises(NotPermitted):
        await polite.get_overview(group)
    pauses.append(10)
    assert await polite.get_overview(group) == 7
    assert tokens(route) == ["1", "2", "3", "4"]


async def test_within_one_process_a_fresh_token_is_always_tried(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, token_route: respx.Route
) -> None:
    router.route(host="api.example").mock(side_effect=[DENIED, DENIED, DENIED, COUNT])
    with pytest.raises(NotPermitted):
        await gateway.get_overview(group)
    assert await gateway.get_overview(group) == 7
    assert token_route.call_count == 3


class Authority:
    """An API and its token endpoint on a socket, on the clock of the test; tokens live for ten of its seconds."""

    def __init__(self, announced: int = 10) -> None:
        self.moment = 0.0
        self.issued: list[float] = []
        self.refused = 0
        self._announced = announced

    async def serve(self, stream: ByteStream) -> None:
        async with stream:
            received = BufferedByteReceiveStream(stream)
            while True:
                try:
                    head = await received.receive_until(b"\r\n\r\n", 65_536)
                except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
                    return
                sizes = [
                    one.split(b":")[1] for one in head.split(b"\r\n") if one.lower().startswith(b"content-length:")
                ]
                await received.receive_exactly(sum(map(int, sizes)))
                status, body = self.answered(head)
                await stream.send(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body))

    def answered(self, head: bytes) -> tuple[bytes, bytes]:
        if head.startswith(b"POST /oauth/token "):
            self.issued.append(self.moment)
            return b"200 OK", b'{"access_token": "%d", "expires_in": %d}' % (len(self.issued), self._announced)
        number = int(head.split(b"Bearer ")[1].split(b"\r\n")[0])
        if self.moment - self.issued[number - 1] < 10:
            return b"200 OK", b'{"saved_respondent_ids_count": 7}'
        self.refused += 1
        return b"403 Forbidden", b'{"object": "authorization_error", "detail": "no"}'


@pytest.mark.parametrize(
    ("announced", "refused"), [(10, False), (86_400, True)], ids=["in time", "sooner than it said"]
)
async def test_over_http_each_token_is_fetched_once_however_many_callers_outlive_it(
    connection: Connection, group: TargetGroup, monkeypatch: pytest.MonkeyPatch, *, announced: int, refused: bool
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    authority = Authority(announced)
    counts: list[int] = []

    async def read(gateway: Gateway) -> None:
        counts.append(await gateway.get_overview(group))

    with anyio.fail_after(20):
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
            anyio.create_task_group() as server,
        ):
            url = f"http://127.0.0.1:{listener.extra_attributes[SocketAttribute.local_port]()}"
            server.start_soon(listener.serve, authority.serve)
            way = replace(connection, base_url=url, token_url=f"{url}/oauth/token", requests_at_once=8)
            async with Gateway(way, now=lambda: authority.moment) as gateway:
                for _ in range(5):
                    async with anyio.create_task_group() as callers:
                        for _ in range(20):
                            callers.start_soon(read, gateway)
                    authority.moment += 12.0
            server.cancel_scope.cancel()
    assert (counts, len(authority.issued)) == ([7] * 100, 5)
    assert (authority.refused > 0) is refused
