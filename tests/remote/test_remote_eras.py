"""Both protocol eras over real HTTP, on one endpoint: tools, questions, subscriptions, progress, tasks."""

import json
from collections.abc import Generator
from typing import Any
from urllib.request import Request, urlopen
from uuid import UUID, uuid4

import anyio
import pytest
from ears import Ears
from http_process import Served, served
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult

pytestmark = pytest.mark.anyio

GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
OVERVIEW = f"recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/{GROUP}/overview"
PATIENCE = 40.0
# As many as take a minute at Cint's pace.
LONG = [str(UUID(int=0x5A3B2ADA_0000_4000_8000_000000000000 + number)) for number in range(1_000)]
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """One server for all tests here; its jobs end at once."""
    with served(tmp_path_factory.mktemp("eras"), RECONTACT_APPROVAL_MINIMUM="client-elicited") as running:
        yield running


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """One server whose jobs take as long as Cint's."""
    with served(tmp_path_factory.mktemp("slow"), RECONTACT_PACE="1") as running:
        yield running


async def called(client: Client, name: str, **arguments: object) -> dict[str, Any]:
    """Call a tool that must answer."""
    result = await client.call_tool(name, {"target_group_id": GROUP, **arguments})
    assert not result.is_error, result
    return result.structured_content or {}


async def typed(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    """Type the phrase that a question asks for."""
    del context
    phrase = params.message.partition("type: ")[2].partition("\n")[0]
    return ElicitResult(action="accept", content={"phrase": phrase})


async def test_an_upload_and_a_confirmed_removal_go_through(era: str, server: Served) -> None:
    with anyio.fail_after(PATIENCE):
        async with Client(server.url, mode=era, elicitation_callback=typed) as client:
            upload = await called(client, "upload_recontacts", ids=[str(uuid4()), str(uuid4())])
            ended = await called(client, "get_upload_job", job_id=upload["job_id"], wait_seconds=45)
            removal = await called(client, "remove_all_recontacts")
            gone = await called(client, "get_removal_job", job_id=removal["job_id"], wait_seconds=45)
            left = await called(client, "get_recontact_overview")
    assert (ended["status"], gone["status"], left["saved_respondent_ids_count"]) == ("Completed", "Completed", 0)


async def test_whoever_watches_hears_of_a_change(era: str, server: Served) -> None:
    ears = Ears()
    with anyio.fail_after(PATIENCE):
        async with Client(server.url, mode=era, message_handler=ears) as client, ears.watching(client, OVERVIEW):
            await called(client, "upload_recontacts", ids=[str(uuid4())])
            await ears.until(OVERVIEW)
    assert OVERVIEW in ears.heard


async def test_a_wait_tells_how_far_it_is(era: str, slow: Served) -> None:
    heard = anyio.Event()

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        del progress, total, message
        heard.set()

    async def wait(client: Client) -> None:
        arguments = {"target_group_id": GROUP, "job_id": job, "wait_seconds": 45}
        await client.call_tool("get_upload_job", arguments, progress_callback=hear)

    with anyio.fail_after(PATIENCE):
        async with Client(slow.url, mode=era) as client:
            job = (await called(client, "upload_recontacts", ids=LONG, idempotency_key="one"))["job_id"]
            async with anyio.create_task_group() as group:
                group.start_soon(wait, client)
                await heard.wait()
                group.cancel_scope.cancel()


def posted(server: Served, method: str, headers: dict[str, str], **params: Any) -> tuple[str, dict[str, Any]]:
    """Send one request of 2026-07-28; return the type of the answer and what it holds."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META | params.get("_meta", {})}}
    told = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": method,
        **headers,
    }
    request = Request(server.url, json.dumps(body).encode(), told)  # noqa: S310 (our own loopback server)
    with urlopen(request, timeout=20) as answer:  # noqa: S310 (the same)
        kind: str = answer.headers["content-type"]
        text = answer.read().decode()
    return kind, json.loads(text if kind == "application/json" else text.rpartition("data: ")[2])


def test_a_call_that_asks_for_no_stream_is_answered_in_json_at_once(server: Served) -> None:
    arguments = {"target_group_id": GROUP}
    kind, answer = posted(
        server, "tools/call", {"mcp-name": "get_recontact_overview"}, name="get_recontact_overview", arguments=arguments
    )
    assert kind == "application/json"
    assert answer["result"]["structuredContent"]["saved_respondent_ids_count"] >= 0


def test_a_client_that_takes_json_only_is_served(server: Served) -> None:
    kind, answer = posted(server, "tools/list", {"accept": "application/json"})
    assert kind == "application/json"
    assert answer["result"]["tools"]


def test_one_process_serves_both_eras_from_one_data_directory(server: Served) -> None:
    async def count(mode: str) -> int:
        async with Client(server.url, mode=mode) as client:
            found: int = (await called(client, "get_recontact_overview"))["saved_respondent_ids_count"]
            return found

    assert anyio.run(count, "auto") == anyio.run(count, "legacy")


async def test_a_task_is_started_and_asked_for(server: Served) -> None:
    extension: dict[str, Any] = {
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}
    }
    name = "upload_recontacts"
    arguments = {"target_group_id": GROUP, "ids": [str(uuid4())]}
    call = {"mcp-name": name}
    _, started = posted(server, "tools/call", call, name=name, arguments=arguments, _meta=extension)
    task = started["result"]["taskId"]
    _, found = posted(server, "tasks/get", {"mcp-name": task}, taskId=task, _meta=extension)
    assert found["result"]["status"] in {"working", "completed"}
