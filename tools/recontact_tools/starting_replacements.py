"""From an agreed replacement to one that runs: its list is kept first, then it is written down and handed over."""

from functools import partial

import anyio
import anyio.to_thread

from recontact_tools.capping import cap_reached
from recontact_tools.comparing import packed_file
from recontact_tools.conflicts import in_the_way
from recontact_tools.identifiers import RespondentFile
from recontact_tools.ledger import (
    ActiveIntent,
    ActiveReplacement,
    CapReached,
    Purpose,
    Replacement,
    Snapshot,
    Spending,
    TicketUsed,
)
from recontact_tools.runtime import Runtime
from recontact_tools.sealed_lists import pieces_of, set_hash
from recontact_tools.staged import ticket_not_valid
from recontact_tools.starting import submit


async def start_replacement(
    runtime: Runtime, replacement: Replacement, file: RespondentFile, *, spending: Spending | None = None
) -> Replacement:
    """Keep the new list, write the replacement down and hand it to the engine.

    Raises:
        InvalidInput: Another call used the ticket of its list.
        JobRunning: Something else works on this target group; the database decided.
        Unreachable: The engine, or the key of the snapshots, cannot be used; nothing was sent.
    """
    await _keep(runtime, replacement, file)
    list_id = replacement.replacement_id
    try:
        opened = await _opened(runtime, replacement, spending)
        withdraw = partial(runtime.ledger.replacements.withdraw, opened.replacement_id)
        await submit(runtime, opened.replacement_id, withdraw)
        return opened
    finally:
        running = await runtime.ledger.replacements.get(list_id)
        if running is None or running.has_ended:  # nobody will need its list
            with anyio.CancelScope(shield=True):
                await runtime.ledger.snapshots.delete(list_id, now=replacement.created_at)


async def _opened(runtime: Runtime, replacement: Replacement, spending: Spending | None) -> Replacement:
    try:
        return await runtime.ledger.replacements.open(replacement, spending=spending, caps=runtime.rules.caps)
    except TicketUsed:
        raise ticket_not_valid() from None
    except CapReached as reached:
        raise cap_reached(reached, runtime.rules.policy, replacement.created_at) from None
    except (ActiveIntent, ActiveReplacement) as other:
        raise in_the_way(runtime, replacement.group, other) from None


async def _keep(runtime: Runtime, replacement: Replacement, file: RespondentFile) -> None:
    """Keep the list sealed: it is needed again after hours, and perhaps by another process."""
    ids, now, snapshots = packed_file(file), runtime.clock.now(), runtime.ledger.snapshots
    list_id = replacement.replacement_id
    pieces = await anyio.to_thread.run_sync(pieces_of, runtime.seal, list_id, ids)
    await snapshots.begin(
        Snapshot(
            snapshot_id=list_id,
            purpose=Purpose.REPLACEMENT,
            principal=replacement.principal,
            group=replacement.group,
            expected=len(ids),
            created_at=now,
            updated_at=now,
            expires_at=now + runtime.rules.snapshots_kept,
        )
    )
    await snapshots.add(list_id, pieces, now=now)
    await snapshots.complete(list_id, set_hash=await set_hash(runtime.ledger, ids), now=now)
