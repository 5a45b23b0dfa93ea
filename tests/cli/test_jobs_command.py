"""`recontact-mcp jobs`: what was started here and how it stands, from the ledger alone."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from rich.console import Console
from typer.testing import Result

from recontact_mcp.cli.jobs_screen import as_object, table_of, told
from recontact_mcp.cli.jobs_watch import Watch
from recontact_mcp.history import Line, Measured, history
from recontact_mcp.settings import Settings
from recontact_tools.errors import Detail, ErrorCode
from recontact_tools.ledger import Intent, IntentState, Ledger, Proof, Replacement, Snapshot, Stage
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.models import IdType, Job, JobKind, TargetGroup
from recontact_tools.schedule import Eta

Run = Callable[..., Result]
OnLedger = Callable[[Callable[[Ledger], Awaitable[None]]], None]
GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
RUNNING = Line(
    created_at=NOW,
    group=GROUP,
    kind="upload",
    ids=10_000,
    status="Processing",
    job_id="JOB",
    runs=True,
    ended_at=None,
    left=Eta(400, 700),
    elapsed=200.0,
    counted_from=500,
    principal="local",
    work_id="01M8A3RHEJWPC21J2R1Z43BRYV",
)
DONE = replace(RUNNING, status="Completed", runs=False, ended_at=NOW, left=Eta(0, 0), counted_from=None)


def table(*lines: Line, counts: Mapping[TargetGroup, int] | None = None, bars: bool = True, width: int = 80) -> str:
    """Return what stands on a terminal, without regard to where lines are broken."""
    screen = io.StringIO()
    Console(file=screen, width=width).print(table_of(lines, counts or {}, bars=bars))
    assert all(len(line) <= width for line in screen.getvalue().splitlines())
    assert GROUP.target_group_id in screen.getvalue()
    return " ".join(screen.getvalue().split())


def test_before_anything_was_started_there_is_nothing_to_show_and_nothing_is_made(
    run: Run, environment: Mapping[str, str]
) -> None:
    told = f"Nothing was started yet in the data directory {environment['RECONTACT_DATA_DIR']}.\n"
    assert (run("jobs").stdout, run("jobs", "--watch").stdout) == (told, told)
    assert (run("jobs", "--json").stdout, run("jobs", "--json", "--watch").stdout) == ("", "")
    assert not Path(environment["RECONTACT_DATA_DIR"]).exists()


def test_jobs_are_listed_the_latest_first_and_without_any_identifier(run: Run, removed: tuple[str, ...]) -> None:
    result = run("jobs")
    assert result.exit_code == 0
    assert result.stdout.index("removal") < result.stdout.index("upload")
    assert result.stdout.count(GROUP.target_group_id) == 2
    assert not any(one in result.stdout for one in removed)
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_a_program_gets_one_object_a_line(run: Run, removed: tuple[str, ...]) -> None:
    lines = [json.loads(line) for line in run("jobs", "--json").stdout.splitlines()]
    assert [(line["kind"], line["ids"], line["status"], line["running"]) for line in lines] == [
        ("removal", len(removed), "Completed", False),
        ("upload", len(removed), "Completed", False),
    ]
    assert all(line["ended_at"] for line in lines)


def test_fewer_are_listed_if_fewer_are_asked_for(run: Run, removed: tuple[str, ...]) -> None:
    del removed
    assert len(run("jobs", "--json", "--last", "1").stdout.splitlines()) == 1
    url = f"https://api.cint.com/v1/target-groups/{GROUP.target_group_id.lower()}/x"
    assert len(run("jobs", "--json", "--target-group", url).stdout.splitlines()) == 2
    assert run("jobs", "--json", "--target-group", "0" * 26).stdout == ""


def test_what_names_no_target_group_is_refused(run: Run) -> None:
    result = run("jobs", "--target-group", "wave 1")
    assert result.exit_code == 2
    assert "target_group_id" in result.stderr


def test_watching_ends_when_nothing_runs_and_shows_what_there_is(run: Run, removed: tuple[str, ...]) -> None:
    del removed
    result = run("jobs", "--watch")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["upload", "removal"]


def test_a_bar_shows_what_is_counted() -> None:
    snapshot = replace(RUNNING, kind="removal", status="Preparing", measured=Measured("snapshot", 3_000, 9_000))
    assert "snapshot: 3,000 of 9,000" in table(snapshot)
    assert "stored: 2,000 of 10,000" in table(RUNNING, counts={GROUP: 2_500})
    removal = replace(RUNNING, kind="removal", counted_from=10_000)
    assert "removed: 4,000 of 10,000" in table(removal, counts={GROUP: 6_000})


@pytest.mark.parametrize("counts", [{}, {GROUP: 500}], ids=["not asked", "has not moved"])
def test_where_nothing_is_counted_the_bar_calls_itself_an_estimate(counts: Mapping[TargetGroup, int]) -> None:
    screen = table(RUNNING, counts=counts)
    assert "estimate: in 6 to 12 min" in screen
    assert "%" not in screen
    assert as_object(RUNNING, counts)["counted"] is None


def test_what_takes_longer_than_it_should_says_so() -> None:
    assert "longer than estimated" in table(replace(RUNNING, left=Eta(0, 0)))
    assert "in 30 s" in table(replace(RUNNING, left=Eta(30, 30)), bars=False)


def test_a_line_of_a_log_says_how_it_stands() -> None:
    assert told(RUNNING, {GROUP: 2_500}) == "upload JOB: Processing, in 6 to 12 min, stored: 2,000 of 10,000"
    assert told(DONE, {}).startswith("upload JOB: Completed, ended ")


def test_who_asked_is_told_where_it_is_not_clear() -> None:
    ann = replace(DONE, principal="https://login.example.com/realms/research#248289761001")
    assert "for" not in table(RUNNING, DONE)
    shown = table(RUNNING, ann, width=100, bars=False)
    assert "for local" in shown
    assert "for 248289761001" in shown
    assert "for 248289761001" in table(ann, width=100, bars=False)
    assert " IDs " not in table(replace(ann, ids=None), width=100, bars=False)
    assert told(ann, {}).startswith(f"upload JOB for {ann.principal}: Completed")
    assert as_object(ann, {})["principal"] == ann.principal


def test_a_refusal_is_shown_with_its_code() -> None:
    refused = replace(DONE, status="Refused", code="SNAPSHOT_INCOMPLETE")
    assert "SNAPSHOT_INCOMPLETE" in table(refused, width=100)
    assert "CANCELLED" not in table(replace(DONE, status="Cancelled", code="CANCELLED"))


@pytest.mark.anyio
async def test_every_state_of_an_intent_has_its_words(tmp_path: Path, intent: Callable[..., Intent]) -> None:
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite")
    error: dict[str, Detail] = {"code": "CANCELLED", "message": "m", "next_step": "n"}

    async def status() -> str:
        return (await history(ledger, last=1, now=NOW, pace=1.0))[0].status

    seen: list[str] = []
    upload = intent(intent_id="U", kind=JobKind.UPLOAD, id_type=IdType.RSID)
    await ledger.open_intent(upload, payload=b"")
    seen.append(await status())
    await ledger.mark_sending("U", now=NOW)
    seen.append(await status())
    await ledger.mark_started("U", job_id="J", now=NOW)
    seen.append(await status())
    await ledger.mark_unknown("U", error, now=NOW)
    seen.append(await status())
    await ledger.mark_finished("U", Job("J", "Failed"), now=NOW, settled_by="job")
    seen.append(await status())
    await ledger.open_intent(intent(intent_id="R"), payload=None)
    await ledger.withdraw("R", error, now=NOW)
    seen.append(await status())
    await ledger.open_intent(intent(intent_id="S"), payload=None)
    await ledger.withdraw("S", {**error, "code": ErrorCode.SNAPSHOT_INCOMPLETE.value}, now=NOW)
    seen.append(await status())
    await ledger.aclose()
    assert seen == ["Preparing", "Sending", "Processing", "Unknown", "Failed", "Cancelled", "Refused"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("extra", "status"), [(0, "Completed, proved"), (2, "Completed, differs")], ids=["equal", "differs"]
)
async def test_a_restore_runs_until_it_is_proved(
    tmp_path: Path, intent: Callable[..., Intent], extra: int, status: str
) -> None:
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite")
    await ledger.open_intent(
        intent(intent_id="U", kind=JobKind.UPLOAD, id_type=IdType.RSID, restores="snapshot:S"), payload=b""
    )
    await ledger.mark_sending("U", now=NOW)
    await ledger.mark_started("U", job_id="J", now=NOW)
    await ledger.mark_finished("U", Job("J", "Completed"), now=NOW, settled_by="job")
    read = [
        await history(ledger, last=1, now=NOW + waited, pace=1.0)
        for waited in (timedelta(seconds=1), timedelta(hours=1))
    ]
    proof = Proof(stored=7 + extra, expected=7, missing=0, extra=extra, set_hash="h")
    await ledger.note_proof("U", proof, now=NOW)
    read.append(await history(ledger, last=1, now=NOW, pace=1.0))
    await ledger.aclose()
    assert [(line.kind, line.status, line.runs) for (line,) in read] == [
        ("restore", "Completed", True),
        ("restore", "Completed", False),
        ("restore", status, False),
    ]
    assert "proof" in as_object(read[2][0], {})


@pytest.mark.anyio
async def test_a_replacement_is_one_line_with_the_snapshot_of_its_removal(
    tmp_path: Path, intent: Callable[..., Intent], incomplete: Snapshot
) -> None:
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite")
    replacement = Replacement(
        replacement_id="P",
        removal_id=incomplete.snapshot_id,
        principal="local",
        group=GROUP,
        id_type=IdType.RSID,
        ids=5,
        stored_before=7,
        stage=Stage.REMOVING,
        fingerprint="f",
        created_at=NOW,
        updated_at=NOW,
    )
    await ledger.replacements.open(replacement)
    await ledger.open_intent(intent(parent_id="P"), payload=None)
    await ledger.snapshots.begin(incomplete)
    (line,) = await history(ledger, target_group_id=GROUP.target_group_id, last=5, now=NOW, pace=1.0)
    assert (line.kind, line.ids, line.status, line.runs) == ("replacement", 5, "Removing", True)
    assert line.measured == Measured("snapshot", 0, 7)
    assert line.left.high > 0
    error: dict[str, Detail] = {"code": "CANCELLED", "message": "m", "next_step": "n"}
    assert await ledger.replacements.withdraw("P", error, now=NOW)
    (line,) = await history(ledger, target_group_id=None, last=5, now=NOW, pace=1.0)
    await ledger.aclose()
    assert (line.status, line.runs, line.ended_at) == ("Cancelled", False, NOW)


def watching(tmp_path: Path, *rounds: tuple[Line, ...], asks: bool = False, as_json: bool = False) -> Watch:
    """Return a watch that sees one round after the other, and never waits."""
    left = iter(rounds)

    async def read(_ledger: Ledger) -> tuple[Line, ...]:
        return next(left)

    async def sleep(_seconds: float) -> None:
        await anyio.lowlevel.checkpoint()

    return Watch(Settings(data_dir=tmp_path / "data"), read, asks=asks, as_json=as_json, sleep=sleep)


@pytest.mark.anyio
async def test_a_program_that_watches_hears_each_change_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite")
    later = replace(RUNNING, left=Eta(300, 600))
    with anyio.fail_after(5):
        await watching(tmp_path, (RUNNING,), (later,), (DONE,), as_json=True).run(ledger)
    await ledger.aclose()
    lines = [json.loads(line)["status"] for line in capsys.readouterr().out.splitlines()]
    assert lines == ["Processing", "Completed"]


@pytest.mark.anyio
async def test_the_api_is_asked_for_counts_only_if_it_is_to_be(tmp_path: Path) -> None:
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite")
    asking = watching(tmp_path, (RUNNING,), asks=True)

    async def read(_ledger: Ledger) -> tuple[Line, ...]:
        if not asking.lines:
            return (RUNNING,)
        await anyio.lowlevel.checkpoint()
        return (DONE,) if GROUP in asking.counts else (RUNNING,)

    asking.read = read
    with anyio.fail_after(30):
        await asking.run(ledger)
    await ledger.aclose()
    assert asking.counts == {GROUP: 0}


def test_at_a_terminal_the_table_is_drawn_again_until_ctrl_c(
    environment: Mapping[str, str], on_ledger: OnLedger, intent: Callable[..., Intent], incomplete: Snapshot
) -> None:
    async def begin(ledger: Ledger) -> None:
        await ledger.open_intent(intent(), payload=None)
        await ledger.snapshots.begin(incomplete)

    on_ledger(begin)
    keyboard, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "recontact_mcp", "jobs", "--watch"],
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment, "TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(terminal)
        screen = read_until(keyboard, b"snapshot: 0 of 7", times=2)
        process.send_signal(signal.SIGINT)
        screen += read_until(keyboard, b"never", times=1)
        assert process.stderr is not None
        said = process.stderr.read().decode()
        process.wait(timeout=30)
    os.close(keyboard)
    assert (process.returncode, said) == (130, "")
    assert b"Preparing" in screen


def read_until(keyboard: int, words: bytes, *, times: int) -> bytes:
    """Read the terminal until it has shown something so often, or ends."""
    screen = b""
    while screen.count(words) < times:
        try:
            screen += os.read(keyboard, 65_536)
        except OSError:  # how a terminal ends on Linux
            break
    return screen


def test_an_intent_that_runs_is_shown_with_its_estimate(
    run: Run, on_ledger: OnLedger, intent: Callable[..., Intent]
) -> None:
    async def begin(ledger: Ledger) -> None:
        await ledger.open_intent(intent(), payload=None)
        assert (await ledger.recent(limit=1))[0].state is IntentState.PLANNED

    on_ledger(begin)
    result = run("jobs")
    assert "Preparing" in result.stdout
    assert "in 0 to 2 s" in result.stdout
