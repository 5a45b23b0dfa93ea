"""Calls that are refused in a loop do not make the audit trail grow with each, whichever process is asked."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest
from audit_chains import in_memory
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_places import Place

from recontact_tools.ledger import audit, refusals
from recontact_tools.ledger.entries import Entry, Event
from recontact_tools.ledger.refusals import ENTRIES_EACH, PERIOD
from recontact_tools.ledger.trail import Recorded, Wanted

if TYPE_CHECKING:
    from recontact_tools.ledger import Ledger

pytestmark = pytest.mark.anyio


def refused(now: datetime, code: str = "READ_ONLY", principal: str = "ann", subject: str = "upload") -> Entry:
    return Entry(at=now, principal=principal, event=Event.CALL_REFUSED, subject=subject, detail={"code": code})


async def entries(ledger: "Ledger") -> list[Recorded]:
    """Return the trail, the oldest entry first, of which the chain holds."""
    assert (await ledger.audit.verify()).holds
    return list(reversed(await ledger.audit.newest(1_000, Wanted())))


async def test_the_first_ones_are_entries_and_how_many_more_there_were_is_one(ledger: "Ledger", now: datetime) -> None:
    for number in range(100):
        await ledger.audit.record_refusal(refused(now + timedelta(seconds=number)))
    assert [entry.event for entry in await entries(ledger)] == ["call_refused"] * ENTRIES_EACH
    await ledger.audit.settle_refusals(now=now + PERIOD - timedelta(seconds=1))
    assert len(await entries(ledger)) == ENTRIES_EACH
    for _ in range(2):
        await ledger.audit.settle_refusals(now=now + PERIOD)
    last = (await entries(ledger))[ENTRIES_EACH:]
    assert [(one.event, one.principal, one.subject, one.detail) for one in last] == [
        (
            "calls_refused",
            "ann",
            "upload",
            {"code": "READ_ONLY", "further": 100 - ENTRIES_EACH, "within_seconds": 99},
        )
    ]


async def test_the_next_refusal_of_a_kind_tells_of_the_period_before_where_nobody_did(
    ledger: "Ledger", now: datetime
) -> None:
    for _ in range(ENTRIES_EACH + 2):
        await ledger.audit.record_refusal(refused(now))
    await ledger.audit.record_refusal(refused(now + PERIOD))
    found = await entries(ledger)
    assert [one.event for one in found[ENTRIES_EACH:]] == ["calls_refused", "call_refused"]
    assert found[ENTRIES_EACH].detail["further"] == 2
    await ledger.audit.settle_refusals(now=now + 3 * PERIOD)
    assert len(await entries(ledger)) == len(found), "nothing is told of a period without further ones"


async def test_other_people_tools_and_codes_are_counted_apart(ledger: "Ledger", now: datetime) -> None:
    kinds = [("READ_ONLY", "ann", "a"), ("FROZEN", "ann", "a"), ("READ_ONLY", "bob", "a"), ("READ_ONLY", "ann", "b")]
    for _ in range(ENTRIES_EACH + 1):
        for kind in kinds:
            await ledger.audit.record_refusal(refused(now, *kind))
    await ledger.audit.settle_refusals(now=now + PERIOD)
    found = await entries(ledger)
    assert len(found) == (ENTRIES_EACH + 1) * len(kinds)
    told = [one for one in found if one.event == "calls_refused"]
    assert sorted((str(one.detail["code"]), one.principal, one.subject) for one in told) == sorted(kinds)
    assert {one.detail["further"] for one in told} == {1}


async def test_all_processes_count_together(place: Place, now: datetime) -> None:
    ledgers = [await place.open() for _ in range(3)]

    async def one(ledger: "Ledger") -> None:
        for _ in range(10):
            await ledger.audit.record_refusal(refused(now))

    async with anyio.create_task_group() as tasks:
        for ledger in ledgers:
            tasks.start_soon(one, ledger)
    async with anyio.create_task_group() as tasks:
        for ledger in ledgers:
            tasks.start_soon(partial(ledger.audit.settle_refusals, now=now + PERIOD))
    found = await entries(ledgers[0])
    assert [entry.event for entry in found] == ["call_refused"] * ENTRIES_EACH + ["calls_refused"]
    assert found[-1].detail["further"] == 30 - ENTRIES_EACH
    for ledger in ledgers:
        await ledger.aclose()


CALLS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 4_000), st.booleans()), max_size=60)


@settings(deadline=None, max_examples=100)
@given(calls=CALLS)
def test_however_calls_come_each_is_an_entry_or_counted_and_the_rest_of_the_trail_is_whole(
    calls: list[tuple[str, int, bool]],
) -> None:
    now = datetime.fromisoformat("2026-11-23T12:00:00+00:00")
    with in_memory() as connection:
        for code, seconds, is_refused in calls:
            now += timedelta(seconds=seconds)
            connection.execute("BEGIN")
            with connection:
                if is_refused:
                    refusals.record_refusal(connection, refused(now, code))
                else:
                    audit.append(connection, replace(refused(now, code), event=Event.CALL_UNSETTLED))
        connection.execute("BEGIN")
        with connection:
            refusals.settle_refusals(connection, now + PERIOD)
        found = audit.before(connection, None, Wanted(), 1_000)
        assert audit.verify(connection).holds
        assert connection.execute("SELECT count(*) AS kept FROM refusals").fetchone()["kept"] == 0
    assert sum(one.event == "call_unsettled" for one in found) == sum(not is_refused for _, _, is_refused in calls)
    single = sum(one.event == "call_refused" for one in found)
    further = sum(int(str(one.detail["further"])) for one in found if one.event == "calls_refused")
    assert single + further == sum(is_refused for _, _, is_refused in calls)
