"""What an account at Cint sees of us by default, counted at the transport: 8 requests at once, 10 in any second."""

from bisect import bisect_left
from pathlib import Path

import anyio
import anyio.lowlevel
import httpx
import pytest

from recontact_mcp.connecting import connection_for
from recontact_mcp.settings import Settings
from recontact_tools.gateway import Gateway
from recontact_tools.models import IdType, TargetGroup

pytestmark = pytest.mark.anyio

AT_ONCE, PER_SECOND = 8, 10


class Counting:
    """An API that notes when requests come in and how many are under way; its clock moves when the gateway sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.moments: list[float] = []
        self.under_way = 0
        self.most = 0
        self.go = anyio.Event()

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
        await anyio.lowlevel.checkpoint()

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer once the test says so."""
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 86_400})
        self.moments.append(self.seconds)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.go.wait()
        await anyio.lowlevel.checkpoint()
        self.under_way -= 1
        return httpx.Response(200, json={"saved_respondent_ids_count": 7, "job_id": "J", "data": []})

    def most_in_a_second(self) -> int:
        """Count the requests of the busiest second, wherever it begins."""
        return max(bisect_left(self.moments, begin + 1.0) - place for place, begin in enumerate(self.moments))


@pytest.fixture
def api() -> Counting:
    return Counting()


@pytest.fixture
def gateway(api: Counting, tmp_path: Path) -> Gateway:
    """A gateway as the settings make it when nobody says how polite to be."""
    settings = Settings.model_validate({"data_dir": tmp_path, "cint_client_id": "x", "cint_client_secret": "canary"})
    transport = httpx.MockTransport(api.answer)
    connection = connection_for(settings)
    return Gateway(connection, transport=transport, now=lambda: api.seconds, sleep=api.sleep, jitter=lambda: 1.0)


async def test_no_more_than_eight_requests_are_under_way_at_once(
    gateway: Gateway, api: Counting, group: TargetGroup
) -> None:
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(gateway.get_overview, group)
                tasks.start_soon(gateway.remove_all, group)
            await anyio.wait_all_tasks_blocked()
            assert (len(api.moments), api.under_way) == (AT_ONCE, AT_ONCE)
            api.go.set()
    assert (len(api.moments), api.most) == (20, AT_ONCE)


async def test_no_second_holds_more_than_ten_requests_of_any_kind(
    gateway: Gateway, api: Counting, group: TargetGroup
) -> None:
    async def upload() -> None:
        await gateway.upload_file(group, file_name="ids.csv", content=b"a\n", id_type=IdType.RSID)

    api.go.set()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for _ in range(15):
                tasks.start_soon(gateway.get_overview, group)
                tasks.start_soon(upload)
    assert (len(api.moments), api.most_in_a_second()) == (30, PER_SECOND)
    assert api.moments[-1] == pytest.approx(2.0)


async def test_a_second_that_begins_in_the_middle_of_the_traffic_holds_no_more_either(
    gateway: Gateway, api: Counting, group: TargetGroup
) -> None:
    api.go.set()
    for number in range(40):
        await gateway.get_overview(group)
        api.seconds += 0.35 if number % 7 == 0 else 0.01
    assert api.most_in_a_second() == PER_SECOND
