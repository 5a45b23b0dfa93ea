"""Logs on stderr, as text or as one JSON object a line, with nothing in them that names a respondent."""

import contextlib
import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, TextIO

# The last line of defence: no module of ours logs these, but a library might, in a message or a traceback.
_UUID = re.compile(r"(?i)(?<![0-9a-f])(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32})(?![0-9a-f])")
_BEARER = re.compile(r"(?i)\b(bearer)\s+[^\s'\",;]+")
_JWT = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")
_SECRET = re.compile(
    r"(?i)([\"']?\b(?:client_secret|access_token|password|start_after|end_before|cursor)\b[\"']?\s*[=:]\s*)"
    r"(\"[^\"]*\"|'[^']*'|[^\s&,;})]+)"
)
_PATH = re.compile(r"(\[Errno \d+\][^:\n]*: )(['\"]).*\2")

# Loggers whose ordinary records hold paths, cursors, SQL parameters or workflow ids.
_QUIET: Mapping[str, int] = {
    "httpx": logging.WARNING,  # every URL at INFO; cursors are respondent ids
    "httpx2": logging.WARNING,
    "httpcore": logging.WARNING,  # headers at DEBUG
    "httpcore2": logging.WARNING,
    "dbos": logging.WARNING,  # workflow ids and arguments
    "sqlalchemy": logging.WARNING,  # statements with their parameters
    "uvicorn": logging.WARNING,  # banners; our commands say themselves where they listen
    "uvicorn.access": logging.CRITICAL,  # every path
    "mcp": logging.WARNING,  # messages at DEBUG
    "sse_starlette": logging.WARNING,
    "python_multipart": logging.WARNING,
    "asyncio": logging.WARNING,
}


def redacted(text: str) -> str:
    """Return a text without anything shaped like a respondent id, a token or a secret."""
    text = _UUID.sub("[id]", text)
    text = _BEARER.sub(r"\1 [token]", text)
    text = _JWT.sub("[token]", text)
    text = _PATH.sub(r"\1[path]", text)
    return _SECRET.sub(r"\1[redacted]", text)


class Lines(logging.StreamHandler[TextIO]):
    """Writes records; one that cannot be formatted is named by its place, never shown with its arguments."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the name is logging's)
        """Say which line of code logged what could not be written."""
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(f"a log record of {record.name}, line {record.lineno}, could not be written\n")


class TextLines(logging.Formatter):
    """One record as text: time in UTC, level, logger, message, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the whole record, redacted."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = f"{when} {record.levelname} {record.name}: {record.getMessage()}"
        return redacted("\n".join((line, *_traceback(self, record))))


class JsonLines(logging.Formatter):
    """One record as a JSON object on one line: time, level, logger, message, error."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the whole record, redacted."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        if parts := _traceback(self, record):
            entry["error"] = redacted("\n".join(parts))
        return json.dumps(entry)


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> tuple[str, ...]:
    # record.exc_text is another formatter's cache: made afresh, so that nothing unredacted is kept.
    parts: list[str] = []
    if record.exc_info and record.exc_info[0] is not None:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return tuple(parts)


def configure(level: str, log_format: Literal["text", "json"], *, stream: TextIO | None = None) -> None:
    """Send every log record to stderr, redacted; call it before an `MCPServer` is made.

    `MCPServer` calls `logging.basicConfig`, which leaves a configured root logger alone.
    """
    handler = Lines(stream or sys.stderr)
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines())
    root = logging.getLogger()
    for other in tuple(root.handlers):
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(level)
    lowest = logging.getLevelNamesMapping()[level]
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, lowest))
    # The engine adds a handler of its own unless it finds one, and then reports to nobody else.
    engine = logging.getLogger("dbos")
    engine.handlers[:] = [handler]
    engine.propagate = False
