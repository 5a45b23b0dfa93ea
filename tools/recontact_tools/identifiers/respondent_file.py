"""What an identifier file turned into: the bytes to send, and the account of what was dropped."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from recontact_tools.errors import Detail

FILE_BYTES_MAX = 5_000_000  # source: upload-rsids-by-file, "smaller than 5 MB"; the stricter of two readings
IDS_MAX = 100_000  # source: upload-rsids-by-file, existing + new IDs of a target group
INLINE_IDS_MAX = 1_000  # ours: a longer list costs a model more tokens than a path
RAW_BYTES_MAX = 50_000_000  # ours: 100,000 rows of 500 bytes, ids and extra columns
LINES_MAX = 1_000_000  # ours: ten lines per ID that fits; bounds the memory a hostile file can take
LINE_NUMBERS_MAX = 10  # ours: enough to find the pattern, few enough to read

Kind: TypeAlias = Literal["duplicate", "blank", "malformed", "numeric", "no_hyphens", "formula", "not_text", "header"]
KINDS: tuple[Kind, ...] = (
    "duplicate",
    "blank",
    "malformed",
    "numeric",
    "no_hyphens",
    "formula",
    "not_text",
    "header",
)


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many lines of one kind were not sent; *lines* are the first ten line numbers, from 1."""

    kind: Kind
    count: int
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RespondentFile:
    """A checked list of ids, ready to send.

    *content* holds one lower-case 36-character id a line, LF, no header, no BOM, each id once, in the
    order of first appearance; it stays out of the repr. *ids* counts them, *lines* the physical lines
    of the source. *column* is the column's header where that is a plain name, else `column N`, and
    None for a list without a header. *delimiter* is None for a list.
    """

    content: bytes = field(repr=False)
    ids: int
    lines: int
    dropped: tuple[Dropped, ...]
    column: str | None
    delimiter: str | None
    had_header: bool
    hints: tuple[str, ...]


def report(file: RespondentFile) -> dict[str, Detail]:
    """Describe a checked file in counts, line numbers and classes; never its content."""
    return {
        "ids": file.ids,
        "lines": file.lines,
        "bytes": len(file.content),
        "column": file.column,
        "had_header": file.had_header,
        "dropped": dropped_details(file.dropped),
        "hints": list[Detail](file.hints),
    }


def dropped_details(dropped: Iterable[Dropped]) -> list[Detail]:
    """Describe what was dropped as a program reads it: kind, count, first line numbers."""
    return [{"kind": one.kind, "count": one.count, "lines": list[Detail](one.lines)} for one in dropped]
