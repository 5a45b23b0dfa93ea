"""One read is over in one time, whatever hangs; a start that was sent is never cut off by it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio
import httpx
import pytest
import respx

from recontact_tools.errors import NotFound, Unreachable
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.gateway.retries import retry_delay
from recontact_tools.models import TargetGroup

pytestmark = pytest.mark.anyio

MakeGateway = Callable[[Connection], Gateway]


async def hang(_request: httpx.Request) -> httpx.Response:
    await anyio.sleep_forever()
    raise AssertionError


@pytest.fixture
def hasty(make_gateway: MakeGateway, connection: Connection) -> Gateway:
    """A gateway whose reads give up at once, as measured by the event loop."""
    return make_gateway(replace(connection, retry_seconds=0.05))


def test_attempts_that_get_no_connection_all_fit_into_the_time_of_a_read(connection: Connection) -> None:
    pauses = [retry_delay(attempt, 1.0) or 0.0 for attempt in range(1, connection.reads_retried)]
    assert connection.reads_retried * connection.connect_seconds + sum(pauses) < connection.retry_seconds


def test_a_read_that_meets_silence_has_time_to_ask_again(connection: Connection) -> None:
    assert 2 * connection.read_seconds + (retry_delay(1, 1.0) or 0.0) < connection.retry_seconds


@pytest.mark.parametrize("host", ["api.example", "auth.example"])
async def test_a_read_that_hangs_is_given_up(
    hasty: Gateway, group: TargetGroup, router: respx.MockRouter, token_route: respx.Route, *, host: str
) -> None:
    hanging = token_route if host == "auth.example" else router.route(host=host)
    hanging.mock(side_effect=hang)
    reads: list[Callable[[], Awaitable[object]]] = [
        lambda: hasty.get_overview(group),
        lambda: hasty.get_upload_job(group, "J1"),
        lambda: hasty.list_respondents(group, page_size=1, cursor="c"),
    ]
    for read in reads:
        with anyio.fail_after(5), pytest.raises(Unreachable) as caught:
            await read()
        assert (caught.value.code, caught.value.safe_to_repeat) == ("UNAVAILABLE", True)
        assert caught.value.details == {"cause": "TimeoutError"}
        assert caught.value.__context__ is None


async def test_a_read_that_waits_for_the_token_of_another_is_given_up(
    hasty: Gateway, group: TargetGroup, token_route: respx.Route
) -> None:
    token_route.mock(side_effect=hang)
    errors: list[str] = []

    async def read() -> None:
        with pytest.raises(Unreachable) as caught:
            await hasty.get_overview(group)
        errors.append(caught.value.code)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(read)
    assert errors == ["UNAVAILABLE"] * 5


async def test_after_a_token_that_never_came_the_next_read_fetches_one(
    hasty: Gateway, group: TargetGroup, router: respx.MockRouter, token_route: respx.Route
) -> None:
    router.route(host="api.example").respond(200, json={"saved_respondent_ids_count": 7})
    good = token_route.side_effect
    token_route.side_effect = hang
    with anyio.fail_after(5):
        with pytest.raises(Unreachable):
            await hasty.get_overview(group)
        token_route.side_effect = good
        assert await hasty.get_overview(group) == 7


async def test_a_start_whose_token_never_comes_is_not_sent(
    hasty: Gateway, group: TargetGroup, router: respx.MockRouter, token_route: respx.Route
) -> None:
    route = router.route(host="api.example").respond(201, json={"job_id": "J1"})
    token_route.side_effect = hang
    with anyio.fail_after(5), pytest.raises(Unreachable) as caught:
        await hasty.remove_all(group)
    assert (caught.value.changed, route.call_count) == ("no", 0)


async def test_a_start_whose_new_token_never_comes_changed_nothing(
    hasty: Gateway, group: TargetGroup, router: respx.MockRouter, token_route: respx.Route
) -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        token_route.side_effect = hang
        return httpx.Response(401)

    route = router.route(host="api.example").mock(side_effect=refuse)
    with anyio.fail_after(5), pytest.raises(Unreachable) as caught:
        await hasty.remove_all(group)
    assert (caught.value.changed, route.call_count) == ("no", 1)


async def test_a_start_that_was_sent_outlives_the_time_of_a_read(
    hasty: Gateway, group: TargetGroup, router: respx.MockRouter
) -> None:
    sent, given_up = anyio.Event(), anyio.Event()

    async def wait(_request: httpx.Request) -> httpx.Response:
        sent.set()
        await given_up.wait()
        return httpx.Response(201, json={"job_id": "J1"})

    async def read_in_vain() -> None:
        await sent.wait()
        with pytest.raises(Unreachable):
            await hasty.get_overview(group)
        given_up.set()

    router.post(host="api.example").mock(side_effect=wait)
    router.get(host="api.example").mock(side_effect=hang)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read_in_vain)
            assert await hasty.remove_all(group) == "J1"


async def test_a_job_that_is_looked_for_in_two_places_has_the_time_of_one_read(
    hasty: Gateway, group: TargetGroup, router: respx.MockRouter
) -> None:
    first_asked, given_up = anyio.Event(), anyio.Event()

    async def wait_and_miss(_request: httpx.Request) -> httpx.Response:
        first_asked.set()
        with anyio.CancelScope(shield=True):  # until the other read's time is over, so ours is, too
            await given_up.wait()
        return httpx.Response(404)

    async def miss(_request: httpx.Request) -> httpx.Response:
        await anyio.lowlevel.checkpoint()
        return httpx.Response(404)

    async def read_in_vain() -> None:
        await first_asked.wait()
        with pytest.raises(Unreachable):
            await hasty.get_overview(group)
        given_up.set()

    router.get(path__regex="upload-rsids-by-file/J1$").mock(side_effect=wait_and_miss)
    router.get(path__regex="upload-respondents-by-file/J1$").mock(side_effect=miss)
    router.get(path__regex="overview$").mock(side_effect=hang)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read_in_vain)
            with pytest.raises(Unreachable):
                await hasty.get_upload_job(group, "J1")


async def test_a_job_that_is_in_neither_place_is_still_not_found(
    hasty: Gateway, group: TargetGroup, router: respx.MockRouter
) -> None:
    router.route(host="api.example").respond(404)
    with pytest.raises(NotFound):
        await hasty.get_upload_job(group, "J1")
