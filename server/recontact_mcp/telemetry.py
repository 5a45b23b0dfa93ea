"""OpenTelemetry by the usual variables: nothing of it is imported where none of them asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recontact_tools.observing import Observer

# source: OpenTelemetry, environment variable specification
_ASK: Final = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_TRACES_EXPORTER",
)
EXPORTERS: Final = ("otlp", "console", "none")
MISSING: Final = (
    "OTEL_* variables ask for traces, but the packages for them are not installed:"
    " pip install 'recontact-mcp[telemetry]', or unset the variables."
)


class TelemetryError(Exception):
    """Say why traces that were asked for cannot be made."""


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether traces are asked for."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return False
    return any(environ.get(name, "").strip() for name in _ASK)


def observers(environ: Mapping[str, str]) -> tuple[Observer, ...]:
    """Begin to send traces where that is asked for, and return what makes spans of our own work.

    Raises:
        TelemetryError: The packages are not installed, or the exporter is none that we have.
    """
    if not is_wanted(environ):
        return ()
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() or "otlp"
    if exporter not in EXPORTERS:
        raise TelemetryError(f"OTEL_TRACES_EXPORTER can be {', '.join(EXPORTERS)}.")
    if exporter == "otlp" and environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf") != "http/protobuf":
        raise TelemetryError("OTEL_EXPORTER_OTLP_PROTOCOL can be http/protobuf.")
    try:
        # Imported here: a start that sends no traces does not pay for it.
        from recontact_mcp.spans import begin  # noqa: PLC0415 (the reason is the line above)

        return (begin(exporter, environ),)
    except ImportError:
        raise TelemetryError(MISSING) from None
