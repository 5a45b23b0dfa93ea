"""Ending from outside: a closed terminal and a system that goes down are to end a command as Ctrl-C does."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

# By default these end a process on the spot, with whatever it has on disk.
ENDINGS = (signal.SIGHUP, signal.SIGTERM)


@contextmanager
def ending_like_an_interrupt() -> Generator[None]:
    """Interrupt the block when the process is told to end, so that it puts away what it made.

    What was asked to be ignored, as nohup does, stays ignored.
    """
    ours = [ending for ending in ENDINGS if signal.getsignal(ending) is signal.SIG_DFL]
    for ending in ours:
        signal.signal(ending, _interrupt)
    try:
        yield
    finally:
        for ending in ours:
            signal.signal(ending, signal.SIG_DFL)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)
