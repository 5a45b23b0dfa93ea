"""What the official suite asks of the extension, asked of the server that it is run against; headers over HTTP."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from conformance_server import conformance_server
from mcp_types import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    ElicitResult,
)

if TYPE_CHECKING:
    from task_speaker import Json, Speaker
    from tests.tasks.conftest import Speaking

pytestmark = pytest.mark.anyio

PATIENCE = 30.0
TASKS = "io.modelcontextprotocol/tasks"
ACKNOWLEDGED = {"resultType": "complete"}


async def start(speaker: "Speaker", name: str, /, **arguments: object) -> "Json":
    """Call a tool of the fixture, and return its result whatever it is."""
    result = await speaker.client.session.call_tool(name, arguments, allow_claimed=True, allow_input_required=True)
    return result.model_dump(by_alias=True, mode="json", exclude_none=True)


async def until(speaker: "Speaker", task: "Json", status: str) -> "Json":
    """Look until a task is in a state."""
    while (seen := await speaker.look(task))["status"] != status:  # noqa: ASYNC110 - as any client asks
        await anyio.sleep(0.001)
    return seen


async def test_a_tool_without_a_job_answers_as_ever(speaking_to_fixture: "Speaking") -> None:
    async with speaking_to_fixture() as speaker:
        greeting = await start(speaker, "greet", name="World")
    assert (greeting["resultType"], greeting["content"][0]["text"]) == ("complete", "Hello, World!")


async def test_an_error_of_a_tool_completes_a_task_and_an_error_of_the_protocol_fails_it(
    speaking_to_fixture: "Speaking",
) -> None:
    async with speaking_to_fixture() as speaker:
        erred = await until(speaker, await start(speaker, "failing_job"), "completed")
        failed = await until(speaker, await start(speaker, "protocol_error_job"), "failed")
    assert (erred["result"]["isError"], "error" in erred) == (True, False)
    assert (failed["error"], "result" in failed) == ({"code": INTERNAL_ERROR, "message": "it broke"}, False)


async def test_a_task_that_is_stopped_is_cancelled_and_stays_it(speaking_to_fixture: "Speaking") -> None:
    async with speaking_to_fixture() as speaker:
        task = await start(speaker, "slow_compute", seconds=3_600)
        first = await speaker.ask("tasks/cancel", taskId=task["taskId"])
        seen = await until(speaker, task, "cancelled")
        again = await speaker.ask("tasks/cancel", taskId=task["taskId"])
    assert first == again == ACKNOWLEDGED
    assert not seen.keys() & {"result", "error"}


async def test_a_task_asks_on_its_way_until_everything_is_answered(speaking_to_fixture: "Speaking") -> None:
    yes = {"action": "accept", "content": {"confirm": True}}
    async with speaking_to_fixture() as speaker:
        task = await start(speaker, "multi_input")
        asking = await until(speaker, task, "input_required")
        answers = {"first": yes, "stray": yes}
        acknowledged = await speaker.ask("tasks/update", taskId=task["taskId"], inputResponses=answers)
        partly = await speaker.look(task)
        await speaker.ask("tasks/update", taskId=task["taskId"], inputResponses={"second": yes})
        done = await until(speaker, task, "completed")
    assert "inputRequests" not in task
    assert {request["method"] for request in asking["inputRequests"].values()} == {"elicitation/create"}
    assert asking["inputRequests"].keys() == {"first", "second"}
    assert (acknowledged, partly["status"], [*partly["inputRequests"]]) == (ACKNOWLEDGED, "input_required", ["second"])
    assert "accept" in done["result"]["content"][0]["text"]


async def test_questions_before_a_task_are_rounds_of_the_call(speaking_to_fixture: "Speaking") -> None:
    async def unasked(*_: Any) -> ElicitResult:
        raise AssertionError("this test answers by hand")

    async with speaking_to_fixture(answer=unasked) as speaker:
        question = await start(speaker, "test_tool_with_task")
        [key] = question["inputRequests"]
        result = await speaker.client.session.call_tool(
            "test_tool_with_task",
            {},
            input_responses={key: ElicitResult(action="accept", content={"name": "Alice"})},
            request_state=question["requestState"],
            allow_claimed=True,
        )
        task = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        done = await until(speaker, task, "completed")
    assert "taskId" not in question
    assert not task.keys() & {"requestState", "inputRequests"}
    assert done["result"]["content"][0]["text"] == "Hello, Alice!"


async def test_a_tool_that_cannot_do_without_tasks_says_so(speaking_to_fixture: "Speaking") -> None:
    async with speaking_to_fixture(speaks=False) as stranger:
        error = await stranger.refused("tools/call", name="failing_job", arguments={})
    assert error.error.code == MISSING_REQUIRED_CLIENT_CAPABILITY


@pytest.mark.parametrize("method", ["tasks/result", "tasks/list"])
async def test_what_the_extension_has_no_more_is_not_served(speaking_to_fixture: "Speaking", method: str) -> None:
    async with speaking_to_fixture() as speaker:
        error = await speaker.refused(method, taskId="x")
    assert error.error.code == METHOD_NOT_FOUND


async def test_a_change_of_the_fixture_is_told_on_a_stream(speaking_to_fixture: "Speaking") -> None:
    async with speaking_to_fixture() as speaker:
        task = await start(speaker, "slow_compute", seconds=3_600)
        async with speaker.listening(taskIds=[task["taskId"]]):
            await speaker.heard.until(1)
            await speaker.ask("tasks/cancel", taskId=task["taskId"])
            await speaker.heard.until(2)
    assert [told["status"] for told in speaker.heard.told] == ["working", "cancelled"]


@asynccontextmanager
async def over_http() -> AsyncGenerator[httpx.AsyncClient]:
    """Serve the fixture over HTTP, without a network."""
    app = conformance_server().streamable_http_app()
    transport = httpx.ASGITransport(app=app)
    headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28"}
    with anyio.fail_after(PATIENCE):
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", headers=headers) as client,
        ):
            yield client


async def post(client: httpx.AsyncClient, method: str, params: "Json", name: str | None) -> httpx.Response:
    """Send a request that declares the extension, with this name in its header."""
    meta: Json = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {TASKS: {}}},
    }
    body: Json = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    headers = {"mcp-method": method, **({"mcp-name": name} if name else {})}
    return await client.post("/mcp", json=body, headers=headers)


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
async def test_a_header_that_names_another_task_is_refused_and_no_header_is_not_missed(method: str) -> None:
    async with over_http() as client:
        call = {"name": "slow_compute", "arguments": {"seconds": 3_600}}
        task = (await post(client, "tools/call", call, "slow_compute")).json()["result"]
        params: Json = {"taskId": task["taskId"], "inputResponses": {}}
        answers = [await post(client, method, params, name) for name in (task["taskId"], None, "another")]
    assert [answer.status_code for answer in answers] == [200, 200, 400]
    assert answers[-1].json()["error"]["code"] == HEADER_MISMATCH


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
@pytest.mark.parametrize("params", [{"taskId": "x", "inputResponses": {}}, {"taskId": 7, "inputResponses": {}}, {}])
async def test_a_request_that_names_no_task_is_invalid(method: str, params: "Json") -> None:
    async with over_http() as client:
        answer = await post(client, method, params, None)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, INVALID_PARAMS)
