"""A data directory that cannot be used is an error with its cure, never the end of the server."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from recontact_mcp.data_directory import anticipating_faults
from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_tools.catalog import catalog
from recontact_tools.errors import ErrorCode, Unreachable
from recontact_tools.ledger.faults import LedgerUnavailable
from recontact_tools.runtime import Clock

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.stdio.conftest import Wire, Wiring

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
OVERVIEW = f"recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/{GROUP}/overview"
GARBAGE = b"not a database " * 1_000


def file_in_its_place(data: Path) -> None:
    data.write_text("a file")


def file_above_it(data: Path) -> None:
    data.parent.rmdir()
    data.parent.write_text("a file")


def damaged_ledger(data: Path) -> None:
    data.mkdir()
    (data / "ledger.sqlite").write_bytes(GARBAGE)


def ledger_that_is_a_directory(data: Path) -> None:
    (data / "ledger.sqlite").mkdir(parents=True)


def damaged_service(data: Path) -> None:
    data.mkdir()
    (data / "service.sqlite").write_bytes(GARBAGE)


def mended(data: Path) -> None:
    data.unlink()


def damaged_engine(data: Path) -> None:
    for part in data.glob("engine.sqlite*"):
        part.unlink()
    (data / "engine.sqlite").write_bytes(GARBAGE)


UNUSABLE = [
    pytest.param(file_in_its_place, id="a file in its place"),
    pytest.param(file_above_it, id="a file above it"),
    pytest.param(damaged_ledger, id="a damaged ledger"),
    pytest.param(ledger_that_is_a_directory, id="a directory as ledger"),
    pytest.param(damaged_service, id="a damaged embedded service"),
]


async def refusal(server: "Wire", tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that must refuse, and return the error."""
    answer = await server.ask("tools/call", {"name": tool, "arguments": {"target_group_id": GROUP, **arguments}})
    assert answer["result"]["isError"]
    error: dict[str, Any] = answer["result"]["structuredContent"]["error"]
    return error


@pytest.mark.parametrize("spoil", UNUSABLE)
async def test_every_call_is_told_what_to_do_and_the_server_stays(
    wire: "Wiring", tmp_path: Path, identifiers: Identifiers, spoil: Callable[[Path], None]
) -> None:
    folder = tmp_path / "above" / "data"
    folder.parent.mkdir()
    spoil(folder)
    async with wire("auto", RECONTACT_DATA_DIR=str(folder)) as server:
        reading = await refusal(server, "get_recontact_overview")
        sending = await refusal(server, "upload_recontacts", ids=identifiers(1))
        read = await server.ask("resources/read", {"uri": OVERVIEW})
        listed = await server.ask("tools/list")
        assert await server.leave() == 0
    assert (reading["code"], reading["changed"], reading["safe_to_repeat"]) == ("UNAVAILABLE", "no", True)
    assert "RECONTACT_DATA_DIR" in reading["next_step"]
    assert "recontact-mcp doctor" in reading["next_step"]
    assert sending == reading == read["error"]["data"]["error"]
    assert len(listed["result"]["tools"]) == len(catalog(local_files=True))
    assert str(tmp_path) not in server.logged() + b"".join(server.written).decode()
    assert "Traceback" not in server.logged()


async def test_a_directory_that_was_mended_is_used_by_the_next_call(wire: "Wiring", data: Path) -> None:
    file_in_its_place(data)
    async with wire("auto") as server:
        await refusal(server, "get_recontact_overview")
        mended(data)
        overview = await server.call("get_recontact_overview")
        assert await server.leave() == 0
    assert overview["saved_respondent_ids_count"] == 0


async def test_work_that_cannot_be_resumed_leaves_reading_possible(
    wire: "Wiring", data: Path, identifiers: Identifiers
) -> None:
    async with wire("auto", RECONTACT_PACE="10000") as server:
        await server.call("upload_recontacts", ids=identifiers(2))
        assert await server.leave() == 0
    damaged_engine(data)
    async with wire("auto") as server:
        first = await server.call("get_recontact_overview")
        second = await server.call("get_recontact_overview")
        assert await server.leave() == 0
    assert first["resource_uri"] == second["resource_uri"]
    assert "The data directory cannot be used: LedgerUnavailable" in server.logged()
    assert "Traceback" not in server.logged()


async def test_waking_up_in_a_damaged_directory_does_not_end_the_server(
    era: str, connect: "Connect", settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    damaged_ledger(settings.data_dir)
    woken = anyio.Event()

    async def no_time(_seconds: float) -> None:
        woken.set()

    async with connect(era, effects=Effects(clock=Clock(sleep=no_time))) as client:
        await woken.wait()
        told = await client.call_tool("get_recontact_overview", {"target_group_id": GROUP})  # waits for the waking
    assert told.is_error
    assert caplog.messages == ["The data directory cannot be used: LedgerUnavailable"] * 2


@pytest.mark.parametrize(
    ("error", "kinds"),
    [
        pytest.param(PermissionError(13, "no", "/canary"), "PermissionError", id="alone"),
        pytest.param(LedgerUnavailable("full"), "LedgerUnavailable", id="the ledger's"),
        pytest.param(
            ExceptionGroup("", [OSError("/canary"), ExceptionGroup("", [LedgerUnavailable("full"), OSError()])]),
            "LedgerUnavailable, OSError",
            id="in groups",
        ),
    ],
)
def test_the_log_names_the_kinds_of_fault_and_no_path(
    error: Exception, kinds: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Unreachable) as caught, anticipating_faults():
        raise error
    assert caught.value.code is ErrorCode.UNAVAILABLE
    assert caplog.messages == [f"The data directory cannot be used: {kinds}"]


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError), anticipating_faults():
        raise ZeroDivisionError
