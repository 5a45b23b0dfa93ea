"""What a person who sends a file is told: in words for a terminal and a page, as JSON for a program; never content."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse, PlainTextResponse

from recontact_tools.errors import Detail, ErrorCode, InvalidInput, RateLimited, RecontactError
from recontact_tools.receiving import Fate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from recontact_tools.identifiers import Dropped
    from recontact_tools.ledger import Ticket
    from recontact_tools.receiving import Received

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PLAIN: Final = "Send the file as it is, with the curl line that your assistant showed, or through the page."
_ASK: Final = "Ask your assistant for a new one."
_KINDS: Final = {
    "duplicate": "given twice",
    "blank": "blank",
    "malformed": "no identifier",
    "numeric": "a number, not an identifier",
    "no_hyphens": "32 digits without hyphens",
    "formula": "a formula",
    "not_text": "no text",
    "header": "the header",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its HTTP status, a code of ours where it refuses, and sentences."""

    status: int
    code: ErrorCode | None
    sentences: tuple[str, ...]
    more: Mapping[str, Detail] = field(default_factory=lambda: MappingProxyType({}))
    retry_after: int | None = None


# One answer for every reason, so that nobody learns which addresses there are or were.
NO_SUCH_ADDRESS: Final = Answer(
    404,
    ErrorCode.NOT_FOUND,
    (
        "This address is of no use: it is unknown, has expired, or a file was sent to it already.",
        _ASK,
    ),
)
BUSY: Final = Answer(
    503,
    ErrorCode.RATE_LIMITED,
    ("Too many files are being sent at this moment; nothing was kept.", "Try again in half a minute."),
    retry_after=30,
)
TOO_SLOW: Final = Answer(
    408,
    ErrorCode.UNAVAILABLE,
    ("The file took too long to arrive; nothing was kept.", "Try again: the same address can still be used."),
)


def response(answer: Answer, *, accept: str) -> Response:
    """Write an answer in the form that the sender asks for."""
    headers = {**_HEADERS, "Retry-After": str(answer.retry_after)} if answer.retry_after else _HEADERS
    if "application/json" in accept:
        said = " ".join(answer.sentences)
        fields = {"ok": answer.code is None, "code": answer.code and answer.code.value, "message": said, **answer.more}
        return JSONResponse(fields, status_code=answer.status, headers=headers)
    text = "".join(f"{sentence}\n" for sentence in answer.sentences)
    return PlainTextResponse(text, status_code=answer.status, headers=headers)


def refusal_of(headers: Mapping[str, str], ticket: Ticket) -> Answer | None:
    """Refuse what is not sent as the plain bytes of one file, before any of it is read."""
    media = headers.get("content-type", "").partition(";")[0].strip().casefold()
    if headers.get("content-encoding", "identity").strip().casefold() not in {"identity", ""}:
        return _unfit(415, "A compressed file is not taken; nothing was kept.")
    if media.startswith("multipart/") or media == "application/x-www-form-urlencoded":
        return _unfit(415, "A form is not taken; nothing was kept.")
    if "content-range" in headers:
        return _unfit(400, "A part of a file is not taken; nothing was kept.")
    size = headers.get("content-length", "")
    if size.isdecimal() and int(size[:20]) > ticket.bytes_max:
        return _too_large(ticket.bytes_max)
    return None


def _unfit(status: int, message: str) -> Answer:
    return Answer(status, ErrorCode.INVALID_ARGUMENTS, (message, _PLAIN))


def _too_large(bytes_max: int) -> Answer:
    return Answer(
        413,
        ErrorCode.FILE_TOO_LARGE,
        (
            f"The file is larger than {bytes_max:,} bytes; nothing was kept.",
            "Keep only the column of identifiers, or split the file; the same address can still be used.",
        ),
    )


def refused(refusal: RecontactError) -> Answer:
    """Tell why a file was not taken; its address can be used again."""
    if isinstance(refusal, RateLimited):
        return Answer(429, refusal.code, (refusal.message, refusal.next_step), retry_after=ceil(refusal.retry_after))
    if not isinstance(refusal, InvalidInput):
        return Answer(503, refusal.code, (refusal.message, "Tell whoever runs this server, or try again later."))
    status = 413 if refusal.code is ErrorCode.FILE_TOO_LARGE else 422
    again = "Nothing was kept; the same address can still be used."
    return Answer(status, refusal.code, (refusal.message, refusal.next_step, again))


def fate(became: Fate, ticket: Ticket) -> Answer:
    """Tell whoever looks at an address again what became of it."""
    until = f"{ticket.expires_at:%H:%M} UTC"
    told = {
        Fate.WAITING: f"A file can be sent here until {until}.",
        Fate.ARRIVED: "The file has arrived. Tell your assistant that it is uploaded; it is kept, encrypted, until "
        f"{until}.",
        Fate.USED: "Your assistant has used the file, which is deleted here. Nothing more can be sent to this address.",
        Fate.UNUSED: f"The file arrived, was not used until {until}, and was deleted. {_ASK}",
        Fate.EXPIRED: f"No file came until {until}, so that this address is of no more use. {_ASK}",
    }
    return Answer(200, None, (told[became],), {"state": became.value})


def received(file: Received) -> Answer:
    """Tell what arrived, and what of it is no identifier."""
    until = f"Tell your assistant that the file is uploaded. It is kept, encrypted, until {file.expires_at:%H:%M} UTC."
    found: tuple[str, ...]
    if file.ids is None:
        found = (
            "The file is uploaded. More than one column holds identifiers: your assistant will ask which is meant.",
        )
    else:
        found = (f"{_counted(file.ids, 'identifier')} received.", *_left_out(file.dropped))
    dropped: list[Detail] = [
        {"kind": drop.kind, "count": drop.count, "lines": list[Detail](drop.lines)} for drop in file.dropped
    ]
    more: dict[str, Detail] = {
        "ids": file.ids,
        "lines_read": file.lines,
        "dropped": dropped,
        "expires_at": file.expires_at.isoformat(),
    }
    return Answer(201, None, (*found, until), more)


def _left_out(dropped: tuple[Dropped, ...]) -> tuple[str, ...]:
    return tuple(
        f"Left out: {_counted(drop.count, 'line')} ({_KINDS[drop.kind]}), "
        f"{'the first in' if drop.count > 1 else 'in'} line {drop.lines[0]:,}."
        for drop in dropped
    )


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
