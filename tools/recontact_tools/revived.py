"""Errors that were written down, raised again as what they were."""

from recontact_tools.errors import (
    Detail,
    ErrorCode,
    FeatureMissing,
    JobRunning,
    NotAllowed,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    RateLimited,
    RecontactError,
    Refused,
    Unreachable,
)

_CLASSES: dict[str, type[RecontactError]] = {
    ErrorCode.JOB_RUNNING: JobRunning,
    ErrorCode.NOT_FOUND: NotFound,
    ErrorCode.NOT_PERMITTED: NotPermitted,
    ErrorCode.RATE_LIMITED: RateLimited,
    ErrorCode.FEATURE_MISSING: FeatureMissing,
    ErrorCode.CANCELLED: NotAllowed,
    ErrorCode.FROZEN: NotAllowed,
    ErrorCode.READ_ONLY: NotAllowed,
    ErrorCode.POLICY_DENIED: NotAllowed,
    ErrorCode.UNREACHABLE: Unreachable,
    ErrorCode.UNAVAILABLE: Unreachable,
    ErrorCode.OUTCOME_UNKNOWN: OutcomeUnknown,
}


def revived(error: dict[str, Detail]) -> RecontactError:
    """Turn a recorded error into one that can be raised."""
    known = {"code", "message", "changed", "safe_to_repeat", "next_step"}
    code = ErrorCode(str(error["code"]))
    return _CLASSES.get(code, Refused)(
        str(error["message"]),
        next_step=str(error["next_step"]),
        code=code,
        safe_to_repeat=bool(error["safe_to_repeat"]),
        details={key: value for key, value in error.items() if key not in known},
    )
