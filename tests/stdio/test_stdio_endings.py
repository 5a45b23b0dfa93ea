"""A server ends when its host leaves, its work goes on later, and several servers share one directory."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

if TYPE_CHECKING:
    from tests.stdio.conftest import Wire, Wiring

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
# Half an hour for two IDs: a job that is still running whenever the test looks.
SLOW = {"RECONTACT_PACE": "10000"}
# ours: hosts that are patient give a server some ten seconds before they kill it; most give it two.
ENDS_WITHIN_SECONDS = 20.0


def untouched(folder: Path) -> bool:
    """Tell whether nobody has made the directory."""
    return not folder.exists()


async def leave_in_time(server: "Wire") -> int:
    """Close stdin and return the exit code; a server that stays is an error."""
    with anyio.fail_after(ENDS_WITHIN_SECONDS):
        return await server.leave()


async def finish(wire: "Wiring", job_id: str) -> int:
    """Start a server that is not slow, wait for a job there, and return how many IDs are stored."""
    async with wire("auto") as server:
        job = await server.call("get_upload_job", job_id=job_id, wait_seconds=45)
        overview = await server.call("get_recontact_overview")
        assert await leave_in_time(server) == 0
    assert job["status"] == "Completed"
    stored: int = overview["saved_respondent_ids_count"]
    return stored


async def test_a_host_that_leaves_at_once_ends_the_server(wire: "Wiring", data: Path) -> None:
    async with wire("auto") as server:
        assert await leave_in_time(server) == 0
    assert (server.written, server.logged()) == ([], "")
    assert untouched(data)


async def test_a_host_that_leaves_after_a_handshake_ends_the_server(era: str, wire: "Wiring", data: Path) -> None:
    async with wire(era) as server:
        await server.greet()
        await server.ask("tools/list")
        assert await leave_in_time(server) == 0
    assert server.logged() == ""
    assert untouched(data)


async def test_a_host_that_leaves_in_the_middle_of_a_job_finds_it_finished_later(
    era: str, wire: "Wiring", identifiers: Identifiers
) -> None:
    async with wire(era, **SLOW) as server:
        await server.greet()
        started = await server.call("upload_recontacts", ids=identifiers(2))
        running = await server.call("get_upload_job", job_id=started["job_id"])
        assert await leave_in_time(server) == 0
    assert running["status"] == "Processing"
    assert "Traceback" not in server.logged()
    assert await finish(wire, started["job_id"]) == 2


async def test_a_host_that_leaves_while_a_call_waits_ends_the_server(
    era: str, wire: "Wiring", identifiers: Identifiers
) -> None:
    async with wire(era, **SLOW) as server:
        await server.greet()
        started = await server.call("upload_recontacts", ids=identifiers(2))
        waiting = {"target_group_id": GROUP, "job_id": started["job_id"], "wait_seconds": 45}
        await server.send(99, "tools/call", {"name": "get_upload_job", "arguments": waiting})
        await server.call("get_recontact_overview")  # the call that waits was read before this one
        assert await leave_in_time(server) == 0
    assert "Traceback" not in server.logged()


async def test_a_signal_to_end_is_obeyed_without_a_word_and_the_job_goes_on_later(
    era: str, wire: "Wiring", identifiers: Identifiers
) -> None:
    async with wire(era, **SLOW) as server:
        await server.greet()
        started = await server.call("upload_recontacts", ids=identifiers(2))
        with anyio.fail_after(ENDS_WITHIN_SECONDS):
            server.process.send_signal(signal.SIGTERM)
            code = await server.end()
    assert code in {0, -signal.SIGTERM, 128 + signal.SIGTERM}
    assert "Traceback" not in server.logged()
    assert await finish(wire, started["job_id"]) == 2


async def test_a_probe_that_lists_and_leaves_does_not_disturb_the_server_that_stays(
    wire: "Wiring", identifiers: Identifiers
) -> None:
    statuses: list[str] = []

    async def look_and_leave(probe: "Wire") -> None:
        await probe.ask("tools/list")
        assert await leave_in_time(probe) == 0

    async def work(server: "Wire") -> None:
        await server.greet()
        started = await server.call("upload_recontacts", ids=identifiers(2))
        job = await server.call("get_upload_job", job_id=started["job_id"], wait_seconds=45)
        statuses.append(job["status"])
        assert await leave_in_time(server) == 0

    async with wire("auto") as probe, wire("legacy") as server, anyio.create_task_group() as at_once:
        at_once.start_soon(look_and_leave, probe)
        at_once.start_soon(work, server)
    assert statuses == ["Completed"]
    assert probe.logged() == server.logged() == ""


async def test_two_servers_on_one_directory_both_answer_and_see_the_same(
    wire: "Wiring", identifiers: Identifiers
) -> None:
    ids = identifiers(4)
    async with wire("auto") as one, wire("legacy") as other:
        await other.greet()
        first = await one.call("upload_recontacts", ids=ids[:2])
        await one.call("get_upload_job", job_id=first["job_id"], wait_seconds=45)
        second = await other.call("upload_recontacts", ids=ids[2:])
        seen = await one.call("get_upload_job", job_id=second["job_id"], wait_seconds=45)
        counts = [await server.call("get_recontact_overview") for server in (one, other)]
        assert await leave_in_time(one) == 0
        left = await other.call("list_upload_jobs")
        assert await leave_in_time(other) == 0
    assert seen["status"] == "Completed"
    assert [count["saved_respondent_ids_count"] for count in counts] == [4, 4]
    assert {job["job_id"] for job in left["jobs"]} == {first["job_id"], second["job_id"]}
    assert "Traceback" not in one.logged() + other.logged()
