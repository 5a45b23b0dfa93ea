"""What the operator allows, whatever a client asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from recontact_tools.errors import ErrorCode, NotAllowed

if TYPE_CHECKING:
    from collections.abc import Collection

    from recontact_tools.errors import Detail
    from recontact_tools.models import TargetGroup

_Id = TypeVar("_Id", int, str)
OPERATOR: Final = "the operator of this server"
ACCESS_EDITOR: Final = "whoever edits the access file of this server"
FREEZER: Final = "whoever froze it, by removing the freeze file or what it says"

_SETTINGS: Final = {
    "read_only": "RECONTACT_READ_ONLY",
    "accounts": "RECONTACT_ALLOWED_ACCOUNTS",
    "projects": "RECONTACT_ALLOWED_PROJECTS",
    "target_groups": "RECONTACT_ALLOWED_TARGET_GROUPS",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's rules. No rule has a default: forgetting one must not open a door.

    An allow-list that is None was never set and allows everything; one that is set allows what it holds,
    so an empty one allows nothing. Ids are upper case, as the checks of arguments return them.
    *entry* is the place in the access file that says so, None the settings. *within* is a wider policy that holds
    too. *frozen* is whether all changes are stopped for now.
    """

    read_only: bool
    accounts: frozenset[int] | None
    projects: frozenset[str] | None
    target_groups: frozenset[str] | None
    entry: str | None = None
    within: Policy | None = None
    frozen: bool = False

    @property
    def allows_everywhere(self) -> bool:
        """Whether no allow-list is set, so that every target group may be looked at."""
        if self.within is not None and not self.within.allows_everywhere:
            return False
        return self.accounts is None and self.projects is None and self.target_groups is None


@dataclass(frozen=True, slots=True)
class Readable:
    """The policy lets this target group be looked at."""

    group: TargetGroup


@dataclass(frozen=True, slots=True)
class Writable:
    """The policy lets this target group's recontacts be changed."""

    group: TargetGroup


def check_read(policy: Policy, group: TargetGroup) -> Readable:
    """Accept a target group that every allow-list holds.

    Raises:
        NotAllowed: one does not; the error names the rule but never what it allows.
    """
    check_parts(policy, group.target_group_id, group.project_id, group.account_id)
    return Readable(group)


def check_parts(policy: Policy, target_group_id: str | None, project_id: str | None, account_id: int | None) -> None:
    """Accept what is known so far of where a target group lives; None is not known yet.

    What is not known denies nothing, unless an allow-list holds nothing at all: then nowhere is allowed.

    Raises:
        NotAllowed: an allow-list does not hold it; the error names the rule but never what it allows.
    """
    if policy.within is not None:
        check_parts(policy.within, target_group_id, project_id, account_id)
    if not _holds(policy.accounts, account_id):
        raise _denied(policy, "account", "accounts", policy.accounts)
    if not _holds(policy.projects, project_id):
        raise _denied(policy, "project", "projects", policy.projects)
    if not _holds(policy.target_groups, target_group_id):
        raise _denied(policy, "target group", "target_groups", policy.target_groups)


def _holds(allowed: frozenset[_Id] | None, one: _Id | None) -> bool:
    if allowed is None:
        return True
    return bool(allowed) if one is None else one in allowed


def may_read(policy: Policy, group: TargetGroup) -> bool:
    """Tell whether every allow-list holds a target group."""
    try:
        check_read(policy, group)
    except NotAllowed:
        return False
    return True


def check_write(policy: Policy, group: TargetGroup) -> Writable:
    """Accept a change where reading is allowed, the policy is not read-only, and changes are not frozen.

    Raises:
        NotAllowed: it is not allowed.
    """
    check_read(policy, group)
    check_changes(policy)
    return Writable(group)


def check_changes(policy: Policy) -> None:
    """Accept changes as such, wherever they are.

    Raises:
        NotAllowed: changes are frozen, or a rule is read-only.
    """
    if policy.frozen:
        raise _frozen()
    if policy.within is not None:
        check_changes(policy.within)
    if policy.read_only:
        rule = _rule(policy, "read_only")
        subject = "This server is" if policy.entry is None else "What you may do on this server is"
        raise NotAllowed(
            f"{subject} read-only ({rule}); nothing was changed.",
            code=ErrorCode.READ_ONLY,
            next_step=f"Tell the user. Only {_lifter(policy)} can change {rule}.",
            details=_details(policy, rule),
        )


def _denied(policy: Policy, what: str, field: str, allowed: Collection[object] | None) -> NotAllowed:
    rule, which = _rule(policy, field), "that" if allowed else "any"
    subject = "This server may not work" if policy.entry is None else "You may not work here"
    return NotAllowed(
        f"{subject} with {which} {what} ({rule}); nothing was sent.",
        code=ErrorCode.POLICY_DENIED,
        next_step=f"Tell the user. Only {_lifter(policy)} can change {rule}.",
        details=_details(policy, rule),
    )


def _frozen() -> NotAllowed:
    return NotAllowed(
        "All changes are frozen for now (RECONTACT_FREEZE_FILE); nothing was changed. Reading goes on.",
        code=ErrorCode.FROZEN,
        next_step=f"Tell the user. Only {FREEZER}, can lift it.",
        details={"setting": "RECONTACT_FREEZE_FILE", "rule": "RECONTACT_FREEZE_FILE", "lifted_by": FREEZER},
    )


def _rule(policy: Policy, field: str) -> str:
    """Return the name of a rule: its setting, or its place in the access file; never what it holds."""
    return _SETTINGS[field] if policy.entry is None else f"{policy.entry}.{field}"


def _lifter(policy: Policy) -> str:
    return OPERATOR if policy.entry is None else ACCESS_EDITOR


def _details(policy: Policy, rule: str) -> dict[str, Detail]:
    setting = rule if policy.entry is None else "RECONTACT_ACCESS_FILE"
    return {"setting": setting, "rule": rule, "lifted_by": _lifter(policy)}
