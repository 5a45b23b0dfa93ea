"""Lists of respondent ids that must outlive a call: sealed, piece by piece, and complete before they count.

A snapshot is what a target group stored before a removal; the list of a replacement is what is to be stored after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from recontact_tools.models import TargetGroup


class Purpose(StrEnum):
    """Why a list is kept."""

    REMOVAL = "removal"
    REPLACEMENT = "replacement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One list, without its ids; complete once it has a *set_hash*.

    *expected* is how many ids the API counted when the reading began, *count* how many were read so far in so many
    *pieces*. From *expires_at* on it is deleted.
    """

    snapshot_id: str
    purpose: Purpose
    principal: str
    group: TargetGroup
    expected: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    count: int = 0
    pieces: int = 0
    set_hash: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every id is in it, and was verified to be."""
        return self.set_hash is not None


@dataclass(frozen=True, slots=True)
class Piece:
    """A sealed part of a list: its *number* from 0, and how many ids it holds."""

    number: int
    sealed: bytes
    ids: int


class Snapshots(Protocol):
    """The sealed lists of a ledger; nothing here can open them."""

    async def begin(self, snapshot: Snapshot, *, afresh: bool = False) -> Snapshot:
        """Write a new list down, or return the one of that id as far as it has come; *afresh* empties it first."""
        ...

    async def add(self, snapshot_id: str, pieces: Sequence[Piece], *, now: datetime) -> None:
        """Add pieces to a list that is not complete; one that is there already is left as it is."""
        ...

    async def complete(self, snapshot_id: str, *, set_hash: str, now: datetime) -> None:
        """Declare a list complete; the first declaration stays."""
        ...

    async def get(self, snapshot_id: str) -> Snapshot | None:
        """Return a list by its id."""
        ...

    async def sealed(self, snapshot_id: str) -> tuple[bytes, ...]:
        """Return the sealed pieces of a list, in their order."""
        ...

    async def kept(self, group: TargetGroup | None = None, *, limit: int = 1_000) -> tuple[Snapshot, ...]:
        """Return the snapshots taken before removals, the latest first."""
        ...

    async def delete(self, snapshot_id: str, *, now: datetime) -> bool:
        """Delete a list and every trace of its pieces; False if there is none."""
        ...

    async def expire(self, *, now: datetime) -> int:
        """Delete the lists whose time has come, and return how many; not those that running work still needs."""
        ...
