"""Read the lines of an uploaded file the way the API does: one identifier a line, everything else a failed row."""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from recontact_service.packed import ID_BYTES, pack_set

# assumed: blanks around an identifier and a carriage return before the line end are tolerated; quotes, commas and
# any other byte make the row a failed one. Version and variant bits are not looked at: real identifiers break them.
_IDENTIFIER_LINE = re.compile(
    rb"^[ \t]*([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})[ \t]*\r?$", re.MULTILINE
)
_PAIR_LINE = re.compile(
    r"[ \t]*({id})[ \t]*,[ \t]*({id})[ \t]*\r?".replace(
        "{id}", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    ).encode()
)
_PAIR_NAMES = re.compile(rb"[ \t]*rid[ \t]*,[ \t]*rsid[ \t]*\r?")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # assumed: tolerated at the start


@dataclass(frozen=True, slots=True)
class FileContent:
    """The distinct identifiers of a file, packed and ascending, and how many rows failed."""

    ids: bytes
    failed: int


def read_lines(
    content: bytes,
    *,
    header_row: Literal["failed_row", "skipped"] = "failed_row",
    repeated_rows: Literal["merged", "failed_rows"] = "merged",
) -> FileContent:
    """Split a file into distinct identifiers and a count of failed rows (invalid or empty)."""
    lowered = content.removeprefix(_BYTE_ORDER_MARK).lower()
    rows = lowered.count(b"\n") + (not lowered.endswith(b"\n") and bool(lowered))
    found: list[bytes] = _IDENTIFIER_LINE.findall(lowered)
    ids = pack_set(bytes.fromhex(b"".join(found).replace(b"-", b"").decode("ascii")))
    failed = rows - len(found)
    first_is_header = rows > 0 and _IDENTIFIER_LINE.match(lowered) is None
    if header_row == "skipped" and first_is_header:
        failed -= 1
    if repeated_rows == "failed_rows":
        failed += len(found) - len(ids) // ID_BYTES
    return FileContent(ids, failed)


def read_pairs(table: bytes) -> dict[bytes, bytes]:
    """Read a table of RID and RSID, 16 bytes each, one pair a line, perhaps under a line of their names.

    Raises:
        ValueError: naming the first line that is no pair, or that gives a RID another RSID.
    """
    lines = table.removeprefix(_BYTE_ORDER_MARK).lower().split(b"\n")
    pairs: dict[bytes, bytes] = {}
    for number, line in enumerate(lines, start=1):
        pair = _PAIR_LINE.fullmatch(line)
        if pair:
            rid, rsid = (bytes.fromhex(one.decode().replace("-", "")) for one in pair.groups())
            if pairs.setdefault(rid, rsid) != rsid:
                raise ValueError(f"line {number} gives an RID of an earlier line another RSID")
        elif line.strip() and not (number == 1 and _PAIR_NAMES.fullmatch(line)):
            raise ValueError(f"line {number} is not an RID, a comma and an RSID")
    return pairs


def derive_respondent(response_id: bytes) -> bytes:
    """Map a RID without a known respondent to an invented one, always the same."""
    return sha256(b"respondent of " + response_id).digest()[:ID_BYTES]
