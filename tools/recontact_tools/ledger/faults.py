"""What can go wrong in the ledger; the first five are answers to a caller, the rest faults of ours.

ActiveIntent              another intent is active for the target group
ActiveReplacement         a replacement works on the target group
KeyTaken                  the idempotency key names another intent
ReplacementKeyTaken       the idempotency key names another replacement
CapReached                the principal had as much opened today as it may
LedgerFault
├── UnknownIntent         no such intent was written
├── IntentIdTaken         the id names another intent
├── ReplacementEnded      the replacement that an intent is a part of has ended
├── IllegalTransition     the intent cannot move to that state
└── LedgerUnavailable     the database did not answer, or is not one we can use
    └── NoLedger          nothing was ever kept there
"""

from recontact_tools.ledger.records import Intent
from recontact_tools.ledger.states import IntentState


class ActiveIntent(Exception):
    """Another intent is active for the target group; *intent* is that one."""

    def __init__(self, intent: Intent) -> None:
        super().__init__("another intent is active for this target group")
        self.intent = intent


class KeyTaken(Exception):
    """The caller's idempotency key stands for *intent*, which asked for something else."""

    def __init__(self, intent: Intent) -> None:
        super().__init__("this key was used for another intent")
        self.intent = intent


class ActiveReplacement(Exception):
    """A replacement works on the target group; *replacement_id* is that one."""

    def __init__(self, replacement_id: str) -> None:
        super().__init__("a replacement works on this target group")
        self.replacement_id = replacement_id


class ReplacementKeyTaken(Exception):
    """The caller's idempotency key stands for the replacement *replacement_id*, which asked for something else."""

    def __init__(self, replacement_id: str) -> None:
        super().__init__("this key was used for another replacement")
        self.replacement_id = replacement_id


class TicketUsed(Exception):
    """A staged file was used by another call meanwhile, or is not there any more."""

    def __init__(self) -> None:
        super().__init__("this ticket cannot be used any more")


class TooManyTickets(Exception):
    """A principal has as many tickets as anybody may have."""

    def __init__(self) -> None:
        super().__init__("this principal has too many tickets")


class CapReached(Exception):
    """A principal would have more opened today than it may: *name* of what, *used* of *cap* before this."""

    def __init__(self, name: str, *, cap: int, used: int) -> None:
        super().__init__("the principal had as much opened today as it may")
        self.name = name
        self.cap = cap
        self.used = used


class LedgerFault(Exception):
    """The ledger was used wrongly or cannot be used."""


class UnknownIntent(LedgerFault):
    """No intent of that id was written."""

    def __init__(self) -> None:
        super().__init__("the ledger holds no such intent")


class IntentIdTaken(LedgerFault):
    """An intent of that id was written for something else."""

    def __init__(self) -> None:
        super().__init__("the ledger holds another intent of this id")


class ReplacementEnded(LedgerFault):
    """The replacement that an intent is a part of has ended, or was never begun."""

    def __init__(self) -> None:
        super().__init__("the replacement that this is a part of has ended")


class IllegalTransition(LedgerFault):
    """The intent is in state *old*, which *new* cannot follow."""

    def __init__(self, old: IntentState, new: IntentState) -> None:
        super().__init__(f"an intent that is {old.value} cannot become {new.value}")
        self.old = old
        self.new = new


class LedgerUnavailable(LedgerFault):
    """The database is locked for too long, full, damaged, closed or of a newer version."""


class NoLedger(LedgerUnavailable):
    """Nothing was ever kept there."""

    def __init__(self) -> None:
        super().__init__("there is no ledger yet")
