"""The sealed lists on SQLite."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from recontact_tools.ledger.audit import append
from recontact_tools.ledger.database import Connection, Database, Row
from recontact_tools.ledger.entries import Event, about
from recontact_tools.ledger.records import PROVED_WITHIN
from recontact_tools.ledger.rows import ACTIVE, OF_GROUP, REPLACING, group_from, group_values, instant
from recontact_tools.ledger.snapshots import Piece, Purpose, Snapshot
from recontact_tools.models import TargetGroup

_COLUMNS = (
    "snapshot_id, purpose, principal, account_id, project_id, target_group_id, expected, count, pieces, "
    "set_hash, created_at, updated_at, expires_at"
)
_SELECT = f"SELECT {_COLUMNS} FROM snapshots"  # noqa: S608 - the columns are a constant of ours


class SqlSnapshots:
    """See `Snapshots`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, snapshot: Snapshot, *, afresh: bool = False) -> Snapshot:
        """See `Snapshots.begin`."""
        return await self._database.write(lambda connection: begin(connection, snapshot, afresh=afresh), scrubs=afresh)

    async def add(self, snapshot_id: str, pieces: Sequence[Piece], *, now: datetime) -> None:
        """See `Snapshots.add`."""
        await self._database.write(lambda connection: add(connection, snapshot_id, pieces, now))

    async def complete(self, snapshot_id: str, *, set_hash: str, now: datetime) -> None:
        """See `Snapshots.complete`."""
        await self._database.write(lambda connection: complete(connection, snapshot_id, set_hash, now))

    async def get(self, snapshot_id: str) -> Snapshot | None:
        """See `Snapshots.get`."""
        return await self._database.read(lambda connection: one(connection, snapshot_id))

    async def sealed(self, snapshot_id: str) -> tuple[bytes, ...]:
        """See `Snapshots.sealed`."""
        return await self._database.read_in_thread(
            lambda connection: tuple(
                row["sealed"]
                for row in connection.execute(
                    "SELECT sealed FROM snapshot_pieces WHERE snapshot_id = ? ORDER BY number", (snapshot_id,)
                )
            )
        )

    async def kept(self, group: TargetGroup | None = None, *, limit: int = 1_000) -> tuple[Snapshot, ...]:
        """See `Snapshots.kept`."""
        return await self._database.read_in_thread(lambda connection: kept(connection, group, limit))

    async def delete(self, snapshot_id: str, *, now: datetime) -> bool:
        """See `Snapshots.delete`."""
        return await self._database.write(lambda connection: delete(connection, snapshot_id, now), scrubs=True)

    async def expire(self, *, now: datetime) -> int:
        """See `Snapshots.expire`."""
        due = await self._database.read_in_thread(lambda connection: expired(connection, now))
        for snapshot_id in due:
            await self.delete(snapshot_id, now=now)
        return len(due)


def one(connection: Connection, snapshot_id: str) -> Snapshot | None:
    """Read a list by its id."""
    row = connection.execute(f"{_SELECT} WHERE snapshot_id = ?", (snapshot_id,)).fetchone()
    return row and _snapshot(row)


def begin(connection: Connection, snapshot: Snapshot, *, afresh: bool) -> Snapshot:
    """Write a new list, or read the one that is there."""
    if afresh:
        delete(connection, snapshot.snapshot_id, snapshot.created_at)
    begun = connection.execute(
        f"INSERT INTO snapshots ({_COLUMNS}) "  # noqa: S608 - the columns are a constant of ours
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (snapshot_id) DO NOTHING",
        (
            snapshot.snapshot_id,
            snapshot.purpose.value,
            snapshot.principal,
            *group_values(snapshot.group),
            snapshot.expected,
            snapshot.count,
            snapshot.pieces,
            snapshot.set_hash,
            instant(snapshot.created_at),
            instant(snapshot.updated_at),
            instant(snapshot.expires_at),
        ),
    )
    if begun.rowcount:
        _tell(connection, snapshot, Event.SNAPSHOT_BEGUN, snapshot.created_at, ids=snapshot.expected)
    return one(connection, snapshot.snapshot_id) or snapshot


def _tell(connection: Connection, snapshot: Snapshot, event: Event, at: datetime, **detail: int) -> None:
    """Write into the audit trail what happened to a snapshot; the list of a replacement is told of with that."""
    if snapshot.purpose is Purpose.REMOVAL:
        entry = about(snapshot.group, event, "snapshot", at=at, principal=snapshot.principal, **detail)
        append(connection, replace(entry, intent_id=snapshot.snapshot_id))


def complete(connection: Connection, snapshot_id: str, set_hash: str, now: datetime) -> None:
    """Declare a list complete, once."""
    completed = connection.execute(
        "UPDATE snapshots SET set_hash = ?, updated_at = ? WHERE snapshot_id = ? AND set_hash IS NULL",
        (set_hash, instant(now), snapshot_id),
    )
    snapshot = one(connection, snapshot_id)
    if completed.rowcount and snapshot is not None:
        _tell(connection, snapshot, Event.SNAPSHOT_COMPLETED, now, ids=snapshot.count)


def add(connection: Connection, snapshot_id: str, pieces: Sequence[Piece], now: datetime) -> None:
    """Add the pieces that are the next ones."""
    for piece in pieces:
        added = connection.execute(
            "INSERT INTO snapshot_pieces SELECT ?, ?, ? FROM snapshots "
            "WHERE snapshot_id = ? AND pieces = ? AND set_hash IS NULL",
            (snapshot_id, piece.number, piece.sealed, snapshot_id, piece.number),
        )
        if added.rowcount:
            connection.execute(
                "UPDATE snapshots SET pieces = pieces + 1, count = count + ?, updated_at = ? WHERE snapshot_id = ?",
                (piece.ids, instant(now), snapshot_id),
            )


def kept(connection: Connection, group: TargetGroup | None, limit: int) -> tuple[Snapshot, ...]:
    """Read the snapshots taken before removals, the latest first."""
    where, values = (f"AND {OF_GROUP} ", group_values(group)) if group else ("", ())
    rows = connection.execute(
        f"{_SELECT} WHERE purpose = 'removal' {where}ORDER BY position DESC LIMIT ?", (*values, limit)
    )
    return tuple(_snapshot(row) for row in rows)


def delete(connection: Connection, snapshot_id: str, now: datetime) -> bool:
    """Delete a list and its pieces."""
    snapshot = one(connection, snapshot_id)
    if snapshot is None:
        return False
    connection.execute("DELETE FROM snapshot_pieces WHERE snapshot_id = ?", (snapshot_id,))
    connection.execute("DELETE FROM snapshots WHERE snapshot_id = ?", (snapshot_id,))
    _tell(connection, snapshot, Event.SNAPSHOT_DELETED, now, ids=snapshot.count)
    return True


def expired(connection: Connection, now: datetime) -> tuple[str, ...]:
    """Read the ids of the lists whose time has come and that no running work needs."""
    rows = connection.execute(
        "SELECT snapshot_id FROM snapshots WHERE expires_at <= ? AND snapshot_id NOT IN "  # noqa: S608 - constants of ours
        f"(SELECT intent_id FROM intents WHERE {ACTIVE}) AND NOT EXISTS "
        f"(SELECT 1 FROM replacements WHERE {REPLACING} AND (snapshot_id = "
        "replacement_id OR snapshot_id IN (SELECT intent_id FROM intents WHERE parent_id = replacement_id))) "
        f"AND NOT EXISTS (SELECT 1 FROM intents WHERE restores = 'snapshot:' || snapshot_id AND ({ACTIVE} "
        "OR (state = 'finished' AND proof IS NULL AND updated_at > ?)))",
        (instant(now), instant(now - PROVED_WITHIN)),
    )
    return tuple(row["snapshot_id"] for row in rows)


def _snapshot(row: Row) -> Snapshot:
    return Snapshot(
        snapshot_id=row["snapshot_id"],
        purpose=Purpose(row["purpose"]),
        principal=row["principal"],
        group=group_from(row),
        expected=row["expected"],
        count=row["count"],
        pieces=row["pieces"],
        set_hash=row["set_hash"],
        created_at=datetime.fromisoformat(row["created_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
        expires_at=datetime.fromisoformat(row["expires_at"]),
    )
