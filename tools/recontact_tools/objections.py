"""What speaks against sending what was asked for, looked at right before it is sent."""

from datetime import timedelta

from recontact_tools.desk import Desk
from recontact_tools.errors import ErrorCode, NotAllowed, RecontactError
from recontact_tools.guardrails import check_count
from recontact_tools.ledger import Intent
from recontact_tools.models import JobKind
from recontact_tools.policy import check_write
from recontact_tools.recorded import acting
from recontact_tools.snapshotting import take_snapshot

# ours: a restart within this time goes on with what was asked; later, nobody may be waiting for it any more, and
# the list behind the count that a person saw before a removal may be another one.
PLANS_HOLD = {JobKind.UPLOAD: timedelta(minutes=10), JobKind.REMOVAL: timedelta(seconds=60)}
# ours: the snapshot of a long list takes minutes, an outage on the way some more; longer ago is another decision.
AGREEMENTS_HOLD = timedelta(hours=1)


async def objection_to(desk: Desk, intent: Intent) -> RecontactError | None:
    """Return what speaks against sending a planned intent now, seen from the process that would send it.

    It may be another one than was asked, under other rules, or the same after a crash; and what a person
    agreed to remove may have changed since. A removal is not sent before its snapshot is complete.
    """
    try:
        await _check_fresh(desk, intent)
        _check_allowed(desk, intent)
        if intent.kind is JobKind.REMOVAL:
            await _check_removable(desk, intent)
            _check_allowed(await acting(desk, intent), intent)  # a snapshot takes minutes
    except RecontactError as objection:
        return objection
    return None


def _check_allowed(desk: Desk, intent: Intent) -> None:
    """Refuse what whoever asked for it may not do any more.

    Raises:
        NotAllowed: They may not, or nobody knows them here any more.
    """
    if desk.objection is not None:
        raise desk.objection
    check_write(desk.policy, intent.group)


async def _check_fresh(desk: Desk, intent: Intent) -> None:
    """Refuse what nobody has worked on for too long, or what somebody agreed to long ago.

    Raises:
        NotAllowed: It is too old.
    """
    now = desk.clock.now()
    snapshot = await desk.ledger.snapshots.get(intent.intent_id)
    worked_on = max(intent.created_at, snapshot.updated_at) if snapshot else intent.created_at
    if now - worked_on > PLANS_HOLD[intent.kind] or now - intent.created_at > AGREEMENTS_HOLD:
        raise _stale(intent.kind)


async def _check_removable(desk: Desk, intent: Intent) -> None:
    """Take the snapshot of a removal, between two looks at the count that a person saw.

    Raises:
        RecontactError: The count has drifted, the snapshot cannot be taken, or it took too long.
    """
    check_count(planned=intent.ids, stored=await desk.gateway.get_overview(intent.group))
    await take_snapshot(desk, intent)
    check_count(planned=intent.ids, stored=await desk.gateway.get_overview(intent.group))
    await _check_fresh(desk, intent)


def _stale(kind: JobKind) -> NotAllowed:
    return NotAllowed(
        "The server stopped before this was sent, and it is too old to be sent now; nothing was changed.",
        code=ErrorCode.PLAN_NOT_VALID,
        next_step=f"If the user still wants the {kind.value}, start it again.",
    )
