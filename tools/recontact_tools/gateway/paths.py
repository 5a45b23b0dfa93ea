"""The paths of the ten operations, with ids and cursors as opaque texts."""

from contextlib import suppress
from typing import Final
from urllib.parse import quote

from recontact_tools.errors import InvalidInput
from recontact_tools.models import IdType, TargetGroup

# source: cint-api.md section 1.1, operations 1 to 10
RSID_UPLOADS: Final = "jobs/upload-rsids-by-file"
RESPONDENT_UPLOADS: Final = "jobs/upload-respondents-by-file"
REMOVALS: Final = "jobs/remove-all-rsids"
OVERVIEW: Final = "overview"
RSIDS: Final = "rsids"
# source: cint-api.md section 3
STUDY_TYPES: Final = "/study-types"


def recontacts_path(group: TargetGroup, tail: str, *ids: str) -> str:
    """Return the path, below the base URL, of *tail* in the recontacts of *group*, then *ids*.

    Raises:
        InvalidInput: An id is no text, or empty or a relative path segment, so that the URL would name
            something else.
    """
    head = (
        f"/demand/accounts/{group.account_id}/projects/{_segment(group.project_id)}"
        f"/target-groups/{_segment(group.target_group_id)}/recontacts/{tail}"
    )
    return "/".join((head, *map(_segment, ids)))


def page_query(page_size: int, cursor: str | None) -> str:
    """Return the query of one page; *cursor* comes from the page before it.

    Raises:
        InvalidInput: The cursor is not a text that could have come from there.
    """
    return f"page_size={page_size}" + (f"&start_after={_quoted(cursor)}" if cursor else "")


def upload_tail(id_type: IdType) -> tuple[str, str]:
    """Return the tail and the query of an upload of *id_type*."""
    if id_type is IdType.RSID:
        return RSID_UPLOADS, ""
    return RESPONDENT_UPLOADS, f"entity_type={id_type.value}"


def upload_job_tails(id_type: IdType | None) -> tuple[str, str]:
    """Return the tail of the jobs of *id_type*, then the other one; RSID uploads are the usual ones."""
    if id_type is IdType.RID:
        return RESPONDENT_UPLOADS, RSID_UPLOADS
    return RSID_UPLOADS, RESPONDENT_UPLOADS


def _segment(name: str) -> str:
    if name in {"", ".", ".."}:
        raise InvalidInput("An id is empty or only dots.", next_step="Give the id as the API returned it.")
    return _quoted(name)


def _quoted(text: str) -> str:
    if text.isascii() and text.isalnum():  # as nearly all ids are
        return text
    with suppress(UnicodeEncodeError):
        return quote(text, safe="")
    raise InvalidInput(
        "An id or a cursor holds half a character.",
        next_step="Give the id or the cursor as the API returned it.",
    )
