"""What a token must allow for which request: one table, read at the edge and again where the operation begins."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from recontact_tools.errors import ErrorCode, NotAllowed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Scope(StrEnum):
    """The scopes that an access token may carry."""

    READ = "recontacts:read"
    UPLOAD = "recontacts:upload"
    REMOVE = "recontacts:remove"


ALL: Final = frozenset(Scope)
NONE: Final[frozenset[Scope]] = frozenset()
READING: Final = frozenset({Scope.READ})
_UPLOAD: Final = frozenset({Scope.READ, Scope.UPLOAD})
_REMOVE: Final = frozenset({Scope.READ, Scope.REMOVE})

# Every tool answers with something that is read, so each takes the scope of reading too.
OF_TOOL: Final[Mapping[str, frozenset[Scope]]] = {
    "preview_upload": READING,
    "get_upload_job": READING,
    "list_upload_jobs": READING,
    "get_removal_job": READING,
    "check_recontact_readiness": READING,
    "get_recontact_overview": READING,
    "list_recontacts": READING,
    "upload_recontacts": _UPLOAD,
    "stage_upload": _UPLOAD,
    "restore_recontacts": _UPLOAD,
    "cancel_recontact_job": _UPLOAD,
    "remove_all_recontacts": _REMOVE,
    "replace_recontacts": ALL,
}
# What tells of nobody's data: what the server can do, and that it is there.
_OPEN: Final = frozenset(
    {
        "initialize",
        "ping",
        "server/discover",
        "logging/setLevel",
        "tools/list",
        "prompts/list",
        "prompts/get",
        "resources/list",
        "resources/templates/list",
    }
)
_READING: Final = frozenset(
    {
        "resources/read",
        "resources/subscribe",
        "resources/unsubscribe",
        "subscriptions/listen",
        "completion/complete",
        "tasks/get",
        "tasks/update",
        "tasks/list",
        "tasks/result",
    }
)


def of_tool(name: str) -> frozenset[Scope]:
    """Return what calling a tool takes; all there is for one that is in no table."""
    return OF_TOOL.get(name, ALL)


def of_request(method: str, name: str | None) -> frozenset[Scope]:
    """Return what a request takes; *name* is that of the tool where the method calls one.

    A method that is in no table takes all there is, but for notifications, which change and tell nothing.
    """
    if method == "tools/call":
        return of_tool(name or "")
    if method in _OPEN or method.startswith("notifications/"):
        return NONE
    if method in _READING:
        return READING
    return _UPLOAD if method == "tasks/cancel" else ALL


def granted(scopes: Iterable[str]) -> frozenset[Scope]:
    """Return those of a token's scopes that are ours."""
    carried = frozenset(scopes)
    return frozenset(scope for scope in Scope if scope.value in carried)


def check_scopes(carried: frozenset[Scope], needed: frozenset[Scope]) -> None:
    """Accept a token that carries all the scopes that are needed.

    Raises:
        NotAllowed: One is missing; the details name all that are needed.
    """
    if needed - carried:
        raise missing_scopes(carried, needed)


def missing_scopes(carried: frozenset[Scope], needed: frozenset[Scope]) -> NotAllowed:
    """Say which of the scopes that are needed a token does not carry."""
    return NotAllowed(
        f"The access token does not carry {' and '.join(sorted(needed - carried))}; nothing was sent.",
        code=ErrorCode.INSUFFICIENT_SCOPE,
        next_step="Ask the user to sign in again and to grant the required scopes, then repeat the call.",
        details={
            "required_scopes": [*sorted(needed)],
            "rule": "the scopes of the access token",
            "lifted_by": "the user and the authorization server, by granting them",
        },
    )
