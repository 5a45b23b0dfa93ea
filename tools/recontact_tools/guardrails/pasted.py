"""What people paste where a target group's id is wanted: the id itself, or a text with a Cint URL or path in it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote

from recontact_tools.errors import InvalidInput
from recontact_tools.guardrails.arguments import (
    ACCOUNT_ID_MAX,
    account_id_checked,
    is_number,
    project_id_checked,
    target_group_id_checked,
)

T = TypeVar("T", int, str)

# ours: ten times the longest URL of the API; what is longer is not a URL, and is not searched.
PASTED_MAX = 2_000
# ours: a URL inside the query of a login page inside another one.
_DECODED_AT_MOST = 3
_GIVE_ID = "Repeat the call with the 26 letters and digits of the target group's id, or with its Cint URL alone."

# source: cint-api.md section 1, the words of the API's paths. assumed: Cint's pages use the same words, as
# do our own resource URIs; a word counts only where a path segment can begin, and its id ends with the segment.
_NAMED = re.compile(
    r"(?<![0-9A-Z_-])(accounts|projects|target-groups)/+([^\s/?#&=\"'<>()\[\]{}.:,;!*`|\\]+)", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Pasted:
    """The ids that a text named, checked and in upper case; None is what it did not name."""

    target_group_id: str
    project_id: str | None = None
    account_id: int | None = None


def read_pasted(text: str) -> Pasted:
    """Read a bare target group id, or find the ids in a pasted URL, path or resource URI.

    A URL may be percent-encoded, have a query, a fragment or anything after the target group, and stand inside
    other words. The text is never repeated in an error: it may hold a token or a respondent id.

    Raises:
        InvalidInput: The text is too long, names no target group, or names two different ones (or two projects
            or accounts), or an id in it is malformed.
    """
    if len(text) > PASTED_MAX:
        raise _refused(f"target_group_id is longer than {PASTED_MAX:,} characters", _GIVE_ID)
    if "/" not in text and "%" not in text:
        return Pasted(target_group_id_checked(text))
    named = _NAMED.findall(_decoded(text))
    group = _the_one("target_group_id", map(target_group_id_checked, _of("target-groups", named)))
    if group is None:
        raise _refused("target_group_id is neither an id nor a URL with target-groups and an id in it", _GIVE_ID)
    project = _the_one("project_id", map(project_id_checked, _of("projects", named)))
    account = _the_one("account_id", map(_account, _of("accounts", named)))
    return Pasted(group, project, account)


def with_arguments(pasted: Pasted, project_id: str | None, account_id: int | None) -> Pasted:
    """Complete what a text named with the arguments beside it; an empty project is one that was not given.

    Raises:
        InvalidInput: An argument is malformed, or contradicts the text.
    """
    project = project_id_checked(project_id) if project_id else None
    account = None if account_id is None else account_id_checked(account_id)
    return Pasted(
        pasted.target_group_id,
        _agreed("project_id", project, pasted.project_id),
        _agreed("account_id", account, pasted.account_id),
    )


def _decoded(text: str) -> str:
    for _ in range(_DECODED_AT_MOST):
        if "%" not in text:
            break
        text = unquote(text)
    return text


def _of(word: str, named: Iterable[tuple[str, str]]) -> list[str]:
    return [value for name, value in named if name.lower() == word]


def _account(text: str) -> int:
    return account_id_checked(int(text) if is_number(text) else ACCOUNT_ID_MAX + 1)


def _the_one(name: str, values: Iterable[T]) -> T | None:
    different = set(values)
    if len(different) > 1:
        raise _refused(
            f"The pasted target_group_id holds more than one {name}",
            "Ask which target group is meant, and repeat the call with its id or URL alone.",
        )
    return different.pop() if different else None


def _agreed(name: str, given: T | None, pasted: T | None) -> T | None:
    if given is not None and pasted is not None and given != pasted:
        raise _refused(
            f"{name} contradicts the {name} in the pasted target_group_id",
            f"Ask which is right: repeat the call without {name}, or with the bare id as target_group_id.",
        )
    return pasted if given is None else given


def _refused(message: str, next_step: str) -> InvalidInput:
    return InvalidInput(f"{message}; nothing was sent.", next_step=next_step, safe_to_repeat=True)
