"""Staged files: sealed while they wait to be used, and named by secrets that the ledger knows only hashes of."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from anyio import to_thread

from recontact_tools.errors import ErrorCode, InvalidInput
from recontact_tools.identifiers import Dropped, RespondentFile, read_identifiers
from recontact_tools.ledger import Spending, Ticket
from recontact_tools.models import IdType, TargetGroup
from recontact_tools.runtime import Runtime
from recontact_tools.sealed_lists import cannot_be_opened
from recontact_tools.sealing import KeyUnusable, Seal, SealBroken

# ours: who was asked in the evening may answer in the morning; nothing is kept for longer by asking again.
_WAITS_MOST = timedelta(days=1)
PIECE_BYTES = 262_144  # ours: twenty pieces of the largest file, and little memory beside it while one is sealed


@dataclass(frozen=True, slots=True)
class Staged:
    """A staged file that was not used yet, and until when it can be kept at most while a person is asked."""

    ticket_id: str
    kept_until: datetime


@dataclass(frozen=True, slots=True)
class Source:
    """What a call is to send: a list, the ticket that is used up with it, or the work that used that up before.

    Of a list that was used up before, what became of its lines is known and its *content* is not.
    """

    file: RespondentFile
    spending: Spending | None = None
    used_by: str | None = None
    staged: Staged | None = None


def hash_of(secret: str) -> str:
    """Return what the ledger knows a secret by; it has too many bits to be guessed from that."""
    return sha256(secret.encode()).hexdigest()


async def open_ticket(
    runtime: Runtime,
    group: TargetGroup,
    ticket: str,
    *,
    wish: tuple[str, ...],
    column: str | None,
    id_type: IdType,
) -> Source:
    """Return the staged file of a ticket; *wish* is all that the call says besides, so that it is known again.

    Raises:
        InvalidInput: TICKET_NOT_VALID, the same for every reason; TICKET_EMPTY while nothing has arrived; or what
            `read_identifiers` raises.
        Unreachable: The key of the snapshots cannot be used.
    """
    now, tickets = runtime.clock.now(), runtime.ledger.tickets
    found = await tickets.find(hash_of(ticket), principal=runtime.principal, group=group, now=now)
    if found is None:
        raise ticket_not_valid()
    said = await runtime.ledger.digest(b"staged", *(word.encode() for word in wish))
    if found.used_by is not None:
        return _used_before(found, said)
    if found.pieces is None:
        raise _ticket_empty(found)
    content = await _content(runtime, found)
    file = await to_thread.run_sync(lambda: read_identifiers(content, column=column, id_type=id_type))
    kept = Staged(found.ticket_id, found.created_at + _WAITS_MOST)
    return Source(file, Spending(found.ticket_id, said, report_of(file)), staged=kept)


def _used_before(ticket: Ticket, said: str) -> Source:
    if ticket.wish != said or ticket.report is None:
        raise ticket_not_valid()
    return Source(file_of(ticket.report), used_by=ticket.used_by)


async def _content(runtime: Runtime, ticket: Ticket) -> bytes:
    sealed = await runtime.ledger.tickets.sealed(ticket.ticket_id)
    if len(sealed) != ticket.pieces:  # deleted a moment ago
        raise ticket_not_valid()

    def run() -> bytes:
        return opened(runtime.seal, ticket.ticket_id, sealed)

    return await to_thread.run_sync(run)


def closed(seal: Seal, ticket_id: str, content: bytes) -> list[bytes]:
    """Seal a file in pieces that open in this place of this ticket's file only, and only while none is missing.

    Raises:
        Unreachable: The key cannot be used.
    """
    parts = [content[start : start + PIECE_BYTES] for start in range(0, len(content), PIECE_BYTES)]
    try:
        return [seal.close(part, place=_place(ticket_id, number, len(parts))) for number, part in enumerate(parts)]
    except (KeyUnusable, OSError):
        raise cannot_be_opened() from None


def opened(seal: Seal, ticket_id: str, sealed: tuple[bytes, ...]) -> bytes:
    """Open the pieces of a file.

    Raises:
        Unreachable: The key is another one than it was sealed with, or cannot be used.
    """
    try:
        return b"".join(
            seal.open(piece, place=_place(ticket_id, number, len(sealed))) for number, piece in enumerate(sealed)
        )
    except (SealBroken, KeyUnusable, OSError):
        raise cannot_be_opened() from None


def _place(ticket_id: str, number: int, count: int) -> str:
    return f"ticket/{ticket_id}/{number}/{count}"


def report_of(file: RespondentFile) -> str:
    """Write down what became of the lines of a file: counts and line numbers, never an identifier."""
    return json.dumps(
        {
            "ids": file.ids,
            "lines": file.lines,
            "dropped": [[drop.kind, drop.count, drop.lines] for drop in file.dropped],
            "column": file.column,
            "delimiter": file.delimiter,
            "had_header": file.had_header,
            "hints": file.hints,
        }
    )


def file_of(report: str) -> RespondentFile:
    """Read what `report_of` wrote, as a file without its content."""
    told: dict[str, Any] = json.loads(report)  # Any: the edge to JSON
    dropped = tuple(Dropped(kind, count, tuple(lines)) for kind, count, lines in told.pop("dropped"))
    return RespondentFile(content=b"", dropped=dropped, hints=tuple(told.pop("hints")), **told)


def ticket_not_valid() -> InvalidInput:
    """Refuse a ticket, whatever is wrong with it: the reason would tell something of those of others."""
    return InvalidInput(
        "This ticket is not valid: it is unknown, expired, already used, or not for this target group and you. "
        "Nothing was sent.",
        code=ErrorCode.TICKET_NOT_VALID,
        next_step="Call stage_upload again, let the user upload the file there, and pass the new ticket.",
    )


def _ticket_empty(ticket: Ticket) -> InvalidInput:
    return InvalidInput(
        "No file has arrived for this ticket yet; nothing was sent.",
        code=ErrorCode.TICKET_EMPTY,
        safe_to_repeat=True,
        next_step="Ask the user to upload the file (page_url or curl of stage_upload), wait until they say that it is "
        f"done, then repeat this call. The address works until {ticket.expires_at:%H:%M} UTC.",
    )
