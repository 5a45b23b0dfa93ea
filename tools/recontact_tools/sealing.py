"""Respondent ids at rest: sealed with a key that only the operator holds, bound to where they belong."""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY_BYTES: Final = 32  # source: AES-256
_NONCE_BYTES: Final = 12  # source: NIST SP 800-38D, the length that AES-GCM is made for
_MARKED: Final = b"recontact-mcp: the key of the snapshots"
_OTHERS_MAY: Final = stat.S_IRWXG | stat.S_IRWXO


class SealBroken(Exception):
    """What was sealed cannot be opened: another key, another place, or changed bytes."""


class KeyUnusable(Exception):
    """The key's file is not one of ours to trust; the message says why, and holds no path."""


class Seal:
    """Seals with AES-256-GCM under *key*, and opens with *held*: never with a key that was made for the occasion.

    Both are asked for on use, so that no file is made for nothing.
    """

    def __init__(self, key: Callable[[], bytes], *, held: Callable[[], bytes] | None = None) -> None:
        self._key = key
        self._held = held or key

    def close(self, plain: bytes, *, place: str) -> bytes:
        """Return *plain* sealed; it opens at the same *place* only."""
        # Imported here: OpenSSL's bindings are no part of a cold start.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self._key()).encrypt(nonce, plain, place.encode())

    def mark(self) -> bytes:
        """Return what tells this key from others, and nothing about it.

        Raises:
            KeyUnusable: The key cannot be read.
            OSError: The key's file cannot be made or read.
        """
        return hmac.digest(self._key(), _MARKED, "sha256")

    def derived(self, purpose: str) -> bytes:
        """Return a key of its own for another *purpose*, 32 bytes: the same wherever this seal's key is.

        Raises:
            KeyUnusable: The key cannot be read.
            OSError: It cannot be made.
        """
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

        derivation = HKDF(SHA256(), length=KEY_BYTES, salt=None, info=f"recontact-mcp {purpose}".encode())
        return derivation.derive(self._key())

    def open(self, sealed: bytes, *, place: str) -> bytes:
        """Return what was sealed at *place*.

        Raises:
            SealBroken: It was sealed with another key or for another place, or was changed.
            KeyUnusable: The key cannot be read.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        try:
            return AESGCM(self._held()).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError, TypeError):  # fewer bytes than any seal has, or no bytes at all
            raise SealBroken from None


def key_at(path: Path, *, make: bool = True) -> bytes:
    """Return the key in the file *path*; where there is none, a new one is made if *make* says so, mode 0600.

    Raises:
        KeyUnusable: Others can reach the file, it belongs to somebody else, or it holds no key.
        OSError: The file cannot be made or read.
    """
    if make:
        with suppress(FileExistsError):
            _make(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        key = file.read(KEY_BYTES + 1)
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & _OTHERS_MAY:
        raise KeyUnusable("the key of the snapshots must belong to you, and be closed to everybody else (chmod 600)")
    if len(key) != KEY_BYTES:
        raise KeyUnusable("the key of the snapshots is damaged: it must have 32 bytes")
    return key


def _make(path: Path) -> None:
    """Write a new key beside *path* and link it into place: of several processes the first wins, whole."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(fresh)
    finally:
        fresh.unlink()
