"""Reading files that may hold a secret: it may stand only where nobody but this user can read it."""

import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

# ours: a hundred times what all settings take; whatever is larger is not a file of this kind.
BYTES_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds, and why a secret must not stand in it; *exposed* is None where it may."""

    data: bytes
    exposed: str | None

    def __repr__(self) -> str:
        return f"Content({len(self.data)} bytes)"


def exposure(status: os.stat_result, *, user: int, path: Path) -> str | None:
    """Say why a secret must not stand in a file of that *status*, with the command that mends it; None if it may."""
    if status.st_uid != user:
        return "belongs to another user: make a file of your own"
    if stat.S_IMODE(status.st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        return f"can be reached by others on this machine: run `chmod 600 {shlex.quote(str(path))}`"
    return None


def content(path: Path) -> Content:
    """Read a regular file of at most BYTES_MAX, never waiting for the other end of a pipe.

    What is judged is what was opened: nobody can put another file in its place in between.

    Raises:
        OSError: There is no such file, or it is something else than a regular one, cannot be read, or is larger.
    """
    # Whoever owns a link decides what is read: it has to be this user, as for the file itself.
    name = path.lstat()
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("not a regular file")
        data = file.read(BYTES_MAX + 1)
    if len(data) > BYTES_MAX:
        raise OSError("too large")
    user = os.geteuid()
    foreign = "is a link of another user: name the file itself" if name.st_uid != user else None
    return Content(data, exposure(status, user=user, path=path) or foreign)
