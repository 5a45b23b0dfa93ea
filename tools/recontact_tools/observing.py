"""Who watches how the work goes: told what happens and how it ended, never about whom or what."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from contextlib import AbstractContextManager

    Told = Callable[[str], None]


class Observer(Protocol):
    """Watches work; each block it is given spans one piece of it, and is told in a word how that ended.

    The words are few and our own: no id, no URL and no text of anybody else is among them.
    """

    def exchange(self, operation: str, attempt: int) -> AbstractContextManager[Told]:
        """Watch one request to the API; *attempt* counts from 1."""
        ...

    def job(self, kind: str, stage: str) -> AbstractContextManager[Told]:
        """Watch one stage of a job: sending it, or following it to its end."""
        ...


class Several:
    """Some observers as one; none of them is no observer at all."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def exchange(self, operation: str, attempt: int) -> AbstractContextManager[Told]:
        """Let all of them watch."""
        return _together([one.exchange(operation, attempt) for one in self._observers])

    def job(self, kind: str, stage: str) -> AbstractContextManager[Told]:
        """Let all of them watch."""
        return _together([one.job(kind, stage) for one in self._observers])


UNWATCHED: Final[Observer] = Several(())


@contextmanager
def _together(blocks: Sequence[AbstractContextManager[Told]]) -> Generator[Told]:
    with ExitStack() as stack:
        told = [stack.enter_context(block) for block in blocks]

        def tell(outcome: str) -> None:
            for one in told:
                one(outcome)

        yield tell
