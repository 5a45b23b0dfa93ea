"""What kill -9 in the middle of a write leaves behind."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from recontact_tools.ledger import audit
from recontact_tools.ledger.sqlite_connection import reading

WRITER = Path(__file__).with_name("writer.py")
ORDER = ["planned", "sending", "started", "finished"]
EVENTS = ["intent_planned", "request_sending", "request_accepted", "job_completed"]


@pytest.mark.parametrize("word", ["opening", "planned", "sending", "started", "finished"])
@pytest.mark.parametrize("round_", [1, 3])
def test_kill_9_in_a_write_loses_nothing_that_was_acknowledged(path: Path, word: str, round_: int) -> None:
    with subprocess.Popen([sys.executable, str(WRITER), str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = [line.split() for line in until(child, f"{word} I{round_}")]
    acknowledged = {intent_id: said_word for said_word, intent_id in said if said_word != "opening"}

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        states = dict(connection.execute("SELECT intent_id, state FROM intents").fetchall())
        kept = {row[0] for row in connection.execute("SELECT intent_id FROM payloads")}
        recorded = connection.execute("SELECT intent_id, event FROM audit ORDER BY seq").fetchall()
    assert all(ORDER.index(states[name]) >= ORDER.index(saw) for name, saw in acknowledged.items())
    assert kept == {name for name, state in states.items() if state in {"planned", "sending"}}
    assert sum(state != "finished" for state in states.values()) <= 1
    assert {intent_id: ORDER[EVENTS.index(event)] for intent_id, event in recorded} == states
    with reading(path) as connection:
        assert audit.verify(connection).holds


def until(child: "subprocess.Popen[str]", last: str) -> list[str]:
    """Read what the child says up to *last*, kill it at once, and read what it said meanwhile."""
    assert child.stdout is not None
    said: list[str] = []
    for line in child.stdout:
        said.append(line)
        if line.strip() == last:
            break
    child.kill()
    rest = child.stdout.read()
    return said + [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
