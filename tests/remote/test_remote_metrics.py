"""Numbers for Prometheus: on a port of their own, and of nobody in particular."""

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import urlopen

import anyio
import anyio.to_thread
import pytest
from http_process import content_of
from mcp import Client, MCPError
from mcp.server import Server
from mcp_types import CallToolResult, EmptyResult, ListToolsResult
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from recontact_mcp.remote.metrics import Metrics, outcome_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.remote.conftest import Serve

pytestmark = pytest.mark.anyio

GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
CANARY = "5a3b2ada-0000-4000-8000-00000000c0de"
PATIENCE = 40.0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def shown(port: int, path: str) -> str:
    """Read what is shown to those who watch."""
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def status_of(url: str) -> int:
    """Return the status of an answer that is a refusal."""
    with pytest.raises(HTTPError) as caught, urlopen(url, timeout=10):  # noqa: S310 (our own loopback server)
        pass
    with caught.value as refusal:
        return refusal.code


def numbers(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return each number by its name and the values of its labels, in the order of the names of these."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_calls_requests_and_jobs_are_counted_and_nobody_is_named(era: str, serve: "Serve") -> None:
    port = free_port()
    age = "modern" if era == "auto" else "legacy"
    with anyio.fail_after(PATIENCE), serve(RECONTACT_METRICS_ADDRESS=f"127.0.0.1:{port}") as server:
        async with Client(server.url, mode=era) as client:
            started = await client.call_tool("upload_recontacts", {"target_group_id": GROUP, "ids": [CANARY]})
            job = content_of(started)["job_id"]
            look = {"target_group_id": GROUP, "job_id": job, "wait_seconds": 45}
            await client.call_tool("get_upload_job", look)
            await client.call_tool("get_upload_job", {"target_group_id": GROUP, "job_id": "nothing"})
            with pytest.raises(MCPError):
                await client.call_tool(CANARY, {})
            text = await anyio.to_thread.run_sync(shown, port, "/metrics")
            ready = await anyio.to_thread.run_sync(shown, port, "/readyz")
        assert await anyio.to_thread.run_sync(status_of, f"{server.base}/metrics") == 404
    found = numbers(text)
    assert found["recontact_calls_total", ("upload_recontacts", age, "ok")] == 1
    assert found["recontact_calls_total", ("get_upload_job", age, "NOT_FOUND")] == 1
    assert found["recontact_calls_total", ("unknown tool", age, "refused")] == 1
    assert found["recontact_call_seconds_count", ("upload_recontacts", age)] == 1
    assert found["recontact_api_requests_total", ("POST recontacts/jobs/upload-rsids-by-file", "2xx")] == 1
    assert found["recontact_job_stages_total", ("upload", "started", "send")] == 1
    assert found["recontact_sessions", ()] == (era == "legacy")
    assert found["recontact_engine_executes", ()] == 1
    assert found["recontact_stopping", ()] == 0
    assert json.loads(ready) == {"status": "ready"}
    assert CANARY not in text
    assert GROUP not in text
    assert job not in text


@pytest.mark.parametrize(
    ("error", "outcome"), [(RuntimeError(CANARY), "failed"), (MCPError(-32_600, CANARY), "refused")]
)
async def test_a_call_that_an_error_ends_is_counted_as_such(era: str, error: Exception, outcome: str) -> None:
    async def failing(_ctx: object, _params: object) -> ListToolsResult:
        raise error

    metrics, server = Metrics(), Server[Any]("test", on_list_tools=failing)
    server.middleware.append(metrics)
    with anyio.fail_after(PATIENCE):
        async with Client(server, mode=era) as client:
            with pytest.raises(MCPError):
                await client.list_tools()
    found, age = numbers(generate_latest(metrics.registry).decode()), "modern" if era == "auto" else "legacy"
    assert found["recontact_calls_total", ("tools/list", age, outcome)] == 1
    assert found["recontact_call_seconds_count", ("tools/list", age)] == 1


def test_without_an_address_there_are_no_numbers(serve: "Serve") -> None:
    with serve() as server:
        assert status_of(f"{server.base}/metrics") == 404


def test_an_address_in_use_stops_the_start(tmp_path: "Path") -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        run = subprocess.run(
            [sys.executable, "-m", "recontact_mcp", "serve", "--transport", "http", "--port", "0"],
            capture_output=True,
            text=True,
            env={**os.environ, "RECONTACT_DATA_DIR": str(tmp_path), "RECONTACT_METRICS_ADDRESS": address},
            check=False,
            timeout=60,
        )
    assert run.returncode == 1
    assert "RECONTACT_METRICS_ADDRESS" in run.stderr


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (CallToolResult(content=[], is_error=True, structured_content={"error": {"code": "NOT_FOUND"}}), "NOT_FOUND"),
        (CallToolResult(content=[]), "ok"),
        ({"isError": True, "structuredContent": {"error": {"code": CANARY}}}, "failed"),
        ({"isError": True}, "failed"),
        ({}, "ok"),
        (EmptyResult(), "ok"),
    ],
)
def test_an_outcome_is_ok_or_a_code_of_ours(result: Any, outcome: str) -> None:
    assert outcome_of(result) == outcome
