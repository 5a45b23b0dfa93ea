"""Servers that others make, each in an environment of its own, with one trivial tool: what ours is measured against.

They are installed once, from PyPI and npm, into the cache of whoever measures; a changed pin installs anew.
"""

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from venv import EnvBuilder

from platformdirs import user_cache_path

Install: TypeAlias = Callable[[Path, Sequence[str]], None]

# Pinned exactly: a figure that is compared must not move by itself.
FASTMCP = ("fastmcp==4.2.3", "httptools>=0.9", "uvloop>=0.23")
TYPESCRIPT = ("@modelcontextprotocol/server@2.4.0", "@modelcontextprotocol/node@2", "zod@4")

# The same uvicorn settings as ours; JSON instead of a stream and no session is its fastest way.
FASTMCP_SERVER = """
import sys

import uvicorn
from fastmcp import FastMCP

server = FastMCP("bare")


@server.tool
async def echo(text: str) -> str:
    return text


app = server.http_app(path="/mcp", stateless_http=True, json_response=True)
uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", log_level="warning", access_log=False)
"""

TYPESCRIPT_SERVER = """
import { createServer } from "node:http";
import { McpServer, createMcpHandler } from "@modelcontextprotocol/server";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { z } from "zod";

const inputSchema = z.object({ text: z.string() });
const handler = createMcpHandler(() => {
  const server = new McpServer({ name: "bare", version: "1" });
  server.registerTool("echo", { inputSchema }, async ({ text }) => ({ content: [{ type: "text", text }] }));
  return server;
});
createServer(toNodeHandler(handler)).listen(Number(process.argv[2]), "127.0.0.1");
"""


@dataclass(frozen=True, slots=True)
class Other:
    """A server of others: its name, and what starts it on the port that follows."""

    name: str
    command: tuple[str, ...]


def fastmcp() -> Other:
    """Return FastMCP, installed."""
    folder = _kept("fastmcp", FASTMCP, {"server.py": FASTMCP_SERVER}, _with_pip)
    return Other("FastMCP 4", (str(folder / "bin" / "python"), str(folder / "server.py")))


def typescript() -> Other:
    """Return the TypeScript SDK's server, installed."""
    folder = _kept("typescript", TYPESCRIPT, {"server.mjs": TYPESCRIPT_SERVER}, _with_npm)
    return Other("the TypeScript server 2.4", (shutil.which("node") or "node", str(folder / "server.mjs")))


def _kept(name: str, packages: Sequence[str], files: Mapping[str, str], install: Install) -> Path:
    """Return a folder of the cache with the packages and the files in it."""
    folder = user_cache_path("recontact-mcp-bench", appauthor=False) / name
    stamp, wanted = folder / "installed", "\n".join(packages)
    if not stamp.is_file() or stamp.read_text("utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text('{"private": true}', "utf-8")
        install(folder, packages)
        stamp.write_text(wanted, "utf-8")
    for file, text in files.items():
        (folder / file).write_text(text, "utf-8")
    return folder


def _with_pip(folder: Path, packages: Sequence[str]) -> None:
    EnvBuilder(with_pip=True).create(folder)
    subprocess.run([str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", *packages], check=True)


def _with_npm(folder: Path, packages: Sequence[str]) -> None:
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", *packages], cwd=folder, check=True)
