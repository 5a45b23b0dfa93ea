"""Requests to one account: so many at once, so many a second, and none while the API asks for peace."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio
import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from recontact_tools.errors import RateLimited, RecontactError, Unreachable
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.gateway.accounts import ACCOUNTS_MAX, Accounts
from recontact_tools.gateway.answers import Answer, Outcome
from recontact_tools.gateway.turns import PAUSE_SECONDS_MAX, Rate, Turns, next_turn, rate_of
from recontact_tools.models import TargetGroup

pytestmark = pytest.mark.anyio

COUNT = httpx.Response(200, json={"saved_respondent_ids_count": 7})
AT_ONCE = 3

MakeGateway = Callable[[Connection], Gateway]


def asked(seconds: int | None) -> httpx.Response:
    return httpx.Response(429, headers={} if seconds is None else {"retry-after": str(seconds)})


@pytest.fixture
def connection(connection: Connection) -> Connection:
    """A connection with limits, whose reads are tried once."""
    return replace(connection, requests_at_once=AT_ONCE, reads_retried=1)


@pytest.fixture
def elsewhere(group: TargetGroup) -> TargetGroup:
    return replace(group, account_id=202)


@pytest.fixture
def overview(router: respx.MockRouter) -> respx.Route:
    return router.route(host="api.example").mock(return_value=COUNT)


async def limited(call: Awaitable[object]) -> int:
    """Return how many seconds a call is told to wait."""
    with pytest.raises(RateLimited) as caught:
        await call
    assert (caught.value.changed, caught.value.safe_to_repeat) == ("no", True)
    seconds = caught.value.details["retry_after_seconds"]
    assert isinstance(seconds, int)
    return seconds


class Crowd:
    """Exchanges that end when they are told to; remembers the order in which they began, and the most at once."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.most = 0
        self.now = 0
        self.go = anyio.Event()

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.order.append(request.url.path.split("/target-groups/")[1].split("/")[0])
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.go.wait()
            await anyio.lowlevel.checkpoint()
        finally:
            self.now -= 1
        return COUNT


async def test_so_many_requests_go_at_once_in_the_order_in_which_they_came(
    gateway: Gateway, group: TargetGroup, overview: respx.Route
) -> None:
    crowd = Crowd()
    overview.side_effect = crowd.answer
    names = [f"T{number}" for number in range(20)]
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(gateway.get_overview, replace(group, target_group_id=name))
            await anyio.wait_all_tasks_blocked()
            assert crowd.order == names[:AT_ONCE]
            crowd.go.set()
    assert (crowd.order, crowd.most) == (names, AT_ONCE)


async def test_accounts_do_not_wait_for_each_other(
    gateway: Gateway, group: TargetGroup, elsewhere: TargetGroup, overview: respx.Route
) -> None:
    crowd = Crowd()
    overview.side_effect = crowd.answer
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for one in (group, elsewhere) * AT_ONCE:
                tasks.start_soon(gateway.get_overview, one)
            await anyio.wait_all_tasks_blocked()
            assert crowd.now == 2 * AT_ONCE
            crowd.go.set()


async def test_who_gives_up_waiting_or_breaks_off_takes_no_turn_from_the_others(
    gateway: Gateway, group: TargetGroup, overview: respx.Route
) -> None:
    crowd = Crowd()
    overview.side_effect = crowd.answer
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(2 * AT_ONCE):
                tasks.start_soon(gateway.get_overview, group)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        assert crowd.now == 0
        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE):
                tasks.start_soon(gateway.get_overview, group)
            await anyio.wait_all_tasks_blocked()
            assert crowd.now == AT_ONCE
            crowd.go.set()


async def test_who_waits_for_a_place_longer_than_it_may_is_told_so_and_not_sent(
    make_gateway: MakeGateway, connection: Connection, group: TargetGroup, overview: respx.Route
) -> None:
    gateway = make_gateway(replace(connection, requests_at_once=1, retry_seconds=0.05))
    crowd = Crowd()
    overview.side_effect = crowd.answer
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gateway.remove_all, group)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises((RateLimited, Unreachable)) as caught:
                await gateway.get_overview(group)
            assert caught.value.changed == "no"
            tasks.cancel_scope.cancel()
    assert len(crowd.order) == 1


async def nothing(_seconds: float) -> None: ...


async def test_a_place_that_does_not_come_free_in_time_is_not_waited_for() -> None:
    turns = Turns(1, rate_of(None), now=lambda: 0.0, sleep=nothing, jitter=lambda: 1.0)

    async def within() -> Outcome:
        assert await limited(turns.take(never, until=0.01)) == 1
        return Answer(200, {}, b"")

    async def never() -> Outcome:
        raise AssertionError

    with anyio.fail_after(5):
        assert await turns.take(within, until=1.0) == Answer(200, {}, b"")
        assert turns.is_idle


async def test_requests_beyond_the_rate_are_spread(
    make_gateway: MakeGateway, connection: Connection, group: TargetGroup, overview: respx.Route, pauses: list[float]
) -> None:
    gateway = make_gateway(replace(connection, requests_per_second=2.0))
    moments: list[float] = []

    def answer(_request: httpx.Request) -> httpx.Response:
        moments.append(sum(pauses))
        return COUNT

    overview.side_effect = answer
    for _ in range(5):
        await gateway.get_overview(group)
    assert moments == [0.0, 0.0, 1.0, 1.0, 2.0]
    pauses.append(10.0)
    for _ in range(3):
        await gateway.get_overview(group)
    assert moments[5:] == [12.0, 12.0, 13.0]


async def test_a_turn_that_comes_too_late_for_a_read_is_not_waited_for(
    make_gateway: MakeGateway, connection: Connection, group: TargetGroup, overview: respx.Route, pauses: list[float]
) -> None:
    gateway = make_gateway(replace(connection, requests_per_second=1 / 60))
    await gateway.get_overview(group)
    assert await limited(gateway.get_overview(group)) == 60
    assert await limited(gateway.remove_all(group)) == 60
    assert (overview.call_count, pauses) == (1, [])


@pytest.mark.parametrize("seconds", [6, 20])
async def test_a_429_pauses_all_requests_to_the_account_and_no_others(
    gateway: Gateway,
    group: TargetGroup,
    elsewhere: TargetGroup,
    overview: respx.Route,
    pauses: list[float],
    *,
    seconds: int,
) -> None:
    overview.side_effect = [asked(seconds), COUNT, COUNT, COUNT]
    assert await limited(gateway.get_overview(group)) == seconds
    assert await gateway.get_overview(elsewhere) == 7
    assert await limited(gateway.remove_all(group)) == seconds
    assert overview.call_count == 2
    assert await gateway.get_overview(replace(group, target_group_id="T2")) == 7
    assert await gateway.get_overview(group) == 7
    assert pauses == [seconds]


async def test_a_pause_that_does_not_fit_into_the_time_of_a_read_is_told_at_once(
    gateway: Gateway, group: TargetGroup, overview: respx.Route, pauses: list[float]
) -> None:
    overview.side_effect = [asked(25), COUNT]
    assert await limited(gateway.get_overview(group)) == 25
    pauses.append(4.5)
    assert await limited(gateway.get_overview(group)) == 21
    assert overview.call_count == 1
    pauses.append(0.5)
    assert await gateway.get_overview(group) == 7
    assert pauses == [4.5, 0.5, 20.0]


async def test_a_start_waits_for_a_short_pause(
    start: Callable[[], Awaitable[str]],
    gateway: Gateway,
    group: TargetGroup,
    overview: respx.Route,
    pauses: list[float],
) -> None:
    overview.side_effect = [asked(5), httpx.Response(201, json={"job_id": "J1"})]
    await limited(gateway.get_overview(group))
    assert await start() == "J1"
    assert pauses == [5]


async def test_a_start_that_meets_a_429_is_not_sent_again_and_pauses_the_others(
    start: Callable[[], Awaitable[str]], gateway: Gateway, group: TargetGroup, overview: respx.Route
) -> None:
    overview.side_effect = [asked(60)]
    assert await limited(start()) == 60
    assert await limited(gateway.get_overview(group)) == 60
    assert overview.call_count == 1


async def test_a_429_that_says_no_time_pauses_for_longer_each_time(
    gateway: Gateway, group: TargetGroup, overview: respx.Route, pauses: list[float]
) -> None:
    overview.side_effect = [asked(None), asked(None), asked(None), COUNT, asked(None), COUNT]
    for _ in range(3):
        with pytest.raises(RateLimited):
            await gateway.get_overview(group)
    await gateway.get_overview(group)
    with pytest.raises(RateLimited):
        await gateway.get_overview(group)
    await gateway.get_overview(group)
    assert pauses == [0.5, 1.0, 2.0, 0.5]


async def test_requests_that_were_under_way_when_the_pause_began_do_not_lengthen_it(
    gateway: Gateway, group: TargetGroup, overview: respx.Route, pauses: list[float]
) -> None:
    together, here = anyio.Event(), list[httpx.Request]()

    async def answer(request: httpx.Request) -> httpx.Response:
        here.append(request)
        if len(here) == AT_ONCE:
            together.set()
        await together.wait()
        return asked(None)

    async def read() -> None:
        with pytest.raises(RateLimited):
            await gateway.get_overview(group)

    overview.side_effect = answer
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE):
                tasks.start_soon(read)
    overview.side_effect = [COUNT]
    await gateway.get_overview(group)
    assert pauses == [0.5]


async def test_a_shorter_wait_does_not_end_a_longer_pause_and_none_lasts_for_days(
    gateway: Gateway, group: TargetGroup, overview: respx.Route, pauses: list[float]
) -> None:
    overview.side_effect = [asked(999_999), COUNT]
    assert await limited(gateway.get_overview(group)) == 999_999
    assert await limited(gateway.get_overview(group)) == PAUSE_SECONDS_MAX
    pauses.append(PAUSE_SECONDS_MAX)
    assert await gateway.get_overview(group) == 7


async def test_a_read_that_is_told_to_wait_goes_again_when_the_pause_is_over(
    make_gateway: MakeGateway, connection: Connection, group: TargetGroup, overview: respx.Route, pauses: list[float]
) -> None:
    gateway = make_gateway(replace(connection, reads_retried=4))
    overview.side_effect = [asked(12), asked(None), COUNT]
    assert await gateway.get_overview(group) == 7
    assert pauses == [12.5, 1.0]


class Meeting:
    """Turns in which one request is told to wait for peace while another waits for its turn."""

    def __init__(self, asked_seconds: int) -> None:
        self.slept: list[float] = []
        self.turns = Turns(2, rate_of(1.0), now=lambda: sum(self.slept), sleep=self.sleep, jitter=lambda: 1.0)
        self._asked = str(asked_seconds)
        self._waiting = anyio.Event()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._waiting.set()
        await anyio.wait_all_tasks_blocked()

    async def told(self) -> Outcome:
        await self._waiting.wait()
        return Answer(429, {"retry-after": self._asked}, b"")

    async def first(self) -> None:
        await self.turns.take(self.told, until=20.0)


async def test_a_pause_that_begins_while_a_request_waits_for_its_turn_is_kept() -> None:
    async def sent() -> Outcome:
        return Answer(200, {}, b"")

    meeting = Meeting(4)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(meeting.first)
            await anyio.wait_all_tasks_blocked()
            assert await meeting.turns.take(sent, until=20.0) == Answer(200, {}, b"")
    assert meeting.slept == [1.0, 4.0]


async def test_a_pause_that_begins_while_a_request_waits_and_is_too_long_for_it_is_told() -> None:
    async def never() -> Outcome:
        raise AssertionError

    meeting = Meeting(40)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(meeting.first)
            await anyio.wait_all_tasks_blocked()
            assert await limited(meeting.turns.take(never, until=20.0)) == 40
    assert meeting.slept == [1.0]


async def test_a_timer_that_fires_early_does_not_keep_a_request_for_ever(
    connection: Connection, group: TargetGroup, router: respx.MockRouter, token_route: respx.Route
) -> None:
    router.route(host="api.example").mock(side_effect=[asked(5), COUNT])
    assert token_route is not None
    transport = httpx.MockTransport(router.async_handler)
    gateway = Gateway(connection, transport=transport, now=lambda: 0.0, sleep=nothing)
    await limited(gateway.get_overview(group))
    with anyio.fail_after(5):
        assert await gateway.get_overview(group) == 7


async def test_within_one_process_nothing_is_limited_or_paused(
    make_gateway: MakeGateway, connection: Connection, group: TargetGroup, overview: respx.Route, pauses: list[float]
) -> None:
    gateway = make_gateway(replace(connection, requests_at_once=None))
    overview.side_effect = [asked(60), COUNT]
    assert await limited(gateway.get_overview(group)) == 60
    assert await gateway.get_overview(group) == 7
    assert pauses == []


async def test_accounts_that_nobody_waits_for_are_forgotten_and_the_others_are_not(connection: Connection) -> None:
    accounts = Accounts(connection, polite=True, now=lambda: 0.0, sleep=nothing, jitter=lambda: 1.0)
    busy = accounts.of("/demand/accounts/0/projects")
    assert busy.turns is not None

    async def crowd_in() -> Outcome:
        for number in range(1, 2 * ACCOUNTS_MAX):
            accounts.of(f"/demand/accounts/{number}/projects")
        assert accounts.of("/demand/accounts/0/users") is busy
        return Answer(200, {}, b"")

    idle = accounts.of("/demand/accounts/1/projects")
    await busy.turns.take(crowd_in, until=1.0)
    assert accounts.of("/demand/accounts/1/projects") is not idle
    assert accounts.of("/study-types") is accounts.of("/demand/target-groups/T1/overview")


async def test_a_rate_next_to_nothing_is_still_a_wait_in_seconds(
    make_gateway: MakeGateway, connection: Connection, group: TargetGroup, overview: respx.Route
) -> None:
    gateway = make_gateway(replace(connection, requests_per_second=5e-324))
    assert await gateway.get_overview(group) == 7
    assert await limited(gateway.get_overview(group)) == 86_400
    assert overview.call_count == 1


@given(
    rate=st.floats(0.01, 1000).map(rate_of),
    gaps=st.lists(st.floats(0, 10), min_size=1, max_size=100),
)
def test_no_stretch_of_time_holds_more_requests_than_the_rate_allows(rate: Rate, gaps: list[float]) -> None:
    now = 0.0
    moments: list[float] = []
    for gap in gaps:
        now = max(now + gap, next_turn(moments[-rate.count :], rate))
        moments.append(now)
    for first, begin in enumerate(moments[: -rate.count]):
        assert moments[first + rate.count] - begin >= rate.seconds * 0.999_999


@pytest.mark.parametrize(
    ("wanted", "rate"),
    [(None, Rate(1, 0.0)), (10.0, Rate(10, 1.0)), (2.5, Rate(2, 1.0)), (1.0, Rate(1, 1.0)), (0.25, Rate(1, 4.0))],
)
def test_a_rate_is_whole_requests_in_a_second_or_one_in_several_seconds(wanted: float | None, rate: Rate) -> None:
    assert rate_of(wanted) == rate


async def test_errors_leave_their_place_to_others(gateway: Gateway, group: TargetGroup, overview: respx.Route) -> None:
    overview.side_effect = [httpx.ReadTimeout("x")] * 10 + [COUNT]
    for _ in range(10):
        with pytest.raises(RecontactError):
            await gateway.get_overview(group)
    with anyio.fail_after(5):
        assert await gateway.get_overview(group) == 7
