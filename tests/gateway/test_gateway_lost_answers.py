"""A start whose answer is lost has an unknown outcome, and is never sent a second time."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import respx

from recontact_tools.errors import OutcomeUnknown, Unreachable

pytestmark = pytest.mark.anyio

NOT_CONNECTED = [
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
]
BROKEN = [
    httpx.ReadTimeout,
    httpx.WriteTimeout,
    httpx.ReadError,
    httpx.WriteError,
    httpx.RemoteProtocolError,
    httpx.LocalProtocolError,
    httpx.DecodingError,
    ConnectionResetError,
    BrokenPipeError,
    TimeoutError,
]


@pytest.mark.parametrize("status", [301, 302, 307, 308, 408, 444, 460, 499, 500, 502, 503, 504, 520])
async def test_a_start_whose_answer_does_not_tell_has_an_unknown_outcome_and_is_not_repeated(
    start: Callable[[], Awaitable[str]], router: respx.MockRouter, *, status: int
) -> None:
    route = router.route().respond(status, headers={"location": "https://api.example/v1/elsewhere"})
    with pytest.raises(OutcomeUnknown) as caught:
        await start()
    assert (caught.value.changed, caught.value.details) == ("unknown", {"http_status": status})
    assert route.call_count == 1


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"json": {"id": "canary-body"}}, id="another object"),
        pytest.param({"json": ["canary-body"]}, id="a list"),
        pytest.param({"html": "<h1>canary-body</h1>"}, id="a proxy's page"),
        pytest.param({}, id="nothing"),
        pytest.param({"json": {"job_id": None}}, id="no id"),
        pytest.param({"json": {"job_id": ""}}, id="an empty id"),
        pytest.param({"json": {"job_id": 5}}, id="a number"),
        pytest.param({"content": b'{"job_id": "J'}, id="cut short"),
        pytest.param({"content": b" " * 8_000_001}, id="too large"),
        pytest.param({"stream": httpx.ByteStream(b"zip?"), "headers": {"content-encoding": "gzip"}}, id="not gzip"),
    ],
)
async def test_a_success_without_a_job_id_has_an_unknown_outcome_and_is_not_repeated(
    start: Callable[[], Awaitable[str]], router: respx.MockRouter, *, body: dict[str, Any]
) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(201, **body)

    route = router.route(host="api.example").mock(side_effect=answer)
    with pytest.raises(OutcomeUnknown):
        await start()
    assert route.call_count == 1


@pytest.mark.parametrize("error", BROKEN)
async def test_a_start_whose_answer_is_lost_has_an_unknown_outcome_and_is_not_repeated(
    start: Callable[[], Awaitable[str]], router: respx.MockRouter, *, error: type[Exception]
) -> None:
    route = router.route(host="api.example").mock(side_effect=error("canary-detail"))
    with pytest.raises(OutcomeUnknown) as caught:
        await start()
    assert caught.value.details == {"cause": error.__name__}
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert route.call_count == 1


@pytest.mark.parametrize("error", NOT_CONNECTED)
async def test_a_start_without_a_connection_changed_nothing_and_is_not_repeated(
    start: Callable[[], Awaitable[str]], router: respx.MockRouter, *, error: type[Exception]
) -> None:
    route = router.route(host="api.example").mock(side_effect=error("canary-detail"))
    with pytest.raises(Unreachable) as caught:
        await start()
    assert (caught.value.code, caught.value.changed) == ("UNREACHABLE", "no")
    assert caught.value.details == {"cause": error.__name__}
    assert route.call_count == 1
