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
    from recontact_tools.seats import Seat

LEDGER_FILE = "ledger.sqlite"


@dataclass(frozen=True, slots=True)
class Storage:
    """An open ledger, and how the processes on it share the work: that of the engine, and following jobs of elsewhere.

    Whoever opened it closes the ledger.
    """

    ledger: Ledger
    crew: Callable[[Desk, TaskGroup], Crew]
    following: Seat


async def opened_storage(settings: Settings, open_ledger: Callable[[Path], Ledger] | None = None) -> Storage:
    """Open what the settings name; *open_ledger* opens another ledger in the place of the data directory's.

    Raises:
        LedgerFault: The ledger cannot be used.
        OSError: The data directory cannot be used.
    """
    return _files(settings.home, open_ledger)


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
