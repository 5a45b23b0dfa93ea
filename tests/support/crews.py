"""The two kinds of crew that the durable engine works with, on a place of a test's own."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import anyio
import anyio.abc
from desk_setting import Setting

from recontact_tools.desk import Desk
from recontact_tools.elected import Elected
from recontact_tools.engine import Crew, DurableEngine
from recontact_tools.fleet import Fleet
from recontact_tools.ledger.locks import SessionLocks

LEDGER, ENGINE = "recontact", "recontact_engine"


class Place(Protocol):
    """Where the processes of a crew meet."""

    def crew(self, desk: Desk, tasks: anyio.abc.TaskGroup) -> Crew:
        """Return one process of the crew."""
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """A data directory."""

    path: Path

    def crew(self, desk: Desk, tasks: anyio.abc.TaskGroup) -> Crew:
        """See `Place.crew`."""
        return Elected(self.path, desk, tasks)


@dataclass(frozen=True, slots=True)
class Database:
    """A PostgreSQL, with the locks of one process."""

    url: str
    locks: SessionLocks

    def crew(self, desk: Desk, tasks: anyio.abc.TaskGroup) -> Crew:
        """See `Place.crew`."""
        return Fleet(self.url, ENGINE, self.locks, desk, tasks)


@asynccontextmanager
async def engine_at(place: Place, setting: Setting) -> AsyncGenerator[DurableEngine]:
    """Open an engine over the setting's desk, with its own gate, and close it."""
    desk = setting.another_desk()
    async with anyio.create_task_group() as tasks:
        engine = DurableEngine(place.crew(desk, tasks), desk, tasks)
        try:
            yield engine
        finally:
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await engine.aclose()
