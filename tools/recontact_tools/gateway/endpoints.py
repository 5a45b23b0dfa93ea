"""Which hosts and ports a connection leads to, and the proxy on the way: read from URLs, without any effect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from recontact_tools.gateway.connection import Connection
from recontact_tools.loopback import is_loopback

PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and a port; it holds no user name and no password of the URL it was read from."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def endpoint(url: httpx.URL) -> Endpoint:
    """Return the host and port of an http or https URL."""
    return Endpoint(url.host, url.port or PORTS.get(url.scheme, 443))


@dataclass(frozen=True, slots=True)
class Proxy:
    """The proxy on the way, and the *variable* of the environment that names it; None if the connection does."""

    host: Endpoint
    variable: str | None = None


def proxy_of(connection: Connection, environment: Mapping[str, str]) -> Proxy | None:
    """Return the proxy on the way to the API: the connection's, else the one that *environment* has for https.

    *environment* is what `urllib.request.getproxies` returns. No proxy leads to this machine.
    """
    url = httpx.URL(connection.base_url)
    if is_loopback(url.host):
        return None
    if connection.proxy is not None:
        return Proxy(endpoint(httpx.URL(connection.proxy)))
    scheme = next((scheme for scheme in ("https", "all") if environment.get(scheme)), None)
    if scheme is None or _is_bypassed(url.host, environment.get("no", "")):
        return None
    named = environment[scheme]
    return Proxy(endpoint(httpx.URL(named if "://" in named else f"http://{named}")), f"{scheme.upper()}_PROXY")


def _is_bypassed(host: str, listed: str) -> bool:
    """Tell whether a list of hosts and domains, separated by commas, holds *host*; * holds all."""
    entries = [entry.strip().lower().removeprefix(".") for entry in listed.split(",") if entry.strip()]
    return any(entry in {"*", host} or host.endswith(f".{entry}") for entry in entries)
