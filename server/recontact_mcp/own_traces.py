"""Traces of our own: where a client named a span of its own, ours begin a trace that is linked to it.

So no client decides whether its calls are traced, nor which bytes leave as the id of a trace.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext, SpanKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context
    from opentelemetry.util.types import Attributes


class OwnTraces(trace.TracerProvider):
    """Makes spans as another provider does, none below a span of another process."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._provider = provider

    def get_tracer(self, *library: Any, **more: Any) -> trace.Tracer:  # noqa: ANN401 (passed on as they come)
        """Return what makes the spans of one library."""
        return _Own(self._provider.get_tracer(*library, **more))


class _Own(trace.Tracer):
    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        *rest: Any,  # noqa: ANN401 (passed on as they come)
        **others: Any,  # noqa: ANN401 (as above)
    ) -> trace.Span:
        apart, linked = _apart(context, links)
        return self._tracer.start_span(name, apart, kind, attributes, linked, *rest, **others)

    def start_as_current_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        *rest: Any,  # noqa: ANN401 (as above)
        **others: Any,  # noqa: ANN401 (as above)
    ) -> Any:  # noqa: ANN401 (the library's type is private)
        apart, linked = _apart(context, links)
        return self._tracer.start_as_current_span(name, apart, kind, attributes, linked, *rest, **others)


def _apart(context: Context | None, links: Sequence[Link] | None) -> tuple[Context | None, Sequence[Link] | None]:
    """Return what a span begins below, and what it is linked to."""
    above = trace.get_current_span(context).get_span_context()
    if not (above.is_valid and above.is_remote):
        return context, links
    return trace.set_span_in_context(trace.INVALID_SPAN, context), [*(links or ()), Link(above)]


def disguised(theirs: SpanContext) -> SpanContext:
    """Return a client's span as it may leave: whoever has its ids can find it, and nobody can read anything in it.

    The id of its trace becomes the first 16 bytes of the SHA-256 of that id in hexadecimal.
    """
    whole = f"{theirs.trace_id:032x}"
    of_trace, of_span = sha256(whole.encode()).digest(), sha256(f"{whole}-{theirs.span_id:016x}".encode()).digest()
    return SpanContext(int.from_bytes(of_trace[:16]), int.from_bytes(of_span[:8]), is_remote=True)
