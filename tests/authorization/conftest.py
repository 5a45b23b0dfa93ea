"""A server over HTTP that asks for tokens, and everything that may be wrong with one."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from authorization_server import AuthorizationServer
from pydantic import SecretStr
from two_tenants import Town, town

from recontact_mcp.settings import Settings

Serving = Callable[..., AbstractAsyncContextManager[Town]]


@pytest.fixture
def settings(settings: Settings, kept_in: SecretStr | None) -> Settings:
    """Settings of a fresh installation, on each database."""
    return settings.model_copy(update={"database_url": kept_in})


@pytest.fixture
def serving(settings: Settings, authorization: AuthorizationServer, tmp_path: Path) -> Serving:
    """Serve with a token asked for; overrides go to the settings, *files* are written first, privately."""

    @asynccontextmanager
    async def served(**overrides: Any) -> AsyncGenerator[Town]:
        async with town(settings.model_copy(update=overrides), authorization, tmp_path / "town") as place:
            yield place

    return served
