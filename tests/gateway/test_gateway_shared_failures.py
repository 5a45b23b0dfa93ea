"""A token that could not be fetched: asked for once an attempt, and once for all who wait."""

from collections.abc import Callable
from dataclasses import replace

import anyio
import httpx
import pytest
import respx

from recontact_tools.errors import NotPermitted, RateLimited, RecontactError, Unreachable
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.models import TargetGroup

pytestmark = pytest.mark.anyio

CALLERS = 20


@pytest.fixture
def once(make_gateway: Callable[[Connection], Gateway], connection: Connection) -> Gateway:
    """A gateway that repeats nothing."""
    return make_gateway(replace(connection, reads_retried=1))


@pytest.mark.parametrize("failure", [httpx.ConnectTimeout("x"), httpx.ReadTimeout("x"), httpx.Response(503)])
async def test_a_read_asks_for_a_token_once_an_attempt(
    gateway: Gateway,
    group: TargetGroup,
    token_route: respx.Route,
    pauses: list[float],
    *,
    failure: httpx.Response | Exception,
) -> None:
    token_route.side_effect = [failure] * 5
    with pytest.raises(Unreachable, match="access token"):
        await gateway.get_overview(group)
    assert token_route.call_count == 4
    assert pauses == [0.5, 1.0, 2.0]


async def test_a_read_waits_as_long_as_the_token_endpoint_asks(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, token_route: respx.Route, pauses: list[float]
) -> None:
    router.route(host="api.example").respond(200, json={"saved_respondent_ids_count": 7})
    token = httpx.Response(200, json={"access_token": "t"})
    token_route.side_effect = [httpx.Response(429, headers={"retry-after": "12"}), token]
    assert await gateway.get_overview(group) == 7
    assert pauses == [12.5]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(httpx.Response(503), Unreachable, id="503"),
        pytest.param(httpx.Response(401), NotPermitted, id="401"),
        pytest.param(httpx.Response(429, headers={"retry-after": "9"}), RateLimited, id="429"),
    ],
)
async def test_callers_who_wait_for_a_token_share_its_failure(
    once: Gateway,
    group: TargetGroup,
    token_route: respx.Route,
    *,
    answer: httpx.Response,
    kind: type[RecontactError],
) -> None:
    errors: list[RecontactError] = []

    async def slow(_request: httpx.Request) -> httpx.Response:
        await anyio.wait_all_tasks_blocked()
        return answer

    async def read() -> None:
        with pytest.raises(RecontactError) as caught:
            await once.get_overview(group)
        errors.append(caught.value)

    token_route.side_effect = slow
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(CALLERS):
                tasks.start_soon(read)
    assert token_route.call_count == 1
    assert [type(error) for error in errors] == [kind] * CALLERS
    assert len({id(error) for error in errors}) == CALLERS
    assert len({str(error.as_dict()) for error in errors}) == 1


async def test_a_caller_who_comes_after_a_failure_asks_again(
    once: Gateway, group: TargetGroup, token_route: respx.Route
) -> None:
    token_route.side_effect = [httpx.Response(503)] * 2
    for _ in range(2):
        with pytest.raises(Unreachable):
            await once.get_overview(group)
    assert token_route.call_count == 2


async def test_a_caller_who_is_cancelled_is_no_failure_to_those_who_wait(
    once: Gateway, group: TargetGroup, router: respx.MockRouter, token_route: respx.Route
) -> None:
    router.route(host="api.example").respond(200, json={"saved_respondent_ids_count": 7})
    asked = anyio.Event()
    first = anyio.CancelScope()
    counts: list[int] = []

    async def hang_once(_request: httpx.Request) -> httpx.Response:
        if not asked.is_set():
            asked.set()
            await anyio.sleep_forever()
        return httpx.Response(200, json={"access_token": "t"})

    async def cancelled() -> None:
        with first:
            await once.get_overview(group)

    async def waiting() -> None:
        counts.append(await once.get_overview(group))

    token_route.side_effect = hang_once
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cancelled)
            await asked.wait()
            tasks.start_soon(waiting)
            await anyio.wait_all_tasks_blocked()
            first.cancel()
    assert counts == [7]
