"""The doctor's look at where traces go; who asks for none is told nothing of them."""

import logging
from collections.abc import Mapping
from typing import Final

from anyio import to_thread

from recontact_mcp.cli.findings import Finding
from recontact_mcp.telemetry import TelemetryError, are_taken, is_wanted

NAME: Final = "Traces"
CURE: Final = (
    "Check OTEL_EXPORTER_OTLP_ENDPOINT: an OTLP/HTTP collector is expected there, mostly on port 4318, not that of gRPC"
    " (4317)."
)


async def traces(environ: Mapping[str, str]) -> tuple[Finding, ...]:
    """Look whether traces that are asked for can be made and are taken; a server serves without them, too."""
    return (await to_thread.run_sync(_look, environ),) if is_wanted(environ) else ()


def _look(environ: Mapping[str, str]) -> Finding:
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # the report says it
    try:
        taken = are_taken(environ)
    except TelemetryError as error:
        return Finding(NAME, "warn", "asked for, and none are sent", str(error))
    if not taken:
        return Finding(NAME, "warn", "nothing takes them: the collector is away, or refuses them", CURE)
    return Finding(NAME, "ok", "are taken where the OTEL_* variables say")
