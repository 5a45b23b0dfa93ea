"""The refusal of whoever had as much done today as the access file lets them."""

from datetime import UTC, datetime, time, timedelta

from recontact_tools.errors import ErrorCode, NotAllowed
from recontact_tools.ledger import CapReached
from recontact_tools.ledger.usage import exceeded
from recontact_tools.models import Caps
from recontact_tools.policy import ACCESS_EDITOR, Policy
from recontact_tools.runtime import Runtime

_WORDS = {"uploads": "uploads", "ids": "uploaded IDs", "removals": "removals"}


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
