"""What the ledger does to replacements, as plain functions of one connection; writers run inside `writing`."""

import json
from dataclasses import replace
from datetime import datetime

from recontact_tools.errors import Detail
from recontact_tools.ledger import intent_reads, intents, tickets, usage
from recontact_tools.ledger.audit import append
from recontact_tools.ledger.database import Connection, Row
from recontact_tools.ledger.entries import Event, about
from recontact_tools.ledger.faults import ActiveIntent, ActiveReplacement, ReplacementKeyTaken
from recontact_tools.ledger.records import Proof, Replacement
from recontact_tools.ledger.repeats import SAME_CALL_WITHIN
from recontact_tools.ledger.rows import (
    OF_GROUP,
    REPLACING,
    error_text,
    group_from,
    group_values,
    instant,
    proof_from,
    proof_text,
)
from recontact_tools.ledger.states import ACTIVE_STATES, Stage
from recontact_tools.ledger.ticket_interface import Spending
from recontact_tools.models import Caps, IdType, TargetGroup

_COLUMNS = (
    "replacement_id, removal_id, principal, account_id, project_id, target_group_id, id_type, ids, stored_before, "
    "stage, attempts, plan_id, fingerprint, idempotency_key, error, proof, created_at, updated_at, claims"
)
_SELECT = f"SELECT {_COLUMNS} FROM replacements"  # noqa: S608 - the columns are a constant of ours
_MARKS = ", ".join("?" for _ in _COLUMNS.split(","))
_INSERT = f"INSERT INTO replacements ({_COLUMNS}) VALUES ({_MARKS})"  # noqa: S608 - as above
_EVENTS = {
    Stage.DONE: Event.REPLACEMENT_COMPLETED,
    Stage.REFUSED: Event.REPLACEMENT_FAILED,
    Stage.RESTORED: Event.REPLACEMENT_FAILED,
    Stage.STUCK: Event.REPLACEMENT_FAILED,
}


def unsettled(connection: Connection) -> tuple[Replacement, ...]:
    """Read every replacement that has not ended, oldest first."""
    rows = connection.execute(f"{_SELECT} WHERE {REPLACING} ORDER BY position")
    return tuple(_replacement(row) for row in rows)


def recent(
    connection: Connection, target_group_id: str | None, principal: str | None, limit: int
) -> tuple[Replacement, ...]:
    """Read the latest replacements, the latest first; of one principal as `intent_reads.recent` does."""
    since = intent_reads.before_latest(connection, "replacements", principal)
    rows = connection.execute(
        f"{_SELECT} WHERE coalesce(target_group_id = ?, TRUE) AND coalesce(principal = ?, TRUE) AND position > ? "
        "ORDER BY position DESC LIMIT ?",
        (target_group_id, principal, since, limit),
    )
    return tuple(_replacement(row) for row in rows)


def try_again(connection: Connection, replacement_id: str, attempts: int) -> None:
    """Count an attempt more than *attempts*, unless somebody did; the stage is as old as it was."""
    connection.execute(
        "UPDATE replacements SET attempts = attempts + 1 WHERE replacement_id = ? AND attempts = ?",
        (replacement_id, attempts),
    )


def moved(
    connection: Connection,
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
    if changed.rowcount:
        _tell(connection, replacement_id, _EVENTS.get(new, Event.REPLACEMENT_STAGE), now)
    return changed.rowcount == 1


def _tell(connection: Connection, replacement_id: str, event: Event, at: datetime) -> None:
    """Write into the audit trail where a replacement stands by now."""
    replacement = one(connection, replacement_id)
    if replacement is None:
        raise AssertionError("only a replacement that is there can be told of")
    entry = about(
        replacement.group,
        event,
        "replacement",
        at=at,
        principal=replacement.principal,
        stage=replacement.stage.value,
        ids=replacement.ids,
        replaces=replacement.stored_before,
    )
    append(connection, replace(entry, intent_id=replacement_id, plan_id=replacement.plan_id))


def withdraw(connection: Connection, replacement_id: str, error: dict[str, Detail], now: datetime) -> bool:
    """End a replacement whose removal is not written yet, or only planned, and that removal with it."""
    for part in intent_reads.of_parent(connection, replacement_id):
        if not intents.withdraw(connection, part.intent_id, error, now):
            return False
    return moved(connection, replacement_id, Stage.REMOVING, Stage.REFUSED, now, error)


def turn_back(connection: Connection, replacement_id: str, error: dict[str, Detail], now: datetime) -> bool:
    """Restore instead of uploading, unless a part is active."""
    if any(part.state in ACTIVE_STATES for part in intent_reads.of_parent(connection, replacement_id)):
        return False
    return moved(connection, replacement_id, Stage.UPLOADING, Stage.RESTORING, now, error)


def one(connection: Connection, replacement_id: str) -> Replacement | None:
    """Read a replacement by its id."""
    row = connection.execute(f"{_SELECT} WHERE replacement_id = ?", (replacement_id,)).fetchone()
    return row and _replacement(row)


def active(connection: Connection, group: TargetGroup) -> Replacement | None:
    """Read the one replacement that works on a target group."""
    row = connection.execute(f"{_SELECT} WHERE {OF_GROUP} AND {REPLACING}", group_values(group)).fetchone()
    return row and _replacement(row)


def standing(connection: Connection, replacement: Replacement) -> Replacement | None:
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
    return earlier if is_same and not _changed_since(connection, earlier) else None


def _changed_since(connection: Connection, earlier: Replacement) -> bool:
    """Tell whether anything was asked for since a replacement ended that may have changed what is stored."""
    row = connection.execute(
        f"SELECT 1 FROM intents WHERE {OF_GROUP} AND created_at > ? AND state <> 'refused' LIMIT 1",  # noqa: S608 - a constant of ours
        (*group_values(earlier.group), instant(earlier.updated_at)),
    ).fetchone()
    return row is not None


def open_once(
    connection: Connection, replacement: Replacement, *, spending: Spending | None = None, caps: Caps | None = None
) -> Replacement:
    """Write a replacement down unless it repeats one; a target group that something works on refuses it, and caps.

    Raises:
        TicketUsed: its list is a staged file whose ticket cannot be used any more.
        CapReached: its principal would have more opened today than it may.
    """
    earlier = one(connection, replacement.replacement_id) or standing(connection, replacement)
    if earlier is not None:
        return earlier
    running = intent_reads.active(connection, replacement.group)
    if running is not None:
        raise ActiveIntent(running)
    other = active(connection, replacement.group)
    if other is not None:
        raise ActiveReplacement(other.replacement_id)
    usage.count_replacement(connection, replacement, caps)
    connection.execute(_INSERT, _values(replacement))
    _tell(connection, replacement.replacement_id, Event.REPLACEMENT_BEGUN, replacement.created_at)
    if spending is not None:
        tickets.spend(connection, spending, replacement.replacement_id, replacement.created_at)
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
        replacement.claims,
    )


def _replacement(row: Row) -> Replacement:
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
        claims=row["claims"],
    )
