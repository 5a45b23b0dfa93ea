"""The SDK's spans, where nobody takes them: they lead nowhere, and cost a call a thirtieth of its time."""

from collections.abc import Iterable
from typing import Any

from mcp.server._otel import OpenTelemetryMiddleware
from mcp.server.context import ServerMiddleware
from opentelemetry import trace


def taken(middleware: Iterable[ServerMiddleware[Any]]) -> list[ServerMiddleware[Any]]:
    """Return what stands around each request, without what makes spans if this process sends none anywhere.

    Whoever wants spans says so before the server is built: our own variables do, and so do the SDK's users.
    """
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return [*middleware]
    return [one for one in middleware if not isinstance(one, OpenTelemetryMiddleware)]
