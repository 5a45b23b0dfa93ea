"""Approvals as the rest of the product sees them: what a person decided about a plan outside the client."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from recontact_tools.ledger.records import Plan
from recontact_tools.ledger.states import PlanState

if TYPE_CHECKING:
    from recontact_tools.ledger.entries import Evidence


class Decision(StrEnum):
    """What a person said to a plan."""

    AWAITED = "awaited"
    APPROVED = "approved"
    DENIED = "denied"


class Standing(StrEnum):
    """How a plan stands that a person is asked about outside the client: our words, shown to agents."""

    AWAITING = "AwaitingApproval"
    APPROVED = "Approved"
    DENIED = "Denied"
    EXPIRED = "Expired"
    CLOSED = "Closed"
    USED = "Used"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What a person is asked about a plan outside the client, and what they decided.

    *code* names the plan to whoever may decide about it, and approves nothing. *work_id* is the intent or the
    replacement that the plan was used for. *receipt* is the signed record of a decision to approve, as JSON.
    """

    plan: Plan
    code: str
    decision: Decision = Decision.AWAITED
    approver: str | None = None
    decided_at: datetime | None = None
    receipt: str | None = None
    work_id: str | None = None

    def standing(self, now: datetime) -> Standing:
        """Tell how the plan stands; one that was decided about may still expire."""
        if self.plan.state is PlanState.SPENT:
            return Standing.USED
        if self.decision is Decision.DENIED:
            return Standing.DENIED
        if self.plan.state is PlanState.CLOSED:
            return Standing.CLOSED
        if now >= self.plan.expires_at:
            return Standing.EXPIRED
        return Standing.APPROVED if self.decision is Decision.APPROVED else Standing.AWAITING


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """A passkey that a principal has registered: its public part, and how often it has signed."""

    credential_id: str
    principal: str
    public_key: bytes
    signed: int
    created_at: datetime


class Approvals(Protocol):
    """What is asked and decided outside the client; every write is durable when its call returns. Times are aware."""

    async def ask(self, plan: Plan, code: str) -> Approval:
        """Write a plan that a person is to decide about, or find the open one of the same wish and count.

        Other open plans of the same principal and target group are closed.
        """
        ...

    async def of_plan(self, plan_id: str) -> Approval | None:
        """Return what is asked about a plan; None where nobody is asked outside the client."""
        ...

    async def by_code(self, code: str) -> Approval | None:
        """Return what is asked under a code, whoever asks."""
        ...

    async def awaited(self, principal: str, *, now: datetime) -> tuple[Approval, ...]:
        """Return what a principal asked for and nobody has decided yet, oldest first."""
        ...

    async def pending(self, principal: str | None, *, now: datetime, limit: int) -> tuple[Approval, ...]:
        """Return what is asked and was neither used, closed nor has expired, oldest first: of one principal, or all."""
        ...

    async def approve(
        self, plan_id: str, *, approver: str, evidence: "Evidence", receipt: str, digest: str, now: datetime
    ) -> bool:
        """Record that a person agreed; True exactly once, and only for a plan that is open, unexpired and undecided.

        *receipt* is kept, and its *digest* is written into the audit trail.
        """
        ...

    async def deny(self, plan_id: str, *, approver: str, now: datetime) -> bool:
        """Close a plan that is open and undecided; True exactly once."""
        ...

    async def attempts(self, who: str, *, now: datetime, since: datetime, most: int) -> int:
        """Count one more attempt of *who*, and return how many there were *since* then; older ones are forgotten.

        Beyond *most* none is written, nor anything else, and the answer is one more than that.
        """
        ...

    async def issue(self, digest: str, purpose: str, subject: str, *, now: datetime, expires_at: datetime) -> None:
        """Write a value that may be used once, known by its *digest*; expired ones are forgotten."""
        ...

    async def issued(self, digest: str, purpose: str, *, now: datetime) -> bool:
        """Tell whether a value was written for this purpose, was not used and has not expired; it is not used up."""
        ...

    async def redeem(self, digest: str, purpose: str, *, now: datetime) -> str | None:
        """Use a value up and return its subject; None if it was used, has expired, or was made for something else."""
        ...

    async def add_passkey(self, passkey: Passkey) -> bool:
        """Register a passkey; False if there is one of this id."""
        ...

    async def passkeys(self, principal: str) -> tuple[Passkey, ...]:
        """Return the passkeys of a principal, oldest first."""
        ...

    async def note_signed(self, credential_id: str, signed: int) -> None:
        """Remember how often a passkey has signed by its own count."""
        ...
