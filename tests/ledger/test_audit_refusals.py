"""Calls that are refused in a loop do not make the audit trail grow with each, whichever process is asked."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest
from audit_chains import in_memory
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ledger_places import Place
from older_ledgers import set_back

from recontact_tools.ledger import audit, refusals
from recontact_tools.ledger.entries import Entry, Event
from recontact_tools.ledger.migrations import MIGRATIONS
from recontact_tools.ledger.refusals import ENTRIES_EACH, GROUPS_MAX, KINDS_MAX, PERIOD
from recontact_tools.ledger.schema import REFUSALS_APART
from recontact_tools.ledger.trail import Recorded, Wanted

if TYPE_CHECKING:
    from recontact_tools.ledger import Ledger

pytestmark = pytest.mark.anyio


def refused(now: datetime, code: str = "READ_ONLY", principal: str = "ann", subject: str = "upload") -> Entry:
    return Entry(at=now, principal=principal, event=Event.CALL_REFUSED, subject=subject, detail={"code": code})


def of_group(entry: Entry, group: str, setting: str | None = None) -> Entry:
    detail = {**entry.detail, **({"setting": setting} if setting else {})}
    return replace(entry, account_id=101, project_id="PROJECT", target_group_id=group, detail=detail)


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


async def test_a_target_group_does_not_hide_among_the_refusals_of_another_nor_a_setting(
    ledger: "Ledger", now: datetime
) -> None:
    for _ in range(2 * ENTRIES_EACH):
        await ledger.audit.record_refusal(of_group(refused(now), "DECOY", "READ_ONLY"))
    for kind in (("SECRET", "READ_ONLY"), ("SECRET", "FREEZE_FILE"), ("DECOY", "FREEZE_FILE")):
        await ledger.audit.record_refusal(of_group(refused(now), *kind))
    await ledger.audit.settle_refusals(now=now + PERIOD)
    found = (await entries(ledger))[ENTRIES_EACH:]
    assert [(one.target_group_id, one.detail["setting"]) for one in found[:3]] == [
        ("SECRET", "READ_ONLY"),
        ("SECRET", "FREEZE_FILE"),
        ("DECOY", "FREEZE_FILE"),
    ]
    [told] = found[3:]
    assert (told.account_id, told.project_id, told.target_group_id) == (101, "PROJECT", "DECOY")
    assert told.detail == {"code": "READ_ONLY", "setting": "READ_ONLY", "further": ENTRIES_EACH, "within_seconds": 0}


async def test_who_goes_through_an_account_makes_so_many_entries_and_one_that_says_how_many_target_groups(
    ledger: "Ledger", now: datetime
) -> None:
    beyond = 40
    for number in range(KINDS_MAX + beyond):
        for _ in range(2):
            await ledger.audit.record_refusal(of_group(refused(now), f"G{number}"))
    await ledger.audit.record_refusal(refused(now))  # names none, and there is no place for its kind either
    await ledger.audit.record_refusal(of_group(refused(now, subject="remove"), "G0"))
    await ledger.audit.record_refusal(of_group(refused(now, principal="bob"), "G99"))
    await ledger.audit.settle_refusals(now=now + PERIOD)
    found = await entries(ledger)
    single = [one for one in found if one.event == "call_refused" and one.principal == "ann"]
    assert len(single) == 2 * KINDS_MAX + ENTRIES_EACH + 1
    assert {one.target_group_id for one in single} >= {f"G{number}" for number in range(KINDS_MAX)}
    assert (single[-1].subject, single[-1].target_group_id) == ("remove", "G0"), "another tool is told of all the same"
    assert [one.target_group_id for one in found if one.principal == "bob"] == ["G99"]
    [told] = [one for one in found if one.event == "calls_refused"]
    assert (told.account_id, told.project_id, told.target_group_id) == (None, None, None)
    further = 2 * beyond + 1 - ENTRIES_EACH
    seen = beyond - ENTRIES_EACH // 2  # what was an entry is not among them
    assert told.detail == {"code": "READ_ONLY", "further": further, "target_groups": seen, "within_seconds": 0}
    await ledger.audit.record_refusal(of_group(refused(now + PERIOD), "G60"))
    assert (await entries(ledger))[-1].target_group_id == "G60", "a new hour has new places"


def test_no_more_target_groups_are_kept_than_the_entry_can_tell_of_and_none_for_longer() -> None:
    now = datetime.fromisoformat("2026-11-23T12:00:00+00:00")
    with in_memory() as connection:
        connection.execute("BEGIN")
        for number in range(KINDS_MAX + ENTRIES_EACH + GROUPS_MAX + 9):
            refusals.record_refusal(connection, of_group(refused(now), f"G{number}"))
        kept = "SELECT (SELECT count(*) FROM refused_groups) AS named, (SELECT count(*) FROM refusals) AS kinds"
        assert tuple(connection.execute(kept).fetchall()[0]) == (GROUPS_MAX, KINDS_MAX + 1)
        refusals.settle_refusals(connection, now + PERIOD)
        assert tuple(connection.execute(kept).fetchall()[0]) == (0, 0)
        [told] = audit.before(connection, None, Wanted(), 1)
    assert (told.detail["further"], told.detail["target_groups"]) == (GROUPS_MAX + 9, GROUPS_MAX)


async def test_what_an_older_version_counted_is_told_by_this_one(place: Place, now: datetime) -> None:
    await (await place.open()).aclose()
    set_back(place, MIGRATIONS.index(REFUSALS_APART))
    at = now.isoformat(timespec="microseconds")
    place.change(f"INSERT INTO refusals VALUES ('ann', 'upload', 'READ_ONLY', '{at}', '{at}', 5, 7)")  # noqa: S608
    ledger = await place.open()
    await ledger.audit.settle_refusals(now=now + PERIOD)
    [one] = await entries(ledger)
    assert one.detail == {"code": "READ_ONLY", "further": 7, "within_seconds": 0}
    await ledger.aclose()


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


KINDS = st.tuples(st.sampled_from("ab"), st.sampled_from((None, *(f"G{number}" for number in range(60)))))
CALLS = st.lists(st.tuples(KINDS, st.integers(0, 4_000), st.booleans()), max_size=60)
LOOP = [(("a", f"G{number}"), 1, True) for number in range(KINDS_MAX + 20)]


@settings(deadline=None, max_examples=100)
@example(calls=LOOP)
@given(calls=CALLS)
def test_however_calls_come_each_is_an_entry_or_counted_and_the_rest_of_the_trail_is_whole(
    calls: list[tuple[tuple[str, str | None], int, bool]],
) -> None:
    now = datetime.fromisoformat("2026-11-23T12:00:00+00:00")
    with in_memory() as connection:
        for (code, group), seconds, is_refused in calls:
            now += timedelta(seconds=seconds)
            entry = refused(now, code) if group is None else of_group(refused(now, code), group)
            connection.execute("BEGIN")
            with connection:
                if is_refused:
                    refusals.record_refusal(connection, entry)
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
