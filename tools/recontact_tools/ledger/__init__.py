"""What we started, planned and saw agreed to, kept through crashes and shared between processes.

`ledger.sql.SqlLedger` is not imported here: its driver is no part of a cold start.
"""

from recontact_tools.ledger.approval_interface import Approval, Approvals, Decision, Passkey, Standing
from recontact_tools.ledger.faults import (
    ActiveIntent,
    ActiveReplacement,
    CapReached,
    IllegalTransition,
    IntentIdTaken,
    KeyTaken,
    LedgerFault,
    LedgerUnavailable,
    ReplacementEnded,
    ReplacementKeyTaken,
    TicketUsed,
    TooManyTickets,
    UnknownIntent,
)
from recontact_tools.ledger.following import Elsewhere, ForeignJob, JobKey, News, Updates
from recontact_tools.ledger.interface import Ledger
from recontact_tools.ledger.records import Duration, Intent, Plan, Proof, Replacement
from recontact_tools.ledger.replacements import Replacements
from recontact_tools.ledger.snapshots import Piece, Purpose, Snapshot, Snapshots
from recontact_tools.ledger.states import (
    ACTIVE_STATES,
    ENDS,
    Evidence,
    IntentState,
    PlanPurpose,
    PlanState,
    SettledBy,
    Stage,
    can_follow,
)
from recontact_tools.ledger.task_interface import Task, Tasks
from recontact_tools.ledger.ticket_interface import Spending, Ticket, Tickets

__all__ = [
    "ACTIVE_STATES",
    "ENDS",
    "ActiveIntent",
    "ActiveReplacement",
    "Approval",
    "Approvals",
    "CapReached",
    "Decision",
    "Duration",
    "Elsewhere",
    "Evidence",
    "ForeignJob",
    "IllegalTransition",
    "Intent",
    "IntentIdTaken",
    "IntentState",
    "JobKey",
    "KeyTaken",
    "Ledger",
    "LedgerFault",
    "LedgerUnavailable",
    "News",
    "Passkey",
    "Piece",
    "Plan",
    "PlanPurpose",
    "PlanState",
    "Proof",
    "Purpose",
    "Replacement",
    "ReplacementEnded",
    "ReplacementKeyTaken",
    "Replacements",
    "SettledBy",
    "Snapshot",
    "Snapshots",
    "Spending",
    "Stage",
    "Standing",
    "Task",
    "Tasks",
    "Ticket",
    "TicketUsed",
    "Tickets",
    "TooManyTickets",
    "UnknownIntent",
    "Updates",
    "can_follow",
]
