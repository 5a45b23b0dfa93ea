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
from recontact_tools.errors import ErrorCode, RecontactError
from recontact_tools.ledger import ActiveIntent, Intent, IntentState, Replacement, ReplacementEnded, Stage
from recontact_tools.listing import all_ids, count_stored, patiently
from recontact_tools.lost_jobs import job_named
from recontact_tools.models import IdType
from recontact_tools.objections import AGREEMENTS_HOLD
from recontact_tools.replacement_parts import failed, not_removed, old_list_of, removal_of, stuck, upload_of
from recontact_tools.schedule import look_delay
from recontact_tools.sealed_lists import ids_of, lines_of, proof_of
from recontact_tools.uris import overview_uri, replacement_uri

if TYPE_CHECKING:
    from recontact_tools.desk import Desk
    from recontact_tools.errors import Detail
    from recontact_tools.ledger import Proof

# ours: a target group that stays empty for a day has cost its fieldwork a day; a person must look by then.
TRIED_FOR = timedelta(hours=24)
# Nothing was sent, or nothing was done: the same upload may be tried again. What is frozen waits until it thaws.
_TRY_AGAIN = frozenset(
    {"UNREACHABLE", "UNAVAILABLE", "RATE_LIMITED", "JOB_RUNNING", "NOT_PERMITTED", "PLAN_NOT_VALID", "FROZEN"}
)
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
                await desk.ledger.snapshots.delete(replacement_id, now=desk.clock.now())
            return replacement.stage.value
        desk = await desk.acting_for(replacement.principal, replacement.group.account_id, replacement.claims)
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
    intent = removal_of(replacement, now=desk.clock.now())
    try:
        await desk.ledger.open_intent(intent, payload=None)
    except ReplacementEnded:  # pragma: no cover (it was cancelled between two lines of this process)
        return None
    intent = await stages.ended(desk, intent.intent_id)
    stored = await count_stored(desk, replacement.group)
    return await _after_removal(desk, replacement, intent, stored)


async def _after_removal(desk: Desk, replacement: Replacement, intent: Intent, stored: int) -> Move | None:
    """Decide by what is stored, for an answer may be lost; None where another attempt is to be made.

    A removal is asked for again only where the first can be seen not to have happened: all that was stored is, when it
    would long have ended. If it runs after all, the API refuses the second (409) for as long as it does.
    """
    was_sent = replacement.attempts > 0 or intent.state is not IntentState.REFUSED
    if was_sent and stored == 0:
        return Move(Stage.UPLOADING)
    if intent.state is IntentState.REFUSED and replacement.attempts == 0:
        return Move(Stage.REFUSED, error=intent.error)
    is_lost = intent.state is not IntentState.FINISHED
    if is_lost and desk.clock.now() - replacement.created_at <= AGREEMENTS_HOLD:
        await _try_again(desk, replacement, retry_after=0.0)
        return None
    if stored == replacement.stored_before:
        return Move(Stage.REFUSED, error=not_removed())
    return Move(Stage.RESTORING, error=failed(f"The removal ended, and {stored} IDs are stored."))


async def _uploading(desk: Desk, replacement: Replacement) -> Move | None:
    return await _sent(desk, replacement, done=Stage.VERIFYING, otherwise=Stage.RESTORING)


async def _restoring(desk: Desk, replacement: Replacement) -> Move | None:
    move = await _sent(desk, replacement, done=Stage.RESTORED, otherwise=Stage.STUCK)
    if move is None or move.stage is not Stage.RESTORED:
        return move
    return Move(Stage.RESTORED, proof=await _proof(desk, replacement, await old_list_of(desk.ledger, replacement)))


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
    is_new = replacement.stage is Stage.UPLOADING
    kept = replacement.replacement_id if is_new else await old_list_of(desk.ledger, replacement)
    try:
        intent = await _attempted(desk, replacement, lines_of(await ids_of(desk.ledger, desk.seal, kept)))
    except RecontactError as unreadable:
        return _given_up(replacement, otherwise, unreadable.message)
    if intent is None:
        return None
    if intent.has_completed:
        return Move(done)
    if intent.state is IntentState.UNKNOWN:
        return await _looked_for(desk, replacement, intent, kept=kept, done=done)
    return await _again(desk, replacement, intent, otherwise)


async def _looked_for(desk: Desk, replacement: Replacement, intent: Intent, *, kept: str, done: Stage) -> Move | None:
    """Try again where the API lists no job of this upload, long after it was sent: it did not happen.

    If it did after all, a second one adds the same IDs, and nothing is stored that should not be.
    """
    try:
        job_id = await patiently(desk, lambda: job_named(desk.gateway, intent))
    except RecontactError:  # no list of jobs: what is stored may still prove it
        proof = await _proof(desk, replacement, kept)
        if proof is not None and proof.is_equal:
            return Move(done, proof=proof)
        return Move(Stage.STUCK, error=stuck(replacement, "The API's answer to the upload was lost."))
    if job_id is not None:  # it showed late: adopt it
        async with desk.at_work():
            await desk.ledger.mark_started(intent.intent_id, job_id=job_id, now=desk.clock.now())
        return None
    if _has_been_tried_for_long(desk, replacement):
        return Move(Stage.STUCK, error=stuck(replacement, "Every answer to an upload was lost."))
    await _try_again(desk, replacement, retry_after=0.0)
    return None


async def _attempted(desk: Desk, replacement: Replacement, content: bytes) -> Intent | None:
    """Upload once, and return the intent as it ended; None if something else was in the way, or all has ended."""
    intent = upload_of(replacement, content, now=desk.clock.now())
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
    if not may_pass or _has_been_tried_for_long(desk, replacement):
        return _given_up(replacement, otherwise, str(error["message"]))
    asked = error.get("retry_after_seconds")
    await _try_again(desk, replacement, retry_after=float(asked) if isinstance(asked, int | float) else 0.0)
    return None


def _has_been_tried_for_long(desk: Desk, replacement: Replacement) -> bool:
    return desk.clock.now() - replacement.updated_at > TRIED_FOR


async def _try_again(desk: Desk, replacement: Replacement, *, retry_after: float) -> None:
    """Wait, and count another attempt."""
    await desk.clock.sleep(max(retry_after, look_delay(replacement.attempts, pace=desk.pace)))
    async with desk.at_work():
        await desk.ledger.replacements.try_again(replacement.replacement_id, replacement.attempts)


def _given_up(replacement: Replacement, otherwise: Stage, why: str) -> Move:
    return Move(otherwise, error=stuck(replacement, why) if otherwise is Stage.STUCK else failed(why))


_STAGES = {
    Stage.REMOVING: _removing,
    Stage.UPLOADING: _uploading,
    Stage.VERIFYING: _verifying,
    Stage.RESTORING: _restoring,
}
