"""What a reader found in a file, before duplicates are taken out and limits are checked."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from recontact_tools.identifiers.refusals import (
    hints_for,
    nothing_is_an_id,
    too_many_bytes_to_send,
    too_many_ids,
)
from recontact_tools.identifiers.respondent_file import FILE_BYTES_MAX, LINE_NUMBERS_MAX, RespondentFile
from recontact_tools.identifiers.tally import Tally


@dataclass(slots=True)
class Scan:
    """Canonical ids in file order, doubles included, and the line each stands on (from 1).

    *sent* is the content of the file to send and how many ids it holds.
    """

    ids: list[bytes]
    numbers: Iterable[int]
    lines: int
    sent: tuple[bytes, int]
    tally: Tally = field(default_factory=Tally)
    header: str | None = None
    column: str | None = None
    delimiter: str | None = None
    hints: tuple[str, ...] = ()


def distinct(ids: list[bytes]) -> tuple[bytes, int]:
    """Render each id once, one a line, in the order of first appearance, and count them."""
    once = dict.fromkeys(ids)
    return b"\n".join((*once, b"")), len(once)


def once_each(content: bytes) -> tuple[list[bytes], tuple[bytes, int]]:
    """Split canonical lines into their ids; return them, and what is sent: the lines themselves if none is double."""
    ids = content.split(b"\n")
    ids.pop()
    return ids, (content, len(ids)) if len(set(ids)) == len(ids) else distinct(ids)


def checked(scan: Scan, *, ids_max: int) -> RespondentFile:
    """Take out duplicates, apply the limits and render what is sent.

    Raises:
        InvalidInput: INVALID_FILE when there is no id, TOO_MANY_IDS or FILE_TOO_LARGE over a limit.
    """
    if not scan.ids:
        raise nothing_is_an_id(scan.tally, lines=scan.lines)
    content, count = scan.sent
    if count > ids_max:
        raise too_many_ids(count, ids_max=ids_max)
    if len(content) >= FILE_BYTES_MAX:
        raise too_many_bytes_to_send(len(content))
    doubles = len(scan.ids) - count
    if doubles:
        scan.tally.add_all("duplicate", count=doubles, first_lines=_first_doubles(scan))
    return RespondentFile(
        content=content,
        ids=count,
        lines=scan.lines,
        dropped=scan.tally.dropped(),
        column=scan.column,
        delimiter=scan.delimiter,
        had_header=scan.header is not None,
        hints=(*scan.hints, *hints_for(scan.tally, ids=len(scan.ids))),
    )


def _first_doubles(scan: Scan) -> list[int]:
    seen: set[bytes] = set()
    doubles: list[int] = []
    for id_, number in zip(scan.ids, scan.numbers, strict=False):
        if id_ in seen:
            doubles.append(number)
            if len(doubles) == LINE_NUMBERS_MAX:
                break
        seen.add(id_)
    return doubles
