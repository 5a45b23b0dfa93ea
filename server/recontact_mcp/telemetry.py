"""OpenTelemetry by the usual variables: nothing of it is imported where none of them asks for it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from recontact_tools.observing import Observer

# source: OpenTelemetry, environment variable specification
_ASK: Final = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_TRACES_EXPORTER",
)
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
EXPORTERS: Final = ("otlp", "console", "none")
PROTOCOL: Final = "http/protobuf"
MISSING: Final = (
    "OTEL_* variables ask for traces, but the packages for them are not installed:"
    " pip install 'recontact-mcp[telemetry]', or unset the variables."
)
UNREADABLE: Final = "A number or an address in the OTEL_* variables cannot be read."

_log: Final = logging.getLogger(__name__)


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
    """Begin to send traces where that is asked for and can be done, and return what makes spans of our own work.

    A server without its traces serves all the same: the variables may be meant for another program.
    """
    try:
        return _begun(environ) if is_wanted(environ) else ()
    except TelemetryError as error:
        _log.warning("No traces are sent. %s", error)
        return ()


def are_taken(environ: Mapping[str, str]) -> bool:
    """Look whether what traces would be sent to takes them; an empty list of them is sent.

    Raises:
        TelemetryError: The packages are not installed, or the variables ask for what we have not.
    """
    exporter = _exporter(environ)
    with _in_our_words():
        # Imported here: who sends no traces does not pay for it.
        from recontact_mcp.spans import are_taken_by  # noqa: PLC0415 (the reason is the line above)

        return are_taken_by(exporter)


def _begun(environ: Mapping[str, str]) -> tuple[Observer, ...]:
    exporter = _exporter(environ)
    with _in_our_words():
        # Imported here: a start that sends no traces does not pay for it.
        from recontact_mcp.spans import begin  # noqa: PLC0415 (the reason is the line above)

        return (begin(exporter, environ),)


@contextmanager
def _in_our_words() -> Generator[None]:
    try:
        yield
    except ImportError:
        raise TelemetryError(MISSING) from None
    except ValueError:
        raise TelemetryError(UNREADABLE) from None


def _exporter(environ: Mapping[str, str]) -> str:
    """Return which exporter is asked for.

    Raises:
        TelemetryError: It is none that we have.
    """
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() or "otlp"
    if exporter not in EXPORTERS:
        raise TelemetryError(f"OTEL_TRACES_EXPORTER can be {', '.join(EXPORTERS)}.")
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), PROTOCOL)
    if exporter == "otlp" and protocol != PROTOCOL:
        raise TelemetryError(f"OTEL_EXPORTER_OTLP_PROTOCOL can be {PROTOCOL}.")
    return exporter
