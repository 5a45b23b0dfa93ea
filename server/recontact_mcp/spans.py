"""Spans: the SDK's of MCP calls, and ours of requests to the API and of jobs; without any id of anybody."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, cast

from mcp_types.methods import SPEC_CLIENT_METHODS
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

from recontact_mcp.own_traces import OwnTraces, disguised
from recontact_tools.catalog import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from opentelemetry.util.types import AttributeValue

    from recontact_tools.observing import Told

NAME: Final = "recontact-mcp"
# What the attributes of the SDK's spans may say: a client writes the others, and could write anything.
_SAFE: Final = frozenset({"error.type", "gen_ai.operation.name", "mcp.protocol.version", "rpc.response.status_code"})
_METHODS: Final = SPEC_CLIENT_METHODS | {"tasks/cancel", "tasks/get", "tasks/update"}
# ours: a collector is near; one that takes longer than that keeps no pace with the spans.
LOOK_SECONDS: Final = 3.0
_GOOD: Final = frozenset({"started", "2xx", "completed"})


class Spans:
    """Makes spans of our own work, below whatever span is open."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._tracer = provider.get_tracer(NAME, version(NAME))

    @contextmanager
    def exchange(self, operation: str, attempt: int) -> Generator[Told]:
        """Make a span of one request to the API."""
        attributes: dict[str, AttributeValue] = {"recontact.operation": operation, "recontact.attempt": attempt}
        with self._tracer.start_as_current_span(
            f"api {operation}", kind=SpanKind.CLIENT, attributes=attributes, record_exception=False
        ) as span:
            yield lambda word: _tell(span, word)

    @contextmanager
    def job(self, kind: str, stage: str) -> Generator[Told]:
        """Make a trace of one stage of a job, linked to the call that began it: a job outlives its call by far."""
        here = trace.get_current_span().get_span_context()
        links = [Link(here)] if here.is_valid else []
        attributes: dict[str, AttributeValue] = {"recontact.job.kind": kind, "recontact.job.stage": stage}
        with self._tracer.start_as_current_span(
            f"job {kind} {stage}", Context(), attributes=attributes, links=links, record_exception=False
        ) as span:
            yield lambda word: _tell(span, word)


def _tell(span: trace.Span, word: str) -> None:
    span.set_attribute("recontact.outcome", word)
    if word not in _GOOD:
        span.set_status(Status(StatusCode.ERROR))


class Discreet(SpanExporter):
    """Exports spans without what a client or an exception may have put into them."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export what may leave of each span."""
        return self._exporter.export([discreet(span) for span in spans])

    def shutdown(self) -> None:
        """Stop exporting."""
        self._exporter.shutdown()


def discreet(span: ReadableSpan) -> ReadableSpan:
    """Return a span as it may leave: ours as it is, any other with known words only, and no text of an exception."""
    scope = span.instrumentation_scope
    ours = scope is not None and scope.name == NAME
    name, attributes = (span.name, span.attributes) if ours else _of_the_sdk(span.attributes or {})
    return ReadableSpan(
        name=name,
        context=_bare(span.get_span_context()),
        parent=_bare(span.parent),
        resource=span.resource,
        attributes=attributes,
        links=[Link(bare) for link in span.links if (bare := _bare(link.context)) is not None],
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=scope,
    )


def _bare(context: SpanContext | None) -> SpanContext | None:
    """Return where a span belongs, without the state that a client may have sent with it, nor its ids."""
    if context is None:
        return None
    if context.is_remote:
        return disguised(context)
    return SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags)


def _of_the_sdk(told: Mapping[str, AttributeValue]) -> tuple[str, dict[str, AttributeValue]]:
    """Return the name and the attributes of a span that another library made."""
    kept = {name: value for name, value in told.items() if name in _SAFE}
    method, tool = str(told.get("mcp.method.name", "")), str(told.get("gen_ai.tool.name", ""))
    known = method if method in _METHODS else "other"
    kept["mcp.method.name"] = known
    if tool in OPERATIONS:
        kept["gen_ai.tool.name"] = tool
        return f"{known} {tool}", kept
    return known, kept


def begin(exporter: str, environ: Mapping[str, str]) -> Spans:
    """Send all spans of this process from now on; where to, how and how many is said by the usual variables."""
    named = environ.get("OTEL_SERVICE_NAME") or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    resource = Resource.create({} if named else {SERVICE_NAME: NAME})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(Discreet(_exporter(exporter))))
    own = OwnTraces(provider)
    trace.set_tracer_provider(own)
    return Spans(own)


def are_taken_by(exporter: str) -> bool:
    """Send no spans at all, and tell whether that was accepted; a collector that is away is asked for some seconds."""
    sending = _exporter(exporter, seconds=LOOK_SECONDS)
    try:
        return sending.export([]) is SpanExportResult.SUCCESS
    finally:
        sending.shutdown()


def _exporter(name: str, *, seconds: float | None = None) -> SpanExporter:
    """Return what sends spans; *seconds* is how long it tries, None: what the usual variables say."""
    if name == "console":
        return ConsoleSpanExporter(out=sys.stderr)  # stdout is the wire of stdio
    found = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    return cast("SpanExporter", found.OTLPSpanExporter(timeout=seconds))
