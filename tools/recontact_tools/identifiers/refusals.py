"""The refusals of an identifier file, each in our own words and with what to do next."""

from collections.abc import Sequence

from recontact_tools.errors import Detail, ErrorCode, InvalidInput
from recontact_tools.identifiers.respondent_file import FILE_BYTES_MAX, INLINE_IDS_MAX, LINES_MAX, dropped_details
from recontact_tools.identifiers.tally import Tally
from recontact_tools.models import IdType

WRITE_A_LIST = "Save the identifiers as a CSV or TXT file, one per line (8-4-4-4-12 hexadecimal digits), and try again."
NUMERIC_HINT = (
    "Whole numbers look like the API's other, numeric respondent id, which cannot be uploaded: "
    "use the RSID column of the respondent analysis report."
)
NO_HYPHENS_HINT = (
    "32 hexadecimal digits without hyphens were left out: they may be hashes of personal data. "
    "If they are identifiers, write them with hyphens (8-4-4-4-12)."
)
MOSTLY_DROPPED_HINT = "Most lines hold no identifier: check that this is the right file and column."


def not_a_list(what: str, *, next_step: str = WRITE_A_LIST) -> InvalidInput:
    """Refuse content that is not a text list; *what* is a sentence of ours."""
    return InvalidInput(what, code=ErrorCode.INVALID_FILE, next_step=next_step)


def too_large(message: str, *, bytes_max: int) -> InvalidInput:
    """Refuse a file over a size limit."""
    return InvalidInput(
        message,
        code=ErrorCode.FILE_TOO_LARGE,
        next_step="Keep only the column of identifiers, split the file if it is still too large, and try again.",
        details={"bytes_max": bytes_max},
    )


def too_many_bytes_to_send(size: int) -> InvalidInput:
    """Refuse a list whose canonical form reaches the API's limit."""
    refusal = too_large("The list of identifiers is larger than the API accepts.", bytes_max=FILE_BYTES_MAX)
    refusal.details["bytes"] = size
    return refusal


def too_many_lines(lines: int) -> InvalidInput:
    """Refuse a file with more lines than we read."""
    return InvalidInput(
        f"The file has more than {LINES_MAX:,} lines.",
        code=ErrorCode.FILE_TOO_LARGE,
        next_step="Remove what is not needed, or split the file, and try again.",
        details={"lines": lines, "lines_max": LINES_MAX},
    )


def too_many_ids(ids: int, *, ids_max: int) -> InvalidInput:
    """Refuse more ids than one target group can hold."""
    return InvalidInput(
        f"The file holds {ids:,} different identifiers; at most {ids_max:,} are allowed.",
        code=ErrorCode.TOO_MANY_IDS,
        next_step="Choose fewer respondents, or spread them over several target groups.",
        details={"ids": ids, "ids_max": ids_max},
    )


def too_many_inline(ids: int, *, local_files: bool) -> InvalidInput:
    """Refuse an inline list that belongs in a file."""
    instead = (
        "Save the identifiers in a file and pass its `path` instead of `ids`."
        if local_files
        else "Call stage_upload, let the user upload a file with the identifiers, and pass the `ticket` instead."
    )
    return InvalidInput(
        f"`ids` takes at most {INLINE_IDS_MAX:,} identifiers.",
        code=ErrorCode.TOO_MANY_IDS,
        next_step=instead,
        details={"ids": ids, "ids_max": INLINE_IDS_MAX},
    )


def other_id_type(named: IdType, *, asked: IdType) -> InvalidInput:
    """Refuse a column whose header contradicts the id type of the upload."""
    return InvalidInput(
        f"The file's header says these are {named.value}s, but the upload says {asked.value}.",
        code=ErrorCode.INVALID_FILE,
        next_step=(
            f"Pass `id_type` {named.value}; or, if they really are {asked.value}s, name the column "
            "with `column` (its header, or its number)."
        ),
        details={"header_id_type": named.value, "id_type": asked.value},
    )


def ambiguous_column(labels: Sequence[str]) -> InvalidInput:
    """Refuse to guess between columns that all hold ids; *labels* are safe names or numbers."""
    return InvalidInput(
        "More than one column holds identifiers, and the header does not say which one is meant.",
        code=ErrorCode.INVALID_FILE,
        next_step="Ask which column is meant and pass it as `column`; for a plain list, write one identifier per line.",
        details={"columns": list[Detail](labels)},
    )


def no_such_column() -> InvalidInput:
    """Refuse a named column that the file does not have."""
    return not_a_list(
        "The file has no such column.",
        next_step="Pass `column` as the column's header or its number from 1, or leave it out.",
    )


def unclosed_quote(line: int) -> InvalidInput:
    """Refuse a table in which a cell does not end where cells do."""
    refusal = not_a_list(
        f"The cell that starts on line {line:,} is too long, or its quotation mark is never closed.",
        next_step="Mend that line, or save only the column of identifiers, and try again.",
    )
    refusal.details["line"] = line
    return refusal


def nothing_is_an_id(tally: Tally, *, lines: int) -> InvalidInput:
    """Refuse a file in which nothing is an identifier: it never leaves this machine."""
    if not lines:
        return not_a_list("The file is empty.")
    refusal = not_a_list(_why_nothing(tally))
    refusal.details.update(lines=lines, dropped=dropped_details(tally.dropped()))
    hints = hints_for(tally, ids=0)
    if hints:
        refusal.next_step = f"{hints[0]} {WRITE_A_LIST}"
    return refusal


def hints_for(tally: Tally, *, ids: int) -> tuple[str, ...]:
    """Return advice on what was dropped; *ids* is how many lines did hold an id."""
    foreign = tally.count("malformed", "numeric", "no_hyphens", "formula", "not_text")
    return tuple(
        hint
        for hint, holds in (
            (NUMERIC_HINT, tally.count("numeric") > 0),
            (NO_HYPHENS_HINT, tally.count("no_hyphens") > 0),
            (MOSTLY_DROPPED_HINT, 0 < ids < foreign),
        )
        if holds
    )


def _why_nothing(tally: Tally) -> str:
    if tally.count() == tally.count("blank"):
        return "The file holds only blank lines."
    if tally.count() == tally.count("blank", "header"):
        return "The file holds a header and no identifiers."
    if tally.count("not_text"):
        return "The file is not a text list of identifiers."
    return "Nothing in the file is an identifier, so nothing was sent."
