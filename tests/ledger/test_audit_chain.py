"""The audit trail cannot be changed unnoticed, whatever the ledger did and whoever holds the file."""

import json
import sqlite3
from hashlib import sha256
from itertools import count
from typing import Any

import pytest
from audit_chains import STEPS, Step, in_memory, unguarded, written
from hypothesis import given, settings
from hypothesis import strategies as st

from recontact_tools.ledger import audit
from recontact_tools.ledger.entries import Event
from recontact_tools.ledger.trail import GENESIS, Recorded, Verdict, Wanted

COLUMNS = tuple(Recorded.__dataclass_fields__)
ENTRIES = 6
# What an entry says of the state of its intent.
STATES = {
    Event.INTENT_PLANNED: "planned",
    Event.INTENT_WITHDRAWN: "refused",
    Event.REQUEST_SENDING: "sending",
    Event.REQUEST_ACCEPTED: "started",
    Event.JOB_FOUND: "started",
    Event.REQUEST_REFUSED: "refused",
    Event.JOB_COMPLETED: "finished",
    Event.JOB_FAILED: "finished",
    Event.OUTCOME_UNKNOWN: "unknown",
    Event.PLAN_MADE: "open",
    Event.PLAN_CLOSED: "closed",
    Event.CONFIRMATION_DECLINED: "closed",
    Event.CONFIRMATION_AGREED: "spent",
}


def told(connection: sqlite3.Connection, name: str) -> dict[str, str]:
    """Return the state of every intent or plan, as the trail tells it."""
    rows = connection.execute(f"SELECT event, {name} FROM audit WHERE {name} IS NOT NULL ORDER BY seq")  # noqa: S608
    return {row[name]: STATES[Event(row["event"])] for row in rows if row["event"] in STATES}


def kept(connection: sqlite3.Connection, table: str, name: str) -> dict[str, str]:
    """Return the state of every intent or plan, as the ledger has it."""
    return {row[name]: row["state"] for row in connection.execute(f"SELECT {name}, state FROM {table}")}  # noqa: S608


@settings(deadline=None, max_examples=200)
@given(steps=st.lists(STEPS, max_size=40))
def test_whatever_the_ledger_did_the_chain_holds_and_tells_all_of_it_and_nothing_else(steps: list[Step]) -> None:
    with in_memory() as connection:
        for step in steps:
            step.take(connection)
        verdict = audit.verify(connection)
        [(entries,)] = connection.execute("SELECT count(*) FROM audit").fetchall()
        assert (verdict.holds, verdict.count) == (True, entries)
        assert told(connection, "intent_id") == kept(connection, "intents", "intent_id")
        assert told(connection, "plan_id") == kept(connection, "plans", "plan_id")


@settings(deadline=None, max_examples=300)
@given(data=st.data(), seq=st.integers(1, ENTRIES), column=st.sampled_from(COLUMNS))
def test_any_field_that_is_changed_is_found_at_its_entry(data: st.DataObject, seq: int, column: str) -> None:
    other: st.SearchStrategy[Any] = st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary() | st.text()
    if column == "seq":
        other = st.integers(-(2**63), 0) | st.integers(ENTRIES + 1, 2**63 - 1)
    with in_memory() as connection:
        written(connection, ENTRIES)
        unguarded(connection)
        old = connection.execute(f"SELECT {column} FROM audit WHERE seq = ?", (seq,)).fetchone()[0]  # noqa: S608
        value = data.draw(other.filter(lambda value: value != old))
        try:
            connection.execute(f"UPDATE audit SET {column} = ? WHERE seq = ?", (value, seq))  # noqa: S608
        except (sqlite3.IntegrityError, UnicodeEncodeError):
            return
        verdict = audit.verify(connection)
        assert not verdict.holds
        # A forged number below all others is met first.
        assert verdict.broken_at == (1 if column == "seq" and value < 1 else seq)


@settings(deadline=None, max_examples=300)
@given(data=st.data(), seq=st.integers(1, ENTRIES))
def test_any_single_byte_that_is_changed_is_found_at_its_entry(data: st.DataObject, seq: int) -> None:
    texts = ("at", "principal", "event", "subject", "project_id", "target_group_id", "detail", "previous", "hash")
    column = data.draw(st.sampled_from(texts))
    with in_memory() as connection:
        written(connection, ENTRIES)
        unguarded(connection)
        [old] = connection.execute(f"SELECT {column} FROM audit WHERE seq = ?", (seq,)).fetchone()  # noqa: S608
        changed = bytearray(old.encode())
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
        connection.execute(f"UPDATE audit SET {column} = CAST(? AS TEXT) WHERE seq = ?", (bytes(changed), seq))  # noqa: S608
        assert audit.verify(connection).broken_at == seq


@pytest.mark.parametrize("seq", range(1, ENTRIES + 1))
def test_an_entry_that_was_deleted_is_missed_the_last_one_too(seq: int) -> None:
    with in_memory() as connection:
        written(connection, ENTRIES)
        unguarded(connection)
        connection.execute("DELETE FROM audit WHERE seq = ?", (seq,))
        verdict = audit.verify(connection)
        assert (verdict.broken_at, verdict.why, verdict.count) == (seq, "it is missing", seq - 1)


@settings(deadline=None)
@given(seqs=st.sets(st.integers(1, ENTRIES), min_size=2, max_size=2))
def test_entries_that_were_swapped_are_found(seqs: set[int]) -> None:
    first, second = sorted(seqs)
    with in_memory() as connection:
        written(connection, ENTRIES)
        unguarded(connection)
        for old, new in ((first, 0), (second, first), (0, second)):
            connection.execute("UPDATE audit SET seq = ? WHERE seq = ?", (new, old))
        assert audit.verify(connection).broken_at == first


def test_what_is_appended_after_the_end_was_cut_off_leaves_the_gap() -> None:
    with in_memory() as connection:
        written(connection, ENTRIES)
        connection.execute("DROP TRIGGER audit_is_never_deleted")
        connection.execute("DELETE FROM audit WHERE seq > 4")
        written(connection, 1)
        assert audit.verify(connection).broken_at == 5
        assert audit.before(connection, None, Wanted(), 1)[0].seq == ENTRIES + 1


def test_an_end_that_was_cut_off_with_all_its_traces_is_missed_by_a_noted_head() -> None:
    with in_memory() as connection:
        written(connection, ENTRIES)
        noted = audit.verify(connection).head
        written(connection, 1)
        assert audit.verify(connection, noted).holds
        unguarded(connection)
        connection.execute("DELETE FROM audit WHERE seq > 4")
        connection.execute("UPDATE sqlite_sequence SET seq = 4 WHERE name = 'audit'")
        assert audit.verify(connection).holds
        verdict = audit.verify(connection, noted)
        assert (verdict.holds, verdict.broken_at, verdict.found) == (False, None, False)


def test_a_chain_that_was_written_anew_does_not_hold_the_noted_head() -> None:
    with in_memory() as connection:
        written(connection, ENTRIES)
        noted = audit.verify(connection).head
        unguarded(connection)
        connection.execute("DELETE FROM audit")
        connection.execute("DELETE FROM sqlite_sequence WHERE name = 'audit'")
        written(connection, ENTRIES - 1)
        assert (audit.verify(connection).holds, audit.verify(connection, noted).holds) == (True, False)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET principal = 'bob' WHERE seq = 1",
        "UPDATE OR IGNORE audit SET principal = 'bob'",
        "UPDATE OR REPLACE audit SET seq = 2 WHERE seq = 1",
        "DELETE FROM audit WHERE seq = 3",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE seq = 2",
        "REPLACE INTO audit SELECT * FROM audit WHERE seq = 3",
        "INSERT INTO audit SELECT * FROM audit WHERE seq = 3 ON CONFLICT (seq) DO UPDATE SET principal = 'bob'",
        f"INSERT INTO audit SELECT 9, {', '.join(COLUMNS[1:-2])}, hash, hash FROM audit WHERE seq = 3",  # noqa: S608
        f"INSERT INTO audit SELECT 4, {', '.join(COLUMNS[1:])} FROM audit WHERE seq = 3",  # noqa: S608
    ],
)
def test_the_database_itself_refuses_whatever_is_not_appending(statement: str) -> None:
    with in_memory() as connection:
        written(connection, 3)
        before = [tuple(row) for row in connection.execute("SELECT * FROM audit")]
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
        assert [tuple(row) for row in connection.execute("SELECT * FROM audit")] == before


def test_anybody_can_recompute_a_hash_from_an_entry_as_it_is_shown() -> None:
    with in_memory() as connection:
        written(connection, 2)
        [newest, oldest] = audit.before(connection, None, Wanted(), 10)
    fields = {name: getattr(newest, name) for name in COLUMNS if name != "hash"}
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    assert sha256(text.encode()).hexdigest() == newest.hash
    assert (newest.previous, oldest.previous) == (oldest.hash, GENESIS)


@pytest.mark.parametrize("size", [1, 2, 4, ENTRIES, 100])
def test_a_chain_is_checked_the_same_in_pages_of_any_size(size: int) -> None:
    with in_memory() as connection:
        written(connection, ENTRIES)
        whole = audit.verify(connection)
        verdict, further = None, Verdict()
        while further != verdict:
            verdict, further = further, audit.verified_page(connection, further, size)
    assert verdict == whole == Verdict(count=ENTRIES, head=whole.head)


@pytest.mark.parametrize(
    "detail",
    [
        pytest.param("", id="nothing"),
        pytest.param("[1]", id="no object"),
        pytest.param("[" * 100_000, id="too deep"),
        pytest.param(b"\xff", id="not text"),
        pytest.param('{"pages": 1}', id="a blank more"),
        pytest.param('{"pages":1,"pages":1}', id="twice"),
    ],
)
def test_a_forged_detail_is_found_and_shown_all_the_same(detail: object) -> None:
    with in_memory() as connection:
        written(connection, 2)
        unguarded(connection)
        connection.execute("UPDATE audit SET detail = ? WHERE seq = 2", (detail,))
        assert audit.verify(connection).broken_at == 2
        [shown] = audit.before(connection, None, Wanted(), 1)
        assert shown.detail in ({"unreadable": True}, {"pages": 1})


def test_a_read_that_breaks_off_is_no_break_in_the_chain() -> None:
    with in_memory() as connection:
        written(connection, 400)
        steps = count()
        # Some thousand steps of SQLite's machine: after the first of the entries, long before the last.
        connection.set_progress_handler(lambda: int(next(steps) > 20), 100)
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            audit.verify(connection)
        connection.set_progress_handler(None, 0)
        assert audit.verify(connection).holds


def test_a_trail_whose_table_is_gone_is_a_fault_and_no_empty_trail() -> None:
    with in_memory() as connection:
        written(connection, 2)
        connection.execute("DROP TABLE audit")
        with pytest.raises(sqlite3.OperationalError):
            audit.verify(connection)
