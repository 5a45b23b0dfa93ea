"""Target groups in SQLite: where they belong, what their reads show, and who may not enter them."""

import json
import sqlite3

from recontact_service.packed import ID_BYTES
from recontact_service.store import GroupElsewhere
from recontact_service.values import TargetGroup, TargetGroupState

_COLUMNS = "target_group_id, account_id, project_id, state, document"
READ = f"SELECT {_COLUMNS} FROM target_groups WHERE target_group_id = ?"  # noqa: S608 - a constant
LIST = (
    f"SELECT {_COLUMNS} FROM target_groups WHERE account_id = ?1"  # noqa: S608 - a constant
    " AND (?2 IS NULL OR project_id = ?2) ORDER BY number"
)
_INSERT = f"INSERT INTO target_groups ({_COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (target_group_id)"  # noqa: S608 - a constant
_UPDATE = (
    " DO UPDATE SET account_id = excluded.account_id, project_id = excluded.project_id,"
    " state = excluded.state, document = excluded.document"
)


def read(row: tuple[str, int, str, str, str]) -> TargetGroup:
    """Turn a row of the columns into a value."""
    target_group_id, account_id, project_id, state, document = row
    return TargetGroup(
        account_id=account_id,
        project_id=project_id,
        target_group_id=target_group_id,
        state=TargetGroupState(state),
        document=json.loads(document),
    )


def add(connection: sqlite3.Connection, group: TargetGroup) -> None:
    """Create a target group unless it exists."""
    connection.execute(f"{_INSERT} DO NOTHING", _row(group))


def put(connection: sqlite3.Connection, group: TargetGroup, *, move: bool) -> None:
    """Create a target group, or replace what its reads show.

    Raises:
        GroupElsewhere: it belongs to another account or project, and *move* does not say to take it from there.
    """
    row = connection.execute(READ, (group.target_group_id,)).fetchone()
    if row is not None and not move and (row[1], row[2]) != (group.account_id, group.project_id):
        raise GroupElsewhere
    connection.execute(_INSERT + _UPDATE, _row(group))


def put_excluded(connection: sqlite3.Connection, target_group_id: str, ids: bytes) -> None:
    """Make *ids* the respondent IDs that may not enter."""
    (number,) = connection.execute(
        "SELECT number FROM target_groups WHERE target_group_id = ?", (target_group_id,)
    ).fetchone()
    connection.execute("DELETE FROM excluded_ids WHERE target_group = ?", (number,))
    rows = ((number, ids[at : at + ID_BYTES]) for at in range(0, len(ids), ID_BYTES))
    connection.executemany("INSERT INTO excluded_ids VALUES (?, ?)", rows)


def count_excluded(connection: sqlite3.Connection, group: int) -> int:
    """Count the respondent IDs that may not enter."""
    (count,) = connection.execute("SELECT count(*) FROM excluded_ids WHERE target_group = ?", (group,)).fetchone()
    return int(count)


def read_excluded(connection: sqlite3.Connection, group: int, *, after: bytes, limit: int) -> bytes:
    """Read up to *limit* of them greater than *after*."""
    statement = "SELECT rsid FROM excluded_ids WHERE target_group = ? AND rsid > ? ORDER BY rsid LIMIT ?"
    return b"".join(rsid for (rsid,) in connection.execute(statement, (group, after, limit)).fetchall())


def read_excluded_before(connection: sqlite3.Connection, group: int, *, before: bytes, limit: int) -> bytes:
    """Read the last *limit* of them smaller than *before*, ascending."""
    statement = "SELECT rsid FROM excluded_ids WHERE target_group = ? AND rsid < ? ORDER BY rsid DESC LIMIT ?"
    return b"".join(rsid for (rsid,) in reversed(connection.execute(statement, (group, before, limit)).fetchall()))


def _row(group: TargetGroup) -> tuple[object, ...]:
    return (group.target_group_id, group.account_id, group.project_id, group.state, json.dumps(dict(group.document)))
