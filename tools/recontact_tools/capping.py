"""The refusal of whoever had as much done today as the access file lets them."""

from datetime import UTC, datetime, time, timedelta

from recontact_tools.errors import ErrorCode, NotAllowed
from recontact_tools.ledger import CapReached
from recontact_tools.models import Caps
from recontact_tools.policy import ACCESS_EDITOR, Policy
from recontact_tools.runtime import Runtime

_WORDS = {"uploads": "uploads", "ids": "uploaded IDs", "removals": "removals"}


def an_upload(ids: int) -> Caps:
    """Return what an upload counts as."""
    return Caps(1, ids, 0)


def a_plan(new_ids: int | None) -> Caps:
    """Return what a removal counts as, or with so many *new_ids* a replacement."""
    return Caps(0, 0, 1) if new_ids is None else Caps(1, new_ids, 1)


async def check_left_today(runtime: Runtime, wanted: Caps) -> None:
    """Accept what the day still allows, before a person is asked or the API is; what is opened is counted once more.

    Raises:
        NotAllowed: It would be more than a cap.
    """
    caps = runtime.rules.caps
    if caps is None or caps == Caps():
        return
    now = runtime.clock.now()
    reached = exceeded(caps, await runtime.ledger.usage.today(runtime.principal, now=now), wanted)
    if reached is not None:
        raise cap_reached(reached, runtime.rules.policy, now)


def exceeded(caps: Caps, used: Caps, wanted: Caps) -> CapReached | None:
    """Return the first cap that *wanted* on top of what was *used* would be more than; None where it fits."""
    for name in _WORDS:
        cap, before, added = (getattr(one, name) for one in (caps, used, wanted))
        if added and cap is not None and before + added > cap:
            return CapReached(name, cap=cap, used=before)
    return None


def cap_reached(reached: CapReached, policy: Policy, now: datetime) -> NotAllowed:
    """Say which cap was reached, how much is left of it, and when it begins anew."""
    rule = f"{policy.entry or 'access file'}.caps_per_day.{reached.name}"
    renews_at = renewed_at(now).isoformat()
    left = max(0, reached.cap - reached.used)
    return NotAllowed(
        f"This would be more {_WORDS[reached.name]} than you may have in a day ({rule}): {left} are left today; "
        "nothing was sent.",
        code=ErrorCode.CAP_REACHED,
        next_step=f"Tell the user. The day (UTC) ends at {renews_at}; only {ACCESS_EDITOR} can raise the cap.",
        details={
            "setting": "RECONTACT_ACCESS_FILE",
            "rule": rule,
            "lifted_by": ACCESS_EDITOR,
            "left_today": left,
            "renews_at": renews_at,
        },
    )


def renewed_at(now: datetime) -> datetime:
    """Return when the day (UTC) of a moment ends."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), tzinfo=UTC)
