"""What each principal did today; caps are held where work is opened."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from recontact_tools.ledger.database import Connection, Database
from recontact_tools.ledger.faults import CapReached
from recontact_tools.models import Caps, JobKind

if TYPE_CHECKING:
    from recontact_tools.ledger.records import Intent, Replacement

_NAMES = ("uploads", "ids", "removals")
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
    wanted = an_upload(intent.ids or 0) if intent.kind is JobKind.UPLOAD else a_plan(None)
    _count(connection, intent.principal, intent.created_at, wanted, caps)


def count_replacement(connection: Connection, replacement: "Replacement", caps: Caps | None) -> None:
    """Count a replacement that is being opened, as an upload and a removal.

    Raises:
        CapReached: As for an intent.
    """
    if caps is not None:
        _count(connection, replacement.principal, replacement.created_at, a_plan(replacement.ids), caps)


def an_upload(ids: int) -> Caps:
    """Return what an upload counts as."""
    return Caps(1, ids, 0)


def a_plan(new_ids: int | None) -> Caps:
    """Return what a removal counts as, or with so many *new_ids* a replacement."""
    return Caps(0, 0, 1) if new_ids is None else Caps(1, new_ids, 1)


def exceeded(caps: Caps, used: Caps, wanted: Caps) -> CapReached | None:
    """Return the first cap that *wanted* on top of what was *used* would be more than; None where it fits."""
    for name in _NAMES:
        cap, before, added = (getattr(one, name) for one in (caps, used, wanted))
        if added and cap is not None and before + added > cap:
            return CapReached(name, cap=cap, used=before)
    return None


def _count(connection: Connection, principal: str, now: datetime, wanted: Caps, caps: Caps) -> None:
    added = [getattr(wanted, name) for name in _NAMES]
    row = connection.execute(_COUNT, (principal, day_of(now), *added)).fetchone()
    before = Caps(*(row[name] - more for name, more in zip(_NAMES, added, strict=True)))
    reached = exceeded(caps, before, wanted)
    if reached is not None:
        raise reached


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
