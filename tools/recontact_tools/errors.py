"""Everything that can go wrong, ordered by "did anything happen?".

RecontactError                 code, message, changed, safe_to_repeat, next_step, details
├── InvalidInput               no: our own checks refused it, nothing was sent
├── NotAllowed                 no: policy refused it, or nobody agreed
├── Unreachable                no: no usable answer to a read, or no connection was made
├── Refused                    no: the API answered 4xx
│   ├── JobRunning             409: one job at a time per target group
│   ├── NotFound               404
│   ├── NotPermitted           401 and 403
│   ├── FeatureMissing         404 of an operation, not of a thing: this account or version lacks it
│   └── RateLimited            429
└── OutcomeUnknown             perhaps: it was sent and the answer was lost; look before repeating
    └── AnswerAwaited          perhaps: the answer may still come, or is being looked for
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Literal, TypeAlias

Detail: TypeAlias = "str | int | float | bool | list[Detail] | dict[str, Detail] | None"


class ErrorCode(StrEnum):
    """The stable codes; a client may branch on them."""

    INVALID_ARGUMENTS = "INVALID_ARGUMENTS"
    INVALID_FILE = "INVALID_FILE"
    FILE_TOO_LARGE = "FILE_TOO_LARGE"
    FILE_NOT_READABLE = "FILE_NOT_READABLE"
    TICKET_NOT_VALID = "TICKET_NOT_VALID"
    TICKET_EMPTY = "TICKET_EMPTY"
    TOO_MANY_IDS = "TOO_MANY_IDS"
    CAPACITY_EXCEEDED = "CAPACITY_EXCEEDED"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    NOTHING_TO_REMOVE = "NOTHING_TO_REMOVE"
    POLICY_DENIED = "POLICY_DENIED"
    READ_ONLY = "READ_ONLY"
    APPROVAL_REQUIRED = "APPROVAL_REQUIRED"
    FROZEN = "FROZEN"
    INSUFFICIENT_SCOPE = "INSUFFICIENT_SCOPE"
    CAP_REACHED = "CAP_REACHED"
    CONFIRMATION_DECLINED = "CONFIRMATION_DECLINED"
    CONFIRMATION_MISMATCH = "CONFIRMATION_MISMATCH"
    CONFIRMATION_TIMED_OUT = "CONFIRMATION_TIMED_OUT"
    PLAN_NOT_VALID = "PLAN_NOT_VALID"
    PLAN_DRIFTED = "PLAN_DRIFTED"
    CANCELLED = "CANCELLED"
    SNAPSHOT_INCOMPLETE = "SNAPSHOT_INCOMPLETE"
    SNAPSHOT_UNREADABLE = "SNAPSHOT_UNREADABLE"
    REPLACEMENT_FAILED = "REPLACEMENT_FAILED"
    UNREACHABLE = "UNREACHABLE"
    UNAVAILABLE = "UNAVAILABLE"
    REFUSED = "REFUSED"
    JOB_RUNNING = "JOB_RUNNING"
    NOT_FOUND = "NOT_FOUND"
    NOT_PERMITTED = "NOT_PERMITTED"
    RATE_LIMITED = "RATE_LIMITED"
    FEATURE_MISSING = "FEATURE_MISSING"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    INTERNAL_ERROR = "INTERNAL_ERROR"


class RecontactError(Exception):
    """What a caller is told when an operation did not do what was asked.

    *message* says what happened, *next_step* what to do now; both are our own words and hold no
    respondent ID, token, path or response body. *details* adds facts a program can use.
    """

    changed: ClassVar[Literal["no", "unknown"]] = "no"
    default_code: ClassVar[ErrorCode] = ErrorCode.INTERNAL_ERROR
    default_safe_to_repeat: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        next_step: str,
        code: ErrorCode | None = None,
        safe_to_repeat: bool | None = None,
        details: Mapping[str, Detail] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.code = code or self.default_code
        self.safe_to_repeat = self.default_safe_to_repeat if safe_to_repeat is None else safe_to_repeat
        self.details: dict[str, Detail] = dict(details or {})

    @property
    def retry_after(self) -> float:
        """How many seconds to wait before trying again, as far as somebody asked for it; else 0."""
        asked = self.details.get("retry_after_seconds")
        return float(asked) if isinstance(asked, int | float) else 0.0

    def as_dict(self) -> dict[str, Detail]:
        """Return the shape that clients and the ledger see."""
        return {
            "code": self.code.value,
            "message": self.message,
            "changed": self.changed,
            "safe_to_repeat": self.safe_to_repeat,
            "next_step": self.next_step,
            **self.details,
        }


class InvalidInput(RecontactError):
    """Our own checks refused the input; nothing was sent."""

    default_code = ErrorCode.INVALID_ARGUMENTS


class NotAllowed(RecontactError):
    """Policy refused it, or nobody agreed; nothing was sent."""

    default_code = ErrorCode.POLICY_DENIED


class Unreachable(RecontactError):
    """No connection was made, or a read had no usable answer; repeating is safe."""

    default_code = ErrorCode.UNREACHABLE
    default_safe_to_repeat = True


class Refused(RecontactError):
    """The API answered 4xx; nothing was changed."""

    default_code = ErrorCode.REFUSED


class JobRunning(Refused):
    """Another job runs on this target group; the API takes one at a time (409)."""

    default_code = ErrorCode.JOB_RUNNING
    default_safe_to_repeat = True


class NotFound(Refused):
    """The API knows no such account, project, target group or job (404)."""

    default_code = ErrorCode.NOT_FOUND


class NotPermitted(Refused):
    """The API refused the credentials or the permission (401, 403)."""

    default_code = ErrorCode.NOT_PERMITTED


class FeatureMissing(Refused):
    """The account or the API version lacks an operation; the target group itself is there."""

    default_code = ErrorCode.FEATURE_MISSING


class RateLimited(Refused):
    """The API asks for fewer requests (429); *details* may hold `retry_after_seconds`."""

    default_code = ErrorCode.RATE_LIMITED
    default_safe_to_repeat = True


class OutcomeUnknown(RecontactError):
    """It was sent and no usable answer came back; look before repeating."""

    changed = "unknown"
    default_code = ErrorCode.OUTCOME_UNKNOWN


class AnswerAwaited(OutcomeUnknown):
    """The answer may still come, or is being looked for; *details* hold the handle to ask with."""
