"""No call keeps a host waiting past its patience, and none leaves a caller guessing afterwards."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from mcp import Client
from pydantic import SecretStr

from recontact_mcp.app import build_server
from recontact_mcp.boundary import CALL_SECONDS
from recontact_mcp.embedded import reporting
from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.looking import LOOK_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send
    from tests.conftest import Connect
    from tests.surface.conftest import Call

# source: the bound of wait_seconds that tools/list shows
WAIT_SECONDS_MAX = 45

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def silent_way(_settings: Settings) -> AsyncGenerator[Gateway]:
    """A way to an API that takes requests and never answers."""

    async def never(_request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    connection = Connection("https://api.invalid/v1", "https://auth.invalid/token", "id", "secret")
    async with Gateway(connection, transport=httpx.MockTransport(never)) as gateway:
        yield gateway


async def test_a_start_that_takes_too_long_ends_in_our_words(era: str, settings: Settings, refused: "Call") -> None:
    server = build_server(settings, effects=Effects(gateway=silent_way))
    server.call_seconds = 0.05
    with anyio.fail_after(30):
        async with Client(server, mode=era) as client:
            error = await refused(client, "upload_recontacts", ids=["5a3b2ada-0066-4dcb-afdd-7302be78ce9e"])

    assert (error["code"], error["changed"]) == ("UNAVAILABLE", "unknown")


def test_hosts_are_answered_before_they_give_up() -> None:
    reads = Connection("https://api.invalid/v1", "https://auth.invalid/token", "id", "secret").retry_seconds

    assert max(CALL_SECONDS, reads, WAIT_SECONDS_MAX + LOOK_SECONDS) < 60


async def test_what_the_embedded_service_raises_is_logged_by_its_kind_and_answered_like_any_server_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def failing(_scope: "Scope", _receive: "Receive", _send: "Send") -> None:
        raise RuntimeError("/a/path/that/is/nobodys/business")

    transport = httpx.ASGITransport(app=reporting(failing), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport) as client:
        answer = await client.get("http://service.invalid/")

    assert answer.status_code == 500
    assert "RuntimeError" in caplog.text
    assert "nobodys" not in caplog.text


def test_what_is_begun_on_one_api_is_kept_apart_from_any_other(tmp_path: "Path") -> None:
    embedded = Settings(data_dir=tmp_path)
    cint = Settings(data_dir=tmp_path, cint_client_id="one", cint_client_secret=SecretStr("s"))
    other = Settings(data_dir=tmp_path, cint_client_id="two", cint_client_secret=SecretStr("s"))
    again = Settings(data_dir=tmp_path, cint_client_id="one", cint_client_secret=SecretStr("another"))

    assert len({embedded.home, cint.home, other.home}) == 3
    assert (embedded.home, cint.home, cint.home.parent) == (tmp_path, again.home, tmp_path)
    assert "one" not in cint.home.name


@pytest.mark.sqlite_only(reason="the engine's file shows whether it was started")
async def test_a_read_only_server_resumes_nothing(era: str, connect: "Connect", settings: Settings) -> None:
    async with connect(era, read_only=True) as client:
        await client.call_tool("get_recontact_overview", {"target_group_id": "01BTGNYV6HRNK8K8VKZASZCFP1"})
        await anyio.wait_all_tasks_blocked()

    assert not list(settings.data_dir.glob("engine*"))
