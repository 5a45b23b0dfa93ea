"""What we started, planned and saw agreed to, kept through crashes and shared between processes.

`ledger.sqlite.SqliteLedger` is not imported here: its driver is no part of a cold start.
"""

from recontact_tools.ledger.faults import (
    ActiveIntent,
    IllegalTransition,
    IntentIdTaken,
    KeyTaken,
    LedgerFault,
    LedgerUnavailable,
    UnknownIntent,
)
from recontact_tools.ledger.following import Elsewhere, ForeignJob, JobKey, News, Updates
from recontact_tools.ledger.interface import Ledger
from recontact_tools.ledger.records import Duration, Intent, Plan
from recontact_tools.ledger.states import ACTIVE_STATES, IntentState, PlanState, SettledBy, can_follow

__all__ = [
    "ACTIVE_STATES",
    "ActiveIntent",
    "Duration",
    "Elsewhere",
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
    "Plan",
    "PlanState",
    "SettledBy",
    "UnknownIntent",
    "Updates",
    "can_follow",
]
