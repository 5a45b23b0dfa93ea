"""The HTTP server as a real process."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mcp_types import CallToolResult


@dataclass(frozen=True, slots=True)
class Served:
    """A server process and the URL of its MCP endpoint."""

    process: subprocess.Popen[str]
    url: str

    @property
    def base(self) -> str:
        """The URL without a path."""
        return self.url.removesuffix("/mcp")

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 0

    def connection(self) -> socket.socket:
        """Open a raw connection."""
        return socket.create_connection(self.address, timeout=20)

    def exchange(self, data: bytes) -> bytes:
        """Send bytes and return all that comes until the server hangs up."""
        with self.connection() as wire:
            wire.sendall(data)
            return all_of(wire)

    def ended(self) -> tuple[int, str]:
        """Wait for the end of the process; return its exit code and what it said on stderr."""
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


def content_of(result: CallToolResult) -> dict[str, Any]:
    """Return the structure of an answer; an empty one where there is none."""
    content: dict[str, Any] = result.structured_content or {}
    return content


def all_of(wire: socket.socket) -> bytes:
    """Read until the other side hangs up."""
    read = bytearray()
    try:
        while chunk := wire.recv(65_536):
            read += chunk
    except ConnectionResetError:  # it hung up before all was read that was sent
        pass
    return bytes(read)


@contextmanager
def served(folder: Path, *arguments: str, **variables: str) -> Generator[Served]:
    """Serve over HTTP from a data directory, on a free port."""
    with subprocess.Popen(
        [sys.executable, "-m", "recontact_mcp", "serve", "--transport", "http", "--port", "0", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RECONTACT_DATA_DIR": str(folder / "data"), "HOME": str(folder), **variables},
    ) as process:
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            yield Served(process, next(word for word in words if word.startswith("http://")))
        finally:
            process.send_signal(signal.SIGTERM)
