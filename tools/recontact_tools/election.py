"""Which of the processes of a data directory does something for all: the one that holds the lock on a file.

The lock is free as soon as its process dies. The file is never removed: two processes must not hold locks on two files
of one name.
"""

import fcntl
import os
from pathlib import Path


def opened(path: Path) -> int:
    """Open a lock file, which is made where it is missing; whoever closes it gives the lock up.

    Raises:
        OSError: It cannot be made or opened.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def won(lock: int) -> bool:
    """Take the lock, unless another process holds it; true as well if this one does."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def step_back(lock: int) -> None:
    """Give the lock up and keep the file open."""
    fcntl.flock(lock, fcntl.LOCK_UN)
