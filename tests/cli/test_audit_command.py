"""`recontact-mcp audit`: what was asked for, agreed to, sent and refused, and whether the record is whole."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import anyio
import pytest
from typer.testing import Result

from recontact_mcp.cli.audit import style_of
from recontact_mcp.settings import load_settings
from recontact_mcp.storage import LEDGER_FILE
from recontact_tools.ledger.entries import Entry, Event, about
from recontact_tools.ledger.migrations import MIGRATIONS, migrate
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.ledger.trail import GENESIS
from recontact_tools.models import TargetGroup

Run = Callable[..., Result]

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
OTHER = replace(GROUP, target_group_id="01BTGNYV6HRNK8K8VKZASZCFP2")
AT_CINT = {"CINT_CLIENT_ID": "somebody", "CINT_CLIENT_SECRET": "canary-secret"}


def entry_of(number: int) -> Entry:
    """Return the entry with this number; every third is about another target group."""
    made = about(
        OTHER if number % 3 == 0 else GROUP, Event.INTENT_PLANNED, "upload", at=NOW, principal="ann", ids=number
    )
    return replace(made, intent_id=f"I{number}", job_id=f"J{number}" if number > 1 else None)


@pytest.fixture
def file(environment: dict[str, str]) -> Path:
    return load_settings(environment).home / LEDGER_FILE


def write(file: Path, *entries: Entry) -> None:
    """Append entries as a server would."""

    async def record() -> None:
        ledger = SqlLedger.open(file)
        for entry in entries:
            await ledger.audit.record(entry)
        await ledger.aclose()

    anyio.run(record)


@pytest.fixture
def trail(file: Path) -> Path:
    """Write a trail of five entries."""
    write(file, *map(entry_of, range(1, 6)))
    return file


@pytest.fixture
def beside_a_server(trail: Path) -> Iterator[Path]:
    """Hold the ledger open, and its write lock, as a server in the middle of a write does."""
    with closing(sqlite3.connect(trail, isolation_level=None)) as server:
        server.execute("BEGIN IMMEDIATE")
        yield trail


def lines(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def tampered(file: Path, statement: str) -> None:
    """Change the file past the database's guards."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for trigger in ("audit_is_never_changed", "audit_is_never_deleted"):
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute(statement)


def test_without_a_ledger_nothing_was_recorded_and_nothing_is_made(run: Run, tmp_path: Path) -> None:
    shown = run("audit")
    assert (shown.exit_code, shown.stdout) == (0, "Nothing was recorded yet.\n")
    assert lines(run("audit", "--json")) == []
    assert "The chain holds: 0 entries." in run("audit", "--verify").stdout
    assert run("audit", "--expect", GENESIS).exit_code == 1
    assert not (tmp_path / "data").exists()


def test_a_ledger_that_is_older_than_the_trail_is_an_empty_one(run: Run, file: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        migrate(connection, MIGRATIONS[:1])
    assert run("audit").stdout == "Nothing was recorded yet.\n"
    assert run("audit", "--verify").exit_code == 0


def test_the_table_shows_the_newest_entries_last_and_the_head_to_note(run: Run, trail: Path) -> None:
    shown = run("audit", "--last", "3").stdout
    assert trail.exists()
    assert [line.split()[0] for line in shown.splitlines() if "intent_planned" in line] == ["3", "4", "5"]
    assert "2026-11-23 12:00:00" in shown
    assert "ids 5" in shown
    assert shown.count(OTHER.target_group_id) == shown.count(GROUP.target_group_id) == 1
    [head] = [entry["hash"] for entry in lines(run("audit", "--json", "--last", "1"))]
    assert f"5 entries in all. Head: {head}" in shown


def test_json_is_one_object_a_line_that_anybody_can_check(run: Run, trail: Path) -> None:
    found = lines(run("audit", "--json", "--last", "0"))
    assert trail.exists()
    previous: object = GENESIS
    for number, entry in enumerate(found, start=1):
        text = json.dumps({k: v for k, v in entry.items() if k != "hash"}, sort_keys=True, separators=(",", ":"))
        assert (entry["seq"], entry["previous"]) == (number, previous)
        assert entry["hash"] == sha256(text.encode()).hexdigest()
        previous = entry["hash"]
    assert len(found) == 5


@pytest.mark.parametrize(
    ("arguments", "seqs"),
    [
        pytest.param(["--target-group", OTHER.target_group_id], [3], id="target group"),
        pytest.param(["--target-group", f"https://x/target-groups/{GROUP.target_group_id}/x"], [1, 2, 4, 5], id="URL"),
        pytest.param(["--target-group", GROUP.target_group_id.lower(), "--last", "2"], [4, 5], id="the last of one"),
        pytest.param(["--job", "J4"], [4], id="job"),
        pytest.param(["--job", "I1"], [1], id="intent"),
        pytest.param(["--job", "NONE"], [], id="no such job"),
    ],
)
def test_filters_choose_entries_and_leave_the_chain_alone(
    run: Run, trail: Path, arguments: list[str], seqs: list[int]
) -> None:
    assert trail.exists()
    assert [entry["seq"] for entry in lines(run("audit", "--json", *arguments))] == seqs
    assert "5 entries in all" in run("audit", *arguments).stdout


def test_it_reads_beside_a_server_that_writes_and_leaves_nothing_behind(run: Run, beside_a_server: Path) -> None:
    assert len(lines(run("audit", "--json"))) == 5
    assert "The chain holds: 5 entries." in run("audit", "--verify").stdout
    assert beside_a_server.parent.exists()


def test_only_the_ledger_is_opened_and_it_stays_as_it_was(run: Run, trail: Path) -> None:
    before = trail.read_bytes()
    run("audit")
    run("audit", "--verify")
    assert trail.read_bytes() == before
    assert [path.name for path in trail.parent.iterdir()] == [LEDGER_FILE]


def test_the_ledger_is_the_one_that_the_settings_name(run: Run, environment: dict[str, str], trail: Path) -> None:
    assert trail.exists()
    at_cint = load_settings({**environment, **AT_CINT}).home / LEDGER_FILE
    at_cint.parent.mkdir(parents=True)
    write(at_cint, entry_of(9))
    assert [entry["job_id"] for entry in lines(run("audit", "--json", **AT_CINT))] == ["J9"]


def test_a_whole_chain_is_said_to_hold_with_its_head(run: Run, trail: Path) -> None:
    assert trail.exists()
    [head] = [str(entry["hash"]) for entry in lines(run("audit", "--json", "--last", "1"))]
    shown = run("audit", "--verify")
    assert (shown.exit_code, head in shown.stdout) == (0, True)
    [verdict] = lines(run("audit", "--verify", "--json"))
    assert (verdict["holds"], verdict["count"], verdict["head"]) == (True, 5, head)


def test_a_noted_head_is_found_after_more_was_written(run: Run, trail: Path) -> None:
    [head] = [str(entry["hash"]) for entry in lines(run("audit", "--json", "--last", "1"))]
    write(trail, entry_of(6))
    assert run("audit", "--expect", head).exit_code == 0


def test_a_noted_head_that_is_gone_is_said_and_exits_with_1(run: Run, trail: Path) -> None:
    assert trail.exists()
    shown = run("audit", "--verify", "--expect", "0" * 63 + "1")
    assert shown.exit_code == 1
    assert "the noted head is not in it" in shown.stderr


@pytest.mark.parametrize(
    ("statement", "seq", "why"),
    [
        ("UPDATE audit SET principal = 'bob' WHERE seq = 2", 2, "it is not as it was written"),
        ("DELETE FROM audit WHERE seq = 4", 4, "it is missing"),
        ("DELETE FROM audit WHERE seq = 5", 5, "it is missing"),
        ("UPDATE audit SET subject = CAST(x'ff' AS TEXT) WHERE seq = 3", 3, "it cannot be read"),
        ("UPDATE audit SET previous = 'x' WHERE seq = 1", 1, "it does not follow the entry before it"),
    ],
)
def test_verify_says_where_and_why_the_chain_breaks(run: Run, trail: Path, statement: str, seq: int, why: str) -> None:
    tampered(trail, statement)
    shown = run("audit", "--verify")
    assert shown.exit_code == 1
    assert f"The chain breaks at entry {seq}: {why}." in shown.stderr
    assert "bob" not in shown.stderr
    in_json = run("audit", "--verify", "--json")
    assert in_json.exit_code == 1
    verdict = json.loads(in_json.stdout)
    assert (verdict["holds"], verdict["broken_at"], verdict["why"]) == (False, seq, why)


@pytest.mark.parametrize("options", [(), ("--json",), ("--verify",)])
def test_a_file_that_is_no_ledger_is_said_to_be_unreadable(run: Run, file: Path, options: tuple[str, ...]) -> None:
    file.parent.mkdir()
    file.write_bytes(b"no database at all" * 100)
    shown = run("audit", *options)
    assert shown.exit_code == 1
    assert "The ledger cannot be read." in shown.stderr
    assert shown.stdout == ""


def test_what_is_no_target_group_is_refused(run: Run) -> None:
    shown = run("audit", "--target-group", "5a3b2ada")
    assert shown.exit_code == 2
    assert "5a3b2ada" not in shown.stderr


def test_events_are_printed_by_how_they_end() -> None:
    assert style_of("call_refused") == style_of("job_failed") == "red"
    assert style_of("job_completed") == "green"
    assert style_of("an_event_of_a_later_version") == "none"


def test_each_id_is_called_what_it_is(run: Run, file: Path) -> None:
    file.parent.mkdir(parents=True)
    made = [
        replace(about(GROUP, event, subject, at=NOW, principal="local"), intent_id="I1", job_id=job_id)
        for event, subject, job_id in (
            (Event.INTENT_PLANNED, "upload", None),
            (Event.REQUEST_ACCEPTED, "upload", "J1"),
            (Event.SNAPSHOT_BEGUN, "snapshot", None),
            (Event.REPLACEMENT_BEGUN, "replacement", None),
        )
    ]
    write(file, *made)
    shown = run("audit").stdout
    for told in (
        "upload, intent I1",
        "upload, job J1, intent I1",
        "snapshot, snapshot I1",
        "replacement, replacement I1",
    ):
        assert told in shown
    assert "job I1" not in shown
