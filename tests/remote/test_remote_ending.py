"""The end of a server process: what is under way is answered, what only listens is let go, and nothing is lost."""

import json
import signal
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import urlopen
from uuid import UUID

import anyio
import anyio.to_thread
import pytest
from ears import subscribe
from http_process import Served, content_of, served
from mcp import Client, MCPError

from recontact_mcp.remote.newcomers import see_in
from recontact_tools.ending import Ending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcp_types import CallToolResult

pytestmark = pytest.mark.anyio

GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
OVERVIEW = f"recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/{GROUP}/overview"
PATIENCE = 50.0
# As many as take a minute at Cint's pace.
LONG = [str(UUID(int=0x5A3B2ADA_0000_4000_8000_000000000000 + number)) for number in range(1_000)]


async def ended(server: Served) -> tuple[int, str]:
    """Wait for the end of the process."""
    return await anyio.to_thread.run_sync(server.ended)


def readiness(server: Served) -> tuple[int, dict[str, Any]]:
    """Ask whether the server can serve."""
    try:
        with urlopen(f"{server.base}/readyz", timeout=10) as answer:  # noqa: S310 (our own loopback server)
            return answer.status, json.load(answer)
    except HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)


async def test_a_call_that_waits_is_answered_when_the_server_is_told_to_stop(era: str, tmp_path: "Path") -> None:
    waiting = anyio.Event()
    answers: list[CallToolResult] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        del progress, total, message
        waiting.set()

    async def wait(client: Client, job: object) -> None:
        arguments = {"target_group_id": GROUP, "job_id": job, "wait_seconds": 45}
        answers.append(await client.call_tool("get_upload_job", arguments, progress_callback=hear))

    with anyio.fail_after(PATIENCE), served(tmp_path, RECONTACT_PACE="1") as server:
        with suppress(MCPError):  # a 2025 client says goodbye to a server that has gone
            async with Client(server.url, mode=era) as client:
                started = await client.call_tool("upload_recontacts", {"target_group_id": GROUP, "ids": LONG})
                async with anyio.create_task_group() as group:
                    group.start_soon(wait, client, content_of(started)["job_id"])
                    await waiting.wait()
                    server.process.send_signal(signal.SIGTERM)
        code, said = await ended(server)
    [answer] = answers
    assert not answer.is_error
    assert content_of(answer)["status"] == "Processing"
    assert code == 0
    assert "Traceback" not in said


async def test_a_job_goes_on_in_the_next_process(tmp_path: "Path") -> None:
    call = {"target_group_id": GROUP, "ids": LONG[:5]}
    with anyio.fail_after(PATIENCE):
        with served(tmp_path, RECONTACT_PACE="1") as server:
            async with Client(server.url) as client:
                started = content_of(await client.call_tool("upload_recontacts", call))
            server.process.send_signal(signal.SIGTERM)
            assert (await ended(server))[0] == 0
        with served(tmp_path, RECONTACT_PACE="0") as server:
            async with Client(server.url) as client:
                look = {"target_group_id": GROUP, "job_id": started["job_id"], "wait_seconds": 45}
                job = content_of(await client.call_tool("get_upload_job", look))
    assert job["status"] == "Completed"


async def test_a_client_that_listens_is_let_go_as_meant(era: str, tmp_path: "Path") -> None:
    with anyio.fail_after(PATIENCE), served(tmp_path) as server:
        async with Client(server.url, mode=era) as client:
            if era == "legacy":
                await subscribe(client, OVERVIEW)
                server.process.send_signal(signal.SIGTERM)
            else:
                async with client.listen(resource_subscriptions=[OVERVIEW]) as updates:
                    server.process.send_signal(signal.SIGTERM)
                    assert [update async for update in updates] == []  # and it raises nothing: it ended as meant
            code, said = await ended(server)
    assert code == 0
    assert "Cancel" not in said  # uvicorn says so when it gives up waiting
    assert "Traceback" not in said


async def test_while_it_lingers_the_server_says_so_and_still_answers(tmp_path: "Path") -> None:
    with anyio.fail_after(PATIENCE), served(tmp_path, RECONTACT_LINGER_SECONDS="3") as server:
        assert await anyio.to_thread.run_sync(readiness, server) == (200, {"status": "ready"})
        async with Client(server.url) as client:
            server.process.send_signal(signal.SIGTERM)
            while (state := await anyio.to_thread.run_sync(readiness, server))[0] == 200:
                pass
            assert state == (503, {"status": "This server is being stopped."})
            result = await client.call_tool("get_recontact_overview", {"target_group_id": GROUP})
            assert not result.is_error
        with pytest.raises(Exception) as refused:  # noqa: PT011 (the SDK's own kinds)
            async with Client(server.url, mode="legacy"):
                pass
        assert "being stopped" in repr(leaves(refused.value))
        assert (await ended(server))[0] == 0


def leaves(error: BaseException) -> list[BaseException]:
    """Return what a group of errors is made of."""
    within: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return [leaf for one in within for leaf in leaves(one)] or [error]


def test_whoever_has_a_connection_when_the_server_ends_is_answered(tmp_path: "Path") -> None:
    with served(tmp_path, RECONTACT_LINGER_SECONDS="1") as server:
        ask = f"GET /livez HTTP/1.1\r\nHost: {server.address[0]}:{server.address[1]}\r\n\r\n".encode()

        def call_until_refused() -> "Counter[bytes]":
            answers: Counter[bytes] = Counter()
            while True:
                try:
                    wire = server.connection()
                except ConnectionRefusedError:
                    return answers
                with wire:
                    answers[asked(wire, ask)] += 1

        with ThreadPoolExecutor(16) as pool:
            calls = [pool.submit(call_until_refused) for _ in range(16)]
            server.process.send_signal(signal.SIGTERM)
            answers = [call.result() for call in calls]
        code, said = server.ended()
    assert {answer for each in answers for answer in each} == {b"HTTP/1.1 200 OK"}
    assert code == 0
    assert "Traceback" not in said


def asked(wire: socket.socket, request: bytes) -> bytes:
    """Send a request; return the first line of what came back, or the kind of failure."""
    try:
        wire.sendall(request)
        return wire.recv(65_536).partition(b"\r\n")[0]
    except OSError as error:
        return type(error).__name__.encode()


@pytest.fixture
def waited_at() -> "Iterator[socket.socket]":
    """A socket with somebody in its queue, whom nobody accepts."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()):
        yield listening


async def test_a_queue_that_is_never_empty_keeps_nobody_from_stopping(waited_at: socket.socket) -> None:
    with anyio.fail_after(PATIENCE):
        await see_in([waited_at], forced=lambda: False)


async def test_a_second_ctrl_c_waits_for_no_queue(waited_at: socket.socket) -> None:
    asked = iter((False, True))  # and never again
    with anyio.fail_after(PATIENCE):
        await see_in([waited_at], forced=lambda: next(asked))
    assert list(asked) == []


async def test_a_system_without_filters_keeps_nobody_from_stopping() -> None:
    gone = socket.create_server(("127.0.0.1", 0))
    gone.close()  # nothing can be set any more
    with anyio.fail_after(PATIENCE):
        await see_in([gone], forced=lambda: True)


async def test_ctrl_c_ends_the_server_too(tmp_path: "Path") -> None:
    with anyio.fail_after(PATIENCE), served(tmp_path) as server:
        server.process.send_signal(signal.SIGINT)
        code, said = await ended(server)
    assert code == 0
    assert "Traceback" not in said


async def test_a_wait_that_begins_after_the_end_has_is_no_wait() -> None:
    ending = Ending()
    ending.begin()
    with anyio.fail_after(PATIENCE), ending.cutting_short() as wait:
        await anyio.sleep_forever()
    assert wait.cancelled_caught
