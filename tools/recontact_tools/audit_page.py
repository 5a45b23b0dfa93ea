"""The newest entries of the audit trail, as whoever asks may see them."""

from dataclasses import asdict

from recontact_tools.errors import Detail, NotAllowed
from recontact_tools.ledger.trail import Recorded, Wanted
from recontact_tools.models import TargetGroup
from recontact_tools.policy import Policy, check_parts, check_read
from recontact_tools.runtime import Runtime

# ours: some 50 kB, what became of about twenty jobs; the command line shows as many as a person wants.
ENTRIES_SHOWN = 100


# What is about the whole chain: who sees only what is their own would learn from it how much others do.
_OF_THE_CHAIN = frozenset({"seq", "previous", "hash"})


async def audit_page(runtime: Runtime, group: TargetGroup | None, *, alone: bool) -> dict[str, Detail]:
    """Return the caller's own newest entries, all or those about one target group, and whether the chain holds.

    Whoever is *alone* here is told the number of all entries too, the newest hash, and where the chain breaks.

    Raises:
        NotAllowed: Policy does not let this target group be looked at.
    """
    wanted = Wanted(principal=runtime.principal)
    if group is not None:
        check_read(runtime.rules.policy, group)
        wanted = Wanted(runtime.principal, group.account_id, group.project_id, group.target_group_id)
    audit, policy = runtime.ledger.audit, runtime.rules.policy
    verdict = await audit.verify()
    shown = await audit.newest(ENTRIES_SHOWN, wanted, keep=lambda entry: _may_see(policy, entry))
    left_out = frozenset[str]() if alone else _OF_THE_CHAIN
    entries: list[Detail] = [
        {name: word for name, word in asdict(entry).items() if name not in left_out} for entry in shown
    ]
    if not alone:
        return {"verified": verdict.holds, "entries": entries}
    return {
        "count": verdict.count,
        "head": verdict.head,
        "verified": verdict.holds,
        "broken_at": verdict.broken_at,
        "entries": entries,
    }


def _may_see(policy: Policy, entry: Recorded) -> bool:
    """Tell whether the allow-lists let an entry be shown; one that is about no target group tells of none."""
    if entry.target_group_id is None:
        return True
    try:
        check_parts(policy, entry.target_group_id, entry.project_id, entry.account_id)
    except NotAllowed:
        return False
    return True
