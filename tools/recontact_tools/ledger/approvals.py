"""Approvals in the ledger: a row beside each plan that a person decides about outside the client."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from recontact_tools.errors import ErrorCode
from recontact_tools.ledger import plans
from recontact_tools.ledger.approval_interface import Approval, Decision
from recontact_tools.ledger.audit import append
from recontact_tools.ledger.database import Connection, Row
from recontact_tools.ledger.entries import Event, Evidence, about_plan
from recontact_tools.ledger.rows import instant, plan_from

if TYPE_CHECKING:
    from recontact_tools.ledger.records import Plan

_SELECT = """
    SELECT plans.plan_id, plans.principal, plans.account_id, plans.project_id, plans.target_group_id, plans.count,
        plans.created_at, plans.expires_at, plans.state, plans.purpose, plans.new_ids, plans.fingerprint,
        approvals.code, approvals.decision, approvals.approver, approvals.decided_at, approvals.receipt,
        coalesce(
            (SELECT max(replacement_id) FROM replacements WHERE replacements.plan_id = plans.plan_id),
            (SELECT max(intent_id) FROM intents WHERE intents.plan_id = plans.plan_id)
        ) AS work_id
    FROM approvals JOIN plans ON plans.plan_id = approvals.plan_id
"""
_OPEN = "plan_id IN (SELECT plan_id FROM plans WHERE state = 'open' AND expires_at > ?)"


def ask(connection: Connection, plan: "Plan", code: str) -> Approval:
    """Write a plan and that a person is asked about it, or find the open plan of the same wish and count."""
    standing = plans.usable(connection, plan.principal, plan.group, plan.created_at)
    if standing is None or _wish(standing) != _wish(plan):
        plans.record(connection, plan)
        standing = plan
    asked = connection.execute(
        "INSERT INTO approvals (plan_id, code, decision) VALUES (?, ?, 'awaited') ON CONFLICT (plan_id) DO NOTHING",
        (standing.plan_id, code),
    )
    if asked.rowcount == 1:
        append(connection, about_plan(standing, Event.APPROVAL_ASKED, plan.created_at, ids=standing.count))
    found = of_plan(connection, standing.plan_id)
    if found is None:
        raise AssertionError("it was written in this transaction")
    return found


def _wish(plan: "Plan") -> tuple[str, int, int | None, str | None]:
    return (plan.purpose.value, plan.count, plan.new_ids, plan.fingerprint)


def of_plan(connection: Connection, plan_id: str) -> Approval | None:
    """Read what is asked about a plan."""
    row = connection.execute(f"{_SELECT} WHERE approvals.plan_id = ?", (plan_id,)).fetchone()
    return row and _approval_from(row)


def by_code(connection: Connection, code: str) -> Approval | None:
    """Read what is asked under a code."""
    row = connection.execute(f"{_SELECT} WHERE approvals.code = ?", (code,)).fetchone()
    return row and _approval_from(row)


def awaited(connection: Connection, principal: str, now: datetime) -> tuple[Approval, ...]:
    """Read what a principal asked for and nobody has decided yet."""
    rows = connection.execute(
        f"{_SELECT} WHERE plans.principal = ? AND approvals.decision = 'awaited' AND plans.state = 'open' "
        "AND plans.expires_at > ? ORDER BY plans.created_at, plans.plan_id",
        (principal, instant(now)),
    )
    return tuple(_approval_from(row) for row in rows.fetchall())


def pending(connection: Connection, principal: str | None, now: datetime, limit: int) -> tuple[Approval, ...]:
    """Read what is asked and was neither used, closed nor has expired, of one principal or of all."""
    rows = connection.execute(
        f"{_SELECT} WHERE coalesce(plans.principal = ?, TRUE) AND plans.state = 'open' AND plans.expires_at > ? "
        "ORDER BY plans.created_at, plans.plan_id LIMIT ?",
        (principal, instant(now), limit),
    )
    return tuple(_approval_from(row) for row in rows.fetchall())


def approve(
    connection: Connection,
    plan_id: str,
    *,
    approver: str,
    evidence: Evidence,
    receipt: str,
    digest: str,
    now: datetime,
) -> bool:
    """Record that a person agreed; False unless the plan is open, unexpired and undecided."""
    if not _decide(connection, plan_id, Decision.APPROVED, approver, receipt, now):
        return False
    _tell(connection, plan_id, Event.APPROVAL_GIVEN, approver, now, evidence=evidence.value, receipt=digest)
    return True


def deny(connection: Connection, plan_id: str, approver: str, now: datetime) -> bool:
    """Close a plan that is open and undecided; False for any other."""
    if not _decide(connection, plan_id, Decision.DENIED, approver, None, now):
        return False
    _tell(connection, plan_id, Event.APPROVAL_DENIED, approver, now)
    plans.close(connection, plan_id, now, ErrorCode.CONFIRMATION_DECLINED)
    return True


def _decide(
    connection: Connection, plan_id: str, decision: Decision, approver: str, receipt: str | None, now: datetime
) -> bool:
    changed = connection.execute(
        "UPDATE approvals SET decision = ?, approver = ?, receipt = ?, decided_at = ? "  # noqa: S608 - a constant of ours
        f"WHERE plan_id = ? AND decision = 'awaited' AND {_OPEN}",
        (decision.value, approver, receipt, instant(now), plan_id, instant(now)),
    )
    return changed.rowcount == 1


def _tell(connection: Connection, plan_id: str, event: Event, approver: str, now: datetime, **detail: str) -> None:
    """Write into the trail who decided; the entry is theirs, and the plan says who asked."""
    approval = of_plan(connection, plan_id)
    if approval is None:
        raise AssertionError("it was decided in this transaction")
    entry = about_plan(approval.plan, event, now, ids=approval.plan.count, **detail)
    append(connection, replace(entry, principal=approver))


def _approval_from(row: Row) -> Approval:
    decided = row["decided_at"]
    return Approval(
        plan=plan_from(row),
        code=row["code"],
        decision=Decision(row["decision"]),
        approver=row["approver"],
        decided_at=decided and datetime.fromisoformat(decided),
        receipt=row["receipt"],
        work_id=row["work_id"],
    )
