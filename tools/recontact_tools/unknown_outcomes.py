"""What a caller is told of an intent whose outcome nobody knows: what to look at, and how to send all the same."""

from recontact_tools.errors import Detail, OutcomeUnknown
from recontact_tools.ledger import Intent

_AGAIN = (
    "Repeating upload_recontacts sends nothing, it looks again; to send anyway, repeat it with a new idempotency_key."
)


def upload_unknown(intent: Intent, *, looked: bool) -> dict[str, Detail]:
    """Say that an upload's file was sent, and its job not found."""
    found = "no job with its file name is listed" if looked else "the list of jobs could not be read"
    return OutcomeUnknown(
        f"The file was sent, the API's answer was lost, and {found}.",
        next_step=(
            "Call get_upload_job with this job_id after some minutes: it looks again. list_upload_jobs shows the "
            "upload, if it is there, under this file_name; without it, and if the count of get_recontact_overview has "
            f"not grown, nothing was stored. {_AGAIN}"
        ),
        details={"job_id": intent.intent_id, "file_name": intent.file_name},
    ).as_dict()


def count_unknown(intent: Intent, count: int | None) -> dict[str, Detail]:
    """Say what the *count* of stored IDs, None when nobody could read it, tells where no jobs are listed."""
    before, sent = intent.stored_before or 0, intent.ids or 0
    return OutcomeUnknown(
        f"The file was sent, the API's answer was lost, and this account has no list of jobs. {_grown(before, count)}",
        next_step=(
            "Tell the user these counts. Call get_recontact_overview after some minutes and compare it with "
            f"stored_before and ids_sent. {_AGAIN}"
        ),
        details={
            "job_id": intent.intent_id,
            "file_name": intent.file_name,
            "stored_before": before,
            "stored_now": count,
            "ids_sent": sent,
        },
    ).as_dict()


def _grown(before: int, now: int | None) -> str:
    if now is None:
        return "The count of stored IDs could not be read, either."
    if now > before:
        return "The count has grown, which speaks for the upload but does not prove it: others may have added IDs."
    return "The count has not grown: nothing was stored, or only IDs that were stored already."


def removal_unknown(intent: Intent, *, looked: bool) -> dict[str, Detail]:
    """Say that a removal was requested, and its effect not seen."""
    found = "the target group still holds IDs" if looked else "the count could not be read"
    return OutcomeUnknown(
        f"The removal was requested, the API's answer was lost, and {found}.",
        next_step=(
            "Call get_recontact_overview after some minutes: 0 means the removal ran. If the count stays the "
            "same it did not; asking for a removal again needs a new confirmation, and another idempotency_key if "
            "there was one."
        ),
        details={"job_id": intent.intent_id},
    ).as_dict()
