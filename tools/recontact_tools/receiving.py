"""A file that a person sends for a ticket: checked as it arrives, sealed when it is whole, or not kept at all."""

from collections.abc import AsyncIterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from anyio import to_thread

from recontact_tools.errors import InvalidInput
from recontact_tools.identifiers import Arriving, Dropped, RespondentFile, read_identifiers
from recontact_tools.ledger import Ticket
from recontact_tools.models import IdType
from recontact_tools.runtime import Runtime
from recontact_tools.staged import closed, hash_of


@dataclass(frozen=True, slots=True)
class Received:
    """What arrived: counts and line numbers. *ids* is None where the assistant has to say which column is meant."""

    ids: int | None
    lines: int | None
    dropped: tuple[Dropped, ...]
    expires_at: datetime


async def awaited_by(runtime: Runtime, secret: str) -> Ticket | None:
    """Return the ticket that a file may be sent for under this secret; None for every reason why not."""
    return await runtime.ledger.tickets.awaiting(hash_of(secret), now=runtime.clock.now())


class Fate(StrEnum):
    """What became of an address that takes a file, as whoever knows it may hear."""

    WAITING = "waiting"  # for a file
    ARRIVED = "arrived"  # and kept, until somebody uses it
    USED = "used"
    UNUSED = "unused"  # the file was deleted
    EXPIRED = "expired"  # before a file came


async def fate_of(runtime: Runtime, secret: str) -> tuple[Fate, Ticket] | None:
    """Return what became of the address of this secret; None for one that never was, or is long forgotten."""
    ticket = await runtime.ledger.tickets.addressed(hash_of(secret))
    if ticket is None:
        return None
    if ticket.used_by is not None:
        return Fate.USED, ticket
    lives = runtime.clock.now() < ticket.expires_at
    if ticket.pieces is None:
        return (Fate.WAITING if lives else Fate.EXPIRED), ticket
    return (Fate.ARRIVED if lives else Fate.UNUSED), ticket


async def receive(runtime: Runtime, ticket: Ticket, chunks: AsyncIterable[bytes]) -> Received | None:
    """Take a file in and keep it sealed; None if another one was kept for the ticket meanwhile, or it has expired.

    Nothing is kept of a file that is refused or does not arrive whole.

    Raises:
        InvalidInput: It can be no list of identifiers, is too large, or holds none.
        Unreachable: The key of the snapshots cannot be used.
    """
    arriving = Arriving(bytes_max=ticket.bytes_max)
    async for chunk in chunks:
        arriving.add(chunk)
    content = arriving.whole()
    file = await to_thread.run_sync(_looked_through, content)
    pieces = await to_thread.run_sync(closed, runtime.seal, ticket.ticket_id, content)
    ids = file.ids if file else None
    if not await runtime.ledger.tickets.fill(ticket.ticket_id, pieces, ids=ids or 0, now=runtime.clock.now()):
        return None
    return Received(ids, file.lines if file else None, file.dropped if file else (), ticket.expires_at)


def _looked_through(content: bytes) -> RespondentFile | None:
    """Read a file as an upload will; None where that depends on what the upload says about it.

    Raises:
        InvalidInput: No upload can use it.
    """
    try:
        return read_identifiers(content)
    except InvalidInput as refusal:
        if "columns" in refusal.details:  # an upload names the column
            return None
        if "header_id_type" not in refusal.details:
            raise
    return read_identifiers(content, id_type=IdType.RID)
