"""Several processes on one ledger: whatever they do at once, it is as if one had been first."""

import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import anyio
import ledger_racer
from ledger_places import Place

from recontact_tools.ledger import Intent, Plan, audit
from recontact_tools.ledger.sql import SqlLedger

RACERS = 4


def race(place: Place, deed: str) -> list[str]:
    """Let several processes do the same at once; return what each of them says of it."""
    with ExitStack() as stack:
        racers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, ledger_racer.__file__, deed, f"I{number}", *place.words],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for number in range(RACERS)
        ]
        pipes = [(racer.stdin, racer.stdout) for racer in racers]
        for _, answer in pipes:
            assert answer is not None
            assert answer.readline() == "ready\n"
        for word, _ in pipes:
            assert word is not None
            word.write("go\n")
            word.flush()
        return [racer.communicate(timeout=60)[0].strip() for racer in racers]


def prepared(place: Place, act: Callable[[SqlLedger], Awaitable[object]]) -> None:
    async def run() -> None:
        ledger = await place.open()
        await act(ledger)
        await ledger.aclose()

    anyio.run(run)


def test_one_of_several_processes_opens_the_intent_and_all_hear_which(place: Place) -> None:
    assert len(set(race(place, "open_intent"))) == 1


def test_one_of_several_processes_may_send(place: Place, upload: Callable[..., Intent]) -> None:
    prepared(place, lambda ledger: ledger.open_intent(upload(), payload=b"x"))
    assert sorted(race(place, "send")) == ["False"] * (RACERS - 1) + ["True"]


def test_one_of_several_processes_spends_the_plan(place: Place, plan: Callable[..., Plan]) -> None:
    prepared(place, lambda ledger: ledger.record_plan(plan()))
    assert sorted(race(place, "spend")) == ["False"] * (RACERS - 1) + ["True"]


def test_several_processes_write_one_chain(place: Place) -> None:
    race(place, "record")
    with place.reading() as connection:
        verdict = audit.verify(connection)
    assert (verdict.holds, verdict.count) == (True, RACERS * ledger_racer.ENTRIES)


def test_several_processes_may_make_the_ledger_at_once(place: Place) -> None:
    assert race(place, "look") == ["0"] * RACERS
