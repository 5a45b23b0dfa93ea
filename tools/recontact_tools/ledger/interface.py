"""The ledger as the rest of the product sees it."""

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from recontact_tools.errors import Detail, ErrorCode
from recontact_tools.ledger.following import Elsewhere, Updates
from recontact_tools.ledger.records import Duration, Intent, Plan, Proof
from recontact_tools.ledger.replacements import Replacements
from recontact_tools.ledger.snapshots import Snapshots
from recontact_tools.ledger.states import SettledBy
from recontact_tools.ledger.task_interface import Tasks
from recontact_tools.ledger.ticket_interface import Spending, Tickets
from recontact_tools.ledger.usage import Usage
from recontact_tools.models import Caps, Job, JobKind, TargetGroup

if TYPE_CHECKING:  # their dataclasses are no part of a cold start
    from recontact_tools.ledger.approval_interface import Approvals
    from recontact_tools.ledger.entries import Evidence
    from recontact_tools.ledger.trail import AuditTrail


class Ledger(Protocol):
    """What we started, planned and saw agreed to; every write is durable when its call returns.

    Times are aware. A respondent id is held only in the payload of an intent that is planned or sending.
    Moves that repeat the last one change nothing, so a workflow's step may run again.
    """

    @property
    def snapshots(self) -> Snapshots:
        """The sealed lists."""
        ...

    @property
    def replacements(self) -> Replacements:
        """The replacements of one list by another."""
        ...

    @property
    def tasks(self) -> Tasks:
        """The names that clients of the Tasks extension have for jobs."""
        ...

    @property
    def tickets(self) -> Tickets:
        """The tickets of staged files."""
        ...

    @property
    def audit(self) -> "AuditTrail":
        """The record of every move, which is written with the move, and of what else happened."""
        ...

    @property
    def updates(self) -> Updates:
        """What changed, told between processes."""
        ...

    @property
    def approvals(self) -> "Approvals":
        """What people are asked, and decide, outside the client."""
        ...

    @property
    def elsewhere(self) -> Elsewhere:
        """Jobs that were started elsewhere."""
        ...

    @property
    def usage(self) -> Usage:
        """What each principal did today, and who they were."""
        ...

    async def digest(self, *parts: bytes) -> str:
        """Return a text that stands for *parts*: the same ones give the same text, in this ledger only."""
        ...

    async def pinned(self, name: str, value: bytes) -> bytes:
        """Return what was first written under *name*: *value*, unless another one was before; it never changes."""
        ...

    async def open_intent(
        self, intent: Intent, *, payload: bytes | None, spending: Spending | None = None, caps: Caps | None = None
    ) -> Intent:
        """Write a planned intent with what it is to send, or find the one that was asked for before.

        In one transaction; returns what `standing` would return, else *intent* once it is written. *spending* is the
        ticket of the staged file that is used up with it. Where *caps* are given, it counts for its principal.

        Raises:
            TicketUsed: the ticket cannot be used any more; nothing was written.
            CapReached: its principal would have more opened today than it may.
            ActiveIntent: another intent is active for the target group; the database decides.
            ActiveReplacement: a replacement works on the target group, and the intent is no part of it.
            KeyTaken: its idempotency key stands for something else.
            IntentIdTaken: the id names another intent.
            ValueError: the intent is not planned.
        """
        ...

    async def standing(self, intent: Intent) -> Intent | None:
        """Return the earlier intent that *intent*, which was not written yet, merely repeats.

        By its idempotency key, whenever that was used; without one by its fingerprint, as `repeats.still_stands`
        says, unless a removal was asked for since. A refused intent is never repeated, for nothing happened.

        Raises:
            KeyTaken: its idempotency key stands for something else.
        """
        ...

    async def payload(self, intent_id: str) -> bytes:
        """Return what an intent is to send.

        Raises:
            UnknownIntent: nothing is kept for it, or nothing any more.
        """
        ...

    async def mark_sending(self, intent_id: str, *, now: datetime) -> bool:
        """Move an intent from planned to sending; True exactly once: only on True may the caller POST.

        Raises:
            UnknownIntent: no such intent was written.
        """
        ...

    async def withdraw(self, intent_id: str, error: dict[str, Detail], *, now: datetime) -> bool:
        """Refuse an intent that is planned, and why; False, and nothing, once somebody may be sending it.

        Raises:
            UnknownIntent: no such intent was written.
        """
        ...

    async def mark_started(self, intent_id: str, *, job_id: str, now: datetime, found: bool = False) -> None:
        """Record that the API runs job *job_id*; the payload is deleted with it, and the error of one that was unknown.

        *found* is that looking told it, and not the API's answer.

        Raises:
            IllegalTransition: the intent is not being sent nor unknown, or runs under another job id.
            ActiveIntent: it was unknown, and another intent is active by now.
            UnknownIntent: no such intent was written.
        """
        ...

    async def note_job(self, intent_id: str, job: Job, *, now: datetime) -> bool:
        """Remember a look at a started job; True if its status is not the one seen before.

        The first look counts as a change. Looks at an intent that is not started are dropped.

        Raises:
            UnknownIntent: no such intent was written.
        """
        ...

    async def mark_finished(self, intent_id: str, job: Job, *, now: datetime, settled_by: SettledBy) -> None:
        """Record how a job ended, well or badly; the first report stays.

        Raises:
            IllegalTransition: the intent was never sent, or was refused.
            UnknownIntent: no such intent was written.
        """
        ...

    async def note_stored_after(self, intent_id: str, count: int) -> None:
        """Remember how many IDs were stored once the job had ended; the first count stays.

        Raises:
            UnknownIntent: no such intent was written.
        """
        ...

    async def note_proof(self, intent_id: str, proof: Proof, *, now: datetime) -> None:
        """Remember how the stored list compared with the sent one; the first comparison stays."""
        ...

    async def mark_refused(self, intent_id: str, error: dict[str, Detail], *, now: datetime) -> None:
        """Record that nothing was started, and why; the payload is deleted with it.

        Raises:
            IllegalTransition: the intent was started, or its outcome is unknown.
            UnknownIntent: no such intent was written.
        """
        ...

    async def mark_unknown(self, intent_id: str, error: dict[str, Detail], *, now: datetime) -> None:
        """Record that nobody knows what became of it; the payload is deleted with it.

        Raises:
            IllegalTransition: the intent was never sent, or is settled.
            UnknownIntent: no such intent was written.
        """
        ...

    async def get(self, intent_id: str) -> Intent | None:
        """Return an intent by its id."""
        ...

    async def find_job(self, kind: JobKind, job_id: str, group: TargetGroup | None) -> Intent | None:
        """Return the newest intent of *kind* whose job id, or own id, is *job_id*; None *group* is any."""
        ...

    async def active(self, group: TargetGroup) -> Intent | None:
        """Return the one planned, sending or started intent of a target group."""
        ...

    async def unsettled(self) -> tuple[Intent, ...]:
        """Return every active intent that is no part of a replacement, oldest first."""
        ...

    async def unproved(self) -> tuple[Intent, ...]:
        """Return every restore of RSIDs that has ended and was not compared with what is stored, oldest first."""
        ...

    async def recent(
        self, target_group_id: str | None = None, *, principal: str | None = None, limit: int
    ) -> tuple[Intent, ...]:
        """Return the latest intents that are no part of a replacement, the latest first.

        Those of one *principal* are found among the latest 10,000 of everybody.
        """
        ...

    async def record_plan(self, plan: Plan) -> None:
        """Write a plan; other open plans of the same principal and target group are closed."""
        ...

    async def open_plan(self, principal: str, group: TargetGroup, *, now: datetime) -> Plan | None:
        """Return the open, unexpired plan of a principal and target group."""
        ...

    async def spend_plan(self, plan_id: str, *, principal: str, now: datetime, evidence: "Evidence" = ...) -> bool:
        """Use a plan up; True exactly once, and only if it is open, unexpired and the principal's own.

        *evidence* is how sure it is that a person agreed; whoever says nothing claims the least.
        """
        ...

    async def close_plan(self, plan_id: str, *, now: datetime, code: ErrorCode = ...) -> None:
        """Make an open plan unusable, *code* being why; a spent, closed or unknown one is left as it is."""
        ...

    async def places(self, target_group_id: str) -> tuple[TargetGroup, ...]:
        """Return under which accounts and projects jobs were accepted for a target group, the latest first."""
        ...

    async def durations(self, kind: JobKind, account_id: int, *, ids_min: int, limit: int) -> tuple[Duration, ...]:
        """Return how long the latest jobs of at least *ids_min* IDs took that were started here and completed."""
        ...

    async def changed_since(self, intent_id: str) -> bool:
        """Tell whether a later intent of the same target group may have changed what it stores."""
        ...

    async def known_target_groups(self, prefix: str, limit: int) -> tuple[str, ...]:
        """Return at most *limit* target group ids that jobs were started for, the latest first."""
        ...

    async def known_jobs(self, kind: JobKind, group: TargetGroup | None, *, prefix: str, limit: int) -> tuple[str, ...]:
        """Return at most *limit* of the API's job ids that were started here, the latest first."""
        ...

    async def aclose(self) -> None:
        """Let go of the database; the last process to do so leaves nothing but the file."""
        ...
