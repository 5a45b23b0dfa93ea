"""A gateway on a scripted API: respx at the wire, a clock that only sleeping moves."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
import respx

from recontact_tools.gateway import Connection, Gateway
from recontact_tools.models import IdType, TargetGroup

TOKEN_URL = "https://auth.example/oauth/token"


@pytest.fixture
def group() -> TargetGroup:
    return TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")


@pytest.fixture
def recontacts() -> str:
    """The URL below which everything of the group is."""
    return (
        "https://api.example/v1/demand/accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0"
        "/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/recontacts"
    )


@pytest.fixture
def connection() -> Connection:
    return Connection("https://api.example/v1", TOKEN_URL, "client-1", "canary-secret")


@pytest.fixture
def router() -> respx.MockRouter:
    return respx.MockRouter(assert_all_called=False)


@pytest.fixture
def token_route(router: respx.MockRouter) -> respx.Route:
    """Answer canary-token-1, canary-token-2, ... each for a day."""
    numbers = iter(range(1, 1_000))

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"access_token": f"canary-token-{next(numbers)}", "expires_in": 86400})

    return router.post(TOKEN_URL).mock(side_effect=answer)


@pytest.fixture
def pauses() -> list[float]:
    """What was slept; the clock shows their sum, so appending moves it."""
    return []


@pytest.fixture
def make_gateway(
    router: respx.MockRouter, token_route: respx.Route, pauses: list[float]
) -> Callable[[Connection], Gateway]:
    assert token_route is not None

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    def make(connection: Connection) -> Gateway:
        return Gateway(
            connection,
            transport=httpx.MockTransport(router.async_handler),
            now=lambda: sum(pauses),
            sleep=sleep,
            jitter=lambda: 1.0,
        )

    return make


@pytest.fixture
def gateway(make_gateway: Callable[[Connection], Gateway], connection: Connection) -> Gateway:
    return make_gateway(connection)


@pytest.fixture(params=["upload", "removal"])
def start(request: pytest.FixtureRequest, gateway: Gateway, group: TargetGroup) -> Callable[[], Awaitable[str]]:
    """Each of the two ways to start a job."""

    def upload() -> Awaitable[str]:
        return gateway.upload_file(group, file_name="ids.csv", content=b"a\n", id_type=IdType.RSID)

    def removal() -> Awaitable[str]:
        return gateway.remove_all(group)

    return upload if request.param == "upload" else removal
