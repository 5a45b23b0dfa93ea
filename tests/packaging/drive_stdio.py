"""Drive an installed recontact-mcp over stdio with nothing but the standard library, in both protocol eras.

Usage: python drive_stdio.py COMMAND [ARGUMENT ...]
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# ours: a first start of mcp.json may install for some minutes; whoever tests a warm start sees about a second.
DEADLINE_SECONDS: Final = 600
LEGACY: Final = "2025-11-25"
MODERN: Final = "2026-07-28"
CLIENT: Final = {"name": "drive-stdio", "version": "1"}
MODERN_META: Final = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Server:
    """Speak JSON-RPC with one server process, a line a message."""

    def __init__(self, command: Sequence[str], *, cwd: str | None, env: Mapping[str, str] | None) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cwd, env=env, encoding="utf-8"
        )
        self.deadline = threading.Timer(DEADLINE_SECONDS, self.process.kill)
        self.deadline.daemon = True
        self.deadline.start()

    def send(self, method: str, params: Mapping[str, Any], *, id: int | None = None) -> None:  # noqa: A002 - JSON-RPC's word
        """Write one request, or a notification where there is no id."""
        assert self.process.stdin is not None
        number = {} if id is None else {"id": id}
        message = {"jsonrpc": "2.0", **number, "method": method, "params": params}
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def ask(self, method: str, params: Mapping[str, Any], *, id: int) -> dict[str, Any]:  # noqa: A002 - as above
        """Send a request and answer its result; notifications on the way are passed over.

        Raises:
            AssertionError: The server ended, answered an error, or wrote anything but MCP on stdout.
        """
        self.send(method, params, id=id)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line)
            assert message.get("jsonrpc") == "2.0", "stdout carries something that is not MCP"
            if message.get("id") == id:
                assert "result" in message, message.get("error")
                result: dict[str, Any] = message["result"]
                return result
        raise AssertionError(f"the server ended with code {self.process.wait()} before it answered {method}")

    def close(self) -> int:
        """End the conversation as hosts do, by closing stdin, and answer the exit code."""
        self.process.communicate()
        self.deadline.cancel()
        return self.process.returncode


def legacy(server: Server) -> tuple[str, list[str]]:
    """Shake hands as a 2025 client does; answer the server's version and its tools' names."""
    hello = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": CLIENT}
    answer = server.ask("initialize", hello, id=1)
    server.send("notifications/initialized", {})
    tools = server.ask("tools/list", {}, id=2)["tools"]
    return answer["serverInfo"]["version"], [tool["name"] for tool in tools]


def modern(server: Server) -> tuple[str, list[str]]:
    """Ask for the tools as a 2026 client does, without a handshake; answer as `legacy` does."""
    answer = server.ask("tools/list", {"_meta": MODERN_META}, id=1)
    return "", [tool["name"] for tool in answer["tools"]]


def drive(
    command: Sequence[str], *, cwd: str | None = None, env: Mapping[str, str] | None = None
) -> tuple[str, list[str]]:
    """Run the command once for each era; answer its version and the tools, the same in both.

    Raises:
        AssertionError: An era got no answer, the eras differ, or the server did not end cleanly.
    """
    answers: list[tuple[str, list[str]]] = []
    for talk in (legacy, modern):
        server = Server(command, cwd=cwd, env=env)
        try:
            answers.append(talk(server))
        finally:
            code = server.close()
        assert code == 0, f"the server ended with code {code} after a client left"
    (version, names), (_, modern_names) = answers
    assert names == modern_names, "the two eras list different tools"
    assert names, "the server lists no tools"
    return version, names


if __name__ == "__main__":
    found, listed = drive(sys.argv[1:])
    sys.stdout.write(f"version {found}, both eras list {len(listed)} tools: {', '.join(listed)}\n")
