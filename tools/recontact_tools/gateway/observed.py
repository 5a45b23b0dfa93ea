"""What a request is called where work is watched: the operation and the outcome, without any id."""

from contextvars import ContextVar
from typing import Final

import httpx

from recontact_tools.gateway.answers import Answer, Exchanged

# The words of paths that are no ids; everything else in a path is one.
_WORDS: Final = frozenset(
    {
        "allocations",
        "business-units",
        "details",
        "download",
        "exclusion-groups",
        "exclusions",
        "global-allocation-templates",
        "jobs",
        "paginated",
        "overview",
        "projects",
        "recontacts",
        "remove-all-rsids",
        "rsid",
        "rsids",
        "study-types",
        "target-groups",
        "upload-respondents-by-file",
        "upload-rsids-by-file",
    }
)
# Where a request says what it is, because its path does not.
OPERATION: Final = "recontact_operation"
TOKEN: Final = "token"  # noqa: S105 (the name of an operation)
ATTEMPT: ContextVar[int] = ContextVar("attempt", default=1)


def operation_of(request: httpx.Request) -> str:
    """Return the name of an operation, such as `GET recontacts/overview`; there are a few dozen of them."""
    if request.extensions.get(OPERATION) == TOKEN:
        return TOKEN
    known = [part for part in request.url.path.split("/") if part in _WORDS]
    beyond = known[known.index("recontacts") :] if "recontacts" in known else known[-1:]
    return f"{request.method} {'/'.join(beyond) or 'other'}"


def outcome_of(exchanged: Exchanged) -> str:
    """Return the class of a status, such as `2xx`, or how the exchange broke."""
    if isinstance(exchanged, Answer):
        return f"{exchanged.status // 100}xx"
    return "broken" if exchanged.connected else "not connected"
