"""What is particular to the ledger on SQLite: the file, and several processes."""

import sqlite3
import stat
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import anyio
import pytest

from recontact_tools.ledger import ActiveIntent, Intent, LedgerUnavailable, Plan
from recontact_tools.ledger.migrations import MIGRATIONS, migrate, schema_version
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.models import Job

CANARY = b"c0ffee00-7a3e-4b62-9c57-0f6a2f4f8f10\n"
RACERS = 6
Upload = Callable[..., Intent]
Answer = TypeVar("Answer")


def with_ledger(path: Path, act: Callable[[SqlLedger], Awaitable[Answer]]) -> Answer:
    """Open a ledger of one's own, as another process would, and do one thing with it on an own event loop."""

    async def run() -> Answer:
        ledger = SqlLedger.open(path)
        try:
            with anyio.fail_after(30):
                return await act(ledger)
        finally:
            await ledger.aclose()

    return anyio.run(run)


def race(path: Path, act: Callable[[SqlLedger, int], Awaitable[Answer]]) -> list[Answer]:
    """Let several ledgers on one file do the same thing at once."""
    barrier = Barrier(RACERS)

    def one(number: int) -> Answer:
        async def when_all_are_ready(ledger: SqlLedger) -> Answer:
            barrier.wait(10)
            return await act(ledger, number)

        return with_ledger(path, when_all_are_ready)

    with ThreadPoolExecutor(RACERS) as pool:
        return list(pool.map(one, range(RACERS)))


def test_one_of_several_processes_opens_the_intent(path: Path, upload: Upload) -> None:
    async def act(ledger: SqlLedger, number: int) -> str:
        try:
            await ledger.open_intent(upload(f"I{number}"), payload=CANARY)
        except ActiveIntent as other:
            return other.intent.intent_id
        return f"won by I{number}"

    answers = race(path, act)
    winner = next(answer[-2:] for answer in answers if answer.startswith("won"))
    assert sorted(answers) == [winner] * 5 + [f"won by {winner}"]


def test_one_of_several_processes_may_send(path: Path, upload: Upload, now: datetime) -> None:
    with_ledger(path, lambda ledger: ledger.open_intent(upload(), payload=CANARY))

    async def act(ledger: SqlLedger, _number: int) -> bool:
        return await ledger.mark_sending("INTENT1", now=now)

    assert sorted(race(path, act)) == [False] * 5 + [True]


def test_one_of_several_processes_spends_the_plan(path: Path, plan: Callable[..., Plan], now: datetime) -> None:
    with_ledger(path, lambda ledger: ledger.record_plan(plan()))

    async def act(ledger: SqlLedger, _number: int) -> bool:
        return await ledger.spend_plan("PLAN1", principal="ann", now=now)

    assert sorted(race(path, act)) == [False] * 5 + [True]


def test_several_processes_may_create_the_file_at_once(path: Path) -> None:
    barrier = Barrier(8)

    def one(_number: int) -> int:
        barrier.wait(10)
        ledger = SqlLedger.open(path)
        anyio.run(ledger.aclose)
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 8
    assert [entry.name for entry in path.parent.iterdir()] == ["ledger.sqlite"]


def test_the_file_is_its_owners_alone(path: Path, upload: Upload) -> None:
    with_ledger(path, lambda ledger: ledger.open_intent(upload(), payload=None))
    path.chmod(0o644)
    ledger = SqlLedger.open(path)
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    anyio.run(ledger.aclose)
    assert modes == dict.fromkeys(("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"), 384)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_sent_payload_leaves_no_trace_on_disk(path: Path, upload: Upload, now: datetime) -> None:
    async def act(ledger: SqlLedger) -> list[bytes]:
        await ledger.open_intent(upload(), payload=CANARY * 5_000)
        await ledger.mark_sending("INTENT1", now=now)
        assert any(CANARY in entry.read_bytes() for entry in path.parent.iterdir())
        await ledger.mark_started("INTENT1", job_id="JOB1", now=now)
        return [entry.read_bytes() for entry in path.parent.iterdir()]

    contents = with_ledger(path, act)
    assert not any(CANARY[:-1] in content for content in contents)


def test_a_reader_in_the_way_does_not_hold_up_a_start(path: Path, upload: Upload, now: datetime) -> None:
    async def act(ledger: SqlLedger) -> None:
        await ledger.open_intent(upload(), payload=CANARY)
        await ledger.mark_sending("INTENT1", now=now)
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM intents").fetchone()
            with anyio.fail_after(5):
                await ledger.mark_started("INTENT1", job_id="JOB1", now=now)
            reader.execute("COMMIT")

    with_ledger(path, act)


def test_a_ledger_of_a_newer_version_is_left_alone(path: Path) -> None:
    anyio.run(SqlLedger.open(path).aclose)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(LedgerUnavailable, match="newer version"):
        SqlLedger.open(path)


def test_a_file_that_is_no_ledger_is_refused_without_its_name(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, whatever its name says" * 100)
    with pytest.raises(LedgerUnavailable) as refused:
        SqlLedger.open(path)
    assert "ledger.sqlite" not in str(refused.value)


def test_an_older_ledger_is_brought_up_to_date_and_keeps_its_rows(path: Path, upload: Upload) -> None:
    with_ledger(path, lambda ledger: ledger.open_intent(upload(), payload=None))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, (*MIGRATIONS, ("ALTER TABLE intents ADD COLUMN note TEXT",)))
        assert schema_version(connection) == len(MIGRATIONS) + 1
        assert connection.execute("SELECT intent_id, note FROM intents").fetchall() == [("INTENT1", None)]


def test_a_closed_ledger_says_that_it_is_unavailable(path: Path, upload: Upload) -> None:
    async def act() -> None:
        ledger = SqlLedger.open(path)
        await ledger.aclose()
        await ledger.aclose()
        with pytest.raises(LedgerUnavailable):
            await ledger.get("INTENT1")
        with pytest.raises(LedgerUnavailable):
            await ledger.open_intent(upload(), payload=None)

    anyio.run(act)


def test_a_look_that_another_process_made_first_is_not_news_again(path: Path, upload: Upload, now: datetime) -> None:
    async def prepare(ledger: SqlLedger) -> None:
        await ledger.open_intent(upload(), payload=None)
        await ledger.mark_sending("INTENT1", now=now)
        await ledger.mark_started("INTENT1", job_id="JOB1", now=now)

    async def act(ledger: SqlLedger, _number: int) -> bool:
        return await ledger.note_job("INTENT1", Job("JOB1", "Processing"), now=now)

    with_ledger(path, prepare)
    assert sorted(race(path, act)) == [False] * 5 + [True]


def test_an_empty_file_becomes_a_ledger(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"")
    path.chmod(0o600)
    ledger = SqlLedger.open(path)
    anyio.run(ledger.aclose)
    with closing(sqlite3.connect(path)) as connection:
        assert schema_version(connection) == len(MIGRATIONS)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
