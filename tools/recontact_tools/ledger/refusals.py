"""Refused calls that repeat one another: the first ones are entries of the audit trail, the others are counted in one.

What was refused changed nothing, so a client that is refused in a loop must not make the trail grow with every call.
All processes of a ledger count together. What was done is never counted so, nor what is not known to be undone.
"""

from datetime import datetime, timedelta
from typing import Final

from recontact_tools.ledger.audit import append
from recontact_tools.ledger.database import Connection, Row
from recontact_tools.ledger.entries import Entry, Event
from recontact_tools.ledger.rows import instant

# ours: who looks at the trail sees the same day what was tried, and a loop makes six entries an hour of a kind.
PERIOD: Final = timedelta(hours=1)
# ours: a person who tries again, on another target group say, is told of each time.
ENTRIES_EACH: Final = 5

_ONE = "principal = ? AND subject = ? AND code = ?"
_BEGIN = """
    INSERT INTO refusals (principal, subject, code, since, latest, entries, further) VALUES (?, ?, ?, ?, ?, 1, 0)
    ON CONFLICT (principal, subject, code) DO UPDATE SET
    since = excluded.since, latest = excluded.latest, entries = 1, further = 0
"""


def record_refusal(connection: Connection, entry: Entry) -> None:
    """Append the entry of a refused call, or count it if so many like it were appended within the period."""
    key, at = (entry.principal, entry.subject, str(entry.detail.get("code"))), instant(entry.at)
    row = connection.execute(f"SELECT * FROM refusals WHERE {_ONE}", key).fetchone()  # noqa: S608 - ours
    if row is None or _is_over(row, entry.at):
        _tell_further(connection, row, entry.at)
        connection.execute(_BEGIN, (*key, at, at))
    elif row["entries"] >= ENTRIES_EACH:
        connection.execute(
            f"UPDATE refusals SET further = further + 1, latest = ? WHERE {_ONE}",  # noqa: S608 - as above
            (at, *key),
        )
        return
    else:
        connection.execute(f"UPDATE refusals SET entries = entries + 1 WHERE {_ONE}", key)  # noqa: S608 - as above
    append(connection, entry)


def are_due(connection: Connection, now: datetime) -> bool:
    """Tell whether the period of any is over."""
    found = connection.execute("SELECT 1 AS found FROM refusals WHERE since <= ? LIMIT 1", (instant(now - PERIOD),))
    return found.fetchone() is not None


def settle_refusals(connection: Connection, now: datetime) -> None:
    """Append how many further calls were refused in each period that is over, and forget it."""
    over = (instant(now - PERIOD),)
    for row in connection.execute("SELECT * FROM refusals WHERE since <= ?", over).fetchall():
        _tell_further(connection, row, now)
    connection.execute("DELETE FROM refusals WHERE since <= ?", over)


def _is_over(row: Row, now: datetime) -> bool:
    return now >= datetime.fromisoformat(row["since"]) + PERIOD


def _tell_further(connection: Connection, row: Row | None, now: datetime) -> None:
    if row is None or not row["further"]:
        return
    since, latest = datetime.fromisoformat(row["since"]), datetime.fromisoformat(row["latest"])
    entry = Entry(
        at=max(now, latest),
        principal=row["principal"],
        event=Event.CALLS_REFUSED,
        subject=row["subject"],
        detail={
            "code": row["code"],
            "further": row["further"],
            "within_seconds": max(0, int((latest - since).total_seconds())),
        },
    )
    append(connection, entry)
