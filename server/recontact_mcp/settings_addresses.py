"""How addresses in the settings are read: URLs, hosts, networks and ports."""

import re
from ipaddress import ip_network
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from recontact_mcp.settings_values import entries_of
from recontact_tools.loopback import is_loopback

PORT_DIGITS = 5  # source: TCP, 65535
_NO_DATABASE: Final = (
    "not the URL of a PostgreSQL database: postgresql://user:password@host/name, with one host, is expected"
)
# source: RFC 3986 2.1
_STRAY_PERCENT: Final = re.compile("%(?![0-9A-Fa-f]{2})")


def api_url(value: str) -> str:
    """Return a URL without its last slash; credentials may only travel over https or inside this machine."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("not a URL") from None
    if not host or parts.scheme not in {"http", "https"}:
        raise ValueError("not a URL: https://host/path is expected")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("a URL without user name, query and fragment is expected")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("plain http is only possible to this machine: use https")
    return value.rstrip("/")


def root_url(value: str) -> str:
    """Return a URL as `api_url` does; one with a path would lead people to pages that are not there."""
    url = api_url(value)
    if urlsplit(url).path:
        raise ValueError("a URL without a path is expected: clients add /mcp, and pages are at the root")
    return url


def issuer_url(value: str) -> str:
    """Accept the URL of an issuer as it is written: it is compared letter by letter, also its last slash."""
    api_url(value)
    return value


ApiUrl = Annotated[str, AfterValidator(api_url)]


def proxy_url(value: SecretStr) -> SecretStr:
    """Return the URL of a proxy, which may hold a user name and a password."""
    try:
        parts = urlsplit(value.get_secret_value())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("not a URL") from None
    if not host or parts.scheme not in {"http", "https"} or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("not the URL of a proxy: http://host:port is expected")
    return value


def postgres_url(value: SecretStr) -> SecretStr:
    """Accept the URL of a PostgreSQL database, with what is left out as the driver's defaults are.

    One that only the driver, or only the engine, would understand is refused here: both connect by it.
    """
    scheme, separator, rest = value.get_secret_value().partition("://")
    if not separator or scheme not in {"postgresql", "postgres"}:
        raise ValueError(_NO_DATABASE)
    place, _, _ = rest.partition("?")
    if _STRAY_PERCENT.search(rest) or "#" in rest or place.count("@") > 1 or place.count("/") > 1:
        raise ValueError("not a URL: in a user name or password, @ : / ? # and % are written %40 %3A %2F %3F %23 %25")
    _check_host(place)
    if not place.partition("/")[2]:
        raise ValueError("names no database: postgresql://user:password@host/name is expected")
    return value


def _check_host(place: str) -> None:
    try:
        parts = urlsplit(f"//{place}")
        usable = "," not in parts.netloc and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(_NO_DATABASE)


def hosts(value: object) -> object:
    """Read a list of names of hosts, each with or without a port, or a string of them separated by commas."""
    entries = entries_of(value, ",")
    return value if entries is None else tuple(dict.fromkeys(_host(str(entry)) for entry in entries))


def _host(entry: str) -> str:
    try:
        parts = urlsplit(f"//{entry}")
        known = bool(parts.hostname) and parts.netloc == entry and (parts.port or True)
    except ValueError:
        known = False
    if not known or "@" in entry or "*" in entry:
        raise ValueError("not a list of hosts: name or name:port, separated by commas, is expected")
    return entry.lower()


def origins(value: object) -> object:
    """Read a list of origins, or a string of them separated by commas."""
    entries = entries_of(value, ",")
    return value if entries is None else tuple(dict.fromkeys(_origin(str(entry)) for entry in entries))


def _origin(entry: str) -> str:
    scheme, separator, host = entry.partition("://")
    if scheme not in {"http", "https"} or not separator:
        raise ValueError("not a list of origins: https://name, separated by commas, is expected")
    return f"{scheme}://{_host(host)}"


def networks(value: object) -> object:
    """Read a list of addresses and networks, or a string of them separated by commas."""
    entries = entries_of(value, ",")
    return value if entries is None else tuple(dict.fromkeys(_network(str(entry)) for entry in entries))


def _network(entry: str) -> str:
    try:
        return str(ip_network(entry))
    except ValueError:
        raise ValueError("not a list of addresses: 10.0.0.5 or 10.0.0.0/8, separated by commas, is expected") from None


def listening_address(value: str) -> str:
    """Accept where to listen."""
    address, port = split_address(value)
    if not address or port is None:
        raise ValueError("not an address to listen on: host:port is expected")
    return value


def split_address(value: str) -> tuple[str, int | None]:
    """Return the host without brackets, and the port, of `host:port`; no port where there is none."""
    host, _, port = value.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    usable = port.isascii() and port.isdecimal() and len(port) <= PORT_DIGITS and (bracketed or ":" not in host)
    return host.strip("[]"), int(port) if usable else None
