"""Scripted faults: what goes wrong next, for rehearsals and tests."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from recontact_service.operations import Operation
from recontact_service.problems import (
    Answer,
    Problem,
    as_json,
    conflict,
    forbidden,
    internal_error,
    unauthorized,
)


class FaultKind(StrEnum):
    """What can go wrong, and whether the operation happened all the same."""

    LOST_ANSWER = "lost_answer"  # happened
    LOST_REQUEST = "lost_request"  # did not happen
    CONFLICT = "conflict"  # did not happen
    RATE_LIMITED = "rate_limited"  # did not happen
    ERROR = "error"  # did not happen
    ERROR_AFTER_COMMIT = "error_after_commit"  # happened
    PROXY_HTML = "proxy_html"  # did not happen
    PROXY_HTML_AFTER_COMMIT = "proxy_html_after_commit"  # happened
    REDIRECT = "redirect"  # did not happen
    SLOW = "slow"  # happens later
    UNAUTHORIZED = "unauthorized"  # a token that is none, or has expired (401); did not happen
    EXPIRED_TOKEN = "expired_token"  # noqa: S105 - the name of a fault (403); did not happen
    NO_PERMISSION = "no_permission"  # in the very words of an expired token, as documented; did not happen


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; *seconds* is the delay of `slow` and the Retry-After of `rate_limited`."""

    kind: FaultKind
    seconds: float = 1.0


def _page(status: int, title: bytes) -> Answer:
    page = b"<html><head><title>%b</title></head><body><h1>%b</h1></body></html>" % (title, title)
    return Answer(status, page, ((b"content-type", b"text/html"),))


_BAD_GATEWAY = _page(502, b"502 Bad Gateway")
_GATEWAY_TIMEOUT = _page(504, b"504 Gateway Time-out")
_ELSEWHERE = Answer(302, b"", ((b"location", b"https://elsewhere.invalid/"),))
_REFUSALS: Mapping[FaultKind, Callable[[], Problem]] = {
    FaultKind.CONFLICT: conflict,
    FaultKind.ERROR: internal_error,
    FaultKind.UNAUTHORIZED: unauthorized,
    FaultKind.EXPIRED_TOKEN: forbidden,
    FaultKind.NO_PERMISSION: forbidden,
}
_ANSWERS: Mapping[FaultKind, Answer] = {FaultKind.PROXY_HTML: _BAD_GATEWAY, FaultKind.REDIRECT: _ELSEWHERE}


class Faults:
    """A queue of faults per operation, and counts of the requests that arrived."""

    def __init__(self) -> None:
        self._scripted: defaultdict[Operation, deque[Fault]] = defaultdict(deque)
        self.requests: Counter[Operation] = Counter()

    def script(self, operation: Operation, fault: Fault, *, times: int = 1) -> None:
        """Let the next *times* requests of an operation meet a fault, after those already scripted."""
        self._scripted[operation].extend([fault] * times)

    def clear(self) -> None:
        """Forget every scripted fault; the counts stay."""
        self._scripted.clear()

    def take(self, operation: Operation) -> Fault | None:
        """Count a request and return the fault it meets."""
        self.requests[operation] += 1
        waiting = self._scripted.get(operation)
        return waiting.popleft() if waiting else None


def answer_instead(fault: Fault) -> Answer | None:
    """Answer in place of the operation, or None when the operation runs.

    Raises:
        Problem: the fault is an envelope of the API.
    """
    if fault.kind in _REFUSALS:
        refusal = _REFUSALS[fault.kind]()
        raise refusal
    if fault.kind is FaultKind.RATE_LIMITED:
        limited = as_json({"object": "too_many_requests_problem_details", "details": "Too many requests."}, 429)
        seconds = str(int(fault.seconds)).encode()
        return Answer(limited.status, limited.body, (*limited.headers, (b"retry-after", seconds)))
    return _ANSWERS.get(fault.kind)


def answer_after(fault: Fault, answer: Answer) -> Answer | None:
    """Answer once the operation ran; None breaks the connection.

    Raises:
        Problem: the fault is an envelope of the API.
    """
    if fault.kind is FaultKind.ERROR_AFTER_COMMIT:
        raise internal_error()
    if fault.kind is FaultKind.PROXY_HTML_AFTER_COMMIT:
        return _GATEWAY_TIMEOUT
    return None if fault.kind is FaultKind.LOST_ANSWER else answer
