"""`recontact-mcp snapshots`: what is kept, without showing an identifier unless it is exported."""

import json
import resource
import stat
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest
from typer.testing import Result

from recontact_mcp.cli.snapshots import write_new_file
from recontact_tools.ledger import Intent, Ledger, Replacement, Snapshot, Stage
from recontact_tools.models import IdType

Run = Callable[..., Result]
OnLedger = Callable[[Callable[[Ledger], Awaitable[None]]], None]
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"


def snapshot_id(run: Run) -> str:
    return str(json.loads(run("snapshots", "--json").stdout)["snapshot_id"])


def test_without_anything_started_there_is_nothing_to_show_and_nothing_is_made(
    run: Run, environment: Mapping[str, str]
) -> None:
    result = run("snapshots")
    assert (result.exit_code, result.stdout) == (
        0,
        "No snapshot is kept here. One is taken before every removal.\n",
    )
    assert run("snapshots", "--json").stdout == ""
    assert not Path(environment["RECONTACT_DATA_DIR"]).exists()


def test_a_snapshot_is_shown_with_its_count_and_its_end_and_without_its_ids(run: Run, removed: tuple[str, ...]) -> None:
    shown = run("snapshots")
    assert shown.exit_code == 0
    assert all(said in shown.stdout for said in (GROUP, "30", "yes", snapshot_id(run)))
    assert not any(one in shown.stdout for one in removed)
    assert max(map(len, shown.stdout.splitlines())) <= 100


def test_an_export_is_a_file_of_its_own_that_only_its_owner_reads(
    run: Run, removed: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "back.csv"
    result = run("snapshots", "export", snapshot_id(run).lower(), str(file))
    assert result.exit_code == 0
    assert sorted(file.read_text("utf-8").split()) == sorted(removed)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not any(one in result.stdout for one in removed)


def test_an_export_is_in_the_audit_trail(run: Run, removed: tuple[str, ...], tmp_path: Path) -> None:
    run("snapshots", "export", snapshot_id(run), str(tmp_path / "back.csv"))
    newest = json.loads(run("audit", "--json", "--last", "1").stdout)
    assert (newest["event"], newest["detail"]) == ("snapshot_exported", {"ids": len(removed)})


def test_an_export_never_overwrites(run: Run, removed: tuple[str, ...], tmp_path: Path) -> None:
    del removed
    file = tmp_path / "back.csv"
    file.write_text("mine", "utf-8")
    result = run("snapshots", "export", snapshot_id(run), str(file))
    assert result.exit_code == 1
    assert "exists already" in result.stderr
    assert file.read_text("utf-8") == "mine"


def test_an_export_into_a_directory_that_is_not_there_is_said_so(run: Run, removed: tuple[str, ...]) -> None:
    del removed
    result = run("snapshots", "export", snapshot_id(run), "/nowhere/back.csv")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_of_an_export_that_does_not_fit_nothing_is_left(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            write_new_file(tmp_path / "back.csv", b"longer than that")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "back.csv").exists()


@pytest.mark.parametrize("words", [("export", "X", "a.csv"), ("delete", "X", "--yes")], ids=["export", "delete"])
def test_a_snapshot_that_is_not_there_is_said_so(run: Run, words: tuple[str, ...]) -> None:
    result = run("snapshots", *words)
    assert result.exit_code == 1
    assert "no such snapshot" in result.stderr


def test_without_its_key_a_snapshot_cannot_be_read_and_no_other_key_is_made(
    run: Run, removed: tuple[str, ...], environment: Mapping[str, str], tmp_path: Path
) -> None:
    del removed
    key = Path(environment["RECONTACT_DATA_DIR"]) / "snapshots.key"
    key.unlink()
    result = run("snapshots", "export", snapshot_id(run), str(tmp_path / "back.csv"))
    assert result.exit_code == 1
    assert "SNAPSHOT_UNREADABLE" in result.stderr
    assert "RECONTACT_SNAPSHOT_KEY" in result.stderr
    assert not key.exists()
    assert not (tmp_path / "back.csv").exists()


def test_another_key_opens_nothing(
    run: Run, removed: tuple[str, ...], environment: Mapping[str, str], tmp_path: Path
) -> None:
    del removed
    (Path(environment["RECONTACT_DATA_DIR"]) / "snapshots.key").write_bytes(bytes(32))
    result = run("snapshots", "export", snapshot_id(run), str(tmp_path / "back.csv"))
    assert result.exit_code == 1
    assert "SNAPSHOT_UNREADABLE" in result.stderr


def test_a_snapshot_is_deleted_only_when_somebody_says_so(run: Run, removed: tuple[str, ...]) -> None:
    del removed
    kept = snapshot_id(run)
    refused = run("snapshots", "delete", kept)
    assert refused.exit_code == 1
    assert "no terminal" in refused.stderr
    assert snapshot_id(run) == kept
    assert run("snapshots", "delete", kept, "--yes").exit_code == 0
    assert run("snapshots", "--json").stdout == ""


def test_what_is_not_complete_is_shown_as_such_and_not_exported(
    run: Run, on_ledger: OnLedger, incomplete: Snapshot, tmp_path: Path
) -> None:
    async def begin(ledger: Ledger) -> None:
        await ledger.snapshots.begin(incomplete)

    on_ledger(begin)
    assert "no, of 7" in run("snapshots").stdout
    result = run("snapshots", "export", incomplete.snapshot_id, str(tmp_path / "back.csv"))
    assert result.exit_code == 1
    assert "0 of 7" in result.stderr


def test_a_snapshot_that_running_work_needs_is_not_deleted(
    run: Run, on_ledger: OnLedger, incomplete: Snapshot, intent: Callable[..., Intent]
) -> None:
    async def begin(ledger: Ledger) -> None:
        await ledger.open_intent(intent(), payload=None)
        await ledger.snapshots.begin(incomplete)

    on_ledger(begin)
    result = run("snapshots", "delete", incomplete.snapshot_id, "--yes")
    assert result.exit_code == 1
    assert "still runs" in result.stderr
    assert snapshot_id(run) == incomplete.snapshot_id


def test_a_snapshot_that_a_running_replacement_may_go_back_to_is_not_deleted(
    run: Run, on_ledger: OnLedger, incomplete: Snapshot, intent: Callable[..., Intent]
) -> None:
    removal = intent(parent_id="R")

    async def begin(ledger: Ledger) -> None:
        running = Replacement(
            replacement_id="R",
            removal_id=removal.intent_id,
            principal="local",
            group=removal.group,
            id_type=IdType.RSID,
            ids=1,
            stored_before=7,
            stage=Stage.REMOVING,
            fingerprint="wish",
            created_at=removal.created_at,
            updated_at=removal.created_at,
        )
        await ledger.replacements.open(running)
        await ledger.open_intent(removal, payload=None)
        await ledger.snapshots.begin(incomplete)

    on_ledger(begin)
    result = run("snapshots", "delete", incomplete.snapshot_id, "--yes")
    assert (result.exit_code, snapshot_id(run)) == (1, incomplete.snapshot_id)


def test_a_ledger_that_is_none_is_said_so(run: Run, environment: Mapping[str, str]) -> None:
    folder = Path(environment["RECONTACT_DATA_DIR"])
    folder.mkdir()
    (folder / "ledger.sqlite").write_text("not a database, but long enough to look at" * 40, "utf-8")
    result = run("snapshots")
    assert result.exit_code == 1
    assert "recontact-mcp doctor" in result.stderr
    assert str(folder) not in result.output
