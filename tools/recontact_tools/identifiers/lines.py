"""Looking at lines of a big text without holding all of them: a file may have a million."""

import io
from collections.abc import Iterator
from itertools import chain, islice

SAMPLE = 100  # ours: lines from the top, and as many from all over, that show what a file is


def first_lines(text: bytes, count: int) -> Iterator[str]:
    """Yield the first lines, without their ends."""
    # A BytesIO shares the bytes that it reads; splitting off a few lines would copy the rest.
    return (decoded(line.removesuffix(b"\n")) for line in islice(io.BytesIO(text), count))


def line_at(text: bytes, number: int) -> str:
    """Return one line, by its number from 1, without its end."""
    return next(decoded(line.removesuffix(b"\n")) for line in islice(io.BytesIO(text), number - 1, number))


def sample_of(text: bytes, *, lines: int) -> list[str]:
    """Return lines from the top and from all over a text of so many *lines*, with their ends."""
    step = max(1, lines // SAMPLE)
    top, all_over = islice(io.BytesIO(text), SAMPLE), islice(io.BytesIO(text), SAMPLE, None, step)
    return [decoded(line) for line in chain(top, all_over)]


def decoded(line: bytes) -> str:
    """Return bytes as text; what is no UTF-8 becomes U+FFFD, which is no part of any id."""
    return line.decode("utf-8", "replace")
