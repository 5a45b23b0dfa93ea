"""stdout carries JSON-RPC and nothing else, and no input ends the server."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from recontact_tools.catalog import catalog

if TYPE_CHECKING:
    from tests.stdio.conftest import Environment, Wire, Wiring

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
OVERVIEW = (
    "recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/overview"
)
METHOD_NOT_FOUND, INVALID_PARAMS = -32601, -32602
# Far beyond what a pipe holds, and beyond what anybody types.
HUGE = 8_000_000


def is_message(line: bytes) -> bool:
    """Tell whether a line of stdout is one JSON-RPC message and nothing besides."""
    message: dict[str, Any] = json.loads(line.decode("utf-8"))
    return message["jsonrpc"] == "2.0" and not {"id", "method"}.isdisjoint(message)


async def whole_day(server: "Wire", ids: list[str]) -> None:
    """Use a server for everything that logs: jobs, refusals, reads that fail."""
    await server.greet()
    started = await server.call("upload_recontacts", ids=ids)
    await server.call("get_upload_job", job_id=started["job_id"], wait_seconds=45)
    await server.call("list_recontacts")
    await server.ask("tools/call", {"name": "upload_recontacts", "arguments": {"target_group_id": "wrong"}})
    await server.ask("resources/read", {"uri": "recontact://nowhere"})
    await server.ask("prompts/get", {"name": "no such prompt"})


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_everything_on_stdout_is_json_rpc_at_every_log_level(
    era: str, wire: "Wiring", log_format: str, identifiers: Identifiers
) -> None:
    async with wire(era, RECONTACT_LOG_LEVEL="DEBUG", RECONTACT_LOG_FORMAT=log_format) as server:
        await whole_day(server, identifiers(3))
        assert await server.leave() == 0
    assert all(is_message(line) for line in server.written)
    assert "Traceback" not in server.logged()
    assert not any(one in server.logged() for one in identifiers(3))


async def test_a_log_in_json_is_an_object_a_line(era: str, wire: "Wiring", tmp_path: Path) -> None:
    in_a_file = tmp_path / "file" / "data"
    in_a_file.parent.write_text("something to log about")
    async with wire(era, RECONTACT_LOG_FORMAT="json", RECONTACT_DATA_DIR=str(in_a_file)) as server:
        await server.greet()
        await server.ask("resources/read", {"uri": OVERVIEW})
        await server.leave()
    lines = [json.loads(line) for line in server.logged().splitlines()]
    assert lines
    assert all(line.keys() >= {"time", "level", "logger", "message"} for line in lines)


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"RECONTACT_PACE": "canary"}, id="not a number"),
        pytest.param({"RECONTACT_LOG_FORMAT": "canary"}, id="a format that is unknown"),
        pytest.param({"CINT_CLIENT_ID": "canary"}, id="an id without its secret"),
        pytest.param({"RECONTACT_CONFIG": "/canary.toml"}, id="a file that is not there"),
    ],
)
async def test_wrong_settings_are_told_on_stderr_and_nothing_on_stdout(
    environment: "Environment", variables: dict[str, str]
) -> None:
    with anyio.fail_after(60):
        ended = await anyio.run_process(
            [sys.executable, "-m", "recontact_mcp"], env=environment(**variables), check=False, stdin=subprocess.DEVNULL
        )
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert ended.stderr.startswith(b"recontact-mcp cannot start.")
    assert next(iter(variables)).encode() in ended.stderr
    assert b"Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not json", id="no JSON"),
        pytest.param(b'{"jsonrpc": "2.0", "id": 7, "method"', id="broken off"),
        pytest.param(b"\xff\xfe\x00\x80", id="no UTF-8"),
        pytest.param(b"[]", id="an empty batch"),
        pytest.param(b'[{"jsonrpc":"2.0","id":7,"method":"ping"}]', id="a batch"),
        pytest.param(b'"text"', id="a bare string"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"jsonrpc": "1.0", "id": 7, "method": "ping"}', id="another version"),
        pytest.param(b'{"jsonrpc": "2.0", "id": {}, "method": "ping"}', id="an id that is an object"),
        pytest.param(b'{"jsonrpc": "2.0", "id": 7, "method": 7}', id="a method that is a number"),
        pytest.param(b'{"jsonrpc": "2.0", "id": 7, "method": "ping", "params": 7}', id="params that are a number"),
        pytest.param(b'{"jsonrpc": "2.0", "id": 7, "result": {}}', id="an answer nobody asked for"),
        pytest.param(b'{"jsonrpc": "2.0", "method": "notifications/unheard-of"}', id="an unknown notification"),
        pytest.param(b"[" * 100_000, id="deep nesting"),
        pytest.param(b"x" * HUGE, id="a huge line"),
    ],
)
async def test_a_line_that_is_no_request_leaves_the_server_answering(wire: "Wiring", line: bytes) -> None:
    async with wire("legacy") as server:
        await server.greet()
        await server.write_line(line)
        listed = await server.ask("tools/list")
        assert await server.leave() == 0
    assert len(listed["result"]["tools"]) == len(catalog(local_files=True))
    assert all(is_message(one) for one in server.written)
    assert "Traceback" not in server.logged()


async def test_an_unknown_method_is_said_to_be_unknown(era: str, wire: "Wiring") -> None:
    async with wire(era) as server:
        await server.greet()
        answer = await server.ask("recontacts/explode")
    assert answer["error"]["code"] == METHOD_NOT_FOUND


@pytest.mark.parametrize(
    ("method", "params"),
    [
        pytest.param("tools/call", {"name": 7}, id="a tool named by a number"),
        pytest.param("tools/call", {}, id="no tool"),
        pytest.param("tools/call", {"name": "get_recontact_overview", "arguments": [1]}, id="arguments in a list"),
        pytest.param("resources/read", {"uri": 7}, id="a URI that is a number"),
        pytest.param("prompts/get", {"name": None}, id="no prompt"),
        pytest.param("prompts/get", {"name": "unheard of"}, id="an unknown prompt"),
        pytest.param("prompts/get", {"name": "recontact_a_survey"}, id="a prompt without its argument"),
        pytest.param("completion/complete", {"ref": {}, "argument": {}}, id="a completion of nothing"),
    ],
)
async def test_parameters_of_a_wrong_type_are_invalid_parameters(
    era: str, wire: "Wiring", method: str, params: dict[str, Any]
) -> None:
    async with wire(era) as server:
        await server.greet()
        answer = await server.ask(method, params)
        listed = await server.ask("tools/list")
    assert answer["error"]["code"] == INVALID_PARAMS
    assert len(listed["result"]["tools"]) == len(catalog(local_files=True))


async def test_a_huge_argument_is_refused_by_our_limits_and_not_repeated(era: str, wire: "Wiring") -> None:
    async with wire(era) as server:
        await server.greet()
        answer = await server.ask(
            "tools/call", {"name": "get_recontact_overview", "arguments": {"target_group_id": "x" * HUGE}}
        )
        assert await server.leave() == 0
    assert answer["result"]["structuredContent"]["error"]["code"] == "INVALID_ARGUMENTS"
    assert len(json.dumps(answer)) < 2_000
