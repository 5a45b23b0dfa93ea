"""Replacements: one list for another, as one wish that ends well, with the old list, or with what is left to do."""

from datetime import datetime
from typing import Protocol

from recontact_tools.errors import Detail
from recontact_tools.ledger.records import Intent, Proof, Replacement
from recontact_tools.ledger.states import Stage
from recontact_tools.ledger.ticket_interface import Spending
from recontact_tools.models import Caps, TargetGroup


class Replacements(Protocol):
    """The replacements of a ledger."""

    async def open(
        self, replacement: Replacement, *, spending: Spending | None = None, caps: Caps | None = None
    ) -> Replacement:
        """Write a replacement down, or return the one that it repeats; *spending* is the ticket used up with it.

        Where *caps* are given, it counts for its principal.

        Raises:
            TicketUsed: the ticket cannot be used any more; nothing was written.
            CapReached: its principal would have more opened today than it may.
            ActiveIntent: a job runs on its target group.
            ActiveReplacement: another replacement does.
            ReplacementKeyTaken: its idempotency key stands for something else.
        """
        ...

    async def standing(self, replacement: Replacement) -> Replacement | None:
        """Return the earlier replacement that one which was not written yet repeats.

        Raises:
            ReplacementKeyTaken: its idempotency key stands for something else.
        """
        ...

    async def get(self, replacement_id: str) -> Replacement | None:
        """Return a replacement by its id."""
        ...

    async def active(self, group: TargetGroup) -> Replacement | None:
        """Return the one replacement that works on a target group."""
        ...

    async def unsettled(self) -> tuple[Replacement, ...]:
        """Return every replacement that has not ended, oldest first."""
        ...

    async def recent(
        self, target_group_id: str | None = None, *, principal: str | None = None, limit: int
    ) -> tuple[Replacement, ...]:
        """Return the latest replacements, the latest first; of one *principal*, as `Ledger.recent` does."""
        ...

    async def move(
        self,
        replacement_id: str,
        old: Stage,
        new: Stage,
        *,
        now: datetime,
        error: dict[str, Detail] | None = None,
        proof: Proof | None = None,
    ) -> bool:
        """Move on from stage *old*, and count that; False if it is in another one by now."""
        ...

    async def withdraw(self, replacement_id: str, error: dict[str, Detail], *, now: datetime) -> bool:
        """End a replacement of which nothing was sent yet; False, and nothing, once its removal may be sent."""
        ...

    async def turn_back(self, replacement_id: str, error: dict[str, Detail], *, now: datetime) -> bool:
        """Put the old list back instead of uploading the new one; False while an upload may be on its way."""
        ...

    async def parts(self, replacement_id: str) -> tuple[Intent, ...]:
        """Return the removal and the uploads of a replacement, oldest first."""
        ...

    async def try_again(self, replacement_id: str, attempts: int) -> None:
        """Count an attempt more than *attempts*; once, however often called."""
        ...
