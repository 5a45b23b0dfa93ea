"""`recontact-mcp` and `recontact-mcp serve`: MCP over stdio at once, and over HTTP for this machine only."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import Popen
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import anyio
import pytest
from mcp import Client
from typer.testing import Result

from recontact_tools.catalog import catalog

Start = Callable[..., AbstractContextManager[Popen[str]]]
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def exchange(process: Popen[str], message: Mapping[str, Any]) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def called(process: Popen[str], tool: str, **arguments: object) -> dict[str, Any]:
    params = {"name": tool, "arguments": {"target_group_id": GROUP, **arguments}}
    answer = exchange(process, {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": params})
    content: dict[str, Any] = answer["result"]["structuredContent"]
    return content


@pytest.fixture
def url(start: Start) -> Generator[str]:
    """Serve over HTTP on a free port."""
    with start("serve", "--transport", "http", "--port", "0") as process:
        assert process.stdout is not None
        yield next(word for word in process.stdout.readline().split() if word.startswith("http://"))


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="no arguments"),
        pytest.param(["serve"], id="serve"),
        pytest.param(["serve", "--port", "1"], id="through the command line"),
    ],
)
def test_stdio_is_served_and_stdout_holds_nothing_else(start: Start, arguments: list[str]) -> None:
    with start(*arguments, RECONTACT_LOG_LEVEL="DEBUG") as process:
        assert exchange(process, INITIALIZE)["result"]["serverInfo"]["name"] == "recontact-mcp"
        rest, _ = process.communicate(timeout=30)
    assert rest == ""
    assert process.returncode == 0


def test_a_listing_opens_nothing_on_disk(start: Start, tmp_path: Path) -> None:
    with start() as process:
        exchange(process, INITIALIZE)
        listed = exchange(process, {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}})
        process.communicate(timeout=30)
    assert len(listed["result"]["tools"]) == len(catalog(local_files=True))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_nothing_of_a_whole_upload_reaches_the_log_even_at_debug(start: Start, tmp_path: Path, log_format: str) -> None:
    canary, column = "5a3b2ada-0000-4000-8000-00000000c0de", "canary-column"
    path = tmp_path / "canary-file.csv"
    path.write_text(f"{column}\n{canary}\n", encoding="utf-8")
    environment = {"RECONTACT_UPLOAD_ROOTS": str(tmp_path), "RECONTACT_LOG_FORMAT": log_format}
    with start(**environment, RECONTACT_LOG_LEVEL="DEBUG") as process:
        exchange(process, INITIALIZE)
        job = called(process, "upload_recontacts", path=str(path))["job_id"]
        assert called(process, "get_upload_job", job_id=job, wait_seconds=10)["status"] == "Completed"
        assert called(process, "list_recontacts")["respondent_ids"] == [canary]
        called(process, "upload_recontacts", path=str(tmp_path / "canary-missing.csv"))
        _, err = process.communicate(timeout=30)
    assert "canary" not in err
    assert canary not in err
    assert canary.replace("-", "") not in err


def test_settings_that_do_not_fit_stop_the_start_with_one_line_each(start: Start) -> None:
    with start(RECONTACT_PACE="canary", CINT_PROJECT_ID="canary") as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert err.count("\n") == 3
    assert "RECONTACT_PACE" in err
    assert "canary" not in err


def test_an_interrupt_ends_the_server_without_a_traceback(start: Start) -> None:
    with start() as process:
        exchange(process, INITIALIZE)
        process.send_signal(signal.SIGINT)
        # The SDK reads stdin in a thread that only its end stops.
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_a_person_at_a_terminal_is_told_what_is_expected(environment: Mapping[str, str]) -> None:
    keyboard, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "recontact_mcp"],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        assert process.stderr is not None
        assert "recontact-mcp --help" in process.stderr.readline()
        os.write(keyboard, b"\x04")
        os.close(terminal)
        process.communicate(timeout=30)
    os.close(keyboard)
    assert process.returncode == 0


@pytest.mark.anyio
async def test_a_client_on_this_machine_is_served_over_http(url: str) -> None:
    with anyio.fail_after(30):
        async with Client(url) as client:
            assert len((await client.list_tools()).tools) == len(catalog(local_files=True))
            overview = await client.call_tool("get_recontact_overview", {"target_group_id": GROUP})
    assert overview.structured_content is not None
    assert overview.structured_content["saved_respondent_ids_count"] == 0


@pytest.mark.anyio
async def test_local_files_are_refused_over_http(url: str) -> None:
    with anyio.fail_after(30):
        async with Client(url) as client:
            result = await client.call_tool("upload_recontacts", {"target_group_id": GROUP, "path": "/etc/passwd"})
    assert result.structured_content is not None
    assert result.structured_content["error"]["code"] == "POLICY_DENIED"
    assert "passwd" not in str(result.content)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Host": "evil.example"}, 421, id="another host"),
        pytest.param({"Origin": "https://evil.example"}, 403, id="a page of another site"),
    ],
)
def test_a_browser_page_of_another_site_is_refused(url: str, headers: dict[str, str], status: int) -> None:
    body = json.dumps(INITIALIZE).encode()
    request = Request(url, data=body, headers={"Content-Type": "application/json", **headers})  # noqa: S310 (our own loopback server)
    with pytest.raises(HTTPError) as caught, urlopen(request, timeout=10):  # noqa: S310 (the same)
        pass
    assert caught.value.code == status
    caught.value.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])  # noqa: S104 (hosts that must be refused)
def test_only_this_machine_is_served_while_nobody_is_asked_who_they_are(run: Callable[..., Result], host: str) -> None:
    result = run("serve", "--transport", "http", "--host", host)
    assert result.exit_code == 2
    assert "RECONTACT_AUTH_ISSUER" in result.stderr


def test_a_port_in_use_is_said_so(run: Callable[..., Result]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("serve", "--transport", "http", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 1
    assert "cannot be used" in result.stderr


def test_settings_that_do_not_fit_stop_http_too(run: Callable[..., Result]) -> None:
    result = run("serve", "--transport", "http", RECONTACT_PACE="x")
    assert result.exit_code == 2
    assert "RECONTACT_PACE" in result.stderr


def test_a_database_that_is_away_stops_http_before_it_listens_and_its_password_is_not_told(
    run: Callable[..., Result],
) -> None:
    url = "postgresql://somebody:canary@127.0.0.1:1/nowhere"
    result = run("serve", "--transport", "http", "--port", "0", RECONTACT_DATABASE_URL=url)
    assert result.exit_code == 1
    assert "Start the PostgreSQL that RECONTACT_DATABASE_URL names" in result.stderr
    assert "canary" not in result.output


def test_the_version_is_the_packages(run: Callable[..., Result]) -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("recontact-mcp 0.")


@pytest.mark.parametrize("command", ["", "demo", "check", "doctor", "serve", "service"])
def test_every_command_has_a_help_text(run: Callable[..., Result], command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout
