"""Reads are repeated, a few times, with growing pauses, and never sooner than the API asks."""

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
import respx
from hypothesis import given, settings
from hypothesis import strategies as st

from recontact_tools.errors import NotFound, RateLimited, Unreachable
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.gateway.retries import PAUSE_SECONDS_MAX, RETRY_AFTER_SECONDS_MAX, retry_delay
from recontact_tools.models import TargetGroup

pytestmark = pytest.mark.anyio

COUNT = httpx.Response(200, json={"saved_respondent_ids_count": 7})


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(httpx.ConnectError("x"), id="no connection"),
        pytest.param(httpx.ConnectTimeout("x"), id="no connection in time"),
        pytest.param(httpx.ReadTimeout("x"), id="no answer in time"),
        pytest.param(httpx.RemoteProtocolError("x"), id="hung up"),
        pytest.param(ConnectionResetError("x"), id="reset by an app in this process"),
        pytest.param(httpx.Response(429), id="429"),
        pytest.param(httpx.Response(408), id="408"),
        pytest.param(httpx.Response(500), id="500"),
        pytest.param(httpx.Response(503, html="<h1>busy</h1>"), id="a proxy's 503"),
        pytest.param(httpx.Response(200, html="<h1>sign in</h1>"), id="a page instead of an answer"),
        pytest.param(httpx.Response(200, content=b" " * 8_000_001), id="an answer too large"),
        pytest.param(httpx.Response(204), id="nothing"),
    ],
)
async def test_a_read_is_repeated_until_it_succeeds(
    gateway: Gateway,
    group: TargetGroup,
    router: respx.MockRouter,
    pauses: list[float],
    *,
    failure: httpx.Response | Exception,
) -> None:
    route = router.route(host="api.example").mock(side_effect=[failure, failure, COUNT])
    assert await gateway.get_overview(group) == 7
    assert route.call_count == 3
    assert pauses == [0.5, 1.0]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        pytest.param(httpx.ConnectError("x"), "UNREACHABLE", id="no connection"),
        pytest.param(httpx.ReadTimeout("x"), "UNAVAILABLE", id="no answer"),
        pytest.param(httpx.Response(500), "UNAVAILABLE", id="500"),
        pytest.param(httpx.Response(302, headers={"location": "https://x.example"}), "UNAVAILABLE", id="302"),
        pytest.param(httpx.Response(200, html="<h1>hi</h1>"), "UNAVAILABLE", id="a page"),
    ],
)
async def test_a_read_gives_up_after_four_attempts(
    gateway: Gateway,
    group: TargetGroup,
    router: respx.MockRouter,
    pauses: list[float],
    *,
    failure: httpx.Response | Exception,
    code: str,
) -> None:
    route = router.route(host="api.example").mock(side_effect=[failure] * 5)
    with pytest.raises(Unreachable) as caught:
        await gateway.get_overview(group)
    assert (caught.value.code, caught.value.changed, caught.value.safe_to_repeat) == (code, "no", True)
    assert route.call_count == 4
    assert pauses == [0.5, 1.0, 2.0]


async def test_a_redirect_is_not_followed(gateway: Gateway, group: TargetGroup, router: respx.MockRouter) -> None:
    elsewhere = router.route(host="elsewhere.example").mock(return_value=COUNT)
    router.route(host="api.example").respond(301, headers={"location": "https://elsewhere.example/"})
    with pytest.raises(Unreachable):
        await gateway.get_overview(group)
    assert elsewhere.call_count == 0


@pytest.mark.parametrize("status", [429, 503])
async def test_a_read_waits_at_least_as_long_as_the_api_asks(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, pauses: list[float], *, status: int
) -> None:
    busy = httpx.Response(status, headers={"retry-after": "12"})
    router.route(host="api.example").mock(side_effect=[busy, COUNT])
    assert await gateway.get_overview(group) == 7
    assert pauses == [12.5]


async def test_a_read_that_would_wait_too_long_says_so_instead(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, pauses: list[float]
) -> None:
    route = router.route(host="api.example").respond(429, headers={"retry-after": "3600"})
    with pytest.raises(RateLimited) as caught:
        await gateway.get_overview(group)
    assert caught.value.details["retry_after_seconds"] == 3600
    assert (route.call_count, pauses) == (1, [])


@pytest.mark.parametrize("value", ["", "soon", "-1", "1.5", "9999999", "٣", "Wed, 21 Oct 2026 07:28:00 GMT"])
async def test_a_wait_that_is_not_in_seconds_is_not_read(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, pauses: list[float], *, value: str
) -> None:
    busy = httpx.Response(429, headers=[(b"retry-after", value.encode())])
    router.route(host="api.example").mock(side_effect=[busy, COUNT])
    assert await gateway.get_overview(group) == 7
    assert pauses == [0.5]


async def test_no_attempt_starts_after_the_time_for_a_read_is_over(
    make_gateway: Callable[[Connection], Gateway],
    connection: Connection,
    group: TargetGroup,
    router: respx.MockRouter,
    pauses: list[float],
) -> None:
    gateway = make_gateway(replace(connection, reads_retried=100, retry_seconds=10.0))
    router.route(host="api.example").respond(500)
    with pytest.raises(Unreachable):
        await gateway.get_overview(group)
    assert pauses == [0.5, 1.0, 2.0, 4.0]


async def test_a_refused_read_is_not_repeated(gateway: Gateway, group: TargetGroup, router: respx.MockRouter) -> None:
    route = router.route(host="api.example").respond(404)
    with pytest.raises(NotFound):
        await gateway.get_overview(group)
    assert route.call_count == 1


@given(
    attempt=st.integers(1, 1000),
    jitter=st.floats(0, 1),
    retry_after=st.none() | st.integers(0, 999_999),
)
@settings(deadline=None)
def test_a_pause_is_bounded_and_never_undercuts_what_was_asked(
    attempt: int, jitter: float, *, retry_after: int | None
) -> None:
    delay = retry_delay(attempt, jitter, retry_after=retry_after)
    if retry_after is not None and retry_after > RETRY_AFTER_SECONDS_MAX:
        assert delay is None
    else:
        assert delay is not None
        assert (retry_after or 0) < delay <= (retry_after or 0) + PAUSE_SECONDS_MAX


def test_pauses_double_up_to_a_limit() -> None:
    assert [retry_delay(attempt, 1.0) for attempt in range(1, 7)] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert retry_delay(1, 0.0) == 0.25
