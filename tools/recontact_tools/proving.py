"""After a restore or a replacement: is exactly that stored which should be? Proved by reading all of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from recontact_tools.comparing import packed_file
from recontact_tools.errors import InvalidInput, RecontactError
from recontact_tools.identifiers import read_identifiers
from recontact_tools.listing import all_ids, patiently
from recontact_tools.sealed_lists import cannot_be_opened, ids_of, proof_of
from recontact_tools.uris import job_uri

if TYPE_CHECKING:
    from recontact_tools.desk import Desk
    from recontact_tools.ledger import Intent, Ledger
    from recontact_tools.sealing import Seal

FROM_SNAPSHOT = "snapshot:"
FROM_UPLOAD = "upload:"


async def prove(desk: Desk, intent: Intent) -> None:
    """Compare what is stored after a restore with what was sent; what cannot be read proves nothing."""
    if not intent.is_unproved or not intent.has_completed:
        return
    with suppress(RecontactError):
        stored = await all_ids(desk, intent.group)
        proof = await proof_of(desk.ledger, stored=stored, expected=await _sent(desk, intent))
        async with desk.at_work():
            await desk.ledger.note_proof(intent.intent_id, proof, now=desk.clock.now())
        await desk.publish(job_uri(intent.group, intent.kind, intent.job_id or intent.intent_id))


async def _sent(desk: Desk, intent: Intent) -> list[bytes]:
    kept = await kept_list(desk.ledger, desk.seal, intent)
    if kept is not None:
        return kept
    content = await patiently(desk, lambda: desk.gateway.download_upload_file(intent.group, intent.job_id or ""))
    try:
        return packed_file(read_identifiers(content))
    except InvalidInput:
        raise cannot_be_opened() from None


async def kept_list(ledger: Ledger, seal: Seal, intent: Intent) -> list[bytes] | None:
    """Return the list that an upload sent from a snapshot; None if it sent something else.

    Raises:
        Unreachable: The snapshot cannot be opened.
    """
    if intent.restores is None or not intent.restores.startswith(FROM_SNAPSHOT):
        return None
    return await ids_of(ledger, seal, intent.restores.removeprefix(FROM_SNAPSHOT))
