"""Newcomers at the end: whoever has a connection is served, and nobody begins another one.

A socket that is closed resets the connections that wait to be accepted, with the requests that they have brought. A
balancer may not repeat those: they might have been done. It may send elsewhere what it had no connection for.
"""

from __future__ import annotations

import selectors
import socket
import struct
import sys
from array import array
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# ours: the loop accepts one connection a turn, and reads its request a turn later; a balancer is milliseconds away.
LOOK_SECONDS: Final = 0.05
QUIET_LOOKS: Final = 4
# ours: a queue that is never empty (where no filter can be set) keeps nobody from stopping.
MOST_LOOKS: Final = 40

# source: Linux, include/uapi/asm-generic/socket.h; Python does not name it
SO_ATTACH_FILTER: Final = 26
# source: Linux, include/uapi/linux/filter.h; RFC 9293 3.1: the flags are octet 13 of a segment, SYN is 2 of them
_NO_SYN: Final = (
    (0x30, 0, 0, 13),  # load octet 13
    (0x45, 0, 1, 2),  # skip the next one unless SYN is set
    (0x06, 0, 0, 0),  # drop it
    (0x06, 0, 0, 0xFFFF_FFFF),  # take it
)


async def see_in(listening: Sequence[socket.socket], *, forced: Callable[[], bool]) -> None:
    """Let no connection begin any more; return when those that have are accepted and their requests are read.

    On Linux whoever tries meanwhile hears nothing, tries again after a second, and is refused then. Elsewhere it is
    as good as the queue is short. *forced* cuts it short.
    """
    for one in listening:
        _ignore_newcomers(one)
    quiet = looks = 0
    while quiet < QUIET_LOOKS and looks < MOST_LOOKS and not forced():
        await anyio.sleep(LOOK_SECONDS)
        looks += 1
        quiet = 0 if _is_waited_at(listening) else quiet + 1


def _ignore_newcomers(listening: socket.socket) -> None:
    if sys.platform != "linux":
        return
    steps = array("B", b"".join(struct.pack("=HBBI", *step) for step in _NO_SYN))
    address, _ = steps.buffer_info()
    with suppress(OSError):  # a sandbox may know no filters
        listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(_NO_SYN), address))


def _is_waited_at(listening: Sequence[socket.socket]) -> bool:
    with selectors.DefaultSelector() as selector:
        for one in listening:
            selector.register(one, selectors.EVENT_READ)
        return bool(selector.select(0))
