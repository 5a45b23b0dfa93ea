"""What each principal did today; caps are held where work is opened."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from recontact_tools.ledger.database import Connection, Database
from recontact_tools.ledger.faults import CapReached
from recontact_tools.models import Caps, JobKind

if TYPE_CHECKING:
    from recontact_tools.ledger.records import Intent, Replacement

# In one statement, so that of two processes that count at once the second sees the first.
_COUNT = """
    INSERT INTO usage (principal, day, uploads, ids, removals) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (principal, day) DO UPDATE SET
    uploads = usage.uploads + excluded.uploads, ids = usage.ids + excluded.ids,
    removals = usage.removals + excluded.removals
    RETURNING uploads, ids, removals
"""


class Usage(Protocol):
    """What each principal did today, and who they were."""

    async def claims_of(self, principal: str) -> dict[str, list[str]]:
        """Return what the token of a principal claimed when an earlier version last saw it; work keeps its own now."""
        ...

    async def today(self, principal: str, *, now: datetime) -> Caps:
        """Return how much was opened for a principal on the day (UTC) of *now*; refused work counts, too."""
        ...


class SqlUsage:
    """See `Usage`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claims_of(self, principal: str) -> dict[str, list[str]]:
        """See `Usage.claims_of`."""
        return await self._database.read(lambda connection: _claims(connection, principal))

    async def today(self, principal: str, *, now: datetime) -> Caps:
        """See `Usage.today`."""
        return await self._database.read(lambda connection: _today(connection, principal, now))


def count_intent(connection: Connection, intent: "Intent", caps: Caps | None) -> None:
    """Count an intent that is being opened; a part of a replacement was counted with it.

    Raises:
        CapReached: It would be more than a cap; nothing is kept of this transaction then.
    """
    if caps is None or intent.parent_id is not None:
        return
    is_upload = intent.kind is JobKind.UPLOAD
    wanted = (1, intent.ids or 0, 0) if is_upload else (0, 0, 1)
    _count(connection, intent.principal, intent.created_at, wanted, caps)


def count_replacement(connection: Connection, replacement: "Replacement", caps: Caps | None) -> None:
    """Count a replacement that is being opened, as an upload and a removal.

    Raises:
        CapReached: As for an intent.
    """
    if caps is not None:
        _count(connection, replacement.principal, replacement.created_at, (1, replacement.ids, 1), caps)


def _count(connection: Connection, principal: str, now: datetime, wanted: tuple[int, int, int], caps: Caps) -> None:
    row = connection.execute(_COUNT, (principal, day_of(now), *wanted)).fetchone()
    for name, added in zip(("uploads", "ids", "removals"), wanted, strict=True):
        cap: int | None = getattr(caps, name)
        if added and cap is not None and row[name] > cap:
            raise CapReached(name, cap=cap, used=row[name] - added)


def _today(connection: Connection, principal: str, now: datetime) -> Caps:
    row = connection.execute(
        "SELECT uploads, ids, removals FROM usage WHERE principal = ? AND day = ?", (principal, day_of(now))
    ).fetchone()
    return Caps(row["uploads"], row["ids"], row["removals"]) if row is not None else Caps(0, 0, 0)


def _claims(connection: Connection, principal: str) -> dict[str, list[str]]:
    row = connection.execute("SELECT claims FROM principals WHERE principal = ?", (principal,)).fetchone()
    found: dict[str, list[str]] = json.loads(row["claims"]) if row is not None else {}
    return found


def day_of(now: datetime) -> str:
    """Return the day (UTC) that a moment counts for."""
    return now.astimezone(UTC).date().isoformat()
