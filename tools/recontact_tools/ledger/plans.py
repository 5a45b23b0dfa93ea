"""What the ledger does to plans, as plain functions of one connection."""

import sqlite3
from datetime import datetime

from recontact_tools.ledger.records import Plan
from recontact_tools.ledger.rows import PLAN_COLUMNS, group_values, instant, plan_from, plan_values
from recontact_tools.models import TargetGroup

_OF_GROUP = "account_id = ? AND project_id = ? AND target_group_id = ?"


def record(connection: sqlite3.Connection, plan: Plan) -> None:
    """Write a plan; other open plans of the same principal and target group are closed."""
    connection.execute(
        "UPDATE plans SET state = 'closed', updated_at = ? "  # noqa: S608 - a constant of ours
        f"WHERE principal = ? AND {_OF_GROUP} AND state = 'open' AND plan_id <> ?",
        (instant(plan.created_at), plan.principal, *group_values(plan.group), plan.plan_id),
    )
    connection.execute(
        f"INSERT INTO plans ({PLAN_COLUMNS}, updated_at) "  # noqa: S608 - a constant of ours
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (plan_id) DO NOTHING",
        (*plan_values(plan), instant(plan.created_at)),
    )


def usable(connection: sqlite3.Connection, principal: str, group: TargetGroup, now: datetime) -> Plan | None:
    """Read the open plan of a principal and target group, unless it has expired."""
    row = connection.execute(
        f"SELECT {PLAN_COLUMNS} FROM plans "  # noqa: S608 - a constant of ours
        f"WHERE principal = ? AND {_OF_GROUP} AND state = 'open' AND expires_at > ?",
        (principal, *group_values(group), instant(now)),
    ).fetchone()
    return row and plan_from(row)


def spend(connection: sqlite3.Connection, plan_id: str, principal: str, now: datetime) -> bool:
    """Use a plan up; False unless it is open, unexpired and the principal's own."""
    changed = connection.execute(
        "UPDATE plans SET state = 'spent', updated_at = ? "
        "WHERE plan_id = ? AND principal = ? AND state = 'open' AND expires_at > ?",
        (instant(now), plan_id, principal, instant(now)),
    )
    return changed.rowcount == 1


def close(connection: sqlite3.Connection, plan_id: str, now: datetime) -> None:
    """Make an open plan unusable; any other is left as it is."""
    connection.execute(
        "UPDATE plans SET state = 'closed', updated_at = ? WHERE plan_id = ? AND state = 'open'",
        (instant(now), plan_id),
    )
