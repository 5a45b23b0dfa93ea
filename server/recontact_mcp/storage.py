"""Where what outlives a process lies: in files of the data directory, or in PostgreSQL."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from anyio.abc import TaskGroup

    from recontact_mcp.settings import Settings
    from recontact_tools.desk import Desk
    from recontact_tools.engine import Crew
    from recontact_tools.ledger import Ledger
    from recontact_tools.ledger.database import Connection
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


async def opened_ledger(settings: Settings) -> Ledger:
    """Open the ledger that the settings name, which is made where it is missing.

    Raises:
        LedgerFault: The ledger cannot be used, or its database not be reached.
        OSError: The data directory cannot be used.
    """
    from recontact_tools.ledger.sql import SqlLedger

    if settings.database_url is not None:
        return await SqlLedger.connect(settings.database_url.get_secret_value(), settings.namespace)
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SqlLedger.open(settings.home / LEDGER_FILE)


async def opened_storage(
    settings: Settings, open_ledger: Callable[[Settings], Awaitable[Ledger]] = opened_ledger
) -> Storage:
    """Open what the settings name; *open_ledger* may open another ledger than they do.

    Raises:
        LedgerFault: The ledger cannot be used, or its database not be reached.
        OSError: The data directory cannot be used.
    """
    ledger = await open_ledger(settings)
    if settings.database_url is None:
        return _beside_files(settings.home, ledger)
    return _beside_database(settings.database_url.get_secret_value(), settings.namespace, ledger)


@asynccontextmanager
async def existing_ledger(settings: Settings) -> AsyncGenerator[Ledger]:
    """Open the ledger for one piece of work, beside servers that run; it is not made for that.

    Raises:
        NoLedger: Nothing was kept yet.
        LedgerUnavailable: It cannot be used, or its database not be reached.
        OSError: The data directory cannot be used.
    """
    from recontact_tools.ledger.sql import SqlLedger

    if settings.database_url is not None:
        ledger = await SqlLedger.connect(settings.database_url.get_secret_value(), settings.namespace, make=False)
    else:
        ledger = SqlLedger.open(_existing_file(settings))
    try:
        yield ledger
    finally:
        with anyio.CancelScope(shield=True):
            await ledger.aclose()


def reading(settings: Settings) -> AbstractContextManager[Connection]:
    """Open the ledger to read it and nothing else, beside servers that run; its version may be older.

    Raises:
        NoLedger: Nothing was kept yet.
        LedgerUnavailable: It cannot be read, or its database not be reached.
    """
    if settings.database_url is not None:
        from recontact_tools.ledger import postgres_migrations

        return postgres_migrations.reading(settings.database_url.get_secret_value(), settings.namespace)
    from recontact_tools.ledger import sqlite_connection

    return sqlite_connection.reading(_existing_file(settings))


def _existing_file(settings: Settings) -> Path:
    from recontact_tools.ledger.faults import NoLedger

    file = settings.home / LEDGER_FILE
    if not file.exists():
        raise NoLedger
    return file


def _beside_files(home: Path, ledger: Ledger) -> Storage:
    from recontact_tools.elected import Elected
    from recontact_tools.seats import FileSeat

    return Storage(
        ledger,
        lambda desk, tasks: Elected(home, desk, tasks),
        FileSeat(home / "follow.lock"),
    )


def _beside_database(url: str, namespace: str, ledger: Ledger) -> Storage:
    from recontact_tools.fleet import Fleet
    from recontact_tools.ledger.locks import SessionLocks
    from recontact_tools.seats import FleetSeat

    locks = SessionLocks(url, namespace)
    return Storage(
        ledger,
        lambda desk, tasks: Fleet(url, f"{namespace}_engine", locks, desk, tasks),
        FleetSeat(locks, "following"),
        locks,
    )
