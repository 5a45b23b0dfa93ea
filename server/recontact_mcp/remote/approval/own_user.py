"""Who is at the other end of a connection on this machine: what only its user may open, no other user opens.

A link that works once lets in whoever opens it first, and browsers are started with it in their command line, which
everybody on a shared machine can read. So the pages of a server over stdio answer the user who runs it alone.
"""

from __future__ import annotations

import os
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from recontact_mcp.remote.approval import views

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from recontact_mcp.remote.addresses import Client

# source: proc_pid_net(5), the connections of this system with the user of each; a socket of IPv6 may speak IPv4, too
TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LOCAL, _REMOTE, _USER = 1, 2, 7  # columns
_ROOT: Final = 0  # who can read our memory anyway
_FOREIGN: Final = "This page answers only the user of this machine who runs the server. Nothing was decided."


def owner_in(table: str, client: Client, server: Client) -> int | None:
    """Return whose connection from *client* to *server* is, as a table of the system says; None: it is not in there."""
    if client is None or server is None:
        return None
    wanted = {(_written(*client, mapped=mapped), _written(*server, mapped=mapped)) for mapped in (False, True)}
    for line in table.splitlines()[1:]:
        row = line.split()
        if len(row) > _USER and (row[_LOCAL], row[_REMOTE]) in wanted:
            return int(row[_USER])
    return None


def _written(host: str, port: int, *, mapped: bool) -> str:
    """Return an address as the tables have it: each four bytes as a number of the machine's own order, in hex."""
    packed = ip_address(f"::ffff:{host}" if mapped and ":" not in host else host).packed
    words = (int.from_bytes(packed[at : at + 4], "little") for at in range(0, len(packed), 4))
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"


def owner_of(client: Client, server: Client) -> int | None:
    """Return whose a connection is; None where this system does not tell."""
    for path in TABLES:
        with suppress(OSError, ValueError):
            found = owner_in(path.read_text(encoding="ascii"), client, server)
            if found is not None:
                return found
    return None


class OwnUser:
    """Serves whom the connections of this process's own user bring, and those of whom the system tells nothing."""

    def __init__(self, app: ASGIApp, *, owner: Callable[[Client, Client], int | None] = owner_of) -> None:
        self._app = app
        self._owner = owner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        owner = self._owner(scope.get("client"), scope.get("server")) if scope["type"] == "http" else None
        is_own = owner in {None, _ROOT, os.geteuid()}
        app = self._app if is_own else views.trouble_page("Not for you", _FOREIGN, status=403)
        await app(scope, receive, send)
