"""The way to the API that the settings name."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from recontact_mcp.settings import Settings
    from recontact_tools.gateway import Gateway


@asynccontextmanager
async def gateway_for(settings: Settings) -> AsyncGenerator[Gateway]:
    """Open the way to the API that the settings name: Cint's, or the embedded service."""
    if settings.embedded:
        from recontact_mcp.embedded import embedded_gateway

        way = embedded_gateway(
            settings.data_dir,
            pace=settings.pace,
            api_version=settings.cint_api_version,
            database_url=settings.database_url,
        )
        async with way as gateway:
            yield gateway
        return
    from recontact_mcp.connecting import connection_for
    from recontact_tools.gateway import Gateway

    async with Gateway(connection_for(settings)) as gateway:
        yield gateway
