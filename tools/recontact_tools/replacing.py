"""One list for another, stage by stage: what is on record decides what is done next, whoever does it.

removing   the snapshot of the old list, its removal, and the end of that job; refused: nothing was changed
uploading  the new list, in one upload after another as long as none can have happened
verifying  all that is stored is read and compared with the new list
restoring  the old list again, because the new one cannot be uploaded
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from recontact_tools import stages
from recontact_tools.errors import ErrorCode, OutcomeUnknown, RecontactError
from recontact_tools.ledger import ActiveIntent, Intent, IntentState, Replacement, ReplacementEnded, Stage
from recontact_tools.listing import all_ids, count_stored
from recontact_tools.models import IdType, JobKind
from recontact_tools.schedule import look_delay
from recontact_tools.sealed_lists import ids_of, lines_of, proof_of
from recontact_tools.uris import overview_uri, replacement_uri

if TYPE_CHECKING:
    from datetime import datetime

    from recontact_tools.desk import Desk
    from recontact_tools.errors import Detail
    from recontact_tools.ledger import Proof

# ours: a target group that stays empty for a day has cost its fieldwork a day; a person must look by then.
TRIED_FOR = timedelta(hours=24)
# Nothing was sent, or nothing was done: the same upload may be tried again.
_TRY_AGAIN = frozenset({"UNREACHABLE", "UNAVAILABLE", "RATE_LIMITED", "JOB_RUNNING", "NOT_PERMITTED", "PLAN_NOT_VALID"})
_KEPT_UNTIL_MENDED = Stage.STUCK


@dataclass(frozen=True, slots=True)
class Move:
    """The next stage, and what is to be remembered with it."""

    stage: Stage
    error: dict[str, Detail] | None = None
    proof: Proof | None = None


async def advance(desk: Desk, replacement_id: str) -> str:
    """Do what is left of a replacement and return the stage in which it ends."""
    while True:
        replacement = await desk.ledger.replacements.get(replacement_id)
        if replacement is None:
            raise AssertionError("a workflow runs only for a replacement that was written first")
        if replacement.has_ended:
            if replacement.stage is not _KEPT_UNTIL_MENDED:
                await desk.ledger.snapshots.delete(replacement_id)
            return replacement.stage.value
        move = await _STAGES[replacement.stage](desk, replacement)
        if move is None:
            continue
        async with desk.at_work():
            await desk.ledger.replacements.move(
                replacement_id, replacement.stage, move.stage, now=desk.clock.now(), error=move.error, proof=move.proof
            )
        await desk.publish(replacement_uri(replacement.group, replacement_id))
        await desk.publish(overview_uri(replacement.group))


async def _removing(desk: Desk, replacement: Replacement) -> Move | None:
    try:
        await desk.ledger.open_intent(_removal_of(replacement), payload=None)
    except ReplacementEnded:  # it was cancelled just now
        return None
    intent = await stages.ended(desk, replacement.removal_id)
    if intent.state is IntentState.REFUSED:
        return Move(Stage.REFUSED, error=intent.error)
    stored = await count_stored(desk, replacement.group)
    if stored == 0:
        return Move(Stage.UPLOADING)
    if intent.state is IntentState.FINISHED:
        # A removal that failed, or that somebody added to: the old list must be whole again.
        return Move(Stage.RESTORING, error=failed(f"The removal ended, and {stored} IDs are stored."))
    return Move(Stage.STUCK, error=stuck(replacement, "The API's answer to the removal was lost."))


async def _uploading(desk: Desk, replacement: Replacement) -> Move | None:
    return await _sent(desk, replacement, done=Stage.VERIFYING, otherwise=Stage.RESTORING)


async def _restoring(desk: Desk, replacement: Replacement) -> Move | None:
    move = await _sent(desk, replacement, done=Stage.RESTORED, otherwise=Stage.STUCK)
    if move is None or move.stage is not Stage.RESTORED:
        return move
    return Move(Stage.RESTORED, proof=await _proof(desk, replacement, replacement.removal_id))


async def _verifying(desk: Desk, replacement: Replacement) -> Move:
    if replacement.id_type is IdType.RID:
        return Move(Stage.DONE)
    return Move(Stage.DONE, proof=await _proof(desk, replacement, replacement.replacement_id))


async def _proof(desk: Desk, replacement: Replacement, snapshot_id: str) -> Proof | None:
    """Compare what is stored with a kept list; None where it cannot be read, which does not undo what was done."""
    try:
        wanted = await ids_of(desk.ledger, desk.seal, snapshot_id)
        return await proof_of(desk.ledger, stored=await all_ids(desk, replacement.group), expected=wanted)
    except RecontactError:
        return None


async def _sent(desk: Desk, replacement: Replacement, *, done: Stage, otherwise: Stage) -> Move | None:
    """Make the present attempt to upload; None where another one is to be made."""
    kept = replacement.replacement_id if replacement.stage is Stage.UPLOADING else replacement.removal_id
    try:
        intent = await _attempted(desk, replacement, lines_of(await ids_of(desk.ledger, desk.seal, kept)))
    except RecontactError as unreadable:
        return _given_up(replacement, otherwise, unreadable.message)
    if intent is None:
        return None
    if intent.state is IntentState.FINISHED and intent.job is not None and intent.job.is_completed:
        return Move(done)
    if intent.state is IntentState.UNKNOWN:
        proof = await _proof(desk, replacement, kept)
        if proof is not None and proof.is_equal:
            return Move(done, proof=proof)
        return Move(Stage.STUCK, error=stuck(replacement, "The API's answer to the upload was lost."))
    return await _again(desk, replacement, intent, otherwise)


async def _attempted(desk: Desk, replacement: Replacement, content: bytes) -> Intent | None:
    """Upload once, and return the intent as it ended; None if something else was in the way, or all has ended."""
    intent = _upload_of(replacement, content, now=desk.clock.now())
    try:
        await desk.ledger.open_intent(intent, payload=content)
    except ReplacementEnded:
        return None
    except ActiveIntent as other:  # a job that was lost sight of is found again: it goes first
        await stages.ended(desk, other.intent.intent_id)
        return None
    return await stages.ended(desk, intent.intent_id)


async def _again(desk: Desk, replacement: Replacement, intent: Intent, otherwise: Stage) -> Move | None:
    """Wait and count another attempt, if what went wrong may pass; else give this stage up."""
    error = intent.error or {"code": ErrorCode.REFUSED.value, "message": "The API's job failed."}
    may_pass = intent.state is IntentState.REFUSED and error.get("code") in _TRY_AGAIN
    if not may_pass or desk.clock.now() - replacement.updated_at > TRIED_FOR:
        return _given_up(replacement, otherwise, str(error["message"]))
    asked = error.get("retry_after_seconds")
    delay = look_delay(replacement.attempts, pace=desk.pace)
    await desk.clock.sleep(max(delay, asked) if isinstance(asked, int | float) else delay)
    async with desk.at_work():
        await desk.ledger.replacements.try_again(replacement.replacement_id, replacement.attempts, now=desk.clock.now())
    return None


def _given_up(replacement: Replacement, otherwise: Stage, why: str) -> Move:
    return Move(otherwise, error=stuck(replacement, why) if otherwise is Stage.STUCK else failed(why))


def failed(why: str) -> dict[str, Detail]:
    """Say that a replacement could not be done, and that its old list is put back."""
    return OutcomeUnknown(
        f"The list could not be replaced, so the old one is uploaded again. {why}",
        code=ErrorCode.REPLACEMENT_FAILED,
        next_step="Follow it until the old list is restored; then mend what the message names, and ask again.",
    ).as_dict()


def stuck(replacement: Replacement, why: str) -> dict[str, Detail]:
    """Say that a replacement cannot go on by itself, and exactly what a person can do."""
    return OutcomeUnknown(
        f"The replacement stopped, and what is stored is neither known to be the old list nor the new one. {why}",
        code=ErrorCode.REPLACEMENT_FAILED,
        next_step=(
            "Call get_recontact_overview and tell the user the count. If nothing is stored, and a look some minutes "
            "later shows the same, restore_recontacts with this snapshot_id puts the old list back, and "
            "upload_recontacts adds the new one. If something is stored, compare it with the snapshot first."
        ),
        details={"snapshot_id": replacement.removal_id},
    ).as_dict()


def _removal_of(replacement: Replacement) -> Intent:
    return Intent(
        intent_id=replacement.removal_id,
        kind=JobKind.REMOVAL,
        principal=replacement.principal,
        group=replacement.group,
        ids=replacement.stored_before,
        stored_before=replacement.stored_before,
        state=IntentState.PLANNED,
        created_at=replacement.created_at,
        updated_at=replacement.created_at,
        plan_id=replacement.plan_id,
        parent_id=replacement.replacement_id,
    )


def _upload_of(replacement: Replacement, content: bytes, *, now: datetime) -> Intent:
    intent_id = replacement.upload_id
    is_new = replacement.stage is Stage.UPLOADING
    return Intent(
        intent_id=intent_id,
        kind=JobKind.UPLOAD,
        principal=replacement.principal,
        group=replacement.group,
        id_type=replacement.id_type if is_new else IdType.RSID,
        file_name=f"recontacts-{intent_id}.csv",
        ids=content.count(b"\n"),
        stored_before=0,
        state=IntentState.PLANNED,
        created_at=now,
        updated_at=now,
        parent_id=replacement.replacement_id,
    )


_STAGES = {
    Stage.REMOVING: _removing,
    Stage.UPLOADING: _uploading,
    Stage.VERIFYING: _verifying,
    Stage.RESTORING: _restoring,
}
