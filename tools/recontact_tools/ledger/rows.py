"""Turning records into rows and back."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from recontact_tools.errors import Detail
from recontact_tools.ledger.database import Row
from recontact_tools.ledger.entries import RESPONDENT_ID
from recontact_tools.ledger.records import Intent, Plan, Proof
from recontact_tools.ledger.states import IntentState, PlanPurpose, PlanState
from recontact_tools.models import IdType, Job, JobKind, Reason, TargetGroup

INTENT_COLUMNS = (
    "intent_id, kind, principal, account_id, project_id, target_group_id, id_type, file_name, ids, "
    "stored_before, state, job_id, job, error, plan_id, created_at, updated_at, settled_by, fingerprint, "
    "idempotency_key, stored_after, adoptions, parent_id, restores, proof, claims"
)
PLAN_COLUMNS = (
    "plan_id, principal, account_id, project_id, target_group_id, count, created_at, expires_at, state, purpose, "
    "new_ids, fingerprint"
)
# Conditions: of one target group, of an intent that is active, of a replacement that has not ended.
OF_GROUP = "account_id = ? AND project_id = ? AND target_group_id = ?"
ACTIVE = "state IN ('planned', 'sending', 'started')"
REPLACING = "stage NOT IN ('done', 'refused', 'restored', 'stuck')"


def instant(moment: datetime) -> str:
    """Write an aware time as text that sorts by time: UTC, microseconds.

    Raises:
        ValueError: the time is naive.
    """
    if moment.tzinfo is None:
        raise ValueError("the ledger keeps aware times only")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def job_text(job: Job | None) -> str | None:
    """Write a job as JSON; what looks like a respondent id in the API's sentences is masked."""
    if job is None:
        return None
    masked = replace(
        job,
        failure_reason=_masked(job.failure_reason),
        partial_success_reason=_masked(job.partial_success_reason),
    )
    return json.dumps(asdict(masked), default=datetime.isoformat, separators=(",", ":"))


def error_text(error: dict[str, Detail] | None) -> str | None:
    """Write what an intent was answered with as JSON."""
    return None if error is None else json.dumps(error, separators=(",", ":"))


def proof_text(proof: Proof | None) -> str | None:
    """Write a proof as JSON."""
    return None if proof is None else json.dumps(asdict(proof), separators=(",", ":"))


def proof_from(text: str | None) -> Proof | None:
    """Read what `proof_text` wrote."""
    return None if text is None else Proof(**json.loads(text))


def _masked(reason: Reason | None) -> Reason | None:
    if reason is None:
        return None
    return replace(reason, description=RESPONDENT_ID.sub("[id]", reason.description))


def job_from(text: str) -> Job:
    """Read what `job_text` wrote."""
    # Any: the edge to JSON, which job_text wrote.
    raw: dict[str, Any] = json.loads(text)
    for name in ("created_at", "completed_at"):
        raw[name] = raw[name] and datetime.fromisoformat(raw[name])
    for name in ("failure_reason", "partial_success_reason"):
        raw[name] = raw[name] and Reason(**raw[name])
    return Job(**raw)


def intent_values(intent: Intent) -> tuple[str | int | None, ...]:
    """Return the values of INTENT_COLUMNS."""
    return (
        intent.intent_id,
        intent.kind.value,
        intent.principal,
        *group_values(intent.group),
        intent.id_type and intent.id_type.value,
        intent.file_name,
        intent.ids,
        intent.stored_before,
        intent.state.value,
        intent.job_id,
        job_text(intent.job),
        error_text(intent.error),
        intent.plan_id,
        instant(intent.created_at),
        instant(intent.updated_at),
        intent.settled_by,
        intent.fingerprint,
        intent.idempotency_key,
        intent.stored_after,
        intent.adoptions,
        intent.parent_id,
        intent.restores,
        proof_text(intent.proof),
        intent.claims,
    )


def group_values(group: TargetGroup) -> tuple[int, str, str]:
    """Return the three columns of a target group."""
    return (group.account_id, group.project_id, group.target_group_id)


def intent_from(row: Row) -> Intent:
    """Read a row of INTENT_COLUMNS."""
    return Intent(
        intent_id=row["intent_id"],
        kind=JobKind(row["kind"]),
        principal=row["principal"],
        group=group_from(row),
        id_type=row["id_type"] and IdType(row["id_type"]),
        file_name=row["file_name"],
        ids=row["ids"],
        stored_before=row["stored_before"],
        state=IntentState(row["state"]),
        job_id=row["job_id"],
        job=row["job"] and job_from(row["job"]),
        error=row["error"] and json.loads(row["error"]),
        plan_id=row["plan_id"],
        created_at=datetime.fromisoformat(row["created_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
        settled_by=row["settled_by"],
        fingerprint=row["fingerprint"],
        idempotency_key=row["idempotency_key"],
        stored_after=row["stored_after"],
        adoptions=row["adoptions"],
        parent_id=row["parent_id"],
        restores=row["restores"],
        proof=proof_from(row["proof"]),
        claims=row["claims"],
    )


def plan_values(plan: Plan) -> tuple[str | int | None, ...]:
    """Return the values of PLAN_COLUMNS."""
    return (
        plan.plan_id,
        plan.principal,
        *group_values(plan.group),
        plan.count,
        instant(plan.created_at),
        instant(plan.expires_at),
        plan.state.value,
        plan.purpose.value,
        plan.new_ids,
        plan.fingerprint,
    )


def plan_from(row: Row) -> Plan:
    """Read a row of PLAN_COLUMNS."""
    return Plan(
        plan_id=row["plan_id"],
        principal=row["principal"],
        group=group_from(row),
        count=row["count"],
        created_at=datetime.fromisoformat(row["created_at"]),
        expires_at=datetime.fromisoformat(row["expires_at"]),
        state=PlanState(row["state"]),
        purpose=PlanPurpose(row["purpose"]),
        new_ids=row["new_ids"],
        fingerprint=row["fingerprint"],
    )


def group_from(row: Row) -> TargetGroup:
    """Read the three columns of a target group."""
    return TargetGroup(row["account_id"], row["project_id"], row["target_group_id"])
