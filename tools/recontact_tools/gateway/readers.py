"""Reading the API's answers into values: tolerant of absent and null fields, never of another shape."""

import re
from datetime import UTC, datetime
from typing import cast

from recontact_tools.gateway.answers import Answer, Unreadable, json_object
from recontact_tools.models import Job, JobPage, ListedJob, Reason, RespondentPage

UUID_SHAPED = re.compile(r"[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}")
HALF_CHARACTER = re.compile("[\ud800-\udfff]")
COUNT_TEXT = re.compile(r"[0-9]{1,16}")
COUNT_MAX = 2**53  # ours: what any JSON number holds exactly; the documented limit is 100,000


def read_job_id(answer: Answer) -> str:
    """Read the id of a job that was just created.

    Raises:
        Unreadable: There is none.
    """
    return _text(json_object(answer.body), "job_id")


def read_job(answer: Answer, job_id: str) -> Job:
    """Read one job; *job_id*, which we asked for, stands in for one that is absent.

    Who started it is a user of Cint's, whom nobody here needs to know.

    Raises:
        Unreadable: It has no status.
    """
    found = json_object(answer.body)
    return Job(
        job_id=_optional_text(found, "job_id") or job_id,
        status=_text(found, "status"),
        created_at=_time(found, "created_at"),
        completed_at=_time(found, "completed_at"),
        failure_reason=_reason(found, "failure_reason"),
        partial_success_reason=_reason(found, "partial_success_reason"),
        job_trace_id=_optional_text(found, "job_trace_id"),
    )


def read_job_page(answer: Answer) -> JobPage:
    """Read one page of upload jobs.

    Raises:
        Unreadable: It is no list of jobs. A broken line spoils the page: whether an upload arrived is
            decided by looking here, so none may go missing silently.
    """
    found = json_object(answer.body)
    lines = _list(found.get("data"))
    return JobPage(jobs=tuple(_listed_job(line) for line in lines), next_cursor=_cursor(found))


def read_respondent_page(answer: Answer) -> RespondentPage:
    """Read one page of stored RSIDs; the schema lets each field be absent, but not all of them.

    Raises:
        Unreadable: It is no list of RSIDs.
    """
    found = json_object(answer.body)
    if found.keys().isdisjoint({"data", "next_cursor", "url"}):
        raise Unreadable
    data = found.get("data")
    lines = [] if data is None else _list(data)
    respondent_ids = tuple(line for line in lines if isinstance(line, str) and _is_whole(line))
    if len(respondent_ids) < len(lines):
        raise Unreadable
    return RespondentPage(respondent_ids=respondent_ids, next_cursor=_cursor(found))


def read_count(answer: Answer) -> int:
    """Read how many RSIDs are stored.

    Raises:
        Unreadable: It is not a count.
    """
    found = json_object(answer.body).get("saved_respondent_ids_count")
    # assumed: a number that is spelled as a text or with a fraction of zero is the same number
    count = int(found) if isinstance(found, str) and COUNT_TEXT.fullmatch(found) else found
    if isinstance(count, float) and count.is_integer():
        count = int(count)
    if type(count) is not int or not 0 <= count <= COUNT_MAX:  # bool is an int to isinstance
        raise Unreadable
    return count


def read_file(answer: Answer) -> bytes:
    """Read a downloaded file as it is.

    Raises:
        Unreadable: It is a web page, so a proxy answered and not the API; or it is cut short.
    """
    headers = answer.headers
    if headers.get("content-type", "").casefold().startswith("text/html"):
        raise Unreadable
    promised = None if "content-encoding" in headers else headers.get("content-length")
    if promised not in {None, str(len(answer.body))}:  # a socket tells, a transport in this process does not
        raise Unreadable
    return answer.body


def _listed_job(line: object) -> ListedJob:
    found = _object(line)
    return ListedJob(
        job_id=_text(found, "job_id"),
        file_name=_optional_text(found, "file_name") or "",
        status=_optional_text(found, "status") or "",
        created_at=_time(found, "created_at"),
    )


def _reason(found: dict[str, object], name: str) -> Reason | None:
    value = found.get(name)
    if value is None or isinstance(value, str):
        return Reason(description=_sentence(found, name) or "") if value else None
    reason = _object(value)
    return Reason(description=_sentence(reason, "description") or "", code=_sentence(reason, "code"))


def _sentence(found: dict[str, object], name: str) -> str | None:
    """Return the API's words without the respondent IDs that they may quote."""
    text = _optional_text(found, name)
    return UUID_SHAPED.sub("[id]", text) if text else text


def _time(found: dict[str, object], name: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(_optional_text(found, name) or "")
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):  # the first hours of year 1 have no UTC
        return None


def _cursor(found: dict[str, object]) -> str | None:
    value = found.get("next_cursor")
    if value is None or value == "":
        return None
    return _text(found, "next_cursor")


def _text(found: dict[str, object], name: str) -> str:
    value = _optional_text(found, name)
    if not value:
        raise Unreadable
    return value


def _optional_text(found: dict[str, object], name: str) -> str | None:
    value = found.get(name)
    return value if isinstance(value, str) and _is_whole(value) else None


def _is_whole(text: str) -> bool:
    """Tell whether *text* can be written; JSON can hold half a surrogate pair, and UTF-8 cannot."""
    return text.isascii() or not HALF_CHARACTER.search(text)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise Unreadable
    return cast("list[object]", value)


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise Unreadable
    return cast("dict[str, object]", value)
