"""Checks of single arguments, before anything is looked up."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NewType

from recontact_tools.errors import InvalidInput
from recontact_tools.models import TargetGroup

ACCOUNT_ID_MAX = 2**31 - 1  # source: cint-api.md, account_id is an int32

AccountId = NewType("AccountId", int)
ProjectId = NewType("ProjectId", str)
TargetGroupId = NewType("TargetGroupId", str)

# source: cint-api.md, `^[0-9A-Z]{26}$`; ours: lower case is accepted, because people paste it.
_ULID = re.compile(r"[0-9A-Za-z]{26}")


@dataclass(frozen=True, slots=True)
class FromPath:
    """An upload's identifiers are in a file."""

    path: str


@dataclass(frozen=True, slots=True)
class FromTicket:
    """An upload's identifiers are in a staged file."""

    ticket: str


@dataclass(frozen=True, slots=True)
class FromIds:
    """An upload's identifiers are in the call."""

    ids: tuple[str, ...]


def is_number(text: str) -> bool:
    """Tell whether a text can be read as a number of an account's size."""
    return text.isascii() and text.isdecimal() and len(text) <= len(str(ACCOUNT_ID_MAX))


def account_id_checked(account_id: int) -> AccountId:
    """Accept an account id: a positive 32-bit integer.

    Raises:
        InvalidInput: it is not.
    """
    if not 1 <= account_id <= ACCOUNT_ID_MAX:
        raise _invalid("account_id must be a positive 32-bit integer", "the account's number at Cint")
    return AccountId(account_id)


def project_id_checked(project_id: str) -> ProjectId:
    """Accept a project id, and return it in upper case without surrounding blanks.

    Raises:
        InvalidInput: it is not 26 letters and digits.
    """
    return ProjectId(_ulid("project_id", project_id))


def target_group_id_checked(target_group_id: str) -> TargetGroupId:
    """Accept a target group id, and return it in upper case without surrounding blanks.

    Raises:
        InvalidInput: it is not 26 letters and digits.
    """
    return TargetGroupId(_ulid("target_group_id", target_group_id))


def target_group_checked(target_group_id: str, project_id: str, account_id: int) -> TargetGroup:
    """Accept the three ids that say where a target group lives.

    Raises:
        InvalidInput: one of them is malformed.
    """
    return TargetGroup(
        account_id_checked(account_id), project_id_checked(project_id), target_group_id_checked(target_group_id)
    )


def _ulid(name: str, value: str) -> str:
    stripped = value.strip()
    # The value is not repeated: it may be a respondent id in the wrong place.
    if _ULID.fullmatch(stripped) is None:
        raise _invalid(f"{name} must be exactly 26 letters and digits", f"the {name} that Cint shows")
    return stripped.upper()


def check_one_source(
    *, path: str | None, ids: Sequence[str] | None, ticket: str | None = None, local_files: bool = True
) -> FromPath | FromIds | FromTicket:
    """Accept exactly one source of identifiers; an empty one counts as not given.

    *local_files* is whether the other one besides ids is a path, and not a ticket.

    Raises:
        InvalidInput: there is none, or more than one.
    """
    given: list[FromPath | FromIds | FromTicket] = []
    if path:
        given.append(FromPath(path))
    if ticket:
        given.append(FromTicket(ticket))
    if ids:
        given.append(FromIds(tuple(ids)))
    if len(given) == 1:
        return given[0]
    other = "path" if local_files else "ticket"
    found = "both were given" if given else "neither was given"
    raise _invalid(f"Exactly one of {other} and ids is needed, but {found}", f"either {other} or ids")


def _invalid(message: str, wanted: str) -> InvalidInput:
    return InvalidInput(
        f"{message}; nothing was sent.",
        next_step=f"Repeat the call with {wanted}.",
        safe_to_repeat=True,
    )
