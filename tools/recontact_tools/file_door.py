"""The one door to local files: a regular file under an allowed folder, or one uniform refusal."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import TypeAlias

from recontact_tools.errors import ErrorCode, InvalidInput

_READ_AT_ONCE = 1_048_576  # ours: few calls for a file of the largest size, little memory for a small one

_Way: TypeAlias = tuple[str, tuple[str, ...]]
"""A root, and the names that lead from it to a file."""


def read_confined(path: str, *, roots: Sequence[Path], bytes_max: int) -> bytes:
    """Read a regular file that lies under one of the *roots*; blocking, so call it in a thread.

    A relative *path* is looked for under every root and must be found under exactly one. Below a root
    no link is followed and no `..` taken: every folder is opened by its name inside the one before, and
    what is checked is the open file itself, so a file swapped meanwhile cannot lead elsewhere. A hard
    link made inside a root by someone who may write there cannot be told from a file. POSIX only.

    Raises:
        InvalidInput: FILE_NOT_READABLE, the same for every reason; FILE_TOO_LARGE over *bytes_max*.
    """
    with ExitStack() as closing:
        found: list[int] = []
        for ways in _places(path, roots):
            file = next((file for way in ways if (file := _opened(way)) is not None), None)
            if file is not None:
                closing.callback(os.close, file)
                found.append(file)
        content = _read(found[0], bytes_max + 1) if len(found) == 1 else None
    if content is None:
        raise _not_readable()
    if len(content) > bytes_max:
        raise _too_large(bytes_max)
    return content


def _places(path: str, roots: Sequence[Path]) -> list[list[_Way]]:
    """Return the places where the file may be, each with the ways to it."""
    wanted = PurePath(path)
    if ".." in wanted.parts or path.startswith("~"):
        return []
    # A root may itself be reached through a link (such as /tmp on a Mac), and be written either way.
    real = {os.path.realpath(root): root.absolute() for root in roots}
    if not wanted.is_absolute():
        return [[(root, wanted.parts)] for root in real]
    spellings = [(root, spelling) for root, given in real.items() for spelling in (PurePath(root), given)]
    return [[(root, wanted.relative_to(start).parts) for root, start in spellings if wanted.is_relative_to(start)]]


def _opened(way: _Way) -> int | None:
    """Open the file, or return None whatever the reason: the reason would tell what lies on the disk."""
    root, names = way
    if not names:
        return None
    try:
        with ExitStack() as closing:
            *_, folder = _folders(root, names[:-1], closing)
            return _regular(os.open(names[-1], _flags(), dir_fd=folder))
    except (OSError, ValueError):  # ValueError: a NUL, or characters that no path can have
        return None


def _folders(root: str, names: tuple[str, ...], closing: ExitStack) -> Iterator[int]:
    """Open the root and each folder below it, each inside the one before."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    closing.callback(os.close, folder)
    yield folder
    for name in names:
        folder = os.open(name, _flags() | os.O_DIRECTORY, dir_fd=folder)
        closing.callback(os.close, folder)
        yield folder


def _regular(file: int) -> int | None:
    """Return the open file when it is a regular one, else close it."""
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    return None


def _flags() -> int:
    # Without waiting: opening a pipe that nobody writes to would block for ever.
    return os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def _read(file: int, count: int) -> bytes | None:
    """Read at most *count* bytes; None when the disk refuses."""
    content = bytearray()
    try:
        while len(content) < count:
            more = os.read(file, min(_READ_AT_ONCE, count - len(content)))
            if not more:
                break
            content += more
    except OSError:
        return None
    return bytes(content)


def _not_readable() -> InvalidInput:
    return InvalidInput(
        "This file cannot be read.",
        code=ErrorCode.FILE_NOT_READABLE,
        next_step=(
            "Put a regular file (no link) in a folder that the setting RECONTACT_UPLOAD_ROOTS lists, or ask the "
            "person who runs this server to add its folder to that setting, and try again."
        ),
    )


def _too_large(bytes_max: int) -> InvalidInput:
    return InvalidInput(
        f"The file is larger than {bytes_max:,} bytes.",
        code=ErrorCode.FILE_TOO_LARGE,
        next_step="Keep only the column of identifiers, or split the file, and try again.",
        details={"bytes_max": bytes_max},
    )
