"""Under which hosts and origins the server may be called: a page of another site can name none of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from recontact_tools.loopback import is_loopback

if TYPE_CHECKING:
    from recontact_mcp.settings import Settings

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Names:
    """The address that people are given, and every host and origin that a request may carry."""

    base_url: str
    hosts: frozenset[str]
    origins: frozenset[str]


def names_of(settings: Settings, address: str) -> Names:
    """Derive the names from where the process listens (`host:port`), the public URL and the further ones allowed."""
    host, _, port = address.rpartition(":")
    bare = host.strip("[]")
    own = [f"{name}:{port}" for name in dict.fromkeys((host, *LOOPBACK_NAMES))] if is_loopback(bare) else []
    hosts, origins = {*own, *settings.allowed_hosts}, {*(f"http://{name}" for name in own), *settings.allowed_origins}
    base_url = f"http://{address}"
    if settings.public_url:
        base_url = settings.public_url.rstrip("/")
        public = urlsplit(base_url)
        hosts.add(public.netloc)
        origins.add(f"{public.scheme}://{public.netloc}")
    return Names(base_url, frozenset(hosts), frozenset(origins))
