"""The access file and the freeze file as they are now: read again when they change, at the cost of a look at each."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from recontact_mcp.callers import Callers, nothing_frozen
from recontact_mcp.settings_file import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from recontact_mcp.access import Access
    from recontact_mcp.settings import Settings
    from recontact_tools.policy import Policy

logger = logging.getLogger(__name__)

# ours: more names than anybody lists in a hurry; a larger file freezes everybody.
FREEZE_BYTES_MAX = 65_536
_Version = tuple[int, int, int, int]


def callers_for(settings: Settings, policy: Policy, *, asked_over_http: bool) -> Callers:
    """Return what knows who asks, by the settings.

    Raises:
        SettingsError: The access file cannot be used.
    """
    access = AccessSource(settings.access_file, embedded=settings.embedded).current if settings.access_file else None
    frozen = FreezeSource(settings.freeze_file).is_frozen if settings.freeze_file else nothing_frozen
    return Callers(policy, issuer=settings.auth_issuer, asked_over_http=asked_over_http, access=access, frozen=frozen)


class AccessSource:
    """The access file; a broken one keeps what the last good one said, and is told in the log once.

    Raises:
        SettingsError: It is broken from the start.
    """

    def __init__(self, path: Path, *, embedded: bool) -> None:
        self._path = path
        self._embedded = embedded
        self._seen = _version(path)
        self._access = self._read()

    def current(self) -> Access:
        """Return what the file says by now."""
        version = _version(self._path)
        if version != self._seen:
            self._seen = version
            try:
                self._access = self._read()
            except SettingsError as error:
                for problem in error.problems:
                    logger.error("The access file is not used as it is now: %s", problem)  # noqa: TRY400 - our words
            else:
                logger.info("The access file was read again")
        return self._access

    def _read(self) -> Access:
        # Imported here: most servers have no such file.
        from recontact_mcp.access_file import read_access  # noqa: PLC0415 (the reason is the line above)

        access = read_access(self._path)
        if self._embedded and any(entry.credentials for entry in access.everybody):
            raise SettingsError(
                ("RECONTACT_ACCESS_FILE: it names credentials, but CINT_CLIENT_ID is not set: nothing goes to Cint.",)
            )
        return access


class FreezeSource:
    """The freeze file; whatever is wrong with it freezes everybody."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: _Version | None = None
        self._names: frozenset[str] | None = None

    def is_frozen(self, principal: str) -> bool:
        """Tell whether the changes of a principal are stopped now."""
        version = _version(self._path)
        if version is None:
            self._seen = None
            return False
        if version != self._seen:
            self._seen, self._names = version, _frozen_names(self._path)
        return self._names is None or principal in self._names


def _version(path: Path) -> _Version | None:
    """Return what differs when a file does; None where there is none, and something that is not seen as a file."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return (0, 0, 0, 0)
    return (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)


def _frozen_names(path: Path) -> frozenset[str] | None:
    """Return whom a freeze file names, one a line; None where it names nobody, which means everybody."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(FREEZE_BYTES_MAX + 1)
        lines = data.decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    found = frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    return found if found and len(data) <= FREEZE_BYTES_MAX else None
