"""The two numbers in the prose by which the API says that an upload succeeded in part."""

import re
from dataclasses import dataclass

# ours: more lines than a file under 5 MB can have; a number beyond it counts something else.
COUNT_MAX = 5_000_000

_NUMBER = re.compile(r"[-+]?\d[\d.,'\u2019\u00a0\u2009\u202f]*")
_GROUPED = re.compile(r"[0-9]{1,3}(?:([.,'\u2019\u00a0\u2009\u202f])[0-9]{3}(?:\1[0-9]{3})*)?|[0-9]{1,7}")
_STORED = re.compile(r"\b(?:uploaded|stored|saved|added|succeeded|successful|successfully)\b", re.IGNORECASE)
_FAILED = re.compile(r"\b(?:failed|invalid|rejected|skipped|ignored)\b", re.IGNORECASE)
_NEGATED = re.compile(r"\b(?:not|no|none|never|without|cannot|could)\b|n't\b|n\u2019t\b|%", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PartialCounts:
    """How many lines of a file were *stored* and how many *failed*, as the API's prose has them."""

    stored: int
    failed: int


def partial_counts(text: str) -> PartialCounts | None:
    """Return the counts that *text* states; None when it may mean anything else.

    The prose is not specified, and is display text first: the numbers are believed only if there are exactly two,
    the words after the first say that it was stored, and those after the second that it failed.
    """
    found = list(_NUMBER.finditer(text))
    if len(found) != 2:  # noqa: PLR2004 (the two numbers)
        return None
    first, second = found
    stored, failed = _count(first.group()), _count(second.group())
    if stored is None or failed is None:
        return None
    said_of_first, said_of_second = text[first.end() : second.start()], text[second.end() :]
    if not _says(said_of_first, _STORED, but_not=_FAILED) or not _says(said_of_second, _FAILED, but_not=_STORED):
        return None
    return PartialCounts(stored, failed)


def _says(words: str, meaning: re.Pattern[str], *, but_not: re.Pattern[str]) -> bool:
    said = meaning.search(words)
    return said is not None and not but_not.search(words) and not _NEGATED.search(words, 0, said.start())


def _count(number: str) -> int | None:
    digits = number.rstrip(".,'\u2019\u00a0\u2009\u202f")
    if not _GROUPED.fullmatch(digits):
        return None
    count = int(re.sub(r"[^0-9]", "", digits))
    return count if count <= COUNT_MAX else None
