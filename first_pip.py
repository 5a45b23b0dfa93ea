"""Fetch pip from the package index, for a Python that came without it: run.py needs nothing else then.

Debian and Ubuntu keep pip, and what could install it, in packages of their own, which only root may add. The index
is the one that pip itself would use: PIP_INDEX_URL, or index-url in pip's configuration files, or the public one.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from base64 import b64encode
from configparser import Error as ConfigError
from configparser import RawConfigParser
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from collections.abc import Sequence

PUBLIC_INDEX = "https://pypi.org/simple"
# ours: what one look at an index may take on a slow line.
SECONDS = 60
# source: PEP 427; final releases only, and for any system.
WHEEL = re.compile(r"pip-([0-9]+(?:\.[0-9]+)*)-(?:py2\.)?py3-none-any\.whl")
CLAUSE = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*([0-9]+(?:\.[0-9]+)*)(\.\*)?\s*")


class NoPipError(Exception):
    """Say what kept pip from being fetched, with the index that was asked."""


class Wheel(NamedTuple):
    """One file of the index; the newest version sorts last."""

    version: tuple[int, ...]
    url: str
    sha256: str


class Links(HTMLParser):
    """The links of an index page (source: PEP 503 and 592): each one's attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what a link says of its file."""
        if tag == "a":
            self.found.append({name: value or "" for name, value in attrs})


def fetch_pip(folder: Path, python: Sequence[int]) -> Path:
    """Download the newest wheel of pip for this version of Python into a folder, and check it against the index.

    Raises:
        NoPipError: The index cannot be reached, has no such wheel, or sent something else than it promised.
    """
    index = configured("index-url") or PUBLIC_INDEX
    shown = without_password(index)
    try:
        url, page = read(f"{index.rstrip('/')}/pip/")
        wheel = newest(page.decode("utf-8", "replace"), url, python)
        content = read(with_login_of(index, wheel.url))[1] if wheel else b""
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "reason", problem)
        raise NoPipError(f"{shown} cannot be read ({without_password(str(reason))})") from None
    if wheel is None:
        raise NoPipError(f"{shown} has no pip for Python {'.'.join(map(str, python))}")
    if hashlib.sha256(content).hexdigest() != wheel.sha256:
        raise NoPipError(f"{shown} sent a pip that is not the one it names: its checksum differs")
    path = folder / unquote(urlsplit(wheel.url).path).rpartition("/")[2]
    path.write_bytes(content)
    return path


def configured(option: str) -> str:
    """Return an option as pip would find it: in the environment, or in its files, the later ones first."""
    name = f"PIP_{option.upper().replace('-', '_')}"
    if os.environ.get(name):
        return os.environ[name]
    home, own = Path.home(), os.environ.get("PIP_CONFIG_FILE", "")
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    shared = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    files = [*(Path(place, "pip", "pip.conf") for place in reversed(shared)), Path("/etc/pip.conf")]
    files += [home / ".pip" / "pip.conf", settings / "pip" / "pip.conf"]
    parser = RawConfigParser()
    try:
        parser.read([own] if own == os.devnull else [*files, *([own] if own else [])], "utf-8")
    except (ConfigError, UnicodeDecodeError):
        return ""  # pip itself will say it better
    found = parser.get("global", option, fallback="")
    return parser.get("install", option, fallback=found)


def read(url: str) -> tuple[str, bytes]:
    """Read from the index; answer where it was found in the end, and what it is."""
    parts = urlsplit(url)
    place, _, host = parts.netloc.rpartition("@")
    request = Request(parts._replace(netloc=host).geturl(), headers={"Accept": "text/html, */*;q=0.1"})  # noqa: S310 - the index that was asked for
    if place:
        request.add_unredirected_header("Authorization", f"Basic {b64encode(unquote(place).encode()).decode()}")
    context = ssl.create_default_context(cafile=configured("cert") or None)
    with urlopen(request, timeout=SECONDS, context=context) as answer:  # noqa: S310 - the same
        return answer.url, answer.read()


def newest(page: str, url: str, python: Sequence[int]) -> Wheel | None:
    """Return the newest final wheel on a page that this Python can run and that can be checked."""
    wheels: list[Wheel] = []
    for link in Links(page).found:
        place, _, given = link.get("href", "").partition("#sha256=")
        version = WHEEL.fullmatch(unquote(place).rpartition("/")[2])
        usable = given and "data-yanked" not in link and fits(link.get("data-requires-python", ""), python)
        if version and usable:
            wheels.append(Wheel(numbers(version[1]), urljoin(url, place), given.lower()))
    return max(wheels, default=None)


def fits(requirement: str, python: Sequence[int]) -> bool:
    """Whether a Python is among those that a file asks for; one that asks in other words is passed over."""
    return all(holds(clause, tuple(python)) for clause in requirement.split(",") if clause.strip())


def holds(clause: str, python: tuple[int, ...]) -> bool:
    """Whether one condition like `>=3.9` or `!=3.0.*` holds."""
    found = CLAUSE.fullmatch(clause)
    if not found:
        return False
    asked = numbers(found[2])
    ours = python[: len(asked)] if found[3] else python
    return {
        ">=": ours >= asked,
        "<=": ours <= asked,
        ">": ours > asked,
        "<": ours < asked,
        "==": ours == asked,
        "!=": ours != asked,
    }[found[1]]


def numbers(version: str) -> tuple[int, ...]:
    """Read `25.1` as numbers that can be compared."""
    return tuple(map(int, version.split(".")))


def with_login_of(index: str, url: str) -> str:
    """Keep the login of the index for a file on the same host, and for no other."""
    login, _, host = urlsplit(index).netloc.rpartition("@")
    parts = urlsplit(url)
    return parts._replace(netloc=f"{login}@{host}").geturl() if login and parts.netloc == host else url


def without_password(text: str) -> str:
    """Leave out a login that stands in an address."""
    return re.sub(r"//[^/@\s]*@", "//", text)
