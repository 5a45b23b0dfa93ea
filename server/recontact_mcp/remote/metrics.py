"""Numbers for Prometheus: how much is asked, how it ends and how long it takes; of nobody and nothing in particular.

Every label is one of a few words of our own: no id, no principal, and nothing that a client chose.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult
from mcp_types.methods import SPEC_CLIENT_METHODS
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import Response
from starlette.routing import Route

from recontact_tools.catalog import EVERYTHING
from recontact_tools.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from recontact_mcp.opening import Opening
    from recontact_mcp.remote.sessions import Sessions
    from recontact_tools.observing import Told

# ours: a call takes some milliseconds here, some hundred at Cint, and 45 s where it waits.
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
# Methods that are counted by their name; tools are counted by theirs, and everything else is "other".
_METHODS: Final = SPEC_CLIENT_METHODS | {"tasks/cancel", "tasks/get", "tasks/update"}
_TOOLS: Final = frozenset(operation.name for operation in EVERYTHING)
_CODES: Final = frozenset(code.value for code in ErrorCode)
# Answers that last for as long as somebody listens say nothing about how quick we are.
_LASTING: Final = "subscriptions/listen"


class Metrics:
    """The numbers of one process; it counts calls as a middleware of MCP, and watches requests to the API and jobs."""

    def __init__(self) -> None:
        self.registry = one = CollectorRegistry()
        ProcessCollector(registry=one)
        by_call, by_stage = ("call", "outcome", "era"), ("kind", "stage", "outcome")
        self._calls = Counter("recontact_calls", "Calls by what is called and how they ended.", by_call, registry=one)
        self._call_seconds = Histogram(
            "recontact_call_seconds", "Seconds that calls took.", ("call", "era"), registry=one, buckets=BUCKETS
        )
        self._requests = Counter(
            "recontact_api_requests", "Requests to the API.", ("operation", "outcome"), registry=one
        )
        self._request_seconds = Histogram(
            "recontact_api_request_seconds", "Seconds that they took.", ("operation",), registry=one, buckets=BUCKETS
        )
        self._jobs = Counter("recontact_job_stages", "Stages of jobs, and how they ended.", by_stage, registry=one)
        self._strangers = Counter(
            "recontact_refused_strangers",
            "Requests that were refused before they were looked into.",
            ("reason",),
            registry=one,
        )
        built = Gauge("recontact_build_info", "The version that runs.", ("version",), registry=one)
        built.labels(version("recontact-mcp")).set(1)

    def refuse_stranger(self, reason: str) -> None:
        """Count a request that was refused because of who else came from there, or how many."""
        self._strangers.labels(reason).inc()

    def look_at(self, opening: Opening, sessions: Sessions, now: Callable[[], float] = anyio.current_time) -> None:
        """Add the numbers that are looked up when somebody asks for them."""
        for name, words, value in (
            ("recontact_sessions", "Sessions of 2025 clients.", lambda: float(sessions.total(now()))),
            ("recontact_watched_resources", "Resources that clients watch.", lambda: float(len(opening.watched.uris))),
            (
                "recontact_engine_executes",
                "1 where this process brings jobs to their end.",
                lambda: float(opening.executes()),
            ),
            ("recontact_stopping", "1 once this process was told to stop.", lambda: float(opening.ending.announced)),
        ):
            Gauge(name, words, registry=self.registry).set_function(value)

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Count a call and how it ended."""
        call, era = name_of(ctx), "modern" if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS else "legacy"
        began, outcome = time.perf_counter(), "cancelled"
        try:
            result = await call_next(ctx)
            outcome = outcome_of(result)
        except MCPError:
            outcome = "refused"
            raise
        except Exception:
            outcome = "failed"
            raise
        else:
            return result
        finally:
            self._calls.labels(call, outcome, era).inc()
            if call != _LASTING:
                self._call_seconds.labels(call, era).observe(time.perf_counter() - began)

    @contextmanager
    def exchange(self, operation: str, attempt: int) -> Generator[Told]:
        """Count a request to the API and how it ended."""
        del attempt
        began, outcome = time.perf_counter(), ["cancelled"]
        try:
            yield lambda word: outcome.__setitem__(0, word)
        finally:
            self._requests.labels(operation, outcome[0]).inc()
            self._request_seconds.labels(operation).observe(time.perf_counter() - began)

    @contextmanager
    def job(self, kind: str, stage: str) -> Generator[Told]:
        """Count a stage of a job and how it ended; one that the end of the process interrupts has not ended."""
        yield lambda word: self._jobs.labels(kind, stage, word).inc()

    def routes(self) -> list[BaseRoute]:
        """Return the route that shows the numbers."""

        async def shown(_request: Request) -> Response:
            return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

        return [Route("/metrics", shown)]


def name_of(ctx: ServerRequestContext[Any, Any]) -> str:
    """Return under which name a call is counted; what a client made up is none."""
    if ctx.method == "tools/call":
        name = (ctx.params or {}).get("name")
        return name if isinstance(name, str) and name in _TOOLS else "unknown tool"
    return ctx.method if ctx.method in _METHODS else "other"


def outcome_of(result: HandlerResult) -> str:
    """Return `ok`, or the code of our error."""
    if isinstance(result, CallToolResult):
        failed, content = bool(result.is_error), cast("object", result.structured_content)
    elif isinstance(result, dict):
        failed, content = bool(result.get("isError")), cast("object", result.get("structuredContent"))
    else:
        return "ok"
    if not failed:
        return "ok"
    error = cast("dict[str, object]", content).get("error") if isinstance(content, dict) else None
    code = cast("dict[str, object]", error).get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) and code in _CODES else "failed"
