"""Mounts the Recontacts API in this process; the one place that knows both sides of it."""

import logging
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from recontact_service.running import running
from recontact_service.settings import Postgres, ServiceSettings
from recontact_tools.gateway import Connection, Gateway

logger = logging.getLogger(__name__)

CLIENT_ID = "embedded"
# Resolved by nobody: requests go straight into the mounted app.
HOST = "http://recontact-service.invalid"
DATABASE_FILE = "service.sqlite"


def service_database(folder: Path, database_url: SecretStr | None) -> Path | Postgres:
    """Return where the service keeps its data: on the PostgreSQL that was named, or in a file of *folder*."""
    return Postgres(url=database_url.get_secret_value()) if database_url else folder / DATABASE_FILE


@asynccontextmanager
async def embedded_gateway(
    folder: Path, *, pace: float, api_version: str, database_url: SecretStr | None = None
) -> AsyncGenerator[Gateway]:
    """Run the service on *folder*'s database, or a named one, and yield a gateway into it.

    Any number of processes may do so on one database; the credentials live for this one.
    """
    secret = secrets.token_urlsafe(32)
    settings = ServiceSettings(
        database=service_database(folder, database_url),
        pace=pace,
        clients={CLIENT_ID: secret},
        # assumed: here is no history of sessions to look response ids up in, and a rehearsal needs an outcome.
        unknown_response_ids="derive",
    )
    async with running(settings) as service:
        connection = Connection(
            base_url=f"{HOST}/v1",
            token_url=f"{HOST}/oauth/token",
            client_id=CLIENT_ID,
            client_secret=secret,
            api_version=api_version,
        )
        transport = httpx.ASGITransport(app=reporting(service.app), raise_app_exceptions=False)
        async with Gateway(connection, transport=transport) as gateway:
            yield gateway


def reporting(app: ASGIApp) -> ASGIApp:
    """Log what the service raises; its caller sees what a client of any API would, a server error."""

    async def reported(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception as error:
            logger.error("The embedded service failed: %s", type(error).__name__)  # noqa: TRY400 - texts hold paths
            raise

    return reported
