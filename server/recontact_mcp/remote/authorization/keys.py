"""The issuer's public keys: kept, fetched again in time, and never fetched faster because somebody asks for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from recontact_mcp.remote.authorization.fetching import CannotTell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

# ours: an issuer that withdraws a key is believed within five minutes.
FRESH_SECONDS: Final = 300.0
# ours: a new key works after half a minute at most, and tokens with made-up keys cause two requests a minute.
PAUSE_SECONDS: Final = 30.0
# ours: an issuer that cannot be reached for an hour may have withdrawn anything meanwhile.
STALE_SECONDS: Final = 3_600.0
# ours: issuers have two or three.
KEYS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class _Kept:
    keys: Mapping[str, dict[str, Any]]
    at: float


class Keys:
    """The keys of one issuer, by their ids; *fetch* returns its key set."""

    def __init__(
        self, fetch: Callable[[], Awaitable[dict[str, Any]]], *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._now = now
        self._lock = anyio.Lock()
        self._kept: _Kept | None = None
        self._tried: float | None = None

    async def key(self, kid: str, algorithm: str) -> PyJWK | None:
        """Return the key of that id if it may verify signatures of that algorithm; None if there is none.

        Raises:
            CannotTell: The keys could not be fetched.
        """
        kept = await self._usable(kid)
        found = kept.keys.get(kid)
        return None if found is None else _verifying(found, algorithm)

    async def _usable(self, kid: str) -> _Kept:
        if not self._is_due(kid):
            return self._still()
        async with self._lock:
            if self._is_due(kid):
                await self._refresh()
        return self._still()

    def _is_due(self, kid: str) -> bool:
        kept, now = self._kept, self._now()
        if self._tried is not None and now - self._tried < PAUSE_SECONDS:
            return False
        return kept is None or kid not in kept.keys or now - kept.at >= FRESH_SECONDS

    async def _refresh(self) -> None:
        self._tried = self._now()
        try:
            found = await self._fetch()
        except CannotTell:
            return
        self._kept = _Kept(_by_id(found), self._now())

    def _still(self) -> _Kept:
        if self._kept is None or self._now() - self._kept.at >= STALE_SECONDS:
            raise CannotTell
        return self._kept


def _by_id(found: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    listed = found.get("keys")
    keys = cast("list[object]", listed) if isinstance(listed, list) else []
    named: dict[str, dict[str, Any]] = {}
    for key in keys[:KEYS_MAX]:
        if isinstance(key, dict):
            said = cast("dict[str, Any]", key)
            kid = said.get("kid")
            if isinstance(kid, str):
                named.setdefault(kid, said)
    return named


def _verifying(said: dict[str, Any], algorithm: str) -> PyJWK | None:
    """Return a public key for one algorithm; None for one that is for something else, or shared."""
    if said.get("kty") == "oct" or said.get("use", "sig") != "sig" or said.get("alg", algorithm) != algorithm:
        return None
    try:
        return PyJWK(said, algorithm=algorithm)
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
