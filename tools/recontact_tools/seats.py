"""A task that one process does for all: who holds its seat does it, until it lets go or dies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from recontact_tools import election

if TYPE_CHECKING:
    from pathlib import Path


class Seat(Protocol):
    """The seat of one task."""

    async def taken(self) -> bool:
        """Take the seat, unless another process has it; true as well, and asked again, if this one has it."""
        ...

    async def leave(self) -> None:
        """Let another process take the seat; what was never taken need not be left."""
        ...


class Locks(Protocol):
    """Locks that a database holds for this process, by name, and frees when the process dies."""

    async def take(self, name: str) -> bool:
        """Take a lock, unless another process has it; true as well, and asked again, if this one has it.

        Raises:
            LedgerUnavailable: The database did not answer.
        """
        ...

    async def free(self, name: str) -> None:
        """Free a lock; one that is not held, or was lost with its connection, is free already."""
        ...

    def held_seconds(self) -> float:
        """Return for how long the connection that holds the locks has lasted."""
        ...


class FileSeat:
    """A seat among the processes of one machine: the lock on a file, which is made when the seat is first taken."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = -1

    async def taken(self) -> bool:
        """See `Seat.taken`.

        Raises:
            OSError: The file cannot be made or opened.
        """
        if self._lock >= 0:
            return True
        lock = election.opened(self._path)
        if not election.won(lock):
            os.close(lock)
            return False
        self._lock = lock
        return True

    async def leave(self) -> None:
        """See `Seat.leave`."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


class FleetSeat:
    """A seat among replicas: a lock that the database holds for as long as this process lives."""

    def __init__(self, locks: Locks, name: str) -> None:
        self._locks = locks
        self._name = name

    async def taken(self) -> bool:
        """See `Seat.taken`.

        Raises:
            LedgerUnavailable: The database did not answer.
        """
        return await self._locks.take(self._name)

    async def leave(self) -> None:
        """See `Seat.leave`."""
        await self._locks.free(self._name)
