"""Traces that a client began: what its request makes spans of is linked to the span that its headers name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.context import attach, detach
from opentelemetry.propagate import extract, get_global_textmap

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class Continuing:
    """Serves each request with the span that its client named, by `OTEL_PROPAGATORS`; the default is `traceparent`.

    What a client says in the `_meta` of an MCP request comes before it. A name that cannot be read counts as none.
    Our spans are linked to it and never below it: see `own_traces`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._fields = frozenset(name.encode("ascii") for name in get_global_textmap().fields)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the whole life of the process."""
        told = {
            name.decode("ascii"): value.decode("latin-1")
            for name, value in scope.get("headers", ())
            if name in self._fields
        }
        before = attach(extract(told))
        try:
            await self._app(scope, receive, send)
        finally:
            detach(before)
