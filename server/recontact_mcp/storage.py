"""Where what outlives a process lies: in files of the data directory, or in PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anyio.abc import TaskGroup

    from recontact_mcp.settings import Settings
    from recontact_tools.desk import Desk
    from recontact_tools.engine import Crew
    from recontact_tools.ledger import Ledger
    from recontact_tools.ledger.locks import SessionLocks
    from recontact_tools.seats import Seat

LEDGER_FILE = "ledger.sqlite"


@dataclass(frozen=True, slots=True)
class Storage:
    """An open ledger, and how the processes on it share the work: the engine's, and following jobs of elsewhere."""

    ledger: Ledger
    crew: Callable[[Desk, TaskGroup], Crew]
    following: Seat
    locks: SessionLocks | None = None

    async def aclose(self) -> None:
        """Let go of everything."""
        if self.locks is not None:
            await self.locks.aclose()
        await self.ledger.aclose()


async def opened_storage(settings: Settings, open_ledger: Callable[[Path], Ledger] | None = None) -> Storage:
    """Open what the settings name; *open_ledger* opens another ledger in the place of the data directory's.

    Raises:
        LedgerFault: The ledger cannot be used, or its database not be reached.
        OSError: The data directory cannot be used.
    """
    if settings.database_url is None:
        return _files(settings.home, open_ledger)
    return await _database(settings.database_url.get_secret_value(), settings.namespace)


def _files(home: Path, open_ledger: Callable[[Path], Ledger] | None) -> Storage:
    from recontact_tools.elected import Elected
    from recontact_tools.ledger.sql import SqlLedger
    from recontact_tools.seats import FileSeat

    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Storage(
        (open_ledger or SqlLedger.open)(home / LEDGER_FILE),
        lambda desk, tasks: Elected(home, desk, tasks),
        FileSeat(home / "follow.lock"),
    )


async def _database(url: str, namespace: str) -> Storage:
    from recontact_tools.fleet import Fleet
    from recontact_tools.ledger.locks import SessionLocks
    from recontact_tools.ledger.sql import SqlLedger
    from recontact_tools.seats import FleetSeat

    locks = SessionLocks(url, namespace)
    return Storage(
        await SqlLedger.connect(url, namespace),
        lambda desk, tasks: Fleet(url, f"{namespace}_engine", locks, desk, tasks),
        FleetSeat(locks, "following"),
        locks,
    )
