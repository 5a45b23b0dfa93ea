"""The HTTP server as a real process, and its application in this one."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from http_process import Served, served

from recontact_mcp.opening import Effects
from recontact_mcp.remote.app import build_app
from recontact_mcp.remote.limits import Limits
from recontact_mcp.remote.parts import Parts, parts_for
from recontact_mcp.settings import Settings

ADDRESS = "127.0.0.1:8765"


Serve = Callable[..., AbstractContextManager[Served]]
Front = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Serve from a directory of this test; keyword arguments are environment variables."""

    @contextmanager
    def serving(*arguments: str, **variables: str) -> Generator[Served]:
        with served(tmp_path, *arguments, **variables) as server:
            yield server

    return serving


@pytest.fixture
def parts(settings: Settings) -> Callable[..., Parts]:
    """Build the parts of a server; overrides go to the settings."""

    def built(*, effects: Effects | None = None, limits: Limits | None = None, **overrides: Any) -> Parts:
        made = parts_for(settings.model_copy(update=overrides), effects=effects, address=ADDRESS)
        return replace(made, limits=limits) if limits else made

    return built


@pytest.fixture
def front(parts: Callable[..., Parts]) -> Front:
    """Open an HTTP client into an application in this process."""

    @asynccontextmanager
    async def opened(made: Parts | None = None, **overrides: Any) -> AsyncGenerator[httpx.AsyncClient]:
        app = build_app(made or parts(**overrides))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.running(),
            httpx.AsyncClient(transport=transport, base_url=f"http://{ADDRESS}") as client,
        ):
            with anyio.fail_after(30):
                yield client

    return opened
