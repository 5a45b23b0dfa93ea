"""Tickets: what lets one person send one file for one target group, once and soon."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from recontact_tools.models import TargetGroup

# ours: of a used ticket nothing is kept but what answers the same call again, as long as of an unknown outcome.
USED_FOR = timedelta(hours=24)
# ours: a person stages one file after the other; each may hold five megabytes of the database until it expires.
OPEN_TICKETS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket, without the secrets that name it, of which the ledger knows hashes only.

    *pieces* counts the sealed parts of the file, None until it has arrived. *used_by* is the intent or the replacement
    that used it up, *wish* a digest of the call that did, *report* what became of the file's lines, as JSON.
    """

    ticket_id: str
    principal: str
    group: TargetGroup
    bytes_max: int
    created_at: datetime
    expires_at: datetime
    pieces: int | None = None
    used_by: str | None = None
    wish: str | None = None
    report: str | None = None


@dataclass(frozen=True, slots=True)
class Spending:
    """What a ticket is used up for: *wish* and *report* as `Ticket` has them."""

    ticket_id: str
    wish: str
    report: str


class Tickets(Protocol):
    """The tickets of a ledger, and the sealed files that arrived under them; nothing here can open these."""

    async def issue(self, ticket: Ticket, *, handle_hash: str, url_hash: str) -> None:
        """Write a new ticket down.

        Raises:
            TooManyTickets: its principal has too many that can still be used.
        """
        ...

    async def awaiting(self, url_hash: str, *, now: datetime) -> Ticket | None:
        """Return the unexpired ticket that a file may still be sent for."""
        ...

    async def addressed(self, url_hash: str) -> Ticket | None:
        """Return the ticket of an address, whatever became of it, until it is forgotten."""
        ...

    async def fill(self, ticket_id: str, pieces: Sequence[bytes], *, ids: int, now: datetime) -> bool:
        """Keep the sealed pieces of a whole file; False unless its ticket is still waiting for one."""
        ...

    async def find(self, handle_hash: str, *, principal: str, group: TargetGroup, now: datetime) -> Ticket | None:
        """Return the ticket of a principal and target group that can be used, or was by a call that may be repeated.

        Where what used it was refused, nothing happened, and it can be used again.
        """
        ...

    async def prolong(self, ticket_id: str, *, until: datetime, now: datetime) -> bool:
        """Keep a file that arrived and was not used until then, if that is later.

        False where it is there no more, or has expired.
        """
        ...

    async def sealed(self, ticket_id: str) -> tuple[bytes, ...]:
        """Return the sealed pieces of a file, in their order; none once it was deleted."""
        ...

    async def empty(self, ticket_id: str, *, now: datetime) -> None:
        """Delete the file of a used ticket and every trace of it, unless what uses it may still be refused unsent."""
        ...

    async def expire(self, *, now: datetime) -> int:
        """Delete the files that were used or whose time has come, and return how many; forget tickets long over."""
        ...
