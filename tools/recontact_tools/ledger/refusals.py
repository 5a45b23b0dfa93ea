"""Refused calls that repeat one another: the first ones are entries of the audit trail, the others are counted in one.

What was refused changed nothing, so a client that is refused in a loop must not make the trail grow with every call.
Calls repeat one another that are of one principal, tool, code, refusing setting and target group; of a principal who
tries too many kinds, those of one tool and code. All processes of a ledger count together. What was done is never
counted so, nor what is not known to be undone.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from recontact_tools.ledger.audit import append
from recontact_tools.ledger.database import Connection, Row
from recontact_tools.ledger.entries import Entry, Event
from recontact_tools.ledger.rows import instant

# ours: who looks at the trail sees the same day what was tried, and a loop makes six entries an hour of a kind.
PERIOD: Final = timedelta(hours=1)
# ours: a person who tries again is told of each time.
ENTRIES_EACH: Final = 5
# ours: more target groups than a person works on within an hour; who tries further ones fills no trail with them.
KINDS_MAX: Final = 50
# ours: tells a whole account that is gone through from a slip; beyond that, the number says at least so many.
GROUPS_MAX: Final = 1_000

# Stands for the target groups and settings of all kinds that found no place among a principal's KINDS_MAX.
_FURTHER = "*"
_KEY = ("principal", "subject", "code", "setting", "target_group_id")
_ONE = " AND ".join(f"{name} = ?" for name in _KEY)
_BEGIN = f"""
    INSERT INTO refusals ({", ".join(_KEY)}, account_id, project_id, since, latest, entries, further)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 0)
    ON CONFLICT ({", ".join(_KEY)}) DO UPDATE SET account_id = excluded.account_id, project_id = excluded.project_id,
    since = excluded.since, latest = excluded.latest, entries = 1, further = 0
"""  # noqa: S608 - constants of ours
_SAME = "principal = ? AND subject = ? AND code = ?"
_NAMED = f"""
    INSERT INTO refused_groups (principal, subject, code, target_group_id) SELECT ?, ?, ?, ?
    WHERE (SELECT count(*) FROM refused_groups WHERE {_SAME}) < ? ON CONFLICT DO NOTHING
"""  # noqa: S608 - as above

_Key: TypeAlias = tuple[str, str, str, str, str]


def record_refusal(connection: Connection, entry: Entry) -> None:
    """Append the entry of a refused call, or count it if so many like it were appended within the period."""
    key, at = _key(connection, entry), instant(entry.at)
    row = _row(connection, key)
    if row is None or _is_over(row, entry.at):
        _tell_further(connection, row, entry.at)
        place = (None, None) if key[-1] == _FURTHER else (entry.account_id, entry.project_id)
        connection.execute(_BEGIN, (*key, *place, at, at))
    elif row["entries"] >= ENTRIES_EACH:
        _count(connection, key, entry)
        return
    else:
        connection.execute(f"UPDATE refusals SET entries = entries + 1 WHERE {_ONE}", key)  # noqa: S608 - as above
    append(connection, entry)


def _key(connection: Connection, entry: Entry) -> _Key:
    """Return what a call is counted under: its own kind, or the one of all further ones."""
    code, setting = str(entry.detail.get("code")), str(entry.detail.get("setting") or "")
    key = (entry.principal, entry.subject, code, setting, entry.target_group_id or "")
    row = _row(connection, key)
    if row is not None and not _is_over(row, entry.at):
        return key
    kinds = connection.execute(
        "SELECT count(*) AS kept FROM refusals WHERE principal = ? AND target_group_id <> ? AND since > ?",
        (entry.principal, _FURTHER, instant(entry.at - PERIOD)),
    ).fetchall()
    if kinds[0]["kept"] < KINDS_MAX:
        return key
    return (entry.principal, entry.subject, code, _FURTHER, _FURTHER)


def _row(connection: Connection, key: _Key) -> Row | None:
    row: Row | None = connection.execute(f"SELECT * FROM refusals WHERE {_ONE}", key).fetchone()  # noqa: S608 - as above
    return row


def _count(connection: Connection, key: _Key, entry: Entry) -> None:
    connection.execute(
        f"UPDATE refusals SET further = further + 1, latest = ? WHERE {_ONE}",  # noqa: S608 - as above
        (instant(entry.at), *key),
    )
    if key[-1] == _FURTHER and entry.target_group_id is not None:
        connection.execute(_NAMED, (*key[:3], entry.target_group_id, *key[:3], GROUPS_MAX))


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
    within = max(0, int((latest - since).total_seconds()))
    entry = Entry(
        at=max(now, latest),
        principal=row["principal"],
        event=Event.CALLS_REFUSED,
        subject=row["subject"],
        detail={"code": row["code"], "further": row["further"], "within_seconds": within},
    )
    append(connection, _with_groups(connection, entry, row) if row["setting"] == _FURTHER else _of_its_kind(entry, row))


def _of_its_kind(entry: Entry, row: Row) -> Entry:
    return replace(
        entry,
        account_id=row["account_id"],
        project_id=row["project_id"],
        target_group_id=row["target_group_id"] or None,
        detail={**entry.detail, **({"setting": row["setting"]} if row["setting"] else {})},
    )


def _with_groups(connection: Connection, entry: Entry, row: Row) -> Entry:
    """Tell how many target groups the further calls named, and forget which."""
    same = tuple(row[name] for name in _KEY[:3])
    named = connection.execute(
        f"SELECT count(*) AS kept FROM refused_groups WHERE {_SAME}",  # noqa: S608 - as above
        same,
    ).fetchall()
    connection.execute(f"DELETE FROM refused_groups WHERE {_SAME}", same)  # noqa: S608 - as above
    return replace(entry, detail={**entry.detail, "target_groups": named[0]["kept"]})
