"""`recontact-mcp demo`: the real program driven by a real client, and what it says when a step goes wrong."""

import io
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer
from rich.console import Console
from typer.testing import Result

from recontact_mcp.cli.demo_client import Person, Session, Surprise, expect, nobody
from recontact_mcp.cli.demo_file import PLANTED, write_messy_file
from recontact_mcp.cli.demo_screen import Screen
from recontact_tools.identifiers import read_identifiers

GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
Start = Callable[..., AbstractContextManager[subprocess.Popen[str]]]
QUICK = ("--ids", "60", "--upload-seconds", "0.5")


def screen(*, terminal: bool) -> tuple[Screen, io.StringIO]:
    shown = io.StringIO()
    times = iter(range(100))
    console = Console(file=shown, force_terminal=terminal, width=100, color_system=None)
    return Screen(console, lambda: float(next(times))), shown


def test_without_a_terminal_the_whole_story_runs_and_says_who_types(run: Callable[..., Result]) -> None:
    result = run("demo", *QUICK)
    assert result.exit_code == 0, result.output
    for said in (
        "JOB_RUNNING",
        "CONFIRMATION_MISMATCH",
        "Completed",
        "60/60",
        f"REMOVE 60 FROM {GROUP}",
        "the demo, as the client's user, types",
        "0 stored",
        "Next: connect your assistant",
    ):
        assert said in " ".join(result.output.split()), said
    assert max(map(len, result.output.splitlines())) <= 100


def test_at_a_terminal_the_person_types_and_a_slip_is_asked_again(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    keyboard, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "recontact_mcp", "demo", *QUICK, "--keep"],
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment, "TMPDIR": str(tmp_path), "TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(terminal)
        typed = iter(("remove it", f"REMOVE 60 FROM {GROUP}"))
        shown = read_answering(keyboard, "your answer:", lambda: next(typed))
        process.wait(timeout=60)
    os.close(keyboard)
    assert process.returncode == 0, shown
    assert shown.count("your answer:") == 2
    assert "60/60" in shown
    assert "Kept: " in shown
    assert (next(tmp_path.glob("recontact-demo-*")) / "server.log").exists()


def read_answering(keyboard: int, prompt: str, answer: Callable[[], str]) -> str:
    """Read the terminal to its end, and type an answer whenever the prompt appears."""
    shown, answered = b"", 0
    while True:
        try:
            shown += os.read(keyboard, 65_536)
        except OSError:  # how a terminal ends on Linux
            return shown.decode()
        while shown.count(prompt.encode()) > answered:
            answered += 1
            os.write(keyboard, f"{answer()}\n".encode())


def test_the_demos_directory_is_gone_afterwards(start: Start, tmp_path: Path) -> None:
    with start("demo", "--yes", *QUICK, TMPDIR=str(tmp_path)) as process:
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert not list(tmp_path.glob("recontact-demo-*"))


def test_a_phrase_that_is_never_typed_right_ends_the_demo_with_nothing_removed(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    keyboard, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "recontact_mcp", "demo", *QUICK],
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment, "TMPDIR": str(tmp_path), "TERM": "xterm"},
    ) as process:
        os.close(terminal)
        read_answering(keyboard, "your answer:", lambda: "no")
        assert process.stderr is not None
        said = process.stderr.read().decode()
        process.wait(timeout=60)
    os.close(keyboard)
    assert process.returncode == 1
    assert "The phrase was not typed; nothing was removed." in said


def test_an_interrupt_at_the_prompt_ends_the_demo_and_leaves_nothing(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    keyboard, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "recontact_mcp", "demo", *QUICK],
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment, "TMPDIR": str(tmp_path), "TERM": "xterm"},
    ) as process:
        os.close(terminal)

        def interrupt() -> str:
            process.send_signal(signal.SIGINT)
            return ""

        read_answering(keyboard, "your answer:", interrupt)
        assert process.stderr is not None
        said = process.stderr.read().decode()
        process.wait(timeout=30)
    os.close(keyboard)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert not list(tmp_path.glob("recontact-demo-*"))


@pytest.mark.parametrize("ending", [signal.SIGHUP, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["4  Follow", "your answer:"])
def test_a_terminal_that_is_closed_ends_the_demo_and_leaves_nothing(
    environment: Mapping[str, str], tmp_path: Path, moment: str, ending: signal.Signals
) -> None:
    keyboard, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "recontact_mcp", "demo", *QUICK],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, **environment, "TMPDIR": str(tmp_path), "TERM": "xterm"},
    ) as process:
        os.close(terminal)
        shown = b""
        while moment.encode() not in shown:
            shown += os.read(keyboard, 65_536)
        assert list(tmp_path.glob("recontact-demo-*"))
        os.close(keyboard)  # what is written from now on fails
        process.send_signal(ending)
        process.wait(timeout=30)
    assert process.returncode != 0
    assert not list(tmp_path.glob("recontact-demo-*"))


def test_an_ending_that_is_ignored_stays_ignored(start: Start, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    request.addfinalizer(partial(signal.signal, signal.SIGHUP, signal.signal(signal.SIGHUP, signal.SIG_IGN)))
    with start("demo", "--yes", *QUICK, TMPDIR=str(tmp_path)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_the_messy_file_holds_exactly_the_mistakes_it_says(tmp_path: Path) -> None:
    file = write_messy_file(tmp_path / "a.csv", 500, random=Random(7))  # noqa: S311 (not a secret)
    data = file.path.read_bytes()
    found = read_identifiers(data)
    counts = {one.kind: one.count for one in found.dropped}
    assert found.ids == 500
    assert {kind: counts[cast("Any", kind)] for kind in PLANTED} == dict(PLANTED)
    assert data.count(b"\n") == data.count(b"\r\n")
    assert re.search(rb"[A-F]", data)


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "log"])
def test_a_bar_reaches_its_end(terminal: bool) -> None:  # noqa: FBT001 (a table's column)
    page, shown = screen(terminal=terminal)
    with page.step("Follow"), page.bar("stored", 4) as show:
        for done in range(5):
            show(done)
    assert "4/4" in shown.getvalue()


def test_a_log_gets_one_line_a_quarter_however_often_it_is_told() -> None:
    page, shown = screen(terminal=False)
    with page.bar("stored", 100) as show:
        for done in range(101):
            show(done)
    assert shown.getvalue().count("stored") == 4


def test_the_summary_adds_the_times_up() -> None:
    page, shown = screen(terminal=False)
    for title in ("One [bracketed]", "Two"):
        with page.step(title):
            page.good("done")
    page.summary({"what": "all"})
    assert "One [bracketed]" in shown.getvalue()
    assert "2.0" in shown.getvalue()


def stub() -> MCPServer:
    """Answer as a server might that is not ours: the demo must notice."""
    server = MCPServer("stub")

    @server.tool()
    def good(target_group_id: str) -> dict[str, str]:
        return {"target_group_id": target_group_id}

    @server.tool(structured_output=False)
    def unstructured(target_group_id: str) -> str:
        return target_group_id

    return server


@pytest.mark.anyio
async def test_a_call_that_should_be_refused_and_is_not_is_a_surprise() -> None:
    async with Client(stub()) as client:
        session = Session(client, Person(), GROUP)
        assert await session.call("good") == {"target_group_id": GROUP}
        with pytest.raises(Surprise, match="should have been refused"):
            await session.call_refused("good")
        with pytest.raises(Surprise, match="without structured content"):
            await session.call("unstructured")


@pytest.mark.anyio
async def test_a_call_that_is_refused_and_should_not_be_is_a_surprise(
    connect: Callable[..., Any],
) -> None:
    async with connect() as client:
        session = Session(client, Person(), "not a ULID")
        with pytest.raises(Surprise, match="was refused: INVALID_ARGUMENTS"):
            await session.call("get_recontact_overview")


@pytest.mark.anyio
async def test_a_question_before_its_time_is_a_surprise() -> None:
    with pytest.raises(Surprise, match="before it had a reason"):
        await nobody("REMOVE?")


@pytest.mark.parametrize("count", [0, 1])
def test_only_what_does_not_hold_is_a_surprise(count: int) -> None:
    with pytest.raises(Surprise, match="shown") if count else nullcontext():
        expect(count == 0, "shown")
