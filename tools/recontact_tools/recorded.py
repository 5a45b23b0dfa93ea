"""An intent that a workflow runs for, and the desk of whoever asked for it."""

from recontact_tools.desk import Desk
from recontact_tools.ledger import Intent


async def recorded(desk: Desk, intent_id: str) -> Intent:
    """Return an intent that is known to exist."""
    intent = await desk.ledger.get(intent_id)
    if intent is None:
        raise AssertionError("a workflow runs only for an intent that was written first")
    return intent


async def acting(desk: Desk, intent: Intent) -> Desk:
    """Return the desk as it is for whoever asked for an intent: another person has other rules and credentials."""
    return await desk.acting_for(intent.principal, intent.group.account_id, intent.claims)
