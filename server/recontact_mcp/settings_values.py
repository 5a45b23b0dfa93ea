"""How one value of the settings is read: pure functions from what was written to what is meant."""

import json
import os
import re
from base64 import b64decode
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from recontact_tools.loopback import is_loopback
from recontact_tools.sealing import KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

# source: cint-recontacts-openapi.yml, parameters project_id and target_group_id
_ULID = re.compile(r"[0-9A-Z]{26}")

PORT_DIGITS = 5  # source: TCP, 65535


def ulid(value: str) -> str:
    """Return a ULID in upper case; refuse anything else."""
    if not _ULID.fullmatch(wanted := value.strip().upper()):
        raise ValueError("not a ULID: 26 letters and digits are expected")
    return wanted


def ulids(value: object) -> object:
    """Read a list of ULIDs, or a string of them separated by commas."""
    entries = _entries(value, ",")
    return value if entries is None else frozenset(ulid(str(entry)) for entry in entries)


def account_ids(value: object) -> object:
    """Read a list of account ids, or a string of them separated by commas."""
    entries = _entries(value, ",")
    if entries is None:
        return value
    texts = [str(entry) for entry in entries]
    if not all(text.isascii() and text.isdigit() for text in texts):
        raise ValueError("not a list of account ids: whole numbers separated by commas are expected")
    return frozenset(int(text) for text in texts)


def roots(value: object) -> object:
    """Read a list of directories, or a string of them separated by the system's path separator."""
    entries = _entries(value, os.pathsep)
    return value if entries is None else tuple(dict.fromkeys(_root(str(entry)) for entry in entries))


def _root(entry: str) -> Path:
    path = _expanded(Path(entry))
    # The working directory of a stdio server is whatever its host had: a relative root could mean anything.
    if not path.is_absolute():
        raise ValueError("every directory must be absolute or begin with ~")
    if path == Path(path.anchor):
        raise ValueError("the root of a disk is too wide: name the directories with identifier files")
    return path


def absolute(path: Path) -> Path:
    """Return a path with `~` expanded and made absolute."""
    return _expanded(path).absolute()


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("~ cannot be expanded: no such user") from None


def existing_file(path: Path) -> Path:
    """Return a path as `absolute` does; refuse one where no file is."""
    found = absolute(path)
    try:
        there = found.is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        raise ValueError("there is no such file")
    return found


def upper(value: object) -> object:
    """Return a text in upper case and anything else as it is."""
    return value.upper() if isinstance(value, str) else value


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


def names(value: object) -> object:
    """Read a list of words, or a string of them separated by commas."""
    entries = _entries(value, ",")
    return value if entries is None else tuple(dict.fromkeys(str(entry) for entry in entries))


ApiUrl = Annotated[str, AfterValidator(api_url)]
SecretFile = Annotated[Path, AfterValidator(absolute)] | None


def secret_file(variable: str) -> str:
    """Return the description of a setting that names the file of a secret."""
    return (
        f"File with nothing but the value of `{variable}`, in place of that. It must be yours, and closed to everybody"
        " else (`chmod 600`)."
    )


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


def key_bytes(value: str) -> bytes:
    """Return the 32 bytes of a key that is written in base64.

    Raises:
        ValueError: It is no such key.
    """
    try:
        key = b64decode(value.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("not a key: 32 random bytes in base64 are expected (openssl rand -base64 32)")
    return key


def sealing_key(value: SecretStr) -> SecretStr:
    """Accept a key of the snapshots."""
    key_bytes(value.get_secret_value())
    return value


def hosts(value: object) -> object:
    """Read a list of names of hosts, each with or without a port, or a string of them separated by commas."""
    entries = _entries(value, ",")
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
    entries = _entries(value, ",")
    return value if entries is None else tuple(dict.fromkeys(_origin(str(entry)) for entry in entries))


def _origin(entry: str) -> str:
    scheme, separator, host = entry.partition("://")
    if scheme not in {"http", "https"} or not separator:
        raise ValueError("not a list of origins: https://name, separated by commas, is expected")
    return f"{scheme}://{_host(host)}"


def words(value: object) -> object:
    """Read a list of words, or a string of them: separated by commas, or as JSON where a comma stands in one."""
    entries = _from_json(value) if isinstance(value, str) and value.startswith("[") else _entries(value, ",")
    return value if entries is None else frozenset(str(entry) for entry in entries)


def _from_json(text: str) -> list[object]:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    entries = cast("list[object]", found) if isinstance(found, list) else []
    if not entries or not all(isinstance(entry, str) and entry for entry in entries):
        raise ValueError('not a list: ["one", "another"] is expected')
    return entries


def principals(value: frozenset[str]) -> frozenset[str]:
    """Return principals; refuse what can be none: a subject alone would never be anybody's."""
    for one in value:
        issuer, _, subject = one.partition("#")
        if "://" not in issuer or not subject:
            raise ValueError("not a list of principals: issuer#subject, separated by commas, is expected")
    return value


def networks(value: object) -> object:
    """Read a list of addresses and networks, or a string of them separated by commas."""
    entries = _entries(value, ",")
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


def keys(value: SecretStr) -> SecretStr:
    """Accept one key, or several that are separated by commas; each only once."""
    found = [key_bytes(key) for key in value.get_secret_value().split(",")]
    if len(found) != len(set(found)):
        raise ValueError("each key may be given once only")
    return value


def _entries(value: object, separator: str) -> list[object] | None:
    if isinstance(value, str):
        return [entry.strip() for entry in value.split(separator) if entry.strip()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(cast("Iterable[object]", value))
    return None
