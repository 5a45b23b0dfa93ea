"""From what an exchange came to, to the error that says whether anything happened."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from types import MappingProxyType
from typing import TypeVar

from recontact_tools.errors import (
    Detail,
    ErrorCode,
    JobRunning,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Unreachable,
)
from recontact_tools.gateway.answers import GAVE_UP, Answer, Broken, HeldBack, Outcome, Unreadable
from recontact_tools.gateway.readers import read_job_id

T = TypeVar("T")

NO_STATUS: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the status table: which error a status is, and our words for it."""

    error: type[Refused]
    message: str
    next_step: str
    code: ErrorCode | None = None


_CREDENTIALS = "Check the client id and secret, the account id, and that Cint enabled recontacts for it."

# source: cint-api.md section 2.4
REFUSALS: Mapping[int, Row] = MappingProxyType(
    {
        400: Row(
            Refused,
            "The API found a mistake in the request and did nothing.",
            "Check the account, project, target group and job ids and the identifier file.",
        ),
        401: Row(NotPermitted, "The API did not accept the credentials.", _CREDENTIALS),
        403: Row(NotPermitted, "The API does not permit this with these credentials.", _CREDENTIALS),
        404: Row(
            NotFound,
            "The API knows no such account, project, target group or job.",
            "Check the ids: a job belongs to the target group it was started on.",
        ),
        407: Row(
            NotPermitted,
            "The proxy on the way to the API did not accept us; nothing was done.",
            "Check the user and password in the proxy setting.",
        ),
        409: Row(
            JobRunning,
            "Another upload or removal is running on this target group; the API takes one at a time.",
            "Wait until the running job has finished, then try again.",
        ),
        413: Row(
            Refused,
            "The API found the file too large and stored nothing of it.",
            "Send fewer identifiers in one file.",
            ErrorCode.FILE_TOO_LARGE,
        ),
        415: Row(Refused, "The API did not accept the type of the file.", "Send a .csv or .txt file."),
        429: Row(RateLimited, "The API asks for fewer requests and did nothing.", "Wait, then try again."),
    }
)
OTHER_REFUSAL = Row(
    Refused,
    "The API refused the request and did nothing.",
    "Check the settings of the connection and the ids.",
)
HEADER_MISSING = Row(
    NotPermitted,
    "The API did not see the version header that every request carries.",
    "Check the API version setting, and that no proxy removes the Cint-API-Version header.",
)


def is_stale_authorization(outcome: Outcome) -> bool:
    """Tell whether a fresh token may help: an expired one and a missing permission look alike."""
    if not isinstance(outcome, Answer):
        return False
    # source: cint-api.md section 2.2
    return outcome.status == 401 or (  # noqa: PLR2004 (a status)
        outcome.status == 403 and outcome.error_object == "authorization_error"  # noqa: PLR2004 (a status)
    )


def settle_read(outcome: Outcome, reader: Callable[[Answer], T], *, also: frozenset[int] = NO_STATUS) -> T:
    """Return what *reader* finds in the answer, a success or of a status that is *also* one.

    Raises:
        Refused: The API answered 4xx.
        Unreachable: No connection was made, or no usable answer came.
    """
    if isinstance(outcome, HeldBack):
        raise _held_back(outcome)
    if isinstance(outcome, Broken):
        raise _not_connected(outcome) if not outcome.connected else _unavailable({"cause": outcome.cause})
    readable = outcome.is_success or outcome.status in also
    if _is_refusal(outcome.status) and not readable:
        raise refusal(outcome)
    if readable:
        with suppress(Unreadable):
            return reader(outcome)
    raise _unavailable(_facts(outcome))


def settle_start(outcome: Outcome) -> str:
    """Return the id of the job that a POST started.

    Raises:
        Refused: The API answered 4xx; no job was started.
        Unreachable: No connection was made; no job was started.
        OutcomeUnknown: It was sent, and nothing tells whether a job was started.
    """
    if isinstance(outcome, HeldBack):
        raise _held_back(outcome)
    if isinstance(outcome, Broken):
        raise _not_connected(outcome) if not outcome.connected else _unknown({"cause": outcome.cause})
    if _is_refusal(outcome.status):
        raise refusal(outcome)
    if outcome.is_success:
        with suppress(Unreadable):
            return read_job_id(outcome)
    raise _unknown(_facts(outcome))


def refusal(answer: Answer) -> Refused:
    """Return the error of a 4xx; whoever answered, API or proxy, did not carry the request out."""
    row = REFUSALS.get(answer.status, OTHER_REFUSAL)
    if answer.error_object == "required_header_missing":
        row = HEADER_MISSING
    return row.error(row.message, next_step=row.next_step, code=row.code, details=_facts(answer))


def is_bad_request(error: Refused) -> bool:
    """Tell whether the API found a mistake in a request; refused credentials can be a 400 too."""
    return error.code is ErrorCode.REFUSED and error.details.get("http_status") == HTTPStatus.BAD_REQUEST


def bad_cursor(error: Refused) -> Refused:
    """Return what the 400 *error* says about a page that was asked for by its cursor.

    Other mistakes that are a 400 would come up on the first page too, and are named there.
    """
    return Refused(
        "The API did not accept the cursor: it is not, or not any more, valid.",
        next_step="Start again without a cursor.",
        details=error.details,
    )


def endless_pages() -> Unreachable:
    """Return what is said of a page whose next page is itself: who follows it would never end."""
    return Unreachable(
        "The API answered a page that names itself as its next page, so the list has no end to follow.",
        next_step="Start again without a cursor; if it happens again, the list cannot be read at the moment.",
        code=ErrorCode.UNAVAILABLE,
    )


def _is_refusal(status: int) -> bool:
    return 400 <= status < 500 and status not in GAVE_UP  # noqa: PLR2004 (the range of a class of statuses)


def _facts(answer: Answer) -> dict[str, Detail]:
    facts: dict[str, Detail] = {"http_status": answer.status}
    if (seconds := answer.retry_after) is not None:
        facts["retry_after_seconds"] = seconds
    return facts


def _not_connected(broken: Broken) -> Unreachable:
    return Unreachable(
        "No connection to the API could be made; nothing was sent.",
        next_step="Check the network and the API's base URL, then try again.",
        details={"cause": broken.cause},
    )


def is_held_back(error: Refused | Unreachable) -> bool:
    """Tell whether a request was not sent for the API has not been answering; there is no use in waiting for it."""
    return error.code is ErrorCode.UNREACHABLE and "retry_after_seconds" in error.details


def too_many(seconds: float) -> RateLimited:
    """Return what a request is told that would have to wait *seconds* for its turn, longer than it can."""
    return RateLimited(
        "The API asked for fewer requests to this account, or this server limits its own; nothing was sent.",
        next_step="Wait as long as retry_after_seconds says, then try again.",
        details={"retry_after_seconds": max(1, ceil(seconds))},
    )


def _held_back(outcome: HeldBack) -> Unreachable:
    return Unreachable(
        "The API has not answered several requests in a row, so this one was not sent.",
        next_step="Try again after retry_after_seconds; if it goes on, check the network and Cint's status.",
        details={"retry_after_seconds": outcome.seconds},
    )


def _unavailable(facts: dict[str, Detail]) -> Unreachable:
    return Unreachable(
        "The API gave no usable answer to a read.",
        next_step="Try again in a few minutes; reading changes nothing.",
        code=ErrorCode.UNAVAILABLE,
        details=facts,
    )


def _unknown(facts: dict[str, Detail]) -> OutcomeUnknown:
    return OutcomeUnknown(
        "The request was sent, but its answer was lost: the job may or may not have been started.",
        next_step="Look at the target group's jobs and its overview before doing it again.",
        details=facts,
    )
