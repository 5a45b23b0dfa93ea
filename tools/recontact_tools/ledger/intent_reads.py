"""What the ledger reads of intents, as plain functions of one connection."""

from typing import Literal

from recontact_tools.ledger.database import Connection
from recontact_tools.ledger.faults import UnknownIntent
from recontact_tools.ledger.records import Intent
from recontact_tools.ledger.rows import ACTIVE, INTENT_COLUMNS, OF_GROUP, group_values, intent_from
from recontact_tools.models import JobKind, TargetGroup

_SELECT = f"SELECT {INTENT_COLUMNS} FROM intents"  # noqa: S608 - the columns are a constant of ours
# ours: what somebody looks at stands among so many, and to read past all of a fleet's history would take seconds.
LATEST = 10_000
# What is no bare column takes no index: a job is looked up by its ids, not among all of a busy target group.
_OF_THIS_GROUP = "+account_id = ? AND project_id || '' = ? AND target_group_id || '' = ?"


def one(connection: Connection, intent_id: str) -> Intent | None:
    """Read an intent by its id."""
    row = connection.execute(f"{_SELECT} WHERE intent_id = ?", (intent_id,)).fetchone()
    return row and intent_from(row)


def existing(connection: Connection, intent_id: str) -> Intent:
    """Read an intent that must be there.

    Raises:
        UnknownIntent: it is not.
    """
    intent = one(connection, intent_id)
    if intent is None:
        raise UnknownIntent
    return intent


def active(connection: Connection, group: TargetGroup) -> Intent | None:
    """Read the one active intent of a target group."""
    row = connection.execute(f"{_SELECT} WHERE {OF_GROUP} AND {ACTIVE}", group_values(group)).fetchone()
    return row and intent_from(row)


def unsettled(connection: Connection) -> tuple[Intent, ...]:
    """Read all active intents that are no part of a replacement, oldest first."""
    rows = connection.execute(f"{_SELECT} WHERE {ACTIVE} AND parent_id IS NULL ORDER BY position")
    return tuple(intent_from(row) for row in rows)


def by_job(connection: Connection, kind: JobKind, job_id: str, group: TargetGroup | None) -> Intent | None:
    """Read the newest intent of that kind whose job's id, or own id, is *job_id*."""
    found = f"{_SELECT} WHERE (job_id = ? OR intent_id = ?) AND kind || '' = ?"
    values: tuple[str | int, ...] = (job_id, job_id, kind.value)
    if group is not None:
        found, values = f"{found} AND {_OF_THIS_GROUP}", (*values, *group_values(group))
    row = connection.execute(f"{found} ORDER BY +position DESC LIMIT 1", values).fetchone()
    return row and intent_from(row)


def payload(connection: Connection, intent_id: str) -> bytes:
    """Read what an intent is to send.

    Raises:
        UnknownIntent: there is none, or no longer any.
    """
    row = connection.execute("SELECT payload FROM payloads WHERE intent_id = ?", (intent_id,)).fetchone()
    if row is None:
        raise UnknownIntent
    content: bytes = row["payload"]
    return content


def unproved(connection: Connection) -> tuple[Intent, ...]:
    """Read the finished restores of RSIDs without a proof, oldest first; an index holds no others."""
    rows = connection.execute(
        f"{_SELECT} WHERE restores IS NOT NULL AND proof IS NULL AND id_type = 'RSID' AND state = 'finished' "
        "ORDER BY position"
    )
    return tuple(intent_from(row) for row in rows)


def of_parent(connection: Connection, parent_id: str) -> tuple[Intent, ...]:
    """Read the parts of a replacement, oldest first."""
    rows = connection.execute(f"{_SELECT} WHERE parent_id = ? ORDER BY position", (parent_id,))
    return tuple(intent_from(row) for row in rows)


def recent(
    connection: Connection, target_group_id: str | None, principal: str | None, limit: int
) -> tuple[Intent, ...]:
    """Read the latest intents that are no part of a replacement, the latest first.

    Those of one principal are looked for among the latest of everybody.
    """
    rows = connection.execute(
        f"{_SELECT} WHERE parent_id IS NULL AND coalesce(target_group_id = ?, TRUE) AND coalesce(principal = ?, TRUE) "
        "AND position > ? ORDER BY position DESC LIMIT ?",
        (target_group_id, principal, before_latest(connection, "intents", principal), limit),
    )
    return tuple(intent_from(row) for row in rows)


def before_latest(connection: Connection, table: Literal["intents", "replacements"], principal: str | None) -> int:
    """Return the position behind which to look for what a principal asked for; from the beginning for everybody."""
    if principal is None:
        return 0
    row = connection.execute(f"SELECT coalesce(max(position), 0) AS newest FROM {table}").fetchone()  # noqa: S608 - ours
    return int(row["newest"]) - LATEST
