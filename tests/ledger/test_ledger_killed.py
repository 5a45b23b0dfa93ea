"""What kill -9 in the middle of a write leaves behind."""

import subprocess
import sys

import anyio
import ledger_writer
import pytest
from ledger_places import Place

from recontact_tools.ledger import audit

WRITER = ledger_writer.__file__
ORDER = ["planned", "sending", "started", "finished"]
EVENTS = ["intent_planned", "request_sending", "request_accepted", "job_completed"]


@pytest.mark.parametrize("word", ["opening", "planned", "sending", "started", "finished"])
@pytest.mark.parametrize("round_", [1, 3])
def test_kill_9_in_a_write_loses_nothing_that_was_acknowledged(place: Place, word: str, round_: int) -> None:
    with subprocess.Popen([sys.executable, WRITER, *place.words], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = [line.split() for line in until(child, f"{word} I{round_}")]
    acknowledged = {intent_id: said_word for said_word, intent_id in said if said_word != "opening"}

    anyio.run(write_beside, place)  # the dead process keeps nobody from writing
    with place.reading() as connection:
        states = {row["intent_id"]: row["state"] for row in connection.execute("SELECT intent_id, state FROM intents")}
        kept = {row["intent_id"] for row in connection.execute("SELECT intent_id FROM payloads")}
        rows = connection.execute("SELECT intent_id, event FROM audit ORDER BY seq").fetchall()
        assert audit.verify(connection).holds
    assert place.is_sound()
    assert all(ORDER.index(states[name]) >= ORDER.index(saw) for name, saw in acknowledged.items())
    assert kept == {name for name, state in states.items() if state in {"planned", "sending"}}
    assert sum(state != "finished" for state in states.values()) <= 1
    assert {row["intent_id"]: ORDER[EVENTS.index(row["event"])] for row in rows} == states


async def write_beside(place: Place) -> None:
    ledger = await place.open()
    with anyio.fail_after(10):
        await ledger.updates.announce(["a"], origin="other")
    await ledger.aclose()


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
