"""The parts of a replacement: its removals and uploads as intents, the list it can go back to, and its failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recontact_tools.errors import ErrorCode, NotAllowed, OutcomeUnknown
from recontact_tools.ledger import Intent, IntentState, Replacement, Stage
from recontact_tools.models import IdType, JobKind
from recontact_tools.rates import estimated
from recontact_tools.schedule import Eta

if TYPE_CHECKING:
    from datetime import datetime

    from recontact_tools.errors import Detail
    from recontact_tools.ledger import Ledger


async def old_list_of(ledger: Ledger, replacement: Replacement) -> str:
    """Return the id of the snapshot of the old list: that of the last removal which has a complete one."""
    for part in reversed(await ledger.replacements.parts(replacement.replacement_id)):
        snapshot = await ledger.snapshots.get(part.intent_id) if part.kind is JobKind.REMOVAL else None
        if snapshot is not None and snapshot.is_complete:
            return snapshot.snapshot_id
    return replacement.removal_id


async def time_of(ledger: Ledger, replacement: Replacement, *, now: datetime, pace: float) -> tuple[Eta, float]:
    """Estimate its jobs that have not ended, and return how many seconds ago the present stage began; 0 at its end."""
    if replacement.has_ended:
        return Eta(0, 0), 0.0
    removing = replacement.stage is Stage.REMOVING
    jobs = {JobKind.UPLOAD: replacement.ids} | ({JobKind.REMOVAL: replacement.stored_before} if removing else {})
    since = replacement.created_at if removing else replacement.updated_at
    whole = await estimated(ledger, jobs, replacement.group.account_id, pace=pace)
    return whole, max(0.0, (now - since).total_seconds())


def failed(why: str) -> dict[str, Detail]:
    """Say that a replacement could not be done, and that its old list is put back."""
    return OutcomeUnknown(
        f"The list could not be replaced, so the old one is uploaded again. {why}",
        code=ErrorCode.REPLACEMENT_FAILED,
        next_step="Follow it until the old list is restored; then mend what the message names, and ask again.",
    ).as_dict()


def not_removed() -> dict[str, Detail]:
    """Say that the removal was sent and the old list is stored all the same, so that nothing is to be put back."""
    return NotAllowed(
        "The API did not remove the old list, so it is stored as it was; nothing was changed.",
        code=ErrorCode.REPLACEMENT_FAILED,
        next_step="Tell the user that the list was not replaced. If they still want it, ask again in some minutes.",
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


def removal_of(replacement: Replacement, *, now: datetime) -> Intent:
    """Return the present attempt to remove: the first is as old as what a person agreed to."""
    attempt = replacement.attempts
    now = now if attempt else replacement.created_at
    return Intent(
        intent_id=f"{replacement.removal_id}-{attempt}" if attempt else replacement.removal_id,
        kind=JobKind.REMOVAL,
        principal=replacement.principal,
        group=replacement.group,
        ids=replacement.stored_before,
        stored_before=replacement.stored_before,
        state=IntentState.PLANNED,
        created_at=now,
        updated_at=now,
        plan_id=replacement.plan_id,
        parent_id=replacement.replacement_id,
        claims=replacement.claims,
    )


def upload_of(replacement: Replacement, content: bytes, *, now: datetime) -> Intent:
    """Return the present attempt to upload: the new list, or the old one again."""
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
        claims=replacement.claims,
    )
