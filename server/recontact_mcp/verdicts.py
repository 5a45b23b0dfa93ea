"""Whether somebody may do something, worked out by the very rules that bind a call, and without asking anybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recontact_mcp.scopes import check_scopes, of_tool
from recontact_tools.catalog import EVERYTHING
from recontact_tools.errors import NotAllowed
from recontact_tools.policy import check_changes, check_parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from recontact_mcp.callers import Caller
    from recontact_mcp.scopes import Scope
    from recontact_tools.models import Caps

CHANGING = frozenset(operation.name for operation in EVERYTHING if not operation.read_only)


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of where a target group lives; None is not known, and denies nothing."""

    target_group_id: str | None = None
    project_id: str | None = None
    account_id: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it is allowed; if not, *refusal* says by which rule and who may lift it.

    *entry* is the place in the access file that counts, None where the settings alone do. *caps* are those of a day.
    """

    refusal: NotAllowed | None
    entry: str | None = None
    caps: Caps | None = None


def verdict(who: Callable[[], Caller], tool: str, place: Place, *, scopes: frozenset[Scope] | None = None) -> Verdict:
    """Judge a call of *tool* by *who* finds; *scopes* None leaves those of the token out of it."""
    try:
        caller = who()
    except NotAllowed as refusal:
        return Verdict(refusal)
    entry = caller.policy.entry
    try:
        if scopes is not None:
            check_scopes(scopes, of_tool(tool))
        check_parts(caller.policy, place.target_group_id, place.project_id, place.account_id)
        if tool in CHANGING:
            check_changes(caller.policy)
    except NotAllowed as refusal:
        return Verdict(refusal, entry, caller.caps)
    return Verdict(None, entry, caller.caps)
