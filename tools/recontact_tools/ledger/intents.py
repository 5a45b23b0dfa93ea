"""What the ledger does to intents, as plain functions of one connection; writers run inside `writing`."""

from datetime import datetime

from recontact_tools.errors import Detail
from recontact_tools.ledger.audit import append
from recontact_tools.ledger.database import Connection
from recontact_tools.ledger.entries import Event, Word, about_intent
from recontact_tools.ledger.faults import (
    ActiveIntent,
    ActiveReplacement,
    IllegalTransition,
    ReplacementEnded,
)
from recontact_tools.ledger.intent_reads import active, existing
from recontact_tools.ledger.records import Intent, Proof
from recontact_tools.ledger.rows import (
    INTENT_COLUMNS,
    OF_GROUP,
    REPLACING,
    error_text,
    group_values,
    instant,
    intent_values,
    job_text,
    proof_text,
)
from recontact_tools.ledger.states import ACTIVE_STATES, IntentState, SettledBy, can_follow
from recontact_tools.models import Job, JobKind, TargetGroup

_MARKS = ", ".join("?" for _ in INTENT_COLUMNS.split(","))
_INSERT = f"INSERT INTO intents ({INTENT_COLUMNS}) VALUES ({_MARKS})"  # noqa: S608 - a constant of ours


def insert(connection: Connection, intent: Intent, payload: bytes | None) -> None:
    """Write a planned intent and its payload.

    Raises:
        ActiveReplacement: a replacement works on the target group, and this is no part of it.
        ReplacementEnded: it is a part of one that has ended, or an upload of an attempt that has.
        ActiveIntent: its target group has an active intent.
    """
    replacing = connection.execute(
        f"SELECT replacement_id, attempts FROM replacements WHERE {OF_GROUP} AND {REPLACING}",  # noqa: S608 - ours
        group_values(intent.group),
    ).fetchone()
    if replacing is not None and replacing["replacement_id"] != intent.parent_id:
        raise ActiveReplacement(replacing["replacement_id"])
    if intent.parent_id is not None and (replacing is None or _is_late(intent, replacing["attempts"])):
        raise ReplacementEnded
    _refuse_second(connection, intent.group)
    connection.execute(_INSERT, intent_values(intent))
    if payload is not None:
        connection.execute("INSERT INTO payloads VALUES (?, ?)", (intent.intent_id, payload))
    detail = {"ids": intent.ids, "stored_before": intent.stored_before}
    append(connection, about_intent(intent, Event.INTENT_PLANNED, intent.created_at, detail=detail))


def _is_late(intent: Intent, attempts: int) -> bool:
    """Tell whether an upload belongs to an earlier attempt: the list that it sends may not be wanted any more."""
    return intent.kind is JobKind.UPLOAD and intent.intent_id != f"{intent.parent_id}-{attempts}"


def _refuse_second(connection: Connection, group: TargetGroup) -> None:
    """Look whether another intent of the target group is active, before an index of the database finds it.

    Raises:
        ActiveIntent: it is.
    """
    other = active(connection, group)
    if other is not None:
        raise ActiveIntent(other)


def send_once(connection: Connection, intent_id: str, now: datetime) -> bool:
    """Move a planned intent to sending; False when somebody did before."""
    changed = connection.execute(
        "UPDATE intents SET state = 'sending', updated_at = ? WHERE intent_id = ? AND state = 'planned'",
        (instant(now), intent_id),
    )
    intent = existing(connection, intent_id)
    if changed.rowcount == 1:
        append(connection, about_intent(intent, Event.REQUEST_SENDING, now, detail={"ids": intent.ids}))
    return changed.rowcount == 1


def withdraw(connection: Connection, intent_id: str, error: dict[str, Detail], now: datetime) -> bool:
    """Refuse an intent that nobody has begun to send; False when somebody has, or it has ended."""
    changed = connection.execute(
        "UPDATE intents SET state = 'refused', error = ?, updated_at = ? WHERE intent_id = ? AND state = 'planned'",
        (error_text(error), instant(now), intent_id),
    )
    intent = existing(connection, intent_id)
    if changed.rowcount == 1:
        append(connection, about_intent(intent, Event.INTENT_WITHDRAWN, now, detail=_code(error)))
    return changed.rowcount == 1


def move(connection: Connection, intent_id: str, new: IntentState, now: datetime) -> bool:
    """Move an intent to *new*; False when it is there already, as when a step is run again.

    Raises:
        IllegalTransition: *new* cannot follow the state it is in.
        ActiveIntent: it would become active again beside another one.
    """
    intent = existing(connection, intent_id)
    if intent.state is new:
        return False
    if not can_follow(intent.state, new):
        raise IllegalTransition(intent.state, new)
    found = int(intent.state is IntentState.UNKNOWN)
    if found and new in ACTIVE_STATES:
        _refuse_second(connection, intent.group)
    connection.execute(
        "UPDATE intents SET state = ?, updated_at = ?, adoptions = adoptions + ?, "
        "error = CASE WHEN ? = 1 THEN NULL ELSE error END WHERE intent_id = ?",
        (new.value, instant(now), found, found, intent_id),
    )
    return True


def start(connection: Connection, intent_id: str, job_id: str, now: datetime, *, found: bool) -> None:
    """Move an intent to started under the API's job id, which never changes afterwards; answered, or *found*."""
    if move(connection, intent_id, IntentState.STARTED, now):
        connection.execute("UPDATE intents SET job_id = ? WHERE intent_id = ?", (job_id, intent_id))
        event = Event.JOB_FOUND if found else Event.REQUEST_ACCEPTED
        append(connection, about_intent(existing(connection, intent_id), event, now))
    elif existing(connection, intent_id).job_id != job_id:
        raise IllegalTransition(IntentState.STARTED, IntentState.STARTED)


def finish(connection: Connection, intent_id: str, job: Job, now: datetime, settled_by: SettledBy) -> None:
    """Move an intent to finished with the job as it ended; the first report stays.

    One that was lost learns the API's id of the job with its end, unless only the overview told it.
    """
    if move(connection, intent_id, IntentState.FINISHED, now):
        learnt = job.job_id if settled_by == "job" else None
        connection.execute(
            "UPDATE intents SET job = ?, settled_by = ?, job_id = coalesce(job_id, ?) WHERE intent_id = ?",
            (job_text(job), settled_by, learnt, intent_id),
        )
        event = Event.JOB_FAILED if job.is_failed else Event.JOB_COMPLETED
        detail = {"settled_by": settled_by, "partly": job.partial_success_reason is not None}
        append(connection, about_intent(existing(connection, intent_id), event, now, detail=detail))


def give_up(connection: Connection, intent_id: str, new: IntentState, error: dict[str, Detail], now: datetime) -> None:
    """Move an intent to refused or unknown with the error its caller is told."""
    if move(connection, intent_id, new, now):
        connection.execute("UPDATE intents SET error = ? WHERE intent_id = ?", (error_text(error), intent_id))
        event = Event.REQUEST_REFUSED if new is IntentState.REFUSED else Event.OUTCOME_UNKNOWN
        append(connection, about_intent(existing(connection, intent_id), event, now, detail=_code(error)))


def _code(error: dict[str, Detail]) -> dict[str, Word]:
    return {"code": str(error.get("code"))}


def is_news(intent: Intent, job: Job) -> bool:
    """Tell whether a look shows a started intent's job otherwise than the last one did."""
    return intent.state is IntentState.STARTED and job_text(intent.job) != job_text(job)


def note(connection: Connection, intent_id: str, job: Job, now: datetime) -> bool:
    """Remember a look at a started job; True when its status is another than before."""
    intent = existing(connection, intent_id)
    if not is_news(intent, job):
        return False
    connection.execute(
        "UPDATE intents SET job = ?, updated_at = ? WHERE intent_id = ?",
        (job_text(job), instant(now), intent_id),
    )
    return intent.job is None or intent.job.status != job.status


def note_proof(connection: Connection, intent_id: str, proof: Proof, now: datetime) -> None:
    """Remember how the stored list compared with the sent one; the first comparison stays."""
    noted = connection.execute(
        "UPDATE intents SET proof = ? WHERE intent_id = ? AND proof IS NULL", (proof_text(proof), intent_id)
    )
    if noted.rowcount:
        event = Event.RESTORE_PROVED if proof.is_equal else Event.RESTORE_DIFFERED
        detail = {"stored": proof.stored, "missing": proof.missing, "extra": proof.extra}
        append(connection, about_intent(existing(connection, intent_id), event, now, detail=detail))


def note_stored_after(connection: Connection, intent_id: str, count: int) -> None:
    """Remember how many IDs were stored once the job had ended; the first count stays."""
    changed = connection.execute(
        "UPDATE intents SET stored_after = ? WHERE intent_id = ? AND stored_after IS NULL",
        (count, intent_id),
    )
    if changed.rowcount == 0:
        existing(connection, intent_id)
