"""A network between one process and the service that loses, delays and counts what starts a job."""

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

import httpx
from virtual_time import VirtualTime

_FILE_NAME = re.compile(rb'filename="([^"]*)"')
_SAYS_NOT_EXECUTED = frozenset({400, 401, 403, 404, 409, 413, 415, 429})


class NetworkFault(StrEnum):
    """What happens to a request that starts a job; the answer, if any, is the service's own."""

    NONE = "none"
    NO_CONNECTION = "no connection"
    LOST_REQUEST = "lost request"
    LOST_ANSWER = "lost answer"
    LATE = "late"  # given up here, and executed a while later all the same
    VERY_LATE = "very late"  # after every look for it


_LATE = {NetworkFault.LATE: timedelta(seconds=20), NetworkFault.VERY_LATE: timedelta(hours=2)}


@dataclass
class Sending:
    """One request that started, or may have started, a job; *file_name* is None for a removal."""

    file_name: str | None
    content: bytes
    status: int | None = None  # as the service answered, whoever heard it
    left: bool = True  # whether it left this machine at all

    @property
    def may_have_run(self) -> bool:
        """Whether nothing that came back excludes that a job was started."""
        return self.left and self.status not in _SAYS_NOT_EXECUTED


@dataclass
class Network(httpx.AsyncBaseTransport):
    """The way to the service; *reach* is told of every moment at which our process may die."""

    service: httpx.AsyncBaseTransport
    time: VirtualTime
    sendings: list[Sending] = field(default_factory=list[Sending])
    next_faults: list[NetworkFault] = field(default_factory=list[NetworkFault])
    reach: Callable[[], Awaitable[None]] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request, and its answer unless that gets lost."""
        await self._moment()
        starts = request.method == "POST" and not request.url.path.endswith("/oauth/token")
        response = await (self._start(request) if starts else self.service.handle_async_request(request))
        await self._moment()
        return response

    async def _moment(self) -> None:
        if self.reach is not None:
            await self.reach()

    async def _start(self, request: httpx.Request) -> httpx.Response:
        sending = _sending(await request.aread())
        self.sendings.append(sending)
        fault = self.next_faults.pop(0) if self.next_faults else NetworkFault.NONE
        if fault is NetworkFault.NO_CONNECTION:
            sending.left = False
            raise httpx.ConnectError("no connection")
        if fault is NetworkFault.LOST_REQUEST:
            raise httpx.ReadError("lost")
        if fault in _LATE:
            self.time.at(self.time.now() + _LATE[fault], lambda: self._deliver_late(request, sending))
            raise httpx.ReadTimeout("late")
        response = await self._deliver(request, sending)
        if fault is NetworkFault.LOST_ANSWER:
            raise httpx.RemoteProtocolError("lost")
        return response

    async def _deliver_late(self, request: httpx.Request, sending: Sending) -> None:
        with suppress(OSError):  # whatever comes back, nobody hears it
            await self._deliver(request, sending)

    async def _deliver(self, request: httpx.Request, sending: Sending) -> httpx.Response:
        """Hand a request to the service, and note what became of it."""
        fresh = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        response = await self.service.handle_async_request(fresh)
        body = await response.aread()
        sending.status = response.status_code
        return httpx.Response(response.status_code, headers=response.headers, content=body)


def _sending(body: bytes) -> Sending:
    name = _FILE_NAME.search(body)
    content = body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0] if name else b""
    return Sending(name.group(1).decode() if name else None, content)
