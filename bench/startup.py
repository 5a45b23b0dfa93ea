"""Cold start over stdio, from starting the process to the first answer, beside a bare server of the SDK."""

import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from bench.figures import Figure
from bench.timing import Pair
from mcp_types import ListToolsResult

from recontact_mcp.app import build_server
from recontact_mcp.settings import Settings

OF_THE_API = {
    "upload_recontacts",
    "get_upload_job",
    "list_upload_jobs",
    "remove_all_recontacts",
    "get_removal_job",
    "get_recontact_overview",
    "list_recontacts",
}
ROUNDS = 15
BARE = """
from mcp.server.mcpserver import MCPServer

server = MCPServer("bare")


@server.tool()
def echo(text: str) -> str:
    return text


server.run("stdio")
"""
CLIENT = {"name": "bench", "version": "1"}
Message = dict[str, Any]


def request(number: int, method: str, **params: object) -> Message:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


# source: MCP 2026-07-28: no handshake, every request carries what it needs
MODERN: tuple[Message, ...] = (
    request(
        1,
        "tools/list",
        _meta={
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": CLIENT,
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    ),
)
# source: MCP 2025-11-25
LEGACY: tuple[Message, ...] = (
    request(1, "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=CLIENT),
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    request(2, "tools/list"),
)
ERAS: Mapping[str, tuple[Message, ...]] = {"modern": MODERN, "legacy": LEGACY}


@dataclass(slots=True)
class Starts:
    """The seconds that each start of one command took, and the last answer's bytes, by era."""

    command: Sequence[str]
    seconds: dict[str, list[float]] = field(default_factory=lambda: {era: [] for era in ERAS})
    answer: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def start(self, era: str, environment: Mapping[str, str]) -> None:
        """Start once, and wait until the process has gone: it must not disturb the next one."""
        began = time.perf_counter()
        with subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        ) as process:
            line = last_answer(process, ERAS[era])
            self.seconds[era].append(time.perf_counter() - began)
            process.kill()
        assert json.loads(line)["result"]["tools"]
        self.answer[era] = line

    def beside(self, bare: "Starts", era: str, *, name: str) -> Figure:
        """Compare with the bare server's starts of the same rounds."""
        pair = Pair(self.seconds[era], bare.seconds[era])
        return Figure(f"Cold start of {name} to tools/list, {era} era", pair.ratio, "x", 1.15, pair.detail)


def last_answer(process: "subprocess.Popen[bytes]", messages: Sequence[Message]) -> bytes:
    """Send the messages, wait for the answer to each that has an id, and return the last one."""
    assert process.stdin
    assert process.stdout
    line = b""
    for message in messages:
        process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.flush()
        if "id" in message:
            line = process.stdout.readline()
    return line


def seven_alone(line: bytes) -> int:
    """Count the bytes of a list of tools without those that go beyond what the API itself can do."""
    message: Message = json.loads(line)
    result = message["result"]
    result["tools"] = [tool for tool in result["tools"] if tool["name"] in OF_THE_API]
    assert len(result["tools"]) == len(OF_THE_API)
    return len(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode())


def remote_list(folder: Path) -> int:
    """Count the bytes of the list that clients over HTTP get, without the envelope."""
    server = build_server(Settings(data_dir=folder), local_files=False)
    listed = ListToolsResult(tools=anyio.run(server.list_tools))
    fields = listed.model_dump(mode="json", by_alias=True, exclude_none=True)
    return len(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode())


def measure(folder: Path) -> list[Figure]:
    script = folder / "bare.py"
    script.write_text(BARE)
    # Nobody's settings: a data directory of its own, as after an installation.
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    bare = Starts([sys.executable, str(script)])
    module = Starts([sys.executable, "-m", "recontact_mcp"])
    console = Starts([str(Path(sysconfig.get_path("scripts")) / "recontact-mcp")])
    for starts in (bare, module, console):  # warms the file cache, and Python writes what it compiles
        starts.start("modern", environment)
        starts.seconds["modern"].clear()
    for turn in range(ROUNDS):
        for era in ERAS:
            for starts in (bare, console)[:: 1 if turn % 2 else -1]:
                starts.start(era, environment)
        module.start("modern", environment)
    lists = console.answer.values()
    return [
        *(console.beside(bare, era, name="recontact-mcp") for era in ERAS),
        module.beside(bare, "modern", name="python -m recontact_mcp"),
        Figure("tools/list of the API's seven tools, the whole message", max(map(seven_alone, lists)), "bytes", 9_000),
        Figure("tools/list of all twelve tools, the whole message", max(map(len, lists)), "bytes", 15_500),
        Figure("tools/list over HTTP, all twelve tools", remote_list(folder), "bytes", 15_500),
    ]
