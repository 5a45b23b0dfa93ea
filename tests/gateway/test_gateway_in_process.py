"""The gateway straight on an ASGI app, as the embedded service is mounted."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio
import httpx
import pytest

from recontact_tools.errors import OutcomeUnknown, Unreachable
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.models import TargetGroup

pytestmark = pytest.mark.anyio

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]
Body = Callable[[], Awaitable[bytes]]


def in_process(connection: Connection, body: Body) -> tuple[Gateway, list[tuple[str, str]]]:
    """Return a gateway on an app whose answers have *body*, and the requests that the app sees."""
    seen: list[tuple[str, str]] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        token = scope["path"] == "/oauth/token"
        if not token:
            seen.append((scope["method"], scope["path"].rpartition("/")[2]))
        content = b'{"access_token": "t"}' if token else await body()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": content})

    async def sleep(_seconds: float) -> None: ...

    return Gateway(connection, transport=httpx.ASGITransport(app), sleep=sleep), seen


async def test_an_app_in_this_process_is_read(connection: Connection, group: TargetGroup) -> None:
    async def body() -> bytes:
        return b'{"saved_respondent_ids_count": 7}'

    gateway, seen = in_process(connection, body)
    async with gateway:
        assert [await gateway.get_overview(group) for _ in range(2)] == [7, 7]
    assert seen == [("GET", "overview")] * 2


@pytest.mark.parametrize("error", [OSError, ConnectionResetError, TimeoutError])
async def test_an_app_that_breaks_off_is_a_broken_exchange(
    connection: Connection, group: TargetGroup, *, error: type[OSError]
) -> None:
    async def body() -> bytes:
        raise error("canary")

    gateway, seen = in_process(connection, body)
    with pytest.raises(OutcomeUnknown):
        await gateway.remove_all(group)
    with pytest.raises(Unreachable) as caught:
        await gateway.get_overview(group)
    assert caught.value.details == {"cause": error.__name__}
    assert seen == [("POST", "remove-all-rsids")] + [("GET", "overview")] * 4


async def test_a_cancelled_call_is_cancelled_and_leaves_the_gateway_usable(
    connection: Connection, group: TargetGroup
) -> None:
    started, go_on = anyio.Event(), anyio.Event()

    async def body() -> bytes:
        started.set()
        await go_on.wait()
        return b'{"saved_respondent_ids_count": 7}'

    gateway, _ = in_process(connection, body)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gateway.get_overview, group)
            await started.wait()
            tasks.cancel_scope.cancel()
        go_on.set()
        assert await gateway.get_overview(group) == 7
