"""The two ways in: the bytes of a file, and a short list of texts."""

from collections.abc import Sequence

from recontact_tools.identifiers.cells import bare, ids_in, kind_of
from recontact_tools.identifiers.clean import read_clean
from recontact_tools.identifiers.columns import label_of, refuse_other_type
from recontact_tools.identifiers.decoding import plain_text
from recontact_tools.identifiers.plain_list import read_list
from recontact_tools.identifiers.refusals import too_many_inline
from recontact_tools.identifiers.respondent_file import IDS_MAX, INLINE_IDS_MAX, RespondentFile
from recontact_tools.identifiers.scan import Scan, checked, distinct
from recontact_tools.identifiers.table import read_table
from recontact_tools.models import IdType


def read_identifiers(
    data: bytes, *, column: str | None = None, ids_max: int = IDS_MAX, id_type: IdType = IdType.RSID
) -> RespondentFile:
    """Read the ids of a file in any of the shapes people have; nothing else of it is kept.

    CSV or TXT in UTF-8, UTF-16 or UTF-32; any line end; a header; extra columns; quotes, braces,
    `urn:uuid:`; several ids a line when nothing else is on it. At most 50,000,000 bytes and 1,000,000
    lines. *column* (a header, in any case, or a number from 1) overrides the choice of the column and
    the check of its header against *id_type*.

    Raises:
        InvalidInput: INVALID_FILE (no ids, not text, or no certain column), FILE_TOO_LARGE, TOO_MANY_IDS.
    """
    text = plain_text(data)
    scan = _read_as_list(text, column=column, id_type=id_type)
    return checked(scan or read_table(text, column=column, id_type=id_type), ids_max=ids_max)


def read_inline(ids: Sequence[str], *, local_files: bool = True) -> RespondentFile:
    """Read ids given one by one, at most 1,000; line numbers count the items from 1.

    Raises:
        InvalidInput: TOO_MANY_IDS (the text names `path` or, without *local_files*, `stage_upload`), INVALID_FILE
            when none is an id.
    """
    if len(ids) > INLINE_IDS_MAX:
        raise too_many_inline(len(ids), local_files=local_files)
    numbers: list[int] = []
    scan = Scan([], numbers, lines=len(ids), sent=(b"", 0))
    for number, item in enumerate(ids, 1):
        found, foreign = ids_in(item)
        if found and not foreign:
            scan.ids.extend(found)
            numbers.extend([number] * len(found))
        else:
            scan.tally.add("malformed" if found else kind_of(item), number)
    if len(scan.ids) > INLINE_IDS_MAX:
        raise too_many_inline(len(scan.ids), local_files=local_files)
    scan.sent = distinct(scan.ids)
    return checked(scan, ids_max=INLINE_IDS_MAX)


def _read_as_list(text: bytes, *, column: str | None, id_type: IdType) -> Scan | None:
    scan = read_clean(text)
    if column is None:
        scan = scan or read_list(text)
    if scan is None or not _is_column(scan, column):
        return None
    if scan.header is not None:
        scan.column = label_of([scan.header], 0)
        if column is None:
            refuse_other_type(scan.header, id_type=id_type)
    return scan


def _is_column(scan: Scan, column: str | None) -> bool:
    if column is None or column.strip() == "1":
        return True
    return scan.header is not None and bare(scan.header).casefold() == bare(column).casefold()
