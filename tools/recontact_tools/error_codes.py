"""What each error code means to a person: what brings it about, and what to do. docs/errors.md is made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from recontact_tools.errors import ErrorCode


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an operation ends with a code, and what mends it; each one or a few sentences of Markdown."""

    cause: str
    cure: str


_SETTING: Final = "Only whoever runs the server can change the setting that the message names."
_RULE: Final = (
    "The error names the `rule` and who may lift it; `recontact-mcp explain` works it out without asking anybody."
)
_ASK_AGAIN: Final = (
    "Call `remove_all_recontacts` again if the IDs are still to be removed: a new plan is made and asked."
)

EXPLANATIONS: Final[Mapping[ErrorCode, Explanation]] = MappingProxyType(
    {
        ErrorCode.INVALID_ARGUMENTS: Explanation(
            "An argument is missing, malformed or contradicts another one; or the account or project is neither given"
            " nor configured, nor known from an earlier job, nor found by the target group's id.",
            "Correct what the message names. A target group is named by its 26 letters and digits or by its Cint URL;"
            " a draft by its URL, or with `project_id` and `account_id`.",
        ),
        ErrorCode.INVALID_FILE: Explanation(
            "The file is empty, is no text, or holds no identifier of the kind that was asked for; or it has several"
            " columns of identifiers and none was chosen.",
            "Look at it with `recontact-mcp check FILE`, which says what every line was taken for. Choose a `column`,"
            " or the right `id_type`.",
        ),
        ErrorCode.FILE_TOO_LARGE: Explanation(
            "The file has more than 50,000,000 bytes (a staged one: than `RECONTACT_STAGED_BYTES`), or what is left of"
            " it more than 5,000,000.",
            "Keep the column with the identifiers and drop the others; split what is still too large.",
        ),
        ErrorCode.FILE_NOT_READABLE: Explanation(
            "The path is not that of a regular file under `RECONTACT_UPLOAD_ROOTS` that the server can read. Why is"
            " not told, so that nobody can look around in a file system this way.",
            "Put the file itself, not a link, into one of those directories; `recontact-mcp doctor` shows them. Over"
            " HTTP no path can be read: use `stage_upload`.",
        ),
        ErrorCode.TICKET_NOT_VALID: Explanation(
            "The ticket of a staged file is unknown, has expired, was used, or is not of this person and target group;"
            " which of these is not told. Nothing was sent.",
            "Call `stage_upload` again, let the user upload the file once more, and pass the new ticket.",
        ),
        ErrorCode.TICKET_EMPTY: Explanation(
            "Nothing has arrived yet under the ticket of a staged file. Nothing was sent.",
            "The user uploads the file under the address that `stage_upload` answered; then the same call works.",
        ),
        ErrorCode.TOO_MANY_IDS: Explanation(
            "The file has more than 100,000 IDs, or `ids` more than 1,000.",
            "Give a long list as a file. A target group holds 100,000 IDs: spread more of them over several.",
        ),
        ErrorCode.CAPACITY_EXCEEDED: Explanation(
            "The IDs stored and the new ones would be more than the 100,000 that a target group holds. Where the"
            " stored ones could not be compared, each ID that is sent counts as new.",
            "Send fewer; `preview_upload` says how many fit. What is stored can only be removed as a whole.",
        ),
        ErrorCode.IDEMPOTENCY_CONFLICT: Explanation(
            "The `idempotency_key` was used before, for another target group, other IDs or another kind of job."
            " Nothing was sent.",
            "Use a new key for a new upload or removal; to repeat the earlier call, repeat its arguments as well.",
        ),
        ErrorCode.NOTHING_TO_REMOVE: Explanation(
            "No ID is stored for the target group.", "Nothing is to be done. Check that it is the right target group."
        ),
        ErrorCode.POLICY_DENIED: Explanation(
            "The account, project or target group is not on the operator's list of those that may be used"
            " (`RECONTACT_ALLOWED_...`), or not on yours (`RECONTACT_ACCESS_FILE`); or the access file does not name"
            " you at all.",
            _RULE,
        ),
        ErrorCode.READ_ONLY: Explanation(
            "The server was told to change nothing (`RECONTACT_READ_ONLY`), or to let you change nothing"
            " (`RECONTACT_ACCESS_FILE`).",
            _RULE,
        ),
        ErrorCode.FROZEN: Explanation(
            "Somebody stopped all changes, or those of some people, with the file that `RECONTACT_FREEZE_FILE` names.",
            "Reading goes on. Ask whoever runs the server why, and repeat the call once the file is gone.",
        ),
        ErrorCode.INSUFFICIENT_SCOPE: Explanation(
            "The access token does not carry the scope that this takes: `recontacts:read` to look,"
            " `recontacts:upload` to add, `recontacts:remove` to remove.",
            "Sign in again and grant the scopes in `required_scopes`. A client that follows the challenge of the"
            " server (HTTP 403) asks for them by itself.",
        ),
        ErrorCode.CAP_REACHED: Explanation(
            "The access file limits what one person may upload or remove in a day (UTC), and this would be more.",
            "Wait until `renews_at`, or ask whoever edits the access file for more.",
        ),
        ErrorCode.APPROVAL_REQUIRED: Explanation(
            "A person has to agree outside the client: it cannot put a question to them, or this server wants to be"
            " surer than a client's word (`RECONTACT_APPROVAL_MINIMUM`).",
            "Give the code to the person. They agree on the page that `approve_url` names or that was opened in their"
            " browser, or with `recontact-mcp approve CODE` on a terminal. Then repeat the call with the same"
            " arguments; the job tool says when, given the plan's id.",
        ),
        ErrorCode.CONFIRMATION_DECLINED: Explanation(
            "The person declined the removal, or closed the question.",
            f"Nothing was removed. {_ASK_AGAIN}",
        ),
        ErrorCode.CONFIRMATION_MISMATCH: Explanation(
            "What was typed is not the phrase that the question asked for.",
            f"Nothing was removed. {_ASK_AGAIN}",
        ),
        ErrorCode.CONFIRMATION_TIMED_OUT: Explanation(
            "Nobody answered the question within `RECONTACT_CONFIRM_SECONDS`. Only clients of the 2025 protocol wait.",
            f"Nothing was removed. {_ASK_AGAIN}",
        ),
        ErrorCode.PLAN_NOT_VALID: Explanation(
            "The plan of the removal has expired, was used, or is not of this person; or the removal it belongs to was"
            " refused meanwhile.",
            _ASK_AGAIN,
        ),
        ErrorCode.PLAN_DRIFTED: Explanation(
            "The number of stored IDs changed between the question and its answer, so the person agreed to something"
            " else. Nothing was removed.",
            f"Find out who changed it. {_ASK_AGAIN}",
        ),
        ErrorCode.CANCELLED: Explanation(
            "A person or an assistant cancelled it before anything was sent.",
            "Nothing was changed. Start it again if it is still wanted.",
        ),
        ErrorCode.SNAPSHOT_INCOMPLETE: Explanation(
            "All stored IDs are read before a removal and after a restore. They could not be read whole: the list"
            " changed meanwhile, or did not agree with its count. Nothing is removed without a complete snapshot.",
            "Make sure that nobody else works on the target group, and repeat the call in a few minutes.",
        ),
        ErrorCode.SNAPSHOT_UNREADABLE: Explanation(
            "The key of the snapshots is missing, open to others or another one than the list was sealed with, or than"
            " the other servers on the same database have; or the list was deleted or has expired.",
            "`recontact-mcp snapshots` shows what is kept. The key is `RECONTACT_SNAPSHOT_KEY`, or the file"
            " `snapshots.key` in the data directory, which must be yours alone (`chmod 600`).",
        ),
        ErrorCode.REPLACEMENT_FAILED: Explanation(
            "After the old list was removed the new one could not be uploaded. The old list is uploaded again by"
            " itself; where that fails as well, or an answer was lost, the replacement stops.",
            "Follow it with `get_upload_job`. If it stopped, `restore_recontacts` with the `snapshot_id` that it names"
            " puts the old list back.",
        ),
        ErrorCode.UNREACHABLE: Explanation(
            "No connection to Cint could be made, or several in a row failed and the server holds further ones back"
            " for some seconds. Nothing was sent.",
            "Repeat the call after `retry_after_seconds`, if it is given. If it stays, `recontact-mcp doctor` says what"
            " is in the way: name, proxy, certificate or host.",
        ),
        ErrorCode.UNAVAILABLE: Explanation(
            "A read had no usable answer in its time; or the server cannot use its own data directory or database; or"
            " the call took longer than a client waits.",
            "Repeat the call in a few minutes. If the message is about the data directory, run `recontact-mcp doctor`.",
        ),
        ErrorCode.REFUSED: Explanation(
            "The API answered with a 4xx that has no code of its own, such as 400 for a request it finds wrong. Nothing"
            " was done.",
            "Check the ids; `http_status` in the error is the API's.",
        ),
        ErrorCode.JOB_RUNNING: Explanation(
            "An upload or a removal runs on the target group, and the API takes one at a time.",
            "Follow the job that the error names, and repeat the call when it has ended. A job of somebody else may not"
            " be named: look at `list_upload_jobs`, and wait.",
        ),
        ErrorCode.NOT_FOUND: Explanation(
            "The API knows no such account, project, target group or job, or these credentials do not see it. If the"
            " target group is in another project, the error says which.",
            "Check the ids, or paste the target group's URL. A job belongs to the target group it was started on.",
        ),
        ErrorCode.NOT_PERMITTED: Explanation(
            "The credentials are wrong, or not allowed to do this in this account; or recontacts are not enabled for"
            " it. An expired token is not the reason: it was renewed once already.",
            "Run `recontact-mcp doctor`, which tells the credentials from the account. Then ask Cint to permit it.",
        ),
        ErrorCode.RATE_LIMITED: Explanation(
            "The API asks for fewer requests, or too many calls wait for their turn here. Over HTTP also: you call"
            " faster than this server lets one caller, have as many calls under way or sessions open as one may"
            " (`RECONTACT_CALLS_PER_SECOND`, `RECONTACT_CALLS_AT_ONCE`, `RECONTACT_HTTP_SESSIONS_PER_CALLER`), or too"
            " many requests or codes from you were no good. Nothing was sent, or nothing done.",
            "Repeat the call after `retry_after_seconds`. If the API asks often, lower `CINT_REQUESTS_PER_SECOND`;"
            " sessions end when they are deleted, or idle for `RECONTACT_HTTP_SESSION_IDLE_SECONDS`.",
        ),
        ErrorCode.FEATURE_MISSING: Explanation(
            "The target group is there, but the account or the API version lacks the operation: the upload of RIDs, the"
            " list of upload jobs, or the download of an uploaded file.",
            "Everything else works: the upload of RSIDs, jobs by their id, the count, the list, the removal. Set"
            " `CINT_API_VERSION` to the newest version, and ask Cint to enable it.",
        ),
        ErrorCode.OUTCOME_UNKNOWN: Explanation(
            "The request that starts a job was sent, its answer was lost, and looking at the API did not tell whether"
            " the job exists. It is not sent again by itself: that could start it twice.",
            "Look at `list_upload_jobs` for the `file_name` in the error, or at `get_recontact_overview` for the count."
            " If the job is not there after some minutes, send again with a new `idempotency_key`.",
        ),
        ErrorCode.INTERNAL_ERROR: Explanation(
            "Something happened that nobody foresaw: a mistake in recontact-mcp.",
            "Look at the state before you repeat anything: `changed` says whether a job may have been started. Report"
            " it with the log, which holds no identifiers.",
        ),
    }
)
