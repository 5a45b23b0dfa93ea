"""Ask the server in this container whether it lives: python healthcheck.py [PATH]; exits with 0 if it does.

It answers only under its own names, so the one of the public URL goes along as the Host header. The URL is found where
the server finds it: in the environment, else in the file with the settings.
"""
# ruff: noqa: INP001 - a script, not a package

import os
import sys
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

ADDRESS = "127.0.0.1"
PORT = 8765
SECONDS = 3.0


def status(path: str, *, port: int, public_url: str) -> int:
    """Return the HTTP status of a path; 0 where nobody answers."""
    host = urlsplit(public_url).netloc or f"{ADDRESS}:{port}"
    connection = HTTPConnection(ADDRESS, port, timeout=SECONDS)
    try:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def public_url() -> str:
    """Return the server's public URL; an empty one where it has none, or its settings cannot be read."""
    told = os.environ.get("RECONTACT_PUBLIC_URL", "").strip()
    if told:
        return told
    # Imported here: it takes most of a second, for each probe, and the environment wins over the file anyway.
    from recontact_mcp.settings import SettingsError, load_settings  # noqa: PLC0415 (the reason is the line above)

    try:
        return load_settings().public_url or ""
    except SettingsError:
        return ""


def main(words: list[str]) -> int:
    """Answer the exit code: 0 for a server that lives, 1 for one that does not."""
    path = words[0] if words else "/livez"
    port = int(words[1]) if len(words) > 1 else PORT
    return 0 if status(path, port=port, public_url=public_url()) == 200 else 1  # noqa: PLR2004


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
