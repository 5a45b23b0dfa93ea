"""The fast path: a file that is nothing but ids is checked as one buffer, not line by line."""

import re

from recontact_tools.identifiers.cells import DELIMITERS, is_name
from recontact_tools.identifiers.lines import decoded
from recontact_tools.identifiers.scan import Scan, once_each

WIDTH = 36  # source: cint-api 2.9, RSID and RID are 36 characters
_HYPHENS = (8, 13, 18, 23)  # source: cint-api 2.9, 8-4-4-4-12
_HEX_DIGITS = b"0123456789abcdefABCDEF"
_CANONICAL = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CHUNK = 512  # ours: lines looked at one by one around a bad one of the right length


def read_clean(text: bytes) -> Scan | None:
    """Read a plain list of ids, with a header line or without; None when anything else is in it.

    *text* has LF line ends, the last line included.
    """
    if only_ids(text):
        return _scan(text.lower(), header=None)
    start = text.find(b"\n") + 1
    if not only_ids(text, start):
        return None
    header = decoded(text[: start - 1])
    if not is_name(header) or any(mark in header for mark in DELIMITERS):
        return None
    return _scan(text[start:].lower(), header=header)


def odd_lines(lines: list[bytes]) -> list[int]:
    """Return the indexes of the lower-case lines that have not the length of an id, in order."""
    return [index for index, line in enumerate(lines) if len(line) != WIDTH]


def not_canonical(lines: list[bytes]) -> list[int]:
    """Return the indexes of the lower-case lines that are not exactly one canonical id, in order."""
    odd = odd_lines(lines)
    for start in range(0, len(lines), _CHUNK):
        chunk = lines[start : start + _CHUNK]
        if not only_ids(b"\n".join([*(line for line in chunk if len(line) == WIDTH), b""])):
            odd.extend(
                index
                for index, line in enumerate(chunk, start)
                if len(line) == WIDTH and not _CANONICAL.fullmatch(line)
            )
    return sorted(odd)


def only_ids(text: bytes, start: int = 0) -> bool:
    """Whether the buffer is, from *start* on, lines of one bare id and LF, and nothing else."""
    count, rest = divmod(len(text) - start, WIDTH + 1)
    if rest or not count or text[start + WIDTH :: WIDTH + 1] != b"\n" * count:
        return False
    if any(text[start + place :: WIDTH + 1] != b"-" * count for place in _HYPHENS):
        return False
    # Five places a line are accounted for; so the rest is hex exactly when nothing more is left.
    return len(text[start:].translate(None, _HEX_DIGITS)) == (len(_HYPHENS) + 1) * count


def _scan(body: bytes, *, header: str | None) -> Scan:
    ids, sent = once_each(body)
    above = 0 if header is None else 1
    scan = Scan(ids, range(above + 1, len(ids) + above + 1), lines=len(ids) + above, sent=sent, header=header)
    if above:
        scan.tally.add("header", 1)
    return scan
