"""What the readiness tests share: an MCP client of a server whose API says exactly what a test scripts."""

# jsonschema ships no types; one checker wants that said, the other wants it left unsaid.
# mypy: disable-error-code="import-untyped"

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from jsonschema import Draft202012Validator
from mcp import Client
from mcp_types import TextContent
from pydantic import SecretStr
from scripted_api import ACCOUNT, CONNECTION, GROUP, PROJECT, ScriptedApi

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_tools.gateway import Gateway
from recontact_tools.runtime import Clock

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

Connect = Callable[..., AbstractAsyncContextManager[Client]]
Check = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def api() -> ScriptedApi:
    return ScriptedApi()


@pytest.fixture
def effects(api: ScriptedApi) -> Effects:
    @asynccontextmanager
    async def gateway(_settings: Settings) -> AsyncGenerator[Gateway]:
        async def nap(_seconds: float) -> None:
            await anyio.lowlevel.checkpoint()

        transport = httpx.MockTransport(api.handle)
        async with Gateway(CONNECTION, transport=transport, sleep=nap, jitter=lambda: 0.0) as opened:
            yield opened

    return Effects(clock=Clock(now=lambda: NOW), gateway=gateway)


@pytest.fixture
def reach(connect: Connect, effects: Effects) -> Connect:
    """Connect to a server that has credentials, so that its limits for Cint hold."""

    def connection(mode: str = "auto", **overrides: Any) -> AbstractAsyncContextManager[Client]:
        secret = SecretStr("canary-secret")
        known = {"cint_account_id": ACCOUNT, "cint_project_id": PROJECT}
        chosen = {"cint_client_id": "robot", "cint_client_secret": secret, **known, **overrides}
        return connect(mode, effects=effects, **chosen)

    return connection


@pytest.fixture
def check(reach: Connect) -> Check:
    """Call the tool and return what it answered, the same in text and structure, and as its schema says."""

    async def checked(mode: str = "auto", *, fails: bool = False, **overrides: Any) -> dict[str, Any]:
        async with reach(mode, **overrides) as client:
            result = await client.call_tool("check_recontact_readiness", {"target_group_id": GROUP})
            [text] = result.content
            assert isinstance(text, TextContent)
            answer: dict[str, Any] = json.loads(text.text)
            assert result.structured_content == answer
            assert result.is_error == fails, answer
            if fails:
                error: dict[str, Any] = answer["error"]
                return error
            [tool] = [tool for tool in (await client.list_tools()).tools if tool.name == "check_recontact_readiness"]
            schema: dict[str, Any] = tool.output_schema or {}
            Draft202012Validator(schema).validate(answer)  # pyright: ignore[reportUnknownMemberType]  # it ships no types
            assert answer.keys() == schema["properties"].keys()
            return answer

    return checked
