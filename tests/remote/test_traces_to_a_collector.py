"""Traces of a real process at a real collector: what belongs to what, what is linked, and nothing of anybody."""

import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import cast

import anyio
import anyio.to_thread
import httpx2
import pytest
from collector import Collector, collector
from http_process import Served, content_of, served
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import RequestParamsMeta

pytestmark = pytest.mark.anyio

GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
CANARY = "5a3b2ada-0000-4000-8000-00000000c0de"
WORDS = "canary-word"
PATIENCE = 60.0
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OTHER_TRACE, OTHER_PARENT = "1af7651916cd43dd8448eb211c80319c", "c7ad6b7169203331"
HEADER = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": f"vendor={WORDS}", "baggage": f"who={WORDS}"}
AS_TRACE = cast("RequestParamsMeta", {"traceparent": f"00-{CANARY.replace('-', '')}-{PARENT}-01"})
META = cast("RequestParamsMeta", {"traceparent": f"00-{OTHER_TRACE}-{OTHER_PARENT}-01"})


@asynccontextmanager
async def traced(folder: Path, **others: str) -> AsyncGenerator[tuple[Served, Collector]]:
    """Serve with a collector beside it; when the block is left the server has ended and sent all.

    What it said on stderr is in the file `said` of the folder then.
    """
    with anyio.fail_after(PATIENCE), collector() as there, served(folder, **exporting_to(there, **others)) as server:
        yield server, there
        (folder / "said").write_text(await stopped(server), "utf-8")


async def stopped(server: Served) -> str:
    """End the server as an operator does; return what it said."""
    server.process.send_signal(signal.SIGTERM)
    code, said = await anyio.to_thread.run_sync(server.ended)
    assert code == 0
    return said


def exporting_to(there: Collector, **others: str) -> dict[str, str]:
    """Return the usual variables."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": there.url, **others}


@asynccontextmanager
async def calling(url: str, era: str, headers: httpx2.Headers | None = None) -> AsyncGenerator[Client]:
    """Connect a client whose every request brings the headers as they are then."""

    async def named(request: httpx2.Request) -> None:
        request.headers.update(headers or {})

    async with (
        httpx2.AsyncClient(timeout=30, event_hooks={"request": [named]}) as http,
        Client(streamable_http_client(url, http_client=http), mode=era) as client,
    ):
        yield client


async def upload(client: Client, meta: RequestParamsMeta | None = None) -> None:
    """Upload one ID, and follow the job to its end."""
    started = await client.call_tool("upload_recontacts", {"target_group_id": GROUP, "ids": [CANARY]}, meta=meta)
    look = {"target_group_id": GROUP, "job_id": content_of(started)["job_id"], "wait_seconds": 45}
    assert content_of(await client.call_tool("get_upload_job", look))["status"] == "Completed"


async def test_a_call_its_requests_and_its_job_arrive_at_a_collector(era: str, tmp_path: Path) -> None:
    team = "x-team=research"
    async with traced(tmp_path, OTEL_EXPORTER_OTLP_HEADERS=team) as (server, there), calling(server.url, era) as client:
        await upload(client)
    call = there.the_one("tools/call upload_recontacts")
    sent, followed = there.the_one("job upload send"), there.the_one("job upload follow")
    post = there.the_one("api POST recontacts/jobs/upload-rsids-by-file")
    asked = {span.parent: span for span in there.spans if span.name == "api GET recontacts/overview"}
    assert asked[call.id].trace == call.trace
    assert (post.parent, post.trace, sent.parent) == (sent.id, sent.trace, "")
    assert (sent.links, followed.links) == ([call.trace], [call.trace])
    assert post.attributes["recontact.outcome"] == "2xx"
    assert {span.resource["service.name"] for span in there.spans} == {"recontact-mcp"}
    assert all(headers["x-team"] == "research" for headers in there.headers)


async def test_what_is_sent_names_nobody_and_no_place(era: str, tmp_path: Path) -> None:
    theirs = {"traceparent": f"00-{CANARY.replace('-', '')}-{PARENT}-01"}
    headers = httpx2.Headers({**HEADER, **theirs, "authorization": f"Bearer {WORDS}"})
    async with traced(tmp_path) as (server, there), calling(server.url, era, headers) as client:
        await upload(client, META)
        await client.call_tool("get_recontact_overview", {"target_group_id": GROUP}, meta=AS_TRACE)
        await client.call_tool("get_upload_job", {"target_group_id": GROUP, "job_id": WORDS})
        await client.call_tool("list_recontacts", {"target_group_id": GROUP, "cursor": CANARY})
        for name in (WORDS, CANARY):
            with pytest.raises(MCPError):
                await client.call_tool(name, {})
        with pytest.raises(MCPError):
            await client.read_resource(f"recontact://{WORDS}/{CANARY}")
    sent = b"".join(there.bodies)
    assert len(there.spans) > 10
    for secret in (CANARY, CANARY.replace("-", ""), WORDS, GROUP, str(tmp_path), "Bearer"):
        assert secret.encode() not in sent, secret
    for secret in (CANARY.replace("-", ""), OTHER_TRACE, PARENT, OTHER_PARENT):
        assert bytes.fromhex(secret) not in sent, secret


async def test_a_trace_that_the_client_began_is_found_by_a_link_and_not_gone_on_with(era: str, tmp_path: Path) -> None:
    look = {"target_group_id": GROUP}
    async with traced(tmp_path) as (server, there):
        async with calling(server.url, era, httpx2.Headers(HEADER)) as client:
            await client.call_tool("get_recontact_overview", look)
            await client.call_tool("list_recontacts", look, meta=META)
        async with calling(server.url, era) as client:
            await client.call_tool("list_upload_jobs", look)
    by_header = there.the_one("tools/call get_recontact_overview")
    by_meta = there.the_one("tools/call list_recontacts")
    own = there.the_one("tools/call list_upload_jobs")
    assert (by_header.links, by_meta.links, own.links) == ([digest(TRACE)], [digest(OTHER_TRACE)], [])
    assert (by_header.parent, by_meta.parent, own.parent) == ("", "", "")
    assert len({by_header.trace, by_meta.trace, own.trace, TRACE, OTHER_TRACE}) == 5
    asked = {span.parent: span.trace for span in there.spans if span.name.startswith("api ")}
    assert asked[by_header.id] == by_header.trace


def digest(trace: str) -> str:
    """Return what a client's trace is called here, as the documentation says."""
    return sha256(trace.encode()).hexdigest()[:32]


@pytest.mark.parametrize(("flags", "sampler", "kept"), [("00", "", 2), ("01", "parentbased_always_off", 0)])
async def test_whether_a_call_is_traced_is_not_the_clients_to_say(
    era: str, tmp_path: Path, flags: str, sampler: str, kept: int
) -> None:
    headers = httpx2.Headers({"traceparent": f"00-{TRACE}-{PARENT}-{flags}"})
    meta = cast("RequestParamsMeta", {"traceparent": f"00-{OTHER_TRACE}-{OTHER_PARENT}-{flags}"})
    others = {"OTEL_TRACES_SAMPLER": sampler} if sampler else {}
    async with traced(tmp_path, **others) as (server, there), calling(server.url, era, headers) as client:
        await client.call_tool("get_recontact_overview", {"target_group_id": GROUP})
        await client.call_tool("get_recontact_overview", {"target_group_id": GROUP}, meta=meta)
    assert len([span for span in there.spans if span.name == "tools/call get_recontact_overview"]) == kept


async def test_each_request_of_a_session_is_linked_to_its_own_trace(era: str, tmp_path: Path) -> None:
    headers, traces = httpx2.Headers(), [f"{number:032x}" for number in (1, 2)]
    async with traced(tmp_path) as (server, there), calling(server.url, era, headers) as client:
        for trace in traces:
            headers["traceparent"] = f"00-{trace}-{PARENT}-01"
            await client.call_tool("get_recontact_overview", {"target_group_id": GROUP})
    calls = [span.links for span in there.spans if span.name == "tools/call get_recontact_overview"]
    assert calls == [[digest(trace)] for trace in traces]


@pytest.mark.parametrize("header", [b"nonsense", b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01", b"00-" + b"g" * 32])
async def test_a_trace_that_cannot_be_read_is_none(header: bytes, tmp_path: Path) -> None:
    headers = httpx2.Headers([(b"traceparent", header)])
    async with traced(tmp_path) as (server, there), calling(server.url, "auto", headers) as client:
        await client.call_tool("get_recontact_overview", {"target_group_id": GROUP})
    call = there.the_one("tools/call get_recontact_overview")
    assert (call.parent, call.links) == ("", [])


@pytest.mark.parametrize(
    ("others", "kept"),
    [
        pytest.param({"OTEL_SDK_DISABLED": "true"}, False, id="disabled"),
        pytest.param({"OTEL_TRACES_EXPORTER": "none"}, False, id="none"),
        pytest.param({"OTEL_TRACES_EXPORTER": "console"}, False, id="console"),
        pytest.param({"OTEL_TRACES_SAMPLER": "always_off"}, False, id="none sampled"),
        pytest.param({"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}, True, id="compressed"),
        pytest.param({"OTEL_SERVICE_NAME": "ours"}, True, id="named"),
    ],
)
async def test_the_usual_variables_do_what_they_say(others: dict[str, str], *, kept: bool, tmp_path: Path) -> None:
    async with traced(tmp_path, **others) as (server, there), calling(server.url, "auto") as client:
        await client.call_tool("get_recontact_overview", {"target_group_id": GROUP})
    said = (tmp_path / "said").read_text("utf-8")
    assert bool(there.spans) is kept
    assert ("tools/call get_recontact_overview" in said) is (others.get("OTEL_TRACES_EXPORTER") == "console")
    if kept:
        assert there.spans[0].resource["service.name"] == others.get("OTEL_SERVICE_NAME", "recontact-mcp")


async def test_a_collector_that_is_away_costs_no_call_and_no_end(tmp_path: Path) -> None:
    with collector() as gone:
        pass
    asked = exporting_to(gone, OTEL_EXPORTER_OTLP_TIMEOUT="1")
    with anyio.fail_after(PATIENCE), served(tmp_path, **asked) as server:
        async with calling(server.url, "auto") as client:
            await upload(client)
        said = await stopped(server)
    assert CANARY not in said
    assert "Traceback" not in said
