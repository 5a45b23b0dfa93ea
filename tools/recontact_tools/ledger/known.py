"""What the ledger knows of earlier jobs, as plain functions of one connection."""

from recontact_tools.ledger.database import Connection
from recontact_tools.ledger.records import Duration, Intent
from recontact_tools.ledger.rows import INTENT_COLUMNS, OF_GROUP, group_values, intent_from
from recontact_tools.models import JobKind, TargetGroup


def groups(connection: Connection, prefix: str, limit: int) -> tuple[str, ...]:
    """Read ids of target groups that jobs were started for, the latest first."""
    rows = connection.execute(
        "SELECT target_group_id FROM intents WHERE substr(target_group_id, 1, ?) = ? "
        "GROUP BY target_group_id ORDER BY max(position) DESC LIMIT ?",
        (len(prefix), prefix.upper(), limit),
    )
    return tuple(row["target_group_id"] for row in rows)


def jobs(connection: Connection, kind: JobKind, group: TargetGroup | None, prefix: str, limit: int) -> tuple[str, ...]:
    """Read the API's ids of jobs that were started here, the latest first."""
    found = "SELECT job_id FROM intents WHERE kind = ? AND job_id IS NOT NULL AND substr(job_id, 1, ?) = ?"
    values: tuple[str | int, ...] = (kind.value, len(prefix), prefix)
    if group is not None:
        found, values = f"{found} AND {OF_GROUP}", (*values, *group_values(group))
    rows = connection.execute(f"{found} ORDER BY position DESC LIMIT ?", (*values, limit))
    return tuple(row["job_id"] for row in rows)


def places(connection: Connection, target_group_id: str) -> tuple[TargetGroup, ...]:
    """Read where jobs of a target group were accepted, the latest place first."""
    rows = connection.execute(
        "SELECT account_id, project_id, max(position) AS latest FROM intents "
        "WHERE target_group_id = ? AND state IN ('started', 'finished') "
        "GROUP BY account_id, project_id ORDER BY latest DESC",
        (target_group_id,),
    )
    return tuple(TargetGroup(row["account_id"], row["project_id"], target_group_id) for row in rows)


def changed_since(connection: Connection, intent_id: str) -> bool:
    """Tell whether a later intent of the same target group may have changed what it stores."""
    row = connection.execute(
        "SELECT 1 FROM intents AS this JOIN intents AS later ON later.target_group_id = this.target_group_id "
        "AND later.project_id = this.project_id AND later.account_id = this.account_id "
        "AND later.position > this.position AND later.state NOT IN ('planned', 'refused') "
        "WHERE this.intent_id = ? LIMIT 1",
        (intent_id,),
    ).fetchone()
    return row is not None


def durations(connection: Connection, kind: JobKind, account_id: int, ids_min: int, limit: int) -> tuple[Duration, ...]:
    """Read how long the latest completed jobs of an account took; only the API's own times count."""
    rows = connection.execute(
        f"SELECT {INTENT_COLUMNS} FROM intents "  # noqa: S608 - the columns are a constant of ours
        "WHERE account_id = ? AND kind = ? AND state = 'finished' AND settled_by = 'job' AND ids >= ? "
        "ORDER BY position DESC LIMIT ?",
        (account_id, kind.value, ids_min, limit),
    )
    return tuple(duration for row in rows if (duration := _duration(intent_from(row))) is not None)


def _duration(intent: Intent) -> Duration | None:
    job = intent.job
    if job is None or not job.is_completed or job.created_at is None or job.completed_at is None or not intent.ids:
        return None
    return Duration(intent.ids, max(0.0, (job.completed_at - job.created_at).total_seconds()))
