"""Exceptions that arrive in groups, as they do from tasks."""

from collections.abc import Iterator
from typing import cast


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Return the exceptions in a group, however deep; one alone is itself."""
    if isinstance(error, BaseExceptionGroup):
        for one in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from leaves(one)
    else:
        yield error
