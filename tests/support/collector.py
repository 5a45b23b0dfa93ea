"""A collector of traces: it takes OTLP over HTTP and keeps what came."""

import gzip
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class Span:
    """A span as it came over the wire; ids in hexadecimal, *links* are the traces that it is linked to."""

    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    links: list[str]
    resource: dict[str, Any]


@dataclass
class Collector:
    """What was sent to it: the bodies of the requests, unpacked, and their headers."""

    url: str = ""
    status: int = 200
    bodies: list[bytes] = field(default_factory=list[bytes])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    @property
    def spans(self) -> list[Span]:
        """The spans of all requests."""
        found: list[Span] = []
        for body in self.bodies:
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = _plain(group.resource.attributes)
                found += [_span(span, resource) for scope in group.scope_spans for span in scope.spans]
        return found

    def the_one(self, name: str) -> Span:
        """Return the only span of a name."""
        [span] = [span for span in self.spans if span.name == name]
        return span


def _span(span: Any, resource: dict[str, Any]) -> Span:
    return Span(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        _plain(span.attributes),
        [link.trace_id.hex() for link in span.links],
        resource,
    )


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@contextmanager
def collector(*, status: int = 200) -> Generator[Collector]:
    """Take spans on a free port of this machine until the block is left."""
    kept = Collector(status=status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            kept.headers.append({name.lower(): value for name, value in self.headers.items()})
            kept.bodies.append(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            self.send_response(kept.status if self.path == "/v1/traces" else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the library's)
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield kept
        finally:
            server.shutdown()
            thread.join()
