"""Tasks over stdio: declared or not on each request, known to a process beside, and after a death."""

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.stdio.conftest import Wire, Wiring

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
IDS = ["5a3b2ada-0000-4000-8000-000000000000"]
MISSING_REQUIRED_CLIENT_CAPABILITY = -32021
# One ID takes minutes.
SLOW = "10000"


async def ask(wire: "Wire", number: int, method: str, params: Json, *, declares: bool) -> Json:
    """Send a request that declares the extension or does not, and return its whole answer."""
    meta: Json = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {
            "extensions": {"io.modelcontextprotocol/tasks": {}} if declares else {}
        },
    }
    message: Json = {"jsonrpc": "2.0", "id": number, "method": method, "params": {**params, "_meta": meta}}
    await wire.write_line(json.dumps(message).encode())
    while (answer := await wire.read()).get("id") != number:
        pass
    return answer


async def start(wire: "Wire", number: int, *, declares: bool = True) -> Json:
    """Start an upload, and return the result of the call."""
    call = {"name": "upload_recontacts", "arguments": {"target_group_id": GROUP, "ids": IDS}}
    result: Json = (await ask(wire, number, "tools/call", call, declares=declares))["result"]
    return result


async def look(wire: "Wire", number: int, task: Json) -> Json:
    """Look at a task."""
    result: Json = (await ask(wire, number, "tasks/get", {"taskId": task["taskId"]}, declares=True))["result"]
    return result


async def test_it_is_each_request_that_declares_the_extension(wire: "Wiring") -> None:
    async with wire("modern", RECONTACT_PACE=SLOW) as client:
        task = await start(client, 1)
        handle = await start(client, 2, declares=False)
        asked = {"taskId": task["taskId"]}
        refused = await ask(client, 3, "tasks/get", asked, declares=False)
        answered = await ask(client, 4, "tasks/get", asked, declares=True)
    assert (task["resultType"], handle["resultType"]) == ("task", "complete")
    assert refused["error"]["code"] == MISSING_REQUIRED_CLIENT_CAPABILITY
    assert answered["result"]["status"] == "working"


async def test_a_process_beside_knows_the_task_and_so_does_one_that_comes_after_a_death(wire: "Wiring") -> None:
    async with wire("modern", RECONTACT_PACE=SLOW) as one, wire("modern", RECONTACT_PACE=SLOW) as beside:
        task = await start(one, 1)
        seen = await look(beside, 1, task)
        same = await start(beside, 2)
        await ask(beside, 3, "tasks/cancel", {"taskId": task["taskId"]}, declares=True)
        told = await look(one, 2, task)
        one.process.kill()
        await one.process.wait()
    async with wire("modern", RECONTACT_PACE=SLOW) as later:
        after = await look(later, 1, task)
    assert (seen["status"], seen["taskId"]) == ("working", task["taskId"])
    assert same["taskId"] == task["taskId"]
    assert "cannot cancel" in told["statusMessage"]
    assert (after["status"], after["createdAt"]) == ("working", task["createdAt"])
