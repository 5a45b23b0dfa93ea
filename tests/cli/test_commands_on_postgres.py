"""The commands that read what was kept, where that lies in PostgreSQL."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import anyio
import psycopg
import pytest
from typer.testing import Result

from recontact_tools.ledger import Intent, Snapshot
from recontact_tools.ledger.entries import Event, about
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.ledger.trail import GENESIS

Run = Callable[..., Result]
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
SCHEMA = "recontact"


@pytest.fixture
def run_there(run: Run, database_url: str) -> Run:
    return lambda *arguments: run(*arguments, RECONTACT_DATABASE_URL=database_url)


@pytest.fixture
def written(database_url: str, intent: Callable[..., Intent], incomplete: Snapshot) -> None:
    """Write a removal that is planned, with the snapshot that it begins with."""

    async def write() -> None:
        ledger = await SqlLedger.connect(database_url, SCHEMA)
        await ledger.open_intent(intent(), payload=None)
        await ledger.snapshots.begin(incomplete)
        asked = about(intent().group, Event.CANCELLATION_ASKED, "snapshot", at=datetime.now(UTC), principal="ann")
        await ledger.audit.record(asked)
        await ledger.aclose()

    anyio.run(write)


def test_without_a_ledger_there_is_nothing_to_show_and_nothing_is_made(run_there: Run, database_url: str) -> None:
    shown = [
        run_there(*command.split()) for command in ("audit", "audit --json", "audit --verify", "jobs", "snapshots")
    ]
    assert [one.exit_code for one in shown] == [0] * 5
    assert shown[0].stdout == "Nothing was recorded yet.\n"
    assert run_there("audit", "--expect", GENESIS).exit_code == 1
    with psycopg.connect(database_url) as session:
        assert session.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (SCHEMA,)).fetchone() is None


@pytest.mark.usefixtures("written")
def test_the_trail_the_jobs_and_the_snapshots_are_shown(run_there: Run) -> None:
    entries = [json.loads(line) for line in run_there("audit", "--json", "--last", "0").stdout.splitlines()]
    assert [entry["event"] for entry in entries] == ["intent_planned", "snapshot_begun", "cancellation_asked"]
    assert "The chain holds: 3 entries." in run_there("audit", "--verify").stdout
    assert run_there("audit", "--expect", entries[-1]["hash"]).exit_code == 0
    shown = run_there("audit", "--target-group", GROUP).stdout
    assert "cancellation_asked" in shown
    assert "for ann" in shown  # whoever is at this machine is not named
    assert "for local" not in shown
    assert GROUP in run_there("jobs").stdout
    assert GROUP in run_there("snapshots").stdout


@pytest.mark.usefixtures("written")
def test_a_break_in_the_chain_is_found(run_there: Run, database_url: str) -> None:
    with psycopg.connect(database_url, options=f"-c search_path={SCHEMA}", autocommit=True) as session:
        session.execute("ALTER TABLE audit DISABLE TRIGGER ALL")
        session.execute("UPDATE audit SET principal = 'bob' WHERE seq = 2")
    verified = run_there("audit", "--verify")
    assert verified.exit_code == 1
    assert "breaks at entry 2" in verified.output


def test_a_database_that_is_away_is_told_without_its_address(run: Run) -> None:
    away = "postgresql://somebody:secret@127.0.0.1:1/kept"
    for command in ("audit", "jobs", "snapshots"):
        told = run(command, RECONTACT_DATABASE_URL=away)
        assert told.exit_code != 0
        assert "recontact-mcp doctor" in told.output
        assert not any(word in told.output for word in ("secret", "somebody", "127.0.0.1"))


def test_the_doctor_says_whether_the_database_can_be_used(run: Run, run_there: Run, written: None) -> None:
    del written
    found = [
        {check["name"]: check["state"] for check in json.loads(told.stdout)["checks"]}.get("PostgreSQL")
        for told in (
            run("doctor", "--json"),
            run_there("doctor", "--json"),
            run("doctor", "--json", RECONTACT_DATABASE_URL="postgresql://127.0.0.1:1/kept"),
        )
    ]
    assert found == [None, "ok", "fail"]
