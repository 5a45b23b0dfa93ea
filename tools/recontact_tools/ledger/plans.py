"""What the ledger does to plans, as plain functions of one connection."""

from datetime import datetime

from recontact_tools.errors import ErrorCode
from recontact_tools.ledger.audit import append
from recontact_tools.ledger.database import Connection
from recontact_tools.ledger.entries import Event, Evidence, about_plan
from recontact_tools.ledger.records import Plan
from recontact_tools.ledger.rows import OF_GROUP, PLAN_COLUMNS, group_values, instant, plan_from, plan_values
from recontact_tools.models import TargetGroup

_SELECT = f"SELECT {PLAN_COLUMNS} FROM plans"  # noqa: S608 - the columns are a constant of ours
_APPROVED = "AND plan_id IN (SELECT plan_id FROM approvals WHERE decision = 'approved')"
_CLOSED_BECAUSE = {
    ErrorCode.CONFIRMATION_DECLINED: Event.CONFIRMATION_DECLINED,
    ErrorCode.CONFIRMATION_MISMATCH: Event.CONFIRMATION_MISMATCHED,
    ErrorCode.CONFIRMATION_TIMED_OUT: Event.CONFIRMATION_TIMED_OUT,
}


def record(connection: Connection, plan: Plan) -> None:
    """Write a plan; other open plans of the same principal and target group are closed."""
    older = connection.execute(
        f"{_SELECT} WHERE principal = ? AND {OF_GROUP} AND state = 'open' AND plan_id <> ?",
        (plan.principal, *group_values(plan.group), plan.plan_id),
    ).fetchall()
    for row in older:
        close(connection, row["plan_id"], plan.created_at, code=None)
    written = connection.execute(
        f"INSERT INTO plans ({PLAN_COLUMNS}, updated_at) "  # noqa: S608 - a constant of ours
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (plan_id) DO NOTHING",
        (*plan_values(plan), instant(plan.created_at)),
    )
    if written.rowcount == 1:
        append(connection, about_plan(plan, Event.PLAN_MADE, plan.created_at, ids=plan.count))


def usable(connection: Connection, principal: str, group: TargetGroup, now: datetime) -> Plan | None:
    """Read the open plan of a principal and target group, unless it has expired."""
    row = connection.execute(
        f"{_SELECT} WHERE principal = ? AND {OF_GROUP} AND state = 'open' AND expires_at > ?",
        (principal, *group_values(group), instant(now)),
    ).fetchone()
    return row and plan_from(row)


def spend(connection: Connection, plan_id: str, principal: str, now: datetime, evidence: Evidence) -> bool:
    """Use a plan up; False unless it is open, unexpired and the principal's own.

    That a person agreed outside the client is claimed in vain, unless the ledger holds that they did.
    """
    approved = _APPROVED if evidence is Evidence.HUMAN_OOB else ""
    changed = connection.execute(
        "UPDATE plans SET state = 'spent', updated_at = ? "  # noqa: S608 - a constant of ours
        f"WHERE plan_id = ? AND principal = ? AND state = 'open' AND expires_at > ? {approved}",
        (instant(now), plan_id, principal, instant(now)),
    )
    if changed.rowcount == 1:
        plan = _one(connection, plan_id)
        entry = about_plan(plan, Event.CONFIRMATION_AGREED, now, evidence=evidence.value, ids=plan.count)
        append(connection, entry)
    return changed.rowcount == 1


def close(connection: Connection, plan_id: str, now: datetime, code: ErrorCode | None) -> None:
    """Make an open plan unusable, and why (None: a newer one takes its place); any other is left as it is."""
    changed = connection.execute(
        "UPDATE plans SET state = 'closed', updated_at = ? WHERE plan_id = ? AND state = 'open'",
        (instant(now), plan_id),
    )
    if changed.rowcount == 1:
        event = _CLOSED_BECAUSE.get(code, Event.PLAN_CLOSED) if code else Event.PLAN_CLOSED
        why = {"code": code.value} if code else {"why": "replaced"}
        append(connection, about_plan(_one(connection, plan_id), event, now, **why))


def _one(connection: Connection, plan_id: str) -> Plan:
    return plan_from(connection.execute(f"{_SELECT} WHERE plan_id = ?", (plan_id,)).fetchone())
