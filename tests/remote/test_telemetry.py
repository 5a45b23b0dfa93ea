"""Traces by the usual variables: spans of a call, of its requests and of its job, and nothing of anybody in them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from http_process import Served, content_of, served
from mcp import Client, MCPError
from opentelemetry.context import attach, detach
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from recontact_mcp.own_traces import OwnTraces
from recontact_mcp.spans import Discreet, Spans
from recontact_mcp.telemetry import TelemetryError, are_taken, is_wanted, observers

pytestmark = pytest.mark.anyio

GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
CANARY = "5a3b2ada-0000-4000-8000-00000000c0de"
WORDS = "canary-word"
PATIENCE = 40.0


def spans_in(said: str) -> Iterator[dict[str, Any]]:
    """Read the spans that the console exporter wrote among other lines."""
    decoder, place = json.JSONDecoder(), 0
    while (place := said.find("{\n", place)) >= 0:
        span, place = decoder.raw_decode(said, place)
        yield span


async def told_of(server: Served, era: str) -> str:
    """Upload, follow and misuse the server; return all that it said on stderr until its end."""
    async with Client(server.url, mode=era) as client:
        started = await client.call_tool("upload_recontacts", {"target_group_id": GROUP, "ids": [CANARY]})
        job = content_of(started)["job_id"]
        look = {"target_group_id": GROUP, "job_id": job, "wait_seconds": 45}
        assert (await client.call_tool("get_upload_job", look)).structured_content is not None
        await client.call_tool("get_upload_job", {"target_group_id": GROUP, "job_id": WORDS})
        for name in (WORDS, CANARY):
            with pytest.raises(MCPError):
                await client.call_tool(name, {})
        with pytest.raises(MCPError):
            await client.read_resource(f"recontact://{WORDS}/{CANARY}")
    server.process.send_signal(signal.SIGTERM)
    code, said = await anyio.to_thread.run_sync(server.ended)
    assert code == 0
    return said


async def test_an_upload_leaves_its_spans_and_nobody_is_in_them(era: str, tmp_path: Path) -> None:
    with anyio.fail_after(PATIENCE), served(tmp_path, OTEL_TRACES_EXPORTER="console") as server:
        said = await told_of(server, era)
    assert CANARY not in said
    assert WORDS not in said
    assert GROUP not in said
    assert str(tmp_path) not in said
    spans = [*spans_in(said)]
    assert {span["resource"]["attributes"]["service.name"] for span in spans} == {"recontact-mcp"}
    call = the_one(spans, "tools/call upload_recontacts")
    sent = the_one(spans, "job upload send")
    post = the_one(spans, "api POST recontacts/jobs/upload-rsids-by-file")
    followed = the_one(spans, "job upload follow")
    counted = [span for span in spans if span["name"] == "api GET recontacts/overview"]
    assert call["context"]["trace_id"] in {span["context"]["trace_id"] for span in counted}
    assert post["parent_id"] == sent["context"]["span_id"]
    assert sent["parent_id"] is None
    assert [link["context"]["trace_id"] for link in sent["links"]] == [call["context"]["trace_id"]]
    assert post["attributes"] == {
        "recontact.operation": "POST recontacts/jobs/upload-rsids-by-file",
        "recontact.attempt": 1,
        "recontact.outcome": "2xx",
    }
    assert sent["attributes"]["recontact.outcome"] == "started"
    assert followed["attributes"]["recontact.outcome"] == "completed"
    assert "tools/call" in {span["name"] for span in spans}  # the tool that a client made up has no name here


def the_one(spans: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the only span of a name."""
    [span] = [span for span in spans if span["name"] == name]
    return span


def made() -> tuple[OwnTraces, InMemorySpanExporter]:
    """Return what makes spans, and what they are exported to."""
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Discreet(kept)))
    return OwnTraces(provider), kept


def test_what_goes_wrong_is_marked_without_a_text() -> None:
    provider, kept = made()
    spans = Spans(provider)
    with suppress(ValueError), spans.job("removal", "send"), spans.exchange("GET x", 2) as tell:
        tell("5xx")
        raise ValueError(WORDS)
    request, job = kept.get_finished_spans()
    assert request.status.is_ok is False
    assert request.attributes is not None
    assert (request.attributes["recontact.attempt"], request.attributes["recontact.outcome"]) == (2, "5xx")
    assert job.status.is_ok is False
    assert WORDS not in request.to_json() + job.to_json()


def test_the_spans_of_others_leave_with_known_words_only() -> None:
    provider, kept = made()
    other = provider.get_tracer("mcp-python-sdk")
    attributes = {"mcp.method.name": WORDS, "gen_ai.tool.name": WORDS, "jsonrpc.request.id": WORDS, "error.type": "E"}
    with suppress(ValueError), other.start_as_current_span(WORDS, attributes=attributes) as span:
        span.add_event(WORDS, {WORDS: WORDS})
        raise ValueError(WORDS)
    [left] = kept.get_finished_spans()
    assert left.name == "other"
    assert left.attributes == {"mcp.method.name": "other", "error.type": "E"}
    assert WORDS not in left.to_json()
    assert kept.get_finished_spans()


@pytest.mark.parametrize("flags", [0, 1])
def test_below_the_span_of_a_client_a_trace_of_ours_begins(flags: int) -> None:
    provider, kept = made()
    theirs = SpanContext(int(CANARY.replace("-", ""), 16), 7, is_remote=True, trace_flags=TraceFlags(flags))
    below, spans = set_span_in_context(NonRecordingSpan(theirs)), Spans(provider)
    other = provider.get_tracer("mcp-python-sdk")
    other.start_span("one", below).end()
    before = attach(below)
    with spans.job("removal", "send"), spans.exchange("GET x", 1):
        pass
    detach(before)
    one, request, job = kept.get_finished_spans()
    assert (one.parent, job.parent, request.links) == (None, None, ())
    assert one.context is not None
    assert job.context is not None
    assert request.parent is not None
    assert request.parent.span_id == job.context.span_id
    assert len({one.context.trace_id, job.context.trace_id, theirs.trace_id}) == 3
    linked = [link.context for span in (one, job) for link in span.links]
    name = sha256(CANARY.replace("-", "").encode()).hexdigest()[:32]
    assert [(f"{link.trace_id:032x}", link.trace_flags) for link in linked] == [(name, 0)] * 2
    assert CANARY.replace("-", "") not in "".join(span.to_json() for span in (one, request, job))


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
    ],
)
def test_traces_are_made_where_the_usual_variables_ask_for_them(environ: Mapping[str, str], *, wanted: bool) -> None:
    assert is_wanted(environ) is wanted
    if not wanted:
        assert observers(environ) == ()


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_TRACES_EXPORTER": "zipkin"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_BSP_SCHEDULE_DELAY": "0"},
    ],
)
def test_what_cannot_be_done_is_said_and_stops_nobody(
    environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert observers(environ) == ()
    assert "No traces are sent. " in caplog.text
    with pytest.raises(TelemetryError):
        are_taken({"OTEL_TRACES_EXPORTER": "zipkin"})


WITHOUT = """
import sys
sys.modules["opentelemetry.exporter"] = None
sys.argv = ["recontact-mcp", *{arguments}]
from recontact_mcp.__main__ import main
main()
"""


def test_packages_that_are_not_installed_stop_no_server_over_stdio(tmp_path: Path) -> None:
    run = _without_packages([], tmp_path)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 0
    assert "recontact-mcp[telemetry]" in said
    assert "Traceback" not in said


def test_packages_that_are_not_installed_stop_no_server_over_http(tmp_path: Path) -> None:
    run = _without_packages(["serve", "--transport", "http", "--port", "0"], tmp_path)
    assert run.stdout is not None
    assert "Serving MCP on" in run.stdout.readline()
    run.send_signal(signal.SIGTERM)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 0
    assert "recontact-mcp[telemetry]" in said
    assert "Traceback" not in said


def _without_packages(arguments: list[str], folder: Path) -> subprocess.Popen[str]:
    asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "RECONTACT_DATA_DIR": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-c", WITHOUT.format(arguments=arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **asked},
    )
