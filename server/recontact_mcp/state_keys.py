"""The keys that seal what clients carry between the rounds of a question, where several servers must open it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recontact_mcp.data_directory import anticipating_faults
from recontact_mcp.storage import opened_storage

if TYPE_CHECKING:
    from recontact_mcp.settings import Settings

# One text of many that the ledger's secret makes: it tells nothing about the others.
_PURPOSE = b"the key of what clients carry between rounds"


async def shared_state_keys(settings: Settings) -> tuple[bytes, ...]:
    """Return the configured keys, else one that the ledger's secret makes and every server on its database holds.

    None where neither is configured: then the server makes one of its own.

    Raises:
        Unreachable: The database cannot be used.
    """
    if settings.state_keys or settings.database_url is None:
        return settings.state_keys
    with anticipating_faults(database=True):
        storage = await opened_storage(settings)
        try:
            return (bytes.fromhex(await storage.ledger.digest(_PURPOSE)),)
        finally:
            await storage.aclose()
