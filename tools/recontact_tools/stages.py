"""The stages of a job's life, each safe to run again: send once, settle a lost answer, follow."""

from recontact_tools.desk import Desk
from recontact_tools.following import follow
from recontact_tools.ledger import Intent, IntentState
from recontact_tools.models import JobKind
from recontact_tools.proving import prove
from recontact_tools.recorded import acting, recorded
from recontact_tools.sending import KNOWN, Sent, send
from recontact_tools.settling import settle_removal, settle_upload

__all__ = ["Sent", "ended", "follow", "prove_restored", "recorded", "send", "settle"]


async def settle(desk: Desk, intent_id: str) -> Sent:
    """Find out what became of a POST whose answer was lost, by looking only."""
    intent = await recorded(desk, intent_id)
    if intent.state is not IntentState.SENDING:
        return KNOWN[intent.state]
    desk = await acting(desk, intent)
    if intent.kind is JobKind.UPLOAD:
        await settle_upload(desk, intent)
    else:
        await settle_removal(desk, intent)
    return KNOWN[(await recorded(desk, intent_id)).state]


async def ended(desk: Desk, intent_id: str) -> Intent:
    """Go through all stages of an intent, from wherever it is, and return it as it ends."""
    sent = await send(desk, intent_id)
    if sent is Sent.LOST:
        sent = await settle(desk, intent_id)
    if sent is Sent.STARTED:
        await follow(desk, intent_id)
    return await recorded(desk, intent_id)


async def prove_restored(desk: Desk, intent_id: str) -> None:
    """Compare what is stored with what a finished restore has sent; nothing for any other job."""
    intent = await recorded(desk, intent_id)
    await prove(await acting(desk, intent), intent)
