"""Servers over HTTP in processes of their own, and what an assistant and a person do with a staged file there."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from mcp import Client

GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"


@contextmanager
def serving(folder: Path, **environment: str) -> Generator[tuple[str, "subprocess.Popen[str]"]]:
    """Serve from a data directory; yield the address of MCP and the process, which is killed at the end."""
    command = [sys.executable, "-m", "recontact_mcp", "serve", "--transport", "http", "--port", "0"]
    variables = {**os.environ, "RECONTACT_DATA_DIR": str(folder), **environment}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=variables
    ) as process:
        assert process.stdout is not None
        try:
            yield next(word for word in process.stdout.readline().split() if word.startswith("http://")), process
        finally:
            process.kill()


async def tool(address: str, name: str, **arguments: object) -> dict[str, Any]:
    """Call a tool as an assistant does; return what it answered, or the error."""
    async with Client(address) as client:
        result = await client.call_tool(name, {"target_group_id": GROUP, **arguments})
    assert result.structured_content is not None
    answer: dict[str, Any] = result.structured_content
    return answer


async def send(url: str, content: bytes) -> int:
    """Send a file, and return the status."""
    async with httpx.AsyncClient() as web:
        return (await web.put(url, content=content)).status_code
