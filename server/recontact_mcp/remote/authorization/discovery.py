"""Where an issuer has its keys and its introspection, by what it says of itself (RFC 8414, OpenID Connect)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from recontact_mcp.remote.authorization.fetching import CannotTell, fetched
from recontact_mcp.settings_values import api_url

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_OAUTH: Final = "oauth-authorization-server"
_OPENID: Final = "openid-configuration"


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
    for url in metadata_urls(issuer):
        try:
            metadata = await fetch(url)
        except CannotTell:
            continue
        # Metadata of another issuer would let its keys sign in this one's name (mix-up).
        if metadata.get("issuer") == issuer:
            return _usable(metadata.get(name))
    raise CannotTell


def _usable(url: object) -> str:
    if not isinstance(url, str):
        raise CannotTell
    try:
        api_url(url)
    except ValueError:
        raise CannotTell from None
    return url
