"""The end of a process that serves others: what only waits comes back at once, everything else runs to its end."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Generator


class Ending:
    """Whether this process is about to end, and the waits that its end cuts short.

    Its end is announced first, and nothing long is begun from then on; it begins when nobody comes here any more.
    """

    def __init__(self) -> None:
        self.announced = False
        self.begun = False
        self._waits: set[anyio.CancelScope] = set()

    def announce(self) -> None:
        """Say that the end is near; safe in the handler of a signal."""
        self.announced = True

    def begin(self) -> None:
        """Cut all waits short, those under way and those to come; call it on the event loop."""
        self.announced = self.begun = True
        for wait in self._waits:
            wait.cancel()

    @contextmanager
    def cutting_short(self) -> Generator[anyio.CancelScope]:
        """Leave the block as soon as the end has begun; *cancelled_caught* of what it yields tells of that."""
        with anyio.CancelScope() as wait:
            if self.begun:
                wait.cancel()
            self._waits.add(wait)
            try:
                yield wait
            finally:
                self._waits.discard(wait)
