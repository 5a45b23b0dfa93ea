"""Keeping everything that a target group stores before it is removed: complete and verified, or nothing is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recontact_tools.errors import ErrorCode, NotAllowed
from recontact_tools.ledger import IntentState, Purpose, Snapshot
from recontact_tools.listing import READINGS_AT_MOST, Changing, count_stored, is_whole, next_ids, unlisted
from recontact_tools.schedule import look_delay
from recontact_tools.sealed_lists import closed, opened_pieces, set_hash
from recontact_tools.uris import job_uri

if TYPE_CHECKING:
    from recontact_tools.desk import Desk
    from recontact_tools.ledger import Intent


async def take_snapshot(desk: Desk, intent: Intent) -> Snapshot:
    """Keep all ids that a planned removal would remove, sealed; what an earlier process has read is not read again.

    Raises:
        NotAllowed: The removal was cancelled meanwhile.
        Unreachable: The list could not be read whole, or changed all the time.
        Refused: The API refused a page.
    """
    for reading in range(READINGS_AT_MOST):
        try:
            return await _taken(desk, intent, afresh=reading > 0)
        except Changing:
            await desk.clock.sleep(look_delay(reading, pace=desk.pace))
    raise unlisted(
        "The list of stored IDs changed while its snapshot was taken, or did not agree with its count; "
        "nothing was removed."
    )


async def _taken(desk: Desk, intent: Intent, *, afresh: bool) -> Snapshot:
    snapshot = None if afresh else await desk.ledger.snapshots.get(intent.intent_id)
    if snapshot is None:
        expected = await count_stored(desk, intent.group)
        async with desk.at_work():
            snapshot = await desk.ledger.snapshots.begin(_empty(desk, intent, expected), afresh=afresh)
    return snapshot if snapshot.is_complete else await _completed(desk, intent, snapshot)


def _empty(desk: Desk, intent: Intent, expected: int) -> Snapshot:
    now = desk.clock.now()
    return Snapshot(
        snapshot_id=intent.intent_id,
        purpose=Purpose.REMOVAL,
        principal=intent.principal,
        group=intent.group,
        expected=expected,
        created_at=now,
        updated_at=now,
        expires_at=now + desk.snapshots_kept,
    )


async def _completed(desk: Desk, intent: Intent, snapshot: Snapshot) -> Snapshot:
    ids = await _read_on(desk, intent, snapshot)
    if not is_whole(ids, await count_stored(desk, intent.group)):
        raise Changing
    hashed = await set_hash(desk.ledger, ids)
    async with desk.at_work():
        await desk.ledger.snapshots.complete(snapshot.snapshot_id, set_hash=hashed, now=desk.clock.now())
    return await desk.ledger.snapshots.get(snapshot.snapshot_id) or snapshot


async def _read_on(desk: Desk, intent: Intent, snapshot: Snapshot) -> list[bytes]:
    """Read on from where the snapshot ends, and keep what was read piece by piece."""
    pieces = await opened_pieces(desk.ledger, desk.seal, snapshot.snapshot_id)
    ids = [one for piece in pieces for one in piece.ids]
    cursor, number = (pieces[-1].cursor if pieces else None), len(pieces)
    while cursor is not None or not number:
        await _check_wanted(desk, intent)
        found, cursor = await next_ids(desk, snapshot.group, cursor)
        ids += found
        if len(ids) > snapshot.expected:
            raise Changing
        await _keep(desk, intent, number, found, cursor)
        number += 1
    return ids


async def _keep(desk: Desk, intent: Intent, number: int, ids: list[bytes], cursor: str | None) -> None:
    piece = closed(desk.seal, intent.intent_id, number, ids, cursor)
    async with desk.at_work():
        await desk.ledger.snapshots.add(intent.intent_id, [piece], now=desk.clock.now())
    await desk.publish(job_uri(intent.group, intent.kind, intent.intent_id))


async def _check_wanted(desk: Desk, intent: Intent) -> None:
    """Go on while the removal is still planned.

    Raises:
        NotAllowed: It was cancelled.
    """
    current = await desk.ledger.get(intent.intent_id)
    if current is not None and current.state is not IntentState.PLANNED:
        raise cancelled()


def cancelled() -> NotAllowed:
    """Say that an intent was taken back before anything was sent."""
    return NotAllowed(
        "This was cancelled before anything was sent; nothing was changed.",
        code=ErrorCode.CANCELLED,
        next_step="Tell the user. If they still want it, start it again.",
    )
