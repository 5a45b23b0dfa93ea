"""Replacements: one list for another, as one wish that ends well, with the old list, or with what is left to do."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from recontact_tools.errors import Detail
from recontact_tools.ledger import intents
from recontact_tools.ledger.faults import ActiveIntent, ActiveReplacement, ReplacementKeyTaken
from recontact_tools.ledger.file import LedgerFile
from recontact_tools.ledger.records import Intent, Proof
from recontact_tools.ledger.repeats import SAME_CALL_WITHIN
from recontact_tools.ledger.rows import (
    error_text,
    group_from,
    group_values,
    instant,
    proof_from,
    proof_text,
)
from recontact_tools.ledger.states import ACTIVE_STATES, ENDS, Stage
from recontact_tools.models import IdType, TargetGroup

_COLUMNS = (
    "replacement_id, removal_id, principal, account_id, project_id, target_group_id, id_type, ids, stored_before, "
    "stage, attempts, plan_id, fingerprint, idempotency_key, error, proof, created_at, updated_at"
)
_SELECT = f"SELECT {_COLUMNS} FROM replacements"  # noqa: S608 - the columns are a constant of ours
_MARKS = ", ".join("?" for _ in _COLUMNS.split(","))
_INSERT = f"INSERT INTO replacements ({_COLUMNS}) VALUES ({_MARKS})"  # noqa: S608 - as above
_OF_GROUP = "account_id = ? AND project_id = ? AND target_group_id = ?"
_RUNNING = "stage NOT IN ('done', 'refused', 'restored', 'stuck')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """One replacement: *ids* new IDs for *stored_before* old ones, whose snapshot is that of the removal *removal_id*.

    The new list is sealed under *replacement_id*. *attempts* counts the stages and the uploads so far. *proof* compares
    what is stored at the end with what should be: the new list, or the old one where it had to be restored.
    """

    replacement_id: str
    removal_id: str
    principal: str
    group: TargetGroup
    id_type: IdType
    ids: int
    stored_before: int
    stage: Stage
    fingerprint: str
    created_at: datetime
    updated_at: datetime
    attempts: int = 0
    plan_id: str | None = None
    idempotency_key: str | None = None
    error: dict[str, Detail] | None = None
    proof: Proof | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will be done about it."""
        return self.stage in ENDS

    @property
    def upload_id(self) -> str:
        """The id of the intent of the present attempt to upload: the new list, or the old one again."""
        return f"{self.replacement_id}-{self.attempts}"


class Replacements(Protocol):
    """The replacements of a ledger."""

    async def open(self, replacement: Replacement) -> Replacement:
        """Write a replacement down, or return the one that it repeats.

        Raises:
            ActiveIntent: a job runs on its target group.
            ActiveReplacement: another replacement does.
            ReplacementKeyTaken: its idempotency key stands for something else.
        """
        ...

    async def standing(self, replacement: Replacement) -> Replacement | None:
        """Return the earlier replacement that one which was not written yet repeats.

        Raises:
            ReplacementKeyTaken: its idempotency key stands for something else.
        """
        ...

    async def get(self, replacement_id: str) -> Replacement | None:
        """Return a replacement by its id."""
        ...

    async def active(self, group: TargetGroup) -> Replacement | None:
        """Return the one replacement that works on a target group."""
        ...

    async def unsettled(self) -> tuple[Replacement, ...]:
        """Return every replacement that has not ended, oldest first."""
        ...

    async def recent(self, group: TargetGroup | None = None, *, limit: int = 1_000) -> tuple[Replacement, ...]:
        """Return replacements, the latest first."""
        ...

    async def move(
        self,
        replacement_id: str,
        old: Stage,
        new: Stage,
        *,
        now: datetime,
        error: dict[str, Detail] | None = None,
        proof: Proof | None = None,
    ) -> bool:
        """Move on from stage *old*, and count that; False if it is in another one by now."""
        ...

    async def withdraw(self, replacement_id: str, error: dict[str, Detail], *, now: datetime) -> bool:
        """End a replacement of which nothing was sent yet; False, and nothing, once its removal may be sent."""
        ...

    async def turn_back(self, replacement_id: str, error: dict[str, Detail], *, now: datetime) -> bool:
        """Put the old list back instead of uploading the new one; False while an upload may be on its way."""
        ...

    async def parts(self, replacement_id: str) -> tuple[Intent, ...]:
        """Return the removal and the uploads of a replacement, oldest first."""
        ...

    async def try_again(self, replacement_id: str, attempts: int, *, now: datetime) -> None:
        """Count an attempt more than *attempts*; once, however often called."""
        ...


class SqliteReplacements:
    """See `Replacements`."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    async def open(self, replacement: Replacement) -> Replacement:
        """See `Replacements.open`."""
        return await self._file.write(lambda connection: open_once(connection, replacement))

    async def standing(self, replacement: Replacement) -> Replacement | None:
        """See `Replacements.standing`."""
        return self._file.read(lambda connection: standing(connection, replacement))

    async def get(self, replacement_id: str) -> Replacement | None:
        """See `Replacements.get`."""
        return self._file.read(lambda connection: one(connection, replacement_id))

    async def active(self, group: TargetGroup) -> Replacement | None:
        """See `Replacements.active`."""
        return self._file.read(lambda connection: active(connection, group))

    async def unsettled(self) -> tuple[Replacement, ...]:
        """See `Replacements.unsettled`."""
        return await self._file.read_in_thread(
            lambda connection: tuple(
                _replacement(row) for row in connection.execute(f"{_SELECT} WHERE {_RUNNING} ORDER BY position")
            )
        )

    async def recent(self, group: TargetGroup | None = None, *, limit: int = 1_000) -> tuple[Replacement, ...]:
        """See `Replacements.recent`."""
        where, values = (f"WHERE {_OF_GROUP} ", group_values(group)) if group else ("", ())
        query = f"{_SELECT} {where}ORDER BY position DESC LIMIT ?"
        return await self._file.read_in_thread(
            lambda connection: tuple(_replacement(row) for row in connection.execute(query, (*values, limit)))
        )

    async def move(
        self,
        replacement_id: str,
        old: Stage,
        new: Stage,
        *,
        now: datetime,
        error: dict[str, Detail] | None = None,
        proof: Proof | None = None,
    ) -> bool:
        """See `Replacements.move`."""
        return await self._file.write(lambda connection: moved(connection, replacement_id, old, new, now, error, proof))

    async def withdraw(self, replacement_id: str, error: dict[str, Detail], *, now: datetime) -> bool:
        """See `Replacements.withdraw`."""
        return await self._file.write(lambda connection: withdraw(connection, replacement_id, error, now))

    async def turn_back(self, replacement_id: str, error: dict[str, Detail], *, now: datetime) -> bool:
        """See `Replacements.turn_back`."""
        return await self._file.write(lambda connection: turn_back(connection, replacement_id, error, now))

    async def parts(self, replacement_id: str) -> tuple[Intent, ...]:
        """See `Replacements.parts`."""
        return await self._file.read_in_thread(lambda connection: intents.of_parent(connection, replacement_id))

    async def try_again(self, replacement_id: str, attempts: int, *, now: datetime) -> None:
        """See `Replacements.try_again`."""
        await self._file.write(
            lambda connection: connection.execute(
                "UPDATE replacements SET attempts = attempts + 1, updated_at = ? "
                "WHERE replacement_id = ? AND attempts = ?",
                (instant(now), replacement_id, attempts),
            )
        )


def moved(
    connection: sqlite3.Connection,
    replacement_id: str,
    old: Stage,
    new: Stage,
    now: datetime,
    error: dict[str, Detail] | None = None,
    proof: Proof | None = None,
) -> bool:
    """Move on from stage *old*; False if it is in another one."""
    changed = connection.execute(
        "UPDATE replacements SET stage = ?, attempts = attempts + 1, updated_at = ?, error = coalesce(?, error), "
        "proof = coalesce(?, proof) WHERE replacement_id = ? AND stage = ?",
        (new.value, instant(now), error_text(error), proof_text(proof), replacement_id, old.value),
    )
    return changed.rowcount == 1


def withdraw(connection: sqlite3.Connection, replacement_id: str, error: dict[str, Detail], now: datetime) -> bool:
    """End a replacement whose removal is not written yet, or only planned, and that removal with it."""
    for part in intents.of_parent(connection, replacement_id):
        if not intents.withdraw(connection, part.intent_id, error, now):
            return False
    return moved(connection, replacement_id, Stage.REMOVING, Stage.REFUSED, now, error)


def turn_back(connection: sqlite3.Connection, replacement_id: str, error: dict[str, Detail], now: datetime) -> bool:
    """Restore instead of uploading, unless a part is active."""
    if any(part.state in ACTIVE_STATES for part in intents.of_parent(connection, replacement_id)):
        return False
    return moved(connection, replacement_id, Stage.UPLOADING, Stage.RESTORING, now, error)


def one(connection: sqlite3.Connection, replacement_id: str) -> Replacement | None:
    """Read a replacement by its id."""
    row = connection.execute(f"{_SELECT} WHERE replacement_id = ?", (replacement_id,)).fetchone()
    return row and _replacement(row)


def active(connection: sqlite3.Connection, group: TargetGroup) -> Replacement | None:
    """Read the one replacement that works on a target group."""
    row = connection.execute(f"{_SELECT} WHERE {_OF_GROUP} AND {_RUNNING}", group_values(group)).fetchone()
    return row and _replacement(row)


def standing(connection: sqlite3.Connection, replacement: Replacement) -> Replacement | None:
    """Read the earlier replacement that one repeats: by its key whenever, by what it asks for while that is recent.

    One that did not end well is not repeated: whoever asks again wants it done.

    Raises:
        ReplacementKeyTaken: its idempotency key stands for something else.
    """
    if replacement.idempotency_key is not None:
        row = connection.execute(
            f"{_SELECT} WHERE principal = ? AND idempotency_key = ? AND stage <> 'refused'",
            (replacement.principal, replacement.idempotency_key),
        ).fetchone()
        if row is not None and row["fingerprint"] != replacement.fingerprint:
            raise ReplacementKeyTaken(row["replacement_id"])
        return row and _replacement(row)
    row = connection.execute(
        f"{_SELECT} WHERE principal = ? AND fingerprint = ? AND stage <> 'refused' ORDER BY position DESC LIMIT 1",
        (replacement.principal, replacement.fingerprint),
    ).fetchone()
    earlier: Replacement | None = row and _replacement(row)
    if earlier is None or not earlier.has_ended:
        return earlier
    is_same = earlier.stage is Stage.DONE and replacement.created_at - earlier.updated_at <= SAME_CALL_WITHIN
    return earlier if is_same else None


def open_once(connection: sqlite3.Connection, replacement: Replacement) -> Replacement:
    """Write a replacement down unless it repeats one; a target group that something works on refuses it."""
    earlier = one(connection, replacement.replacement_id) or standing(connection, replacement)
    if earlier is not None:
        return earlier
    running = intents.active(connection, replacement.group)
    if running is not None:
        raise ActiveIntent(running)
    other = active(connection, replacement.group)
    if other is not None:
        raise ActiveReplacement(other.replacement_id)
    connection.execute(_INSERT, _values(replacement))
    return replacement


def _values(replacement: Replacement) -> tuple[str | int | None, ...]:
    return (
        replacement.replacement_id,
        replacement.removal_id,
        replacement.principal,
        *group_values(replacement.group),
        replacement.id_type.value,
        replacement.ids,
        replacement.stored_before,
        replacement.stage.value,
        replacement.attempts,
        replacement.plan_id,
        replacement.fingerprint,
        replacement.idempotency_key,
        error_text(replacement.error),
        proof_text(replacement.proof),
        instant(replacement.created_at),
        instant(replacement.updated_at),
    )


def _replacement(row: sqlite3.Row) -> Replacement:
    return Replacement(
        replacement_id=row["replacement_id"],
        removal_id=row["removal_id"],
        principal=row["principal"],
        group=group_from(row),
        id_type=IdType(row["id_type"]),
        ids=row["ids"],
        stored_before=row["stored_before"],
        stage=Stage(row["stage"]),
        attempts=row["attempts"],
        plan_id=row["plan_id"],
        fingerprint=row["fingerprint"],
        idempotency_key=row["idempotency_key"],
        error=row["error"] and json.loads(row["error"]),
        proof=proof_from(row["proof"]),
        created_at=datetime.fromisoformat(row["created_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
    )
