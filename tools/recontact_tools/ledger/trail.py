"""The audit trail as the rest of the product sees it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from recontact_tools.ledger.entries import Entry, Word

GENESIS = "0" * 64
"""What stands for the hash before the first entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An entry in its place: *hash* covers every other field, and by *previous* all entries before it.

    *event* is a text, for a newer version may have written one that this version does not know.
    """

    seq: int
    at: str
    principal: str
    event: str
    subject: str
    account_id: int | None
    project_id: str | None
    target_group_id: str | None
    intent_id: str | None
    plan_id: str | None
    job_id: str | None
    detail: Mapping[str, Word]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries to show; None is any. A target group's id also finds refusals that named no account or project.

    *job_id* is the API's id of a job, or ours of an intent or a plan.
    """

    principal: str | None = None
    account_id: int | None = None
    project_id: str | None = None
    target_group_id: str | None = None
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the chain has found: its head, and where and why it breaks, if it does.

    *broken_at* is the number of the first entry that is not as it was written, or is missing. *found* says whether
    the hash that was *expected*, which somebody noted, is in the chain; without one it is.
    """

    count: int = 0
    head: str = GENESIS
    broken_at: int | None = None
    why: str | None = None
    expected: str | None = None
    found: bool = True

    @property
    def holds(self) -> bool:
        """Whether the chain is whole and holds what was expected."""
        return self.broken_at is None and self.found


class AuditTrail(Protocol):
    """Everything that changed something, or was to: only ever appended to, and the same for every process.

    The ledger appends what becomes of its intents and plans by itself, with the change, in one transaction.
    """

    async def record(self, entry: Entry) -> None:
        """Append an entry that belongs to no change of the ledger; it is durable when the call returns."""
        ...

    async def record_refusal(self, entry: Entry) -> None:
        """Append the entry of a call that was refused and changed nothing, or count it if it repeats others.

        Of one principal, tool, code, refusing setting and target group the first few within an hour are entries; how
        many more there were is one, written when the hour is over. Of a principal who is refused in more than fifty
        such kinds within an hour, the others are told apart by tool and code alone, and that entry says how many target
        groups they named. All processes count together.
        """
        ...

    async def settle_refusals(self, *, now: datetime) -> None:
        """Append how many more calls were refused in each hour that is over."""
        ...

    async def newest(
        self, limit: int, wanted: Wanted, *, keep: Callable[[Recorded], bool] = ...
    ) -> tuple[Recorded, ...]:
        """Return at most *limit* entries that are *wanted* and that *keep* accepts, the newest first."""
        ...

    async def verify(self, expected: str | None = None) -> Verdict:
        """Check the whole chain, some hundred entries at a time, and whether the *expected* hash is in it."""
        ...
