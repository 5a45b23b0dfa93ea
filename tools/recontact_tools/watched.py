"""What the clients of this process watch, and how they are told of it."""

from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Protocol

import anyio


class Publish(Protocol):
    """Tell whoever watches that resources changed."""

    async def __call__(self, *uris: str) -> None:
        """Tell it for each of these URIs."""


async def publish_nothing(*_uris: str) -> None:
    """Tell nobody that a resource changed."""


class Watched:
    """The URIs that somebody watches; whoever works for watchers only sleeps while there are none."""

    def __init__(self) -> None:
        self._watchers: Counter[str] = Counter()
        self._some = anyio.Event()

    @property
    def uris(self) -> frozenset[str]:
        """Everything that is watched now."""
        return frozenset(self._watchers)

    def add(self, uris: Iterable[str]) -> None:
        """Count one more watcher of each URI; there is at least one."""
        self._watchers.update(uris)
        self._some.set()

    def remove(self, uris: Iterable[str]) -> None:
        """Count one watcher less of each URI."""
        self._watchers.subtract(uris)
        self._watchers = +self._watchers
        if not self._watchers and self._some.is_set():
            self._some = anyio.Event()

    @contextmanager
    def watching(self, uris: Iterable[str]) -> Generator[None]:
        """Watch URIs, each once, for as long as the block lasts."""
        chosen = frozenset(uris)
        self.add(chosen)
        try:
            yield
        finally:
            self.remove(chosen)

    async def some(self) -> None:
        """Wait until something is watched."""
        await self._some.wait()
