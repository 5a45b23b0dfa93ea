"""What the tests of the HTTP server's pages share."""

from collections.abc import AsyncIterator

import pytest
from approval_site import Site, site
from authorization_server import SERVER_CLIENT, SERVER_SECRET, AuthorizationServer
from chromium import Chromium, chromium
from pydantic import SecretStr

from recontact_mcp.callers import principal_of
from recontact_mcp.settings import Settings


@pytest.fixture
def settings(settings: Settings, kept_in: SecretStr | None) -> Settings:
    """Settings of a fresh installation, on each database."""
    return settings.model_copy(update={"database_url": kept_in})


@pytest.fixture
def signing_in(settings: Settings, authorization: AuthorizationServer) -> Settings:
    """Settings under which people sign in at the authorization server to approve."""
    return settings.model_copy(
        update={
            "auth_issuer": authorization.issuer,
            "approval_client_id": SERVER_CLIENT,
            "approval_client_secret": SecretStr(SERVER_SECRET),
        }
    )


@pytest.fixture
async def browser() -> AsyncIterator[Chromium]:
    """A browser, for one test."""
    async with chromium() as running:
        yield running


@pytest.fixture
async def served(signing_in: Settings) -> AsyncIterator[Site]:
    """A server whose approval page people sign in to."""
    async with site(signing_in) as running:
        yield running


@pytest.fixture
def ann(authorization: AuthorizationServer) -> str:
    """Return the principal of Ann."""
    return principal_of(authorization.issuer, "ann")
