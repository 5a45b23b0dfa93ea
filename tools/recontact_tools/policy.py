"""What the operator allows, whatever a client asks for."""

from dataclasses import dataclass

from recontact_tools.errors import ErrorCode, NotAllowed
from recontact_tools.models import TargetGroup


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's rules. No field has a default: forgetting one must not open a door.

    An allow-list that is None was never set and allows everything; one that is set allows what it holds,
    so an empty one allows nothing. Ids are upper case, as the checks of arguments return them.
    """

    read_only: bool
    accounts: frozenset[int] | None
    projects: frozenset[str] | None
    target_groups: frozenset[str] | None


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
        NotAllowed: one does not; the error names the setting but never what it allows.
    """
    check_parts(policy, group.target_group_id, group.project_id, group.account_id)
    return Readable(group)


def check_parts(policy: Policy, target_group_id: str, project_id: str | None, account_id: int | None) -> None:
    """Accept what is known so far of where a target group lives; None is not known yet and denies nothing.

    Raises:
        NotAllowed: an allow-list does not hold it; the error names the setting but never what it allows.
    """
    if policy.accounts is not None and account_id is not None and account_id not in policy.accounts:
        raise _denied("account", "RECONTACT_ALLOWED_ACCOUNTS")
    if policy.projects is not None and project_id is not None and project_id not in policy.projects:
        raise _denied("project", "RECONTACT_ALLOWED_PROJECTS")
    if policy.target_groups is not None and target_group_id not in policy.target_groups:
        raise _denied("target group", "RECONTACT_ALLOWED_TARGET_GROUPS")


def may_read(policy: Policy, group: TargetGroup) -> bool:
    """Tell whether every allow-list holds a target group."""
    try:
        check_read(policy, group)
    except NotAllowed:
        return False
    return True


def check_write(policy: Policy, group: TargetGroup) -> Writable:
    """Accept a change where reading is allowed and the server is not read-only.

    Raises:
        NotAllowed: it is not allowed.
    """
    check_read(policy, group)
    if policy.read_only:
        raise NotAllowed(
            "This server is read-only (RECONTACT_READ_ONLY); nothing was changed.",
            code=ErrorCode.READ_ONLY,
            next_step="Tell the user. Only the operator of this server can change RECONTACT_READ_ONLY.",
            details={"setting": "RECONTACT_READ_ONLY"},
        )
    return Writable(group)


def _denied(what: str, setting: str) -> NotAllowed:
    return NotAllowed(
        f"This server may not work with that {what} ({setting}); nothing was sent.",
        code=ErrorCode.POLICY_DENIED,
        next_step=f"Tell the user. Only the operator of this server can change {setting}.",
        details={"setting": setting},
    )
