"""One request, one outcome: where httpx's exceptions end."""

import logging
from collections.abc import AsyncIterable, Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import anyio
import httpx

from recontact_tools.gateway.answers import Answer, Broken, Exchanged
from recontact_tools.gateway.clients import client_for
from recontact_tools.gateway.connection import Connection
from recontact_tools.gateway.observed import ATTEMPT, operation_of, outcome_of

if TYPE_CHECKING:
    from recontact_tools.observing import Observer

BODY_BYTES_MAX = 8_000_000  # ours: a file is under 5 MB in every reading of the API's limit, pages far smaller

# None of these can happen once a byte of the request has left.
NOT_CONNECTED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)

Send: TypeAlias = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Wire:
    """Exchange requests for outcomes, over the network or straight through *transport*.

    A transport that is passed in is called without an `AsyncClient` around it: that client does nothing here
    that an app in the same process needs, and costs more than the rest of a read.
    """

    def __init__(self, connection: Connection, transport: httpx.AsyncBaseTransport | None) -> None:
        # httpx logs whole URLs at INFO, and cursors in URLs hold respondent IDs.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self.observer: Observer | None = None
        self._exchange_seconds = connection.exchange_seconds
        if transport is None:
            client = client_for(connection)
            self._send: Send = partial(client.send, stream=True)
            self.aclose: Callable[[], Awaitable[None]] = client.aclose
        else:
            self._send = transport.handle_async_request
            self.aclose = transport.aclose

    async def exchange_in_time(self, request: httpx.Request) -> Exchanged:
        """Send *request* once, as `exchange` does, but for *exchange_seconds* at most."""
        with anyio.move_on_after(self._exchange_seconds):
            return await self.exchange(request)
        return Broken(connected=True, cause=TimeoutError.__name__)

    async def exchange(self, request: httpx.Request) -> Exchanged:
        """Send *request* once and return what came of it, whatever that is; whoever reads bounds the whole of it."""
        if self.observer is None:
            return await self._settled(request)
        with self.observer.exchange(operation_of(request), ATTEMPT.get()) as tell:
            exchanged = await self._settled(request)
            tell(outcome_of(exchanged))
        return exchanged

    async def _settled(self, request: httpx.Request) -> Exchanged:
        try:
            return await self._exchange(request)
        except NOT_CONNECTED as error:
            return Broken(connected=False, cause=type(error).__name__)
        except (httpx.RequestError, OSError) as error:  # OSError: an app in this process raises its own
            return Broken(connected=True, cause=type(error).__name__)

    async def _exchange(self, request: httpx.Request) -> Exchanged:
        response = await self._send(request)
        try:
            body = await _read(response)
        finally:
            await response.aclose()
        if body is None:
            return Broken(connected=True, cause="AnswerTooLarge")
        return Answer(response.status_code, response.headers, body)


async def _read(response: httpx.Response) -> bytes | None:
    """Return the whole body, or None as soon as it turns out larger than BODY_BYTES_MAX."""
    body = bytearray()
    async for chunk in _chunks(response):
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            return None
    return bytes(body)


def _chunks(response: httpx.Response) -> AsyncIterable[bytes]:
    stream = response.stream
    if isinstance(stream, httpx.AsyncByteStream) and "content-encoding" not in response.headers:
        return stream  # the response's own iterators cost as much as all of our code
    return response.aiter_bytes()
