"""The access token: one request for many callers, renewed in time, replaced once when it is refused."""

from collections.abc import Awaitable, Callable
from typing import cast

import anyio
import httpx
import pytest
import respx

from recontact_tools.errors import NotPermitted
from recontact_tools.gateway import Gateway
from recontact_tools.models import TargetGroup

pytestmark = pytest.mark.anyio

COUNT = httpx.Response(200, json={"saved_respondent_ids_count": 7})
STARTED = httpx.Response(201, json={"job_id": "J1"})
REFUSED_TOKENS = [
    pytest.param(httpx.Response(401, json={"object": "authorization_error", "detail": "no"}), id="401"),
    pytest.param(httpx.Response(401, html="<h1>no</h1>"), id="a gateway's 401"),
    pytest.param(httpx.Response(403, json={"object": "authorization_error", "detail": "no"}), id="403"),
]


def sent(route: respx.Route) -> list[httpx.Request]:
    return [call.request for call in cast("list[respx.models.Call]", route.calls)]


def tokens(route: respx.Route) -> list[str]:
    return [one.headers["authorization"].removeprefix("Bearer canary-token-") for one in sent(route)]


@pytest.fixture
def overview(router: respx.MockRouter) -> respx.Route:
    return router.route(host="api.example").mock(return_value=COUNT)


async def test_the_token_is_fetched_once_and_kept(
    gateway: Gateway, group: TargetGroup, overview: respx.Route, token_route: respx.Route
) -> None:
    for _ in range(3):
        await gateway.get_overview(group)
    assert tokens(overview) == ["1", "1", "1"]
    assert token_route.call_count == 1


async def test_the_token_is_renewed_before_it_expires(
    gateway: Gateway, group: TargetGroup, overview: respx.Route, pauses: list[float]
) -> None:
    await gateway.get_overview(group)
    pauses.append(86400 - 300 - 1)
    await gateway.get_overview(group)
    pauses.append(1)
    await gateway.get_overview(group)
    assert tokens(overview) == ["1", "1", "2"]


@pytest.mark.parametrize(
    ("expires_in", "used_for"),
    [
        pytest.param(60, 54, id="a short life"),
        pytest.param(1.5, 1.35, id="a fraction"),
        pytest.param(None, 3300, id="not said"),
        pytest.param("86400", 3300, id="a text"),
        pytest.param(-5, 3300, id="nonsense"),
    ],
)
async def test_a_token_is_used_for_most_of_its_life(
    gateway: Gateway,
    group: TargetGroup,
    overview: respx.Route,
    token_route: respx.Route,
    pauses: list[float],
    *,
    expires_in: object,
    used_for: float,
) -> None:
    token_route.side_effect = None
    token_route.respond(200, json={"access_token": "t", "expires_in": expires_in})
    await gateway.get_overview(group)
    pauses.append(used_for * 0.99)
    await gateway.get_overview(group)
    assert token_route.call_count == 1
    pauses.append(used_for * 0.02)
    await gateway.get_overview(group)
    assert token_route.call_count == 2
    assert overview.call_count == 3


async def test_concurrent_callers_cause_one_token_request(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, token_route: respx.Route
) -> None:
    async def slow(_request: httpx.Request) -> httpx.Response:
        await anyio.lowlevel.checkpoint()
        return httpx.Response(200, json={"access_token": "canary-token-1", "expires_in": 86400})

    token_route.side_effect = slow
    overview = router.route(host="api.example").mock(return_value=COUNT)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(gateway.get_overview, group)
    assert (overview.call_count, token_route.call_count) == (20, 1)


async def test_concurrent_callers_with_a_refused_token_cause_one_new_token_request(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, token_route: respx.Route
) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        await anyio.lowlevel.checkpoint()
        return COUNT if request.headers["authorization"].endswith("2") else httpx.Response(401)

    router.route(host="api.example").mock(side_effect=answer)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(gateway.get_overview, group)
    assert token_route.call_count == 2


@pytest.mark.parametrize("refusal", REFUSED_TOKENS)
async def test_a_read_with_a_refused_token_is_repeated_once_with_a_new_one(
    gateway: Gateway,
    group: TargetGroup,
    router: respx.MockRouter,
    pauses: list[float],
    *,
    refusal: httpx.Response,
) -> None:
    route = router.route(host="api.example").mock(side_effect=[refusal, COUNT])
    assert await gateway.get_overview(group) == 7
    assert tokens(route) == ["1", "2"]
    assert pauses == []


@pytest.mark.parametrize("refusal", REFUSED_TOKENS)
async def test_a_start_with_a_refused_token_is_repeated_once_with_a_new_one_and_the_same_body(
    start: Callable[[], Awaitable[str]], router: respx.MockRouter, *, refusal: httpx.Response
) -> None:
    route = router.route(host="api.example").mock(side_effect=[refusal, STARTED])
    assert await start() == "J1"
    assert tokens(route) == ["1", "2"]
    first, second = sent(route)
    assert first.headers["content-length"] == second.headers["content-length"]


@pytest.mark.parametrize("refusal", REFUSED_TOKENS)
async def test_a_start_that_is_refused_with_a_new_token_too_is_not_permitted(
    start: Callable[[], Awaitable[str]], router: respx.MockRouter, *, refusal: httpx.Response
) -> None:
    route = router.route(host="api.example").mock(return_value=refusal)
    with pytest.raises(NotPermitted):
        await start()
    assert tokens(route) == ["1", "2"]
