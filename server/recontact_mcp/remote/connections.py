"""Connections: how many there may be, and how long the head of a request may be and take."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from recontact_mcp.remote.bodies import WHOLE
from recontact_mcp.remote.joined import Joined
from recontact_mcp.remote.limits import Limits
from recontact_mcp.remote.refusals import crowded, envelope, malformed, too_large, too_slow

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from recontact_tools.errors import RecontactError


@dataclass(slots=True)
class Peers:
    """How many connections there are: so many at most, and *each* of one address outside *trusted* networks."""

    most: int
    each: int
    trusted: Iterable[str] = ()
    _open: Counter[str] = field(default_factory=Counter[str])

    def arrive(self, peer: str) -> bool:
        """Count one more connection of an address; tell whether it may have it."""
        self._open[peer] += 1
        if self._open.total() > self.most:
            return False
        return self._open[peer] <= self.each or self._is_trusted(peer)

    def leave(self, peer: str) -> None:
        """Count one less."""
        self._open[peer] -= 1
        if self._open[peer] <= 0:
            del self._open[peer]

    def _is_trusted(self, peer: str) -> bool:
        try:
            return any(ip_address(peer) in ip_network(network) for network in self.trusted)
        except ValueError:
            return False


class EarlyError(Exception):
    """A request came before the answer to another one: pipelined, or made of what is no request."""


class Config(uvicorn.Config):
    """The server's configuration, and what its connections are held to."""

    limits: Limits = Limits()
    peers: Peers = Peers(1_000, 256)


class Connection(HttpToolsProtocol):
    """One connection, which is closed when the head of a request is too long, too slow, or none."""

    config: Config
    _peer: str = ""
    _in_head: bool = True
    _head_bytes: int = 0
    _deadline: asyncio.TimerHandle | None = None
    _deaf: bool = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, if its address may have one more."""
        super().connection_made(cast("asyncio.Transport", transport))
        self.transport = Joined(self.transport, self.loop)
        self._peer = self.client[0] if self.client else ""
        self._wait_for_head()
        if not self.config.peers.arrive(self._peer):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, crowded())

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._stop_waiting()
        self.config.peers.leave(self._peer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what came, unless it makes the head too long."""
        if not self._hears():
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._hears() or not self._in_head or not self._head_bytes:
            return
        if self._deadline is None:  # a head that came in one piece, as nearly all do, is not waited for
            self._wait_for_head()
        if self._head_bytes > self._most:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, too_large("The head", f"{self._most} bytes"))

    def on_message_begin(self) -> None:
        """Begin with a request, unless another one has no answer yet.

        Raises:
            EarlyError: It has none. While a second one waited, nothing would be read, and nobody would notice that the
                client of the first one has left.
        """
        if self._is_serving:
            raise EarlyError
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Go on to the body."""
        self._in_head, self._head_bytes = False, 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Go on to the next head."""
        self._in_head = True
        cast("dict[str, object]", self.scope)[WHOLE] = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, without an echo of it."""
        del msg
        self._refuse(HTTPStatus.BAD_REQUEST, malformed())

    def _hears(self) -> bool:
        return not self._deaf

    @property
    def _is_serving(self) -> bool:
        """Whether a request has come whole, or is being answered, and has not had all of its answer."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.response_complete:
            return False
        return cycle.response_started or not cycle.more_body

    @property
    def _most(self) -> int:
        limits = self.config.limits
        return limits.url_bytes + limits.header_bytes

    def _wait_for_head(self) -> None:
        self._deadline = self.loop.call_later(self.config.limits.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, too_slow())

    def _refuse(self, status: HTTPStatus, error: RecontactError) -> None:
        """Answer and hang up; where another request has no answer yet, hear no more, and hang up with that one.

        Amid an answer, only hang up: two would be mixed.
        """
        if self.transport.is_closing():
            return
        if self._is_serving:
            self._deaf, self.cycle.keep_alive = True, False
            if self.cycle.response_started:
                self.transport.close()
            return
        body = json.dumps(envelope(error, mcp=False)).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"cache-control: no-store\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
