"""An API that does not answer is left alone for a while, and one request finds out whether it has healed."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio
import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from recontact_tools.errors import OutcomeUnknown, RecontactError, Refused, Unreachable
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.gateway.circuit import CLOSED, CircuitState, entered, left
from recontact_tools.models import TargetGroup

pytestmark = pytest.mark.anyio

COUNT = httpx.Response(200, json={"saved_respondent_ids_count": 7})
DOWN = httpx.Response(503)
FAILURES, SECONDS = 3, 15.0

MakeGateway = Callable[[Connection], Gateway]


@pytest.fixture
def connection(connection: Connection) -> Connection:
    """A connection with a circuit, whose reads are tried once."""
    return replace(connection, circuit_failures=FAILURES, circuit_seconds=SECONDS, reads_retried=1)


async def fails(call: Awaitable[object], kind: type[RecontactError] = Unreachable) -> RecontactError:
    with pytest.raises(kind) as caught:
        await call
    return caught.value


async def opened(gateway: Gateway, group: TargetGroup) -> None:
    """Fail as often as it takes to open the circuit."""
    for _ in range(FAILURES):
        await fails(gateway.get_overview(group))


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(httpx.ConnectError("x"), id="no connection"),
        pytest.param(httpx.ReadTimeout("x"), id="no answer in time"),
        pytest.param(httpx.RemoteProtocolError("x"), id="hung up"),
        pytest.param(httpx.Response(500, json={"object": "unexpected_internal_error"}), id="500"),
        pytest.param(httpx.Response(503), id="503"),
        pytest.param(httpx.Response(408), id="408"),
        pytest.param(httpx.Response(200, html="<h1>sign in</h1>"), id="a page instead of an answer"),
    ],
)
async def test_after_some_exchanges_without_an_answer_in_a_row_nothing_is_sent(
    gateway: Gateway,
    group: TargetGroup,
    router: respx.MockRouter,
    pauses: list[float],
    *,
    failure: httpx.Response | Exception,
) -> None:
    route = router.route(host="api.example").mock(side_effect=[failure] * FAILURES)
    await opened(gateway, group)
    error = await fails(gateway.get_overview(group))
    assert (error.code, error.safe_to_repeat, error.details) == ("UNREACHABLE", True, {"retry_after_seconds": 15})
    pauses.append(10.5)
    assert (await fails(gateway.get_overview(group))).details == {"retry_after_seconds": 5}
    assert route.call_count == FAILURES


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.Response(404), id="404"),
        pytest.param(httpx.Response(403, html="<h1>no</h1>"), id="a proxy's refusal"),
        pytest.param(httpx.Response(409), id="409"),
        pytest.param(httpx.Response(429), id="429"),
        pytest.param(httpx.Response(302), id="a redirect"),
        pytest.param(httpx.PoolTimeout("x"), id="too many of us"),
    ],
)
async def test_what_does_not_say_that_the_api_is_down_opens_no_circuit(
    make_gateway: MakeGateway,
    connection: Connection,
    group: TargetGroup,
    router: respx.MockRouter,
    *,
    answer: httpx.Response | Exception,
) -> None:
    gateway = make_gateway(connection)
    route = router.route(host="api.example").mock(side_effect=[answer] * 4 * FAILURES)
    for _ in range(2 * FAILURES):
        await fails(gateway.get_overview(group), RecontactError)
    assert route.call_count >= 2 * FAILURES


async def test_an_answer_between_failures_starts_the_count_again(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter
) -> None:
    answers = [*[DOWN] * (FAILURES - 1), COUNT, *[DOWN] * (FAILURES - 1), COUNT]
    route = router.route(host="api.example").mock(side_effect=answers)
    for answer in answers:
        if answer is DOWN:
            await fails(gateway.get_overview(group))
        else:
            assert await gateway.get_overview(group) == 7
    assert route.call_count == len(answers)


async def test_a_start_is_not_sent_either_and_changed_nothing(
    start: Callable[[], Awaitable[str]], gateway: Gateway, group: TargetGroup, router: respx.MockRouter
) -> None:
    route = router.route(host="api.example").mock(return_value=DOWN)
    await opened(gateway, group)
    error = await fails(start())
    assert (type(error), error.changed, error.safe_to_repeat) == (Unreachable, "no", True)
    assert route.call_count == FAILURES


async def test_lost_answers_of_starts_count_and_stay_unknown(
    start: Callable[[], Awaitable[str]], gateway: Gateway, group: TargetGroup, router: respx.MockRouter
) -> None:
    route = router.route(host="api.example").mock(side_effect=httpx.ReadTimeout("x"))
    for _ in range(FAILURES):
        await fails(start(), OutcomeUnknown)
    await fails(gateway.get_overview(group))
    assert route.call_count == FAILURES


async def test_a_read_is_not_kept_waiting_for_the_circuit(
    make_gateway: MakeGateway,
    connection: Connection,
    group: TargetGroup,
    router: respx.MockRouter,
    pauses: list[float],
) -> None:
    gateway = make_gateway(replace(connection, reads_retried=4))
    route = router.route(host="api.example").mock(return_value=DOWN)
    error = await fails(gateway.get_overview(group))
    assert (error.code, pauses, route.call_count) == ("UNREACHABLE", [0.5, 1.0, 2.0], FAILURES)


async def test_one_probe_goes_after_the_time_and_its_success_closes_the_circuit(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, pauses: list[float]
) -> None:
    route = router.route(host="api.example").mock(return_value=DOWN)
    await opened(gateway, group)
    asked, answer = anyio.Event(), anyio.Event()
    counts: list[int] = []

    async def slow(_request: httpx.Request) -> httpx.Response:
        asked.set()
        await answer.wait()
        return COUNT

    async def probe() -> None:
        counts.append(await gateway.get_overview(group))

    route.side_effect = slow
    pauses.append(SECONDS)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(probe)
            await asked.wait()
            for _ in range(20):
                assert (await fails(gateway.get_overview(group))).details == {"retry_after_seconds": 1}
            answer.set()
        assert await gateway.get_overview(group) == 7
    assert (counts, route.call_count) == ([7], FAILURES + 2)


async def test_a_probe_that_fails_keeps_the_circuit_open_for_the_whole_time_again(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, pauses: list[float]
) -> None:
    route = router.route(host="api.example").mock(return_value=DOWN)
    await opened(gateway, group)
    pauses.append(SECONDS)
    assert (await fails(gateway.get_overview(group))).code == "UNAVAILABLE"
    assert (await fails(gateway.get_overview(group))).details == {"retry_after_seconds": 15}
    assert route.call_count == FAILURES + 1


async def test_a_cancelled_probe_leaves_the_next_one_to_go(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, pauses: list[float]
) -> None:
    route = router.route(host="api.example").mock(return_value=DOWN)
    await opened(gateway, group)
    asked = anyio.Event()

    async def hang(_request: httpx.Request) -> httpx.Response:
        asked.set()
        await anyio.sleep_forever()
        raise AssertionError

    route.side_effect = hang
    pauses.append(SECONDS)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gateway.get_overview, group)
            await asked.wait()
            tasks.cancel_scope.cancel()
        route.side_effect = [COUNT]
        assert await gateway.get_overview(group) == 7


async def test_a_token_endpoint_that_does_not_answer_is_left_alone_too(
    start: Callable[[], Awaitable[str]], gateway: Gateway, group: TargetGroup, token_route: respx.Route
) -> None:
    token_route.side_effect = None
    token_route.respond(503)
    await opened(gateway, group)
    for call in (gateway.get_overview(group), start()):
        error = await fails(call)
        assert (error.code, error.details) == ("UNREACHABLE", {"retry_after_seconds": 15})
        assert "access token" in error.message
    assert token_route.call_count == FAILURES


async def test_a_token_endpoint_that_is_down_does_not_keep_a_valid_token_from_working(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, token_route: respx.Route, pauses: list[float]
) -> None:
    route = router.route(host="api.example").mock(return_value=COUNT)
    await gateway.get_overview(group)
    token_route.side_effect = None
    token_route.respond(503)
    pauses.append(86_400 - 300)
    for _ in range(8):
        assert await gateway.get_overview(group) == 7
        pauses.append(30)
    assert route.call_count == 9


async def test_within_one_process_there_is_no_circuit(
    make_gateway: MakeGateway, connection: Connection, group: TargetGroup, router: respx.MockRouter
) -> None:
    gateway = make_gateway(replace(connection, circuit_failures=None))
    route = router.route(host="api.example").mock(return_value=DOWN)
    for _ in range(20):
        assert (await fails(gateway.get_overview(group))).code == "UNAVAILABLE"
    assert route.call_count == 20


async def test_over_the_network_there_is_a_circuit_without_asking_for_one(
    connection: Connection, group: TargetGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra_attributes[anyio.abc.SocketAttribute.local_port]()
    nowhere = f"http://127.0.0.1:{port}"
    unset = replace(connection, base_url=nowhere, token_url=f"{nowhere}/token", circuit_failures=None)
    async with Gateway(unset, now=lambda: 0.0) as gateway:
        causes = [(await fails(gateway.get_overview(group), RecontactError)).details for _ in range(6)]
    assert causes == [{"cause": "ConnectError"}] * 5 + [{"retry_after_seconds": 15}]


def test_what_began_before_the_circuit_opened_neither_prolongs_it_nor_is_ignored_when_it_succeeds() -> None:
    state = CircuitState(FAILURES, held_until=15.0)
    late = {"probe": False, "now": 10.0, "failures": FAILURES, "seconds": SECONDS}
    assert left(state, usable=False, **late) is state  # type: ignore[arg-type]
    assert left(state, usable=None, **late) is state  # type: ignore[arg-type]
    assert left(state, usable=True, **late) is CLOSED  # type: ignore[arg-type]


class Traffic:
    """A circuit and the exchanges under way, each with whether it is a probe."""

    def __init__(self) -> None:
        self.state = CLOSED
        self.now = 0.0
        self.under_way: list[bool] = []

    def come(self) -> None:
        before = self.state
        self.state, wait = entered(before, self.now)
        if wait is None:
            self.under_way.append(self.state is not before)
        else:
            assert 0 <= wait <= SECONDS

    def end(self, number: int, *, usable: bool | None) -> None:
        if self.under_way:
            probe = self.under_way.pop(number % len(self.under_way))
            self.state = left(self.state, usable=usable, probe=probe, now=self.now, failures=FAILURES, seconds=SECONDS)

    def step(self, kind: str, number: int) -> None:
        if kind == "wait":
            self.now += number
        elif kind == "come":
            self.come()
        else:
            self.end(number, usable={"good": True, "bad": False, "cancelled": None}[kind])


STEPS = st.tuples(st.sampled_from(["come", "wait", "good", "bad", "cancelled"]), st.integers(0, 9))


@given(st.lists(STEPS, max_size=60))
def test_an_open_circuit_lets_one_request_go_at_a_time_and_always_heals(steps: list[tuple[str, int]]) -> None:
    traffic = Traffic()
    for kind, number in steps:
        traffic.step(kind, number)
        assert not traffic.state.probing or any(traffic.under_way)
        assert traffic.state.held_until is not None or traffic.state.failures < FAILURES
    while traffic.under_way:
        traffic.end(0, usable=None)
    traffic.now += SECONDS
    traffic.come()
    traffic.end(0, usable=True)
    assert traffic.state == CLOSED


async def test_a_refusal_by_a_host_that_works_again_closes_the_circuit(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, pauses: list[float]
) -> None:
    route = router.route(host="api.example").mock(return_value=DOWN)
    await opened(gateway, group)
    route.side_effect = [httpx.Response(404), COUNT]
    pauses.append(SECONDS)
    await fails(gateway.get_overview(group), Refused)
    assert await gateway.get_overview(group) == 7
