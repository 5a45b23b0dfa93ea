"""Where a target group lives: from what a caller wrote to the three ids every path of the API is made of.

Of several sources the first that knows wins: the arguments of the call, the pasted text, the ledger (where jobs of
this target group were accepted), the configured account and project, and last the API, which finds launched target
groups by their id alone. No place that the allow-lists do not hold is ever returned or told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recontact_tools.errors import InvalidInput, NotFound
from recontact_tools.guardrails import (
    Pasted,
    account_id_checked,
    project_id_checked,
    read_pasted,
    with_arguments,
)
from recontact_tools.models import TargetGroup
from recontact_tools.policy import check_parts, check_read, may_read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recontact_tools.errors import Detail
    from recontact_tools.gateway import Gateway
    from recontact_tools.runtime import Runtime


async def locate(runtime: Runtime, target_group_id: str, project_id: str | None, account_id: int | None) -> TargetGroup:
    """Return the target group that a call means; *target_group_id* is an id, or a text with a URL or path in it.

    Asks the API only if nothing nearer knows, once for each target group and process.

    Raises:
        InvalidInput: An id is malformed, two sources contradict each other, or nobody knows the account and project.
        NotAllowed: An allow-list does not hold it.
        NotFound: It lives elsewhere than the call or the settings say.
        RecontactError: The API was asked, and did not answer the read.
    """
    # What a caller repeats for every call of a conversation: worth the least of work.
    if project_id is None and account_id is None and (known := runtime.places.get(target_group_id)) is not None:
        return known
    wanted = with_arguments(read_pasted(target_group_id), project_id, account_id)
    return await _known(runtime, wanted) or await _looked_up(runtime, wanted)


async def located_before(
    runtime: Runtime, target_group_id: str, project_id: str | None, account_id: int | None
) -> TargetGroup | None:
    """Do the same without ever asking the API; None if only the API could know.

    Raises:
        InvalidInput: An id is malformed, or two sources contradict each other.
        NotAllowed: An allow-list does not hold it.
    """
    return await _known(runtime, with_arguments(read_pasted(target_group_id), project_id, account_id))


async def found_by_id(gateway: Gateway, target_group_id: str) -> TargetGroup | None:
    """Ask the API where a target group lives; None for a draft, and for what these credentials do not see.

    The answer may be a place that the policy hides: check it before anything of it is told.

    Raises:
        RecontactError: The API did not answer the read.
    """
    try:
        found = await gateway.target_groups.find(target_group_id)
        # They go into the paths of later requests, so they are held to the shape of the API too.
        return TargetGroup(
            account_id_checked(found.account_id), project_id_checked(found.project_id), found.target_group_id
        )
    except (NotFound, InvalidInput):
        return None


def choose(wanted: Pasted, places: Sequence[TargetGroup], configured: TargetGroup | None) -> TargetGroup | None:
    """Return the one of *places* that is meant; *configured* decides between several, and where there is none.

    Raises:
        InvalidInput: Several are left, and nothing tells which is meant.
    """
    if len(places) == 1:
        return places[0]
    if places and configured not in places:
        raise InvalidInput(
            "Jobs of this target group were started in several projects; nothing was sent.",
            next_step="Ask which is meant, and repeat the call with its project_id and account_id.",
            safe_to_repeat=True,
            details={"target_group_id": wanted.target_group_id, "places": [place_told(place) for place in places]},
        )
    return configured


def in_another_place(group: TargetGroup, expected: Pasted) -> NotFound:
    """Say where a target group is instead of where it was *expected*; the caller decides whether it is meant."""
    words = {
        "account": expected.account_id not in {None, group.account_id},
        "project": expected.project_id not in {None, group.project_id},
    }
    what = " and ".join(word for word, differs in words.items() if differs)
    return NotFound(
        f"The target group is in another {what}; nothing was changed.",
        next_step="Make sure that it is the target group that the user means, and repeat the call with this"
        " project_id and account_id.",
        safe_to_repeat=True,
        details=place_told(group),
    )


def place_told(group: TargetGroup) -> dict[str, Detail]:
    """Return a place as the arguments that name it."""
    return {"account_id": group.account_id, "project_id": group.project_id}


async def _known(runtime: Runtime, wanted: Pasted) -> TargetGroup | None:
    policy, places = runtime.rules.policy, runtime.places
    check_parts(policy, wanted.target_group_id, wanted.project_id, wanted.account_id)
    remembered = places.get(wanted.target_group_id)
    if remembered is not None and not _fits(remembered, wanted):
        places.forget(wanted.target_group_id)  # it may have been assumed, and the ledger will know better
        remembered = None
    group = _completed(wanted, None, None) or remembered
    if group is not None:
        return group
    recorded = [place for place in await runtime.ledger.places(wanted.target_group_id) if _fits(place, wanted)]
    allowed = [place for place in recorded if may_read(policy, place)]
    configured = _completed(wanted, runtime.rules.project_id, runtime.rules.account_id)
    # Whoever has an entry of their own is not told that others work there: it is as unknown as if nobody did.
    denied = recorded[:1] if policy.entry is None else []
    group = choose(wanted, allowed or denied, configured)
    return None if group is None else _settled(runtime, wanted, group)


async def _looked_up(runtime: Runtime, wanted: Pasted) -> TargetGroup:
    expected = Pasted(
        wanted.target_group_id,
        wanted.project_id or runtime.rules.project_id,
        wanted.account_id or runtime.rules.account_id,
    )
    found = await found_by_id(runtime.gateway, wanted.target_group_id)
    policy = runtime.rules.policy
    if found is None or (policy.entry is not None and not may_read(policy, found)):
        raise _needed(expected)
    check_read(policy, found)
    if not _fits(found, expected):
        raise in_another_place(found, expected)
    runtime.places.remember(found)
    return found


def _settled(runtime: Runtime, wanted: Pasted, group: TargetGroup) -> TargetGroup:
    check_read(runtime.rules.policy, group)
    if wanted == Pasted(group.target_group_id):
        runtime.places.remember(group)
    return group


def _completed(wanted: Pasted, project_id: str | None, account_id: int | None) -> TargetGroup | None:
    project, account = wanted.project_id or project_id, wanted.account_id or account_id
    if project is None or account is None:
        return None
    return TargetGroup(account, project, wanted.target_group_id)


def _fits(place: TargetGroup, wanted: Pasted) -> bool:
    return wanted.project_id in {None, place.project_id} and wanted.account_id in {None, place.account_id}


def _needed(expected: Pasted) -> InvalidInput:
    parts = {"account_id": expected.account_id, "project_id": expected.project_id}
    missing = [name for name, value in parts.items() if value is None]
    return InvalidInput(
        f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} needed: not given, not configured, and the"
        " target group was not found by its id alone; nothing was changed.",
        next_step="Drafts cannot be found by their id alone: repeat the call with project_id (and account_id), or with"
        " the target group's Cint URL as target_group_id. Ask the user for them.",
        safe_to_repeat=True,
    )
