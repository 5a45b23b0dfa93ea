"""Target groups in either database: where they belong, and what their reads show."""

import json

from recontact_service.rows import Connection
from recontact_service.store import GroupElsewhere
from recontact_service.values import TargetGroup, TargetGroupState

_COLUMNS = "target_group_id, account_id, project_id, state, document"
FIND = "SELECT number, saved FROM target_groups WHERE target_group_id = ? AND account_id = ? AND project_id = ?"
READ = f"SELECT {_COLUMNS} FROM target_groups WHERE target_group_id = ?"  # noqa: S608 - a constant
LIST = (
    f"SELECT {_COLUMNS} FROM target_groups WHERE account_id = ?"  # noqa: S608 - a constant
    " AND (CAST(? AS TEXT) IS NULL OR project_id = ?) ORDER BY number"
)
_INSERT = f"INSERT INTO target_groups ({_COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (target_group_id)"  # noqa: S608 - a constant
_UPDATE = (
    " DO UPDATE SET account_id = excluded.account_id, project_id = excluded.project_id,"
    " state = excluded.state, document = excluded.document"
    " WHERE ? = 1 OR (target_groups.account_id = excluded.account_id"
    " AND target_groups.project_id = excluded.project_id) RETURNING number"
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


def add(connection: Connection, group: TargetGroup) -> None:
    """Create a target group unless it exists."""
    connection.execute(f"{_INSERT} DO NOTHING", _row(group))


def put(connection: Connection, group: TargetGroup, *, move: bool) -> int:
    """Create a target group, or replace what its reads show; return its number.

    Raises:
        GroupElsewhere: it belongs to another account or project, and *move* does not say to take it from there.
    """
    row = connection.execute(_INSERT + _UPDATE, (*_row(group), int(move))).fetchone()
    if row is None:
        raise GroupElsewhere
    return int(row[0])


def _row(group: TargetGroup) -> tuple[object, ...]:
    document = json.dumps(dict(group.document))
    return (group.target_group_id, group.account_id, group.project_id, group.state.value, document)
