"""Where an issuer has its keys and its introspection, by what it says of itself (RFC 8414, OpenID Connect)."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import anyio

from recontact_mcp.remote.authorization.fetching import CannotTell, fetched
from recontact_mcp.settings_addresses import api_url

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_OAUTH: Final = "oauth-authorization-server"
_OPENID: Final = "openid-configuration"
# ours: endpoints move once in years, and whoever moves one keeps the old one for longer than that.
FRESH_SECONDS: Final = 300.0
# ours: somebody waits to sign in; an issuer that is away is asked a few times a minute, whoever knocks.
PAUSE_SECONDS: Final = 10.0


def metadata_urls(issuer: str) -> tuple[str, ...]:
    """Return where an issuer's metadata may be, the likeliest first."""
    parts = urlsplit(issuer)
    root, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    # source: RFC 8414 section 3.1, and OpenID Connect Discovery 1.0 section 4.1, which appends instead
    found = (
        f"{root}/.well-known/{_OAUTH}{path}",
        f"{root}/.well-known/{_OPENID}{path}",
        f"{root}{path}/.well-known/{_OPENID}",
    )
    return tuple(dict.fromkeys(found))


async def discovered(issuer: str, name: str, *, fetch: Callable[[str], Awaitable[dict[str, Any]]] = fetched) -> str:
    """Return the URL that an issuer's metadata has under *name*.

    Raises:
        CannotTell: No metadata of this very issuer say one that may be used.
    """
    return _usable((await _metadata(issuer, fetch)).get(name))


class Endpoints:
    """The endpoints of one issuer: asked for once in some minutes, and no faster because a stranger knocks.

    One that cannot be reached any more has them where they were.
    """

    def __init__(
        self,
        issuer: str,
        *,
        fetch: Callable[[str], Awaitable[dict[str, Any]]] = fetched,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._now = now
        self._lock = anyio.Lock()
        self._known: dict[str, Any] = {}
        self._due: float | None = None

    async def url(self, name: str) -> str:
        """Return the URL that the issuer's metadata has under *name*.

        Raises:
            CannotTell: There are no such metadata, or they say none that may be used.
        """
        async with self._lock:
            if self._due is None or self._now() >= self._due:
                await self._refresh()
        return _usable(self._known.get(name))

    async def _refresh(self) -> None:
        self._due = self._now() + PAUSE_SECONDS
        with suppress(CannotTell):
            self._known = await _metadata(self._issuer, self._fetch)
            self._due = self._now() + FRESH_SECONDS


async def _metadata(issuer: str, fetch: Callable[[str], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    for url in metadata_urls(issuer):
        try:
            metadata = await fetch(url)
        except CannotTell:
            continue
        # Metadata of another issuer would let its keys sign in this one's name (mix-up).
        if metadata.get("issuer") == issuer:
            return metadata
    raise CannotTell


def _usable(url: object) -> str:
    if not isinstance(url, str):
        raise CannotTell
    try:
        api_url(url)
    except ValueError:
        raise CannotTell from None
    return url
