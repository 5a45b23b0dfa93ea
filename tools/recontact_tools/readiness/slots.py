"""A place for one fact while several are read at once: a read that fails, or is cut off, spoils nothing but its own."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from recontact_tools.errors import RecontactError
from recontact_tools.readiness.facts import TOO_SLOW, NotRead, Read, Seen, not_read

T = TypeVar("T")


class Slot(Generic[T]):
    """Hold what a read found at *where*; until it is filled, it says that no answer came in time."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.read: Read[T] = NotRead(where, TOO_SLOW)

    async def fill(self, reading: Callable[[], Awaitable[T]]) -> None:
        """Hold what *reading* returns, or why it failed."""
        try:
            self.read = Seen(await reading(), self.where)
        except RecontactError as error:
            self.read = not_read(self.where, error)

    @property
    def value(self) -> T | None:
        """Return what was seen, if anything was."""
        return self.read.value if isinstance(self.read, Seen) else None
