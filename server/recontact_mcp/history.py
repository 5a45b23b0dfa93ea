"""What was started here, one line each, made of what the ledger says; nothing is asked of the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from recontact_tools.errors import Detail, ErrorCode
from recontact_tools.ledger import ACTIVE_STATES, Intent, IntentState, Ledger, Proof, Replacement, Stage
from recontact_tools.models import JobKind, TargetGroup
from recontact_tools.rates import estimated
from recontact_tools.replacement_parts import time_of
from recontact_tools.schedule import Eta, remaining

Kind: TypeAlias = Literal["upload", "removal", "restore", "replacement"]

# ours: reading 100,000 IDs at Cint takes two minutes; a proof that is not there by then could not be made.
PROVING = timedelta(minutes=5)
# ours: whoever waits counts minutes from here on, not seconds.
MINUTES_FROM = 120


@dataclass(frozen=True, slots=True)
class Measured:
    """How far something is that is counted: *what*, how many are *done*, of how many."""

    what: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One upload, removal, restore or replacement.

    *left* is how long it may still take and *elapsed* how many seconds it has taken, while it *runs*; *ended_at* is
    there afterwards. *measured* is what the ledger counts of it, *counted_from* the stored IDs before it, by which
    a count that is asked for later tells how far it is. *work_id* is our own id of it, *principal* who asked for it,
    *said* our own words about what went wrong.
    """

    created_at: datetime
    group: TargetGroup
    kind: Kind
    ids: int | None
    status: str
    job_id: str
    runs: bool
    ended_at: datetime | None
    left: Eta
    elapsed: float
    code: str | None = None
    proof: Proof | None = None
    measured: Measured | None = None
    counted_from: int | None = None
    principal: str
    work_id: str
    said: str | None = None


async def history(
    ledger: Ledger,
    *,
    last: int,
    now: datetime,
    pace: float,
    target_group_id: str | None = None,
    principal: str | None = None,
) -> tuple[Line, ...]:
    """Return the latest that were started, the latest first: of everybody, or those that one principal asked for."""
    intents = await ledger.recent(target_group_id, principal=principal, limit=last)
    replacements = await ledger.replacements.recent(target_group_id, principal=principal, limit=last)
    lines = [await _of_intent(ledger, one, now=now, pace=pace) for one in intents]
    lines += [await _of_replacement(ledger, one, now=now, pace=pace) for one in replacements]
    return tuple(sorted(lines, key=lambda line: line.created_at, reverse=True)[:last])


async def line_of(ledger: Ledger, work_id: str, *, now: datetime, pace: float) -> Line | None:
    """Return the line of one intent or replacement by our own id of it."""
    replacement = await ledger.replacements.get(work_id)
    if replacement is not None:
        return await _of_replacement(ledger, replacement, now=now, pace=pace)
    intent = await ledger.get(work_id)
    return None if intent is None else await _of_intent(ledger, intent, now=now, pace=pace)


async def _of_intent(ledger: Ledger, intent: Intent, *, now: datetime, pace: float) -> Line:
    runs = intent.state in ACTIVE_STATES or _is_being_proved(intent, now)
    elapsed = max(0.0, (now - intent.created_at).total_seconds())
    jobs = {intent.kind: intent.ids or 0} if runs else {}
    whole = await estimated(ledger, jobs, intent.group.account_id, pace=pace)
    ended = intent.job.completed_at if intent.job else None
    return Line(
        created_at=intent.created_at,
        group=intent.group,
        kind="restore" if intent.restores else intent.kind.value,
        ids=intent.ids,
        status=_status(intent),
        job_id=intent.job_id or intent.intent_id,
        runs=runs,
        ended_at=None if runs else ended or intent.updated_at,
        left=remaining(whole, elapsed),
        elapsed=elapsed,
        code=_code(intent.error),
        proof=intent.proof,
        measured=await _snapshot_taken(ledger, intent),
        counted_from=intent.stored_before if intent.state is IntentState.STARTED else None,
        principal=intent.principal,
        work_id=intent.intent_id,
        said=_message(intent.error),
    )


def _is_being_proved(intent: Intent, now: datetime) -> bool:
    """Tell whether a restore that has just ended is still to be compared with what is stored."""
    return intent.is_unproved and intent.has_completed and now - intent.updated_at < PROVING


def _status(intent: Intent) -> str:
    """Name the state of an intent: in the API's word where it has one."""
    if intent.state is IntentState.REFUSED:
        return _refused(intent.error)
    if intent.state is IntentState.UNKNOWN:
        return "Unknown"
    if intent.state is IntentState.STARTED or intent.state is IntentState.FINISHED:
        return _proved(intent.job.status if intent.job else "Processing", intent.proof)
    return "Preparing" if intent.state is IntentState.PLANNED else "Sending"


def _refused(error: Mapping[str, Detail] | None) -> str:
    return "Cancelled" if _code(error) == ErrorCode.CANCELLED else "Refused"


def _proved(status: str, proof: Proof | None) -> str:
    if proof is None:
        return status
    return f"{status}, {'proved' if proof.is_equal else 'differs'}"


def _code(error: Mapping[str, Detail] | None) -> str | None:
    return str(error["code"]) if error else None


def _message(error: Mapping[str, Detail] | None) -> str | None:
    return str(error["message"]) if error else None


async def _snapshot_taken(ledger: Ledger, intent: Intent) -> Measured | None:
    """Return how far the snapshot is that a planned removal waits for."""
    if intent.kind is not JobKind.REMOVAL or intent.state is not IntentState.PLANNED:
        return None
    snapshot = await ledger.snapshots.get(intent.intent_id)
    return None if snapshot is None else Measured("snapshot", snapshot.count, snapshot.expected)


async def _of_replacement(ledger: Ledger, replacement: Replacement, *, now: datetime, pace: float) -> Line:
    runs = not replacement.has_ended
    whole, elapsed = await time_of(ledger, replacement, now=now, pace=pace)
    parts = await ledger.replacements.parts(replacement.replacement_id) if runs else ()
    measured = [await _snapshot_taken(ledger, part) for part in parts]
    return Line(
        created_at=replacement.created_at,
        group=replacement.group,
        kind="replacement",
        ids=replacement.ids,
        status=_stage(replacement),
        job_id=replacement.replacement_id,
        runs=runs,
        ended_at=None if runs else replacement.updated_at,
        left=remaining(whole, elapsed),
        elapsed=elapsed,
        code=_code(replacement.error),
        proof=replacement.proof,
        measured=next(filter(None, measured), None),
        principal=replacement.principal,
        work_id=replacement.replacement_id,
        said=_message(replacement.error),
    )


def _stage(replacement: Replacement) -> str:
    if replacement.stage is Stage.REFUSED:
        return _refused(replacement.error)
    return _proved(replacement.stage.value.capitalize(), replacement.proof)


def time_left(line: Line) -> str:
    """Write the estimate of what is left."""
    if not line.left.high:
        return "longer than estimated"
    low, high, unit = line.left.low, line.left.high, "s"
    if high >= MINUTES_FROM:
        low, high, unit = low // 60, -(-high // 60), "min"
    return f"in {low} to {high} {unit}" if low < high else f"in {high} {unit}"


def counted(measured: Measured) -> str:
    """Write how far something is."""
    return f"{measured.what}: {measured.done:,} of {measured.total:,}"
