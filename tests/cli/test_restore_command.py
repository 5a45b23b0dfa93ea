"""`recontact-mcp restore`: a removal undone from a terminal, by the tools that an assistant has."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from rich.console import Console
from typer.testing import Result

from recontact_mcp.app import build_server
from recontact_mcp.cli.restore import show_preview
from recontact_mcp.cli.restoring import VAIN_MOST, Refusal, Restoring
from recontact_mcp.settings import Settings
from recontact_tools.ledger import Ledger, Snapshot

Run = Callable[..., Result]
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"


@asynccontextmanager
async def server(environment: Mapping[str, str]) -> AsyncGenerator[Client]:
    with anyio.fail_after(30):
        async with Client(build_server(Settings(data_dir=Path(environment["RECONTACT_DATA_DIR"])))) as client:
            yield client


def stored(environment: Mapping[str, str]) -> list[str]:
    """Return what is stored, as a client reads it."""

    async def read() -> list[str]:
        async with server(environment) as client:
            page = await client.call_tool("list_recontacts", {"target_group_id": GROUP, "page_size": 100})
            assert page.structured_content
            return sorted(page.structured_content["respondent_ids"])

    return anyio.run(read)


def upload(environment: Mapping[str, str], *ids: str) -> None:
    async def send() -> None:
        async with server(environment) as client:
            begun = await client.call_tool("upload_recontacts", {"target_group_id": GROUP, "ids": list(ids)})
            assert begun.structured_content
            job = {"target_group_id": GROUP, "job_id": begun.structured_content["job_id"], "wait_seconds": 45}
            await client.call_tool("get_upload_job", job)

    anyio.run(send)


def test_the_latest_snapshot_of_a_target_group_is_restored_and_proved(
    run: Run, removed: tuple[str, ...], environment: Mapping[str, str]
) -> None:
    result = run("restore", "--target-group", GROUP, "--yes")
    said = " ".join(result.output.split())
    assert result.exit_code == 0, result.output
    assert "New: will be stored again 30" in said
    assert "Restored and proved: the 30 IDs of the snapshot are stored, and no other." in said
    assert not any(one in result.output for one in removed)
    assert stored(environment) == sorted(removed)
    assert '"restore"' in run("jobs", "--json", "--last", "1").stdout


def test_what_was_stored_meanwhile_stays_and_the_proof_says_so(
    run: Run, removed: tuple[str, ...], environment: Mapping[str, str]
) -> None:
    stranger = "ffffffff-0000-4000-8000-00000000c0de"
    upload(environment, removed[0], stranger)
    kept = re.search("01[0-9A-Z]{24}", run("snapshots").stdout)
    assert kept
    result = run("restore", kept[0], "--yes")
    said = " ".join(result.output.split())
    assert result.exit_code == 1
    assert "Already stored 1" in said
    assert "stays 1" in said
    assert "0 are not stored, and 1 others are" in said
    assert stored(environment) == sorted((*removed, stranger))


def test_without_a_terminal_nothing_is_restored_unless_somebody_agreed_before(
    run: Run, removed: tuple[str, ...], environment: Mapping[str, str]
) -> None:
    del removed
    result = run("restore", "--target-group", GROUP)
    assert result.exit_code == 1
    assert "no terminal" in result.stderr
    assert stored(environment) == []


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [("y", 0, "Restored and proved"), ("", 1, "Nothing was done.")],
    ids=["agreed", "not agreed"],
)
def test_at_a_terminal_the_person_is_asked(
    removed: tuple[str, ...], environment: Mapping[str, str], answer: str, code: int, said: str
) -> None:
    del removed
    returned, shown = at_terminal(environment, lambda _process: f"{answer}\n")
    assert (returned, said in shown) == (code, True), shown


def test_an_interrupt_at_the_question_changes_nothing(removed: tuple[str, ...], environment: Mapping[str, str]) -> None:
    del removed

    def interrupt(process: "subprocess.Popen[bytes]") -> str:
        process.send_signal(signal.SIGINT)
        return ""

    returned, shown = at_terminal(environment, interrupt)
    assert (returned, "Nothing was done." in shown, "Traceback" in shown) == (130, True, False), shown
    assert stored(environment) == []


def at_terminal(environment: Mapping[str, str], answer: Callable[["subprocess.Popen[bytes]"], str]) -> tuple[int, str]:
    """Run the command at a terminal, and answer its one question; return its exit code and what was shown."""
    keyboard, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "recontact_mcp", "restore", "--target-group", GROUP],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, **environment, "TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(terminal)
        shown, asked = b"", False
        while True:
            try:
                shown += os.read(keyboard, 65_536)
            except OSError:  # how a terminal ends on Linux
                break
            if not asked and b"[y/N]" in shown:
                asked = True
                os.write(keyboard, answer(process).encode())
        process.wait(timeout=30)
    os.close(keyboard)
    return process.returncode, shown.decode()


def test_a_rule_of_the_operator_is_told_before_anything_is_asked(run: Run, removed: tuple[str, ...]) -> None:
    del removed
    result = run("restore", "--target-group", GROUP, RECONTACT_READ_ONLY="true")
    assert result.exit_code == 1
    assert "READ_ONLY" in result.stderr
    assert "RECONTACT_READ_ONLY" in result.stderr


def test_a_snapshot_that_cannot_be_opened_is_told(
    run: Run, removed: tuple[str, ...], environment: Mapping[str, str]
) -> None:
    del removed
    (Path(environment["RECONTACT_DATA_DIR"]) / "snapshots.key").unlink()
    result = run("restore", "--target-group", GROUP, "--yes")
    assert result.exit_code == 1
    assert "SNAPSHOT_UNREADABLE" in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param((), 2, "Nothing says what to restore", id="nothing named"),
        pytest.param(("--target-group", "wave 1"), 2, "target_group_id", id="no target group"),
        pytest.param(("--target-group", GROUP), 1, "No such complete snapshot", id="none kept"),
    ],
)
def test_what_cannot_be_restored_is_said_so(run: Run, words: tuple[str, ...], code: int, said: str) -> None:
    result = run("restore", *words)
    assert (result.exit_code, said in result.stderr) == (code, True)


def test_a_snapshot_that_is_not_complete_is_not_restored(
    run: Run, on_ledger: Callable[[Callable[[Ledger], Awaitable[None]]], None], incomplete: Snapshot
) -> None:
    async def begin(ledger: Ledger) -> None:
        await ledger.snapshots.begin(incomplete)

    on_ledger(begin)
    assert run("restore", incomplete.snapshot_id, "--yes").exit_code == 1


def test_what_was_not_compared_is_called_so(incomplete: Snapshot, capsys: pytest.CaptureFixture[str]) -> None:
    preview = {"stored_now": 9, "already_stored": None, "new": None, "not_compared_because": "Too many pages."}
    show_preview(incomplete, preview)
    said = capsys.readouterr().out
    assert said.count("not compared") == 3
    assert "Too many pages." in said


class Scripted:
    """A client whose job tool answers what it is told to, in turn; the last answer stays."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.calls = 0

    async def call_tool(self, _tool: str, _arguments: object, **_named: object) -> Any:
        self.calls += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return _Answer(answer, is_error="error" in answer)


class _Answer:
    def __init__(self, structured_content: dict[str, Any], *, is_error: bool) -> None:
        self.structured_content = structured_content
        self.is_error = is_error


async def never(_preview: Mapping[str, Any]) -> None:
    raise AssertionError


async def at_once(_seconds: float) -> None:
    return None


def restoring(snapshot: Snapshot, console: Console) -> Restoring:
    return Restoring(Settings(), snapshot, console, agree=never, sleep=at_once)


def hindered(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": "m"}}


@pytest.mark.anyio
async def test_an_outage_while_following_is_waited_out(incomplete: Snapshot) -> None:
    done = {"status": "Completed", "proof": {"equal": True}}
    client: Any = Scripted(
        hindered("UNREACHABLE"), hindered("RATE_LIMITED"), {"status": "Processing", "proof": None}, done
    )
    assert await restoring(incomplete, Console()).ended(client, "J") == done


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("code", "calls"), [("NOT_PERMITTED", 1), ("UNREACHABLE", VAIN_MOST + 1)], ids=["refused", "gone for long"]
)
async def test_what_does_not_pass_ends_the_following(incomplete: Snapshot, code: str, calls: int) -> None:
    client: Any = Scripted(hindered(code))
    with pytest.raises(Refusal, match=code):
        await restoring(incomplete, Console()).ended(client, "J")
    assert client.calls == calls


@pytest.mark.anyio
async def test_a_proof_that_cannot_be_made_is_not_waited_for_forever(incomplete: Snapshot) -> None:
    client: Any = Scripted({"status": "Completed", "proof": None})
    report = await restoring(incomplete, Console()).ended(client, "J")
    assert report["proof"] is None


@pytest.mark.parametrize(
    ("report", "said"),
    [
        pytest.param({"status": "Failed", "proof": None, "failure_reason": "No"}, "failed: No", id="failed"),
        pytest.param({"status": "Completed", "proof": None}, "could not be proved", id="not proved"),
    ],
)
def test_an_end_without_proof_is_said_so(
    incomplete: Snapshot, report: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restoring(incomplete, Console()).tell_proof(report) is False
    assert said in capsys.readouterr().out
