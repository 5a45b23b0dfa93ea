"""Without a token nothing is sent, and the error says which door was closed."""

from collections.abc import Awaitable, Callable
from typing import cast

import httpx
import pytest
import respx

from recontact_tools.errors import NotPermitted, RateLimited, Unreachable
from recontact_tools.gateway import Gateway
from recontact_tools.models import TargetGroup

pytestmark = pytest.mark.anyio

COUNT = httpx.Response(200, json={"saved_respondent_ids_count": 7})


def tokens(route: respx.Route) -> list[str]:
    calls = cast("list[respx.models.Call]", route.calls)
    return [call.request.headers["authorization"].removeprefix("Bearer canary-token-") for call in calls]


@pytest.fixture
def overview(router: respx.MockRouter) -> respx.Route:
    return router.route(host="api.example").mock(return_value=COUNT)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_refused_credentials_are_not_permitted_and_nothing_is_sent(
    start: Callable[[], Awaitable[str]], overview: respx.Route, token_route: respx.Route, *, status: int
) -> None:
    token_route.side_effect = None
    token_route.respond(status, json={"error": "access_denied", "error_description": "Unauthorized"})
    with pytest.raises(NotPermitted, match="client id and secret"):
        await start()
    assert (overview.call_count, token_route.call_count) == (0, 1)


async def test_a_token_endpoint_that_asks_for_fewer_requests_is_obeyed(
    start: Callable[[], Awaitable[str]], token_route: respx.Route
) -> None:
    token_route.side_effect = None
    token_route.respond(429, headers={"retry-after": "3600"})
    with pytest.raises(RateLimited):
        await start()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.ConnectError("x"), id="no connection"),
        pytest.param(httpx.ReadTimeout("x"), id="no answer"),
        pytest.param(httpx.Response(500), id="500"),
        pytest.param(httpx.Response(302), id="302"),
        pytest.param(httpx.Response(200, html="<h1>sign in</h1>"), id="a page"),
        pytest.param(httpx.Response(200, json={}), id="no token"),
        pytest.param(httpx.Response(200, json={"access_token": " "}), id="a blank token"),
        pytest.param(httpx.Response(200, json={"access_token": "a\r\nb"}), id="a token in two lines"),
        pytest.param(httpx.Response(200, json={"access_token": "ü"}), id="a token that no header can hold"),
    ],
)
async def test_without_a_token_nothing_is_sent(
    start: Callable[[], Awaitable[str]],
    overview: respx.Route,
    token_route: respx.Route,
    *,
    answer: httpx.Response | Exception,
) -> None:
    token_route.side_effect = [answer] * 4
    with pytest.raises(Unreachable, match="access token"):
        await start()
    assert (overview.call_count, token_route.call_count) == (0, 4)


async def test_a_lost_token_answer_is_asked_for_again(
    gateway: Gateway, group: TargetGroup, overview: respx.Route, token_route: respx.Route
) -> None:
    token_route.side_effect = [
        httpx.ReadTimeout("x"),
        httpx.Response(200, json={"access_token": "canary-token-9", "expires_in": 86400}),
    ]
    await gateway.get_overview(group)
    assert tokens(overview) == ["9"]


async def test_a_failed_renewal_does_not_bring_the_refused_token_back(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, token_route: respx.Route
) -> None:
    route = router.route(host="api.example").mock(side_effect=[COUNT, httpx.Response(401), COUNT])
    await gateway.get_overview(group)
    token_route.side_effect = [httpx.Response(401)]
    with pytest.raises(NotPermitted):
        await gateway.get_overview(group)
    token_route.side_effect = [httpx.Response(200, json={"access_token": "canary-token-2"})]
    await gateway.get_overview(group)
    assert tokens(route) == ["1", "1", "2"]
