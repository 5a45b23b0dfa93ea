"""A server that dies by SIGKILL at a chosen moment; the production code in it is untouched.

CRASH_AT is "before EVENT N" or "after EVENT N" (or "amid upload 1": half of the body has left), where EVENT is a
method of the ledger or a request: token, list, overview, upload, removal, poll. CRASH_HASTE divides every wait of
the server, CRASH_LAG_SECONDS is by how much its clock is behind, CRASH_SPANS is a file to which everything goes that
an exporter of OpenTelemetry spans would be told. Without CRASH_AT it lives.
"""

import os
import signal
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import anyio
import httpx
from opentelemetry import trace

from recontact_mcp.app import build_server
from recontact_mcp.embedded import service_database
from recontact_mcp.logs import configure
from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings, load_settings
from recontact_mcp.storage import opened_ledger
from recontact_service.running import running
from recontact_service.settings import ServiceSettings
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.ledger import Ledger
from recontact_tools.runtime import Clock

EVENTS = {"upload-rsids-by-file": "upload", "remove-all-rsids": "removal", "token": "token"}
TOLD = frozenset({"set_attribute", "set_attributes", "add_event", "record_exception", "set_status", "update_name"})
READS = {"upload-respondents-by-file": "list", "overview": "overview", "rsids": "page"}


class Fuse:
    """Ends this process at one moment, and lets every other one pass."""

    def __init__(self, moment: str) -> None:
        when, event, count = (moment or "never never 1").split()
        self._moment = (when, event)
        self._left = int(count)

    def reach(self, when: str, event: str) -> None:
        """Say that a moment has come."""
        if (when, event) == self._moment:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class FusedLedger:
    """A ledger, or a part of one, whose every call is a moment."""

    def __init__(self, ledger: object, fuse: Fuse) -> None:
        self._ledger = ledger
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)
        if not callable(method):
            return FusedLedger(method, self._fuse)

        async def call(*args: Any, **named: Any) -> Any:
            self._fuse.reach("before", name)
            result: Any = await cast("Awaitable[Any]", method(*args, **named))
            self._fuse.reach("after", name)
            return result

        return call


class HalfSent(httpx.AsyncByteStream):
    """A body that reaches a moment between its pieces."""

    def __init__(self, stream: httpx.AsyncByteStream, fuse: Fuse, event: str) -> None:
        self._stream = stream
        self._fuse = fuse
        self._event = event

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            yield piece[: len(piece) // 2]
            self._fuse.reach("amid", self._event)
            yield piece[len(piece) // 2 :]


class FusedTransport(httpx.AsyncBaseTransport):
    """A way to the API on which every request and every answer is a moment."""

    def __init__(self, transport: httpx.AsyncBaseTransport, fuse: Fuse) -> None:
        self._transport = transport
        self._fuse = fuse

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        event = event_of(request)
        self._fuse.reach("before", event)
        if request.method == "POST" and isinstance(request.stream, httpx.AsyncByteStream):
            request.stream = HalfSent(request.stream, self._fuse, event)
        response = await self._transport.handle_async_request(request)
        self._fuse.reach("after", event)
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()


def event_of(request: httpx.Request) -> str:
    """Name what a request asks for."""
    last = request.url.path.rsplit("/", 1)[-1]
    names = EVENTS if request.method == "POST" else READS
    return names.get(last, "poll")


@asynccontextmanager
async def fused_way(settings: Settings, fuse: Fuse) -> AsyncGenerator[Gateway]:
    """Open the way to the API that the settings name, with the fuse in it."""
    if settings.embedded:
        connection = Connection("http://service.invalid/v1", "http://service.invalid/oauth/token", "embedded", "secret")
        service_settings = ServiceSettings(
            database=service_database(settings.data_dir, settings.database_url),
            pace=settings.pace,
            clients={connection.client_id: connection.client_secret},
        )
        async with running(service_settings) as service:
            transport = FusedTransport(httpx.ASGITransport(app=service.app), fuse)
            async with Gateway(connection, transport=transport) as gateway:
                yield gateway
        return
    secret = settings.cint_client_secret.get_secret_value() if settings.cint_client_secret else ""
    connection = Connection(settings.cint_base_url, settings.cint_auth_url, settings.cint_client_id or "", secret)
    async with Gateway(connection, transport=FusedTransport(httpx.AsyncHTTPTransport(), fuse)) as gateway:
        yield gateway


class WritingSpan(trace.NonRecordingSpan):
    """A span that writes down whatever it is told, at once; the OpenTelemetry SDK is no dependency of ours."""

    def __init__(self, file: Path) -> None:
        super().__init__(trace.INVALID_SPAN_CONTEXT)
        self._file = file

    def write(self, *told: object) -> None:
        """Append what was told; an exception with its whole traceback."""
        lines = "".join(
            "".join(traceback.format_exception(one)) if isinstance(one, BaseException) else repr(one) for one in told
        )
        with self._file.open("a", encoding="utf-8") as spans:
            spans.write(f"{lines}\n")

    def is_recording(self) -> bool:
        return True

    def __getattribute__(self, name: str) -> Any:
        if name not in TOLD:
            return super().__getattribute__(name)

        def tell(*told: Any, **named: Any) -> None:
            self.write(name, *told, named)

        return tell


class WritingTracer(trace.NoOpTracer):
    """A tracer whose spans write to one file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def start_span(self, name: str, *told: Any, **named: Any) -> trace.Span:
        span = WritingSpan(self._file)
        span.write(("span", name, told, named.get("attributes")))
        return span

    def start_as_current_span(  # type: ignore[override]  # the API's decorator is not needed here
        self, name: str, *told: Any, **named: Any
    ) -> AbstractContextManager[trace.Span]:
        return trace.use_span(self.start_span(name, *told, **named))


class WritingProvider(trace.TracerProvider):
    """Hands out tracers that write to one file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def get_tracer(self, *_named: Any, **_more: Any) -> trace.Tracer:
        return WritingTracer(self._file)


def altered_clock(haste: float, lag: timedelta) -> Clock:
    """Return a clock that is behind by *lag* and waits *haste* times shorter."""
    return Clock(now=lambda: datetime.now(UTC) - lag, sleep=lambda seconds: anyio.sleep(seconds / haste))


def main() -> None:
    """Serve MCP on stdin and stdout until the moment comes."""
    if spans := os.environ.get("CRASH_SPANS"):
        trace.set_tracer_provider(WritingProvider(Path(spans)))
    fuse = Fuse(os.environ.get("CRASH_AT", ""))
    settings = load_settings()
    configure(settings.log_level, settings.log_format)

    async def fused_ledger(chosen: Settings) -> Ledger:
        return cast("Ledger", FusedLedger(await opened_ledger(chosen), fuse))

    effects = Effects(
        clock=altered_clock(
            float(os.environ.get("CRASH_HASTE", "1")),
            timedelta(seconds=float(os.environ.get("CRASH_LAG_SECONDS", "0"))),
        ),
        gateway=lambda chosen: fused_way(chosen, fuse),
        ledger=fused_ledger,
    )
    build_server(settings, effects=effects).run("stdio")


if __name__ == "__main__":
    main()
