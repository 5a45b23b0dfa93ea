"""What we started, planned and saw agreed to, kept through crashes and shared between processes.

`ledger.sql.SqlLedger` is not imported here: its driver is no part of a cold start.
"""

from recontact_tools.ledger.approval_interface import Approval, Approvals, Decision, Passkey, Standing
from recontact_tools.ledger.faults import (
    ActiveIntent,
    ActiveReplacement,
    IllegalTransition,
    IntentIdTaken,
    KeyTaken,
    LedgerFault,
    LedgerUnavailable,
    ReplacementEnded,
    ReplacementKeyTaken,
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

__all__ = [
    "ACTIVE_STATES",
    "ENDS",
    "ActiveIntent",
    "ActiveReplacement",
    "Approval",
    "Approvals",
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
    "Stage",
    "Standing",
    "Task",
    "Tasks",
    "UnknownIntent",
    "Updates",
    "can_follow",
]
