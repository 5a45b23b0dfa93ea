"""The audit trail of any ledger: what it records by itself, what others record, and what is found in it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import cast

import anyio
import pytest
from ledger_places import Place

from recontact_tools.errors import ErrorCode
from recontact_tools.ledger import Intent, Ledger, LedgerUnavailable, Plan
from recontact_tools.ledger import audit as trail
from recontact_tools.ledger.database import Connection, Database
from recontact_tools.ledger.entries import Entry, Event, Evidence, about, about_intent
from recontact_tools.ledger.migrations import AUDITED_SINCE, MIGRATIONS, migrate
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.ledger.sql_audit import SqlAudit
from recontact_tools.ledger.sqlite_connection import reading
from recontact_tools.ledger.trail import GENESIS, Recorded, Verdict, Wanted
from recontact_tools.models import Job, Reason, TargetGroup

pytestmark = pytest.mark.anyio

MakeIntent = Callable[..., Intent]
MakePlan = Callable[..., Plan]
ERROR = {"code": "REFUSED", "message": "The API refused it."}
CANARY = "c0ffee00-7a3e-4b62-9c57-0f6a2f4f8f10"


async def entries(ledger: Ledger, wanted: Wanted | None = None) -> list[Recorded]:
    """Return the trail, the oldest entry first."""
    return list(reversed(await ledger.audit.newest(1_000, wanted or Wanted())))


async def events(ledger: Ledger) -> list[str]:
    return [entry.event for entry in await entries(ledger)]


async def test_an_upload_is_recorded_from_its_intent_to_its_end(
    ledger: Ledger, upload: MakeIntent, now: datetime
) -> None:
    await ledger.open_intent(upload(stored_before=7), payload=b"x")
    await ledger.mark_sending("INTENT1", now=now)
    await ledger.mark_started("INTENT1", job_id="JOB1", now=now)
    await ledger.note_job("INTENT1", Job("JOB1", "Processing"), now=now)
    partly = Job("JOB1", "Completed", partial_success_reason=Reason(f"1 ID {CANARY} was not found"))
    await ledger.mark_finished("INTENT1", partly, now=now, settled_by="job")
    found = await entries(ledger)
    assert [(entry.event, entry.detail, entry.job_id) for entry in found] == [
        ("intent_planned", {"ids": 3, "stored_before": 7}, None),
        ("request_sending", {"ids": 3}, None),
        ("request_accepted", {}, "JOB1"),
        ("job_completed", {"settled_by": "job", "partly": True}, "JOB1"),
    ]
    assert {(entry.principal, entry.subject, entry.intent_id, entry.account_id) for entry in found} == {
        ("ann", "upload", "INTENT1", 101)
    }
    assert {entry.at for entry in found} == {"2026-11-23T12:00:00.000000+00:00"}
    assert CANARY not in str(found)


async def test_a_move_that_repeats_the_last_one_is_recorded_once(
    ledger: Ledger, upload: MakeIntent, now: datetime
) -> None:
    for _ in range(2):
        await ledger.open_intent(upload(), payload=b"x")
    for _ in range(2):
        await ledger.mark_sending("INTENT1", now=now)
    for _ in range(2):
        await ledger.mark_unknown("INTENT1", dict(ERROR), now=now)
    for _ in range(2):
        await ledger.mark_started("INTENT1", job_id="JOB1", now=now, found=True)
    for _ in range(2):
        await ledger.mark_finished("INTENT1", Job("JOB1", "Failed"), now=now, settled_by="job")
    assert await events(ledger) == [
        "intent_planned",
        "request_sending",
        "outcome_unknown",
        "job_found",
        "job_failed",
    ]


async def test_a_refusal_of_the_api_and_a_withdrawal_are_recorded_by_their_codes(
    ledger: Ledger, upload: MakeIntent, now: datetime
) -> None:
    await ledger.open_intent(upload(), payload=b"x")
    await ledger.withdraw("INTENT1", dict(ERROR), now=now)
    await ledger.withdraw("INTENT1", dict(ERROR), now=now)
    await ledger.open_intent(upload("INTENT2"), payload=b"x")
    await ledger.mark_sending("INTENT2", now=now)
    await ledger.mark_refused("INTENT2", dict(ERROR), now=now)
    told = [(entry.intent_id, entry.event, entry.detail) for entry in await entries(ledger)]
    assert told[1] == ("INTENT1", "intent_withdrawn", {"code": "REFUSED"})
    assert told[-1] == ("INTENT2", "request_refused", {"code": "REFUSED"})


async def test_an_agreement_is_recorded_with_its_grade_of_evidence(
    ledger: Ledger, plan: MakePlan, now: datetime
) -> None:
    await ledger.record_plan(plan())
    await ledger.record_plan(plan())
    assert await ledger.spend_plan("PLAN1", principal="ann", now=now)
    assert not await ledger.spend_plan("PLAN1", principal="ann", now=now)
    await ledger.approvals.ask(plan("PLAN2"), "CODE")
    assert await ledger.approvals.approve(
        "PLAN2", approver="bob", evidence=Evidence.HUMAN_OOB, receipt="{}", digest="sha256-x", now=now
    )
    assert await ledger.spend_plan("PLAN2", principal="ann", now=now, evidence=Evidence.HUMAN_OOB)
    assert [(entry.event, entry.plan_id, entry.detail) for entry in await entries(ledger)] == [
        ("plan_made", "PLAN1", {"ids": 500}),
        ("confirmation_agreed", "PLAN1", {"evidence": "client-elicited", "ids": 500}),
        ("plan_made", "PLAN2", {"ids": 500}),
        ("approval_asked", "PLAN2", {"ids": 500}),
        ("approval_given", "PLAN2", {"evidence": "human-oob", "ids": 500, "receipt": "sha256-x"}),
        ("confirmation_agreed", "PLAN2", {"evidence": "human-oob", "ids": 500}),
    ]


@pytest.mark.parametrize(
    ("code", "event"),
    [
        (ErrorCode.CONFIRMATION_DECLINED, "confirmation_declined"),
        (ErrorCode.CONFIRMATION_MISMATCH, "confirmation_mismatched"),
        (ErrorCode.CONFIRMATION_TIMED_OUT, "confirmation_timed_out"),
        (ErrorCode.PLAN_DRIFTED, "plan_closed"),
    ],
)
async def test_a_plan_that_nobody_agreed_to_is_recorded_with_the_reason(
    ledger: Ledger, plan: MakePlan, now: datetime, code: ErrorCode, event: str
) -> None:
    await ledger.record_plan(plan())
    await ledger.close_plan("PLAN1", now=now, code=code)
    await ledger.close_plan("PLAN1", now=now, code=code)
    await ledger.close_plan("NONE", now=now)
    found = await entries(ledger)
    assert [(entry.event, entry.detail) for entry in found[1:]] == [(event, {"code": code.value})]


async def test_a_plan_that_a_newer_one_replaces_is_recorded_as_closed(ledger: Ledger, plan: MakePlan) -> None:
    await ledger.record_plan(plan())
    await ledger.record_plan(plan("PLAN2"))
    assert [(entry.event, entry.plan_id) for entry in await entries(ledger)] == [
        ("plan_made", "PLAN1"),
        ("plan_closed", "PLAN1"),
        ("plan_made", "PLAN2"),
    ]


async def test_a_change_whose_entry_cannot_be_written_is_not_made(
    ledger: Ledger, upload: MakeIntent, place: Place, now: datetime
) -> None:
    await ledger.open_intent(upload(), payload=b"x")
    place.fill_up()
    with pytest.raises(LedgerUnavailable):
        await ledger.mark_sending("INTENT1", now=now)
    assert await ledger.get("INTENT1") == upload()
    assert await ledger.payload("INTENT1") == b"x"


async def test_what_others_record_joins_the_chain(
    ledger: Ledger, upload: MakeIntent, group: TargetGroup, now: datetime
) -> None:
    await ledger.open_intent(upload(), payload=b"x")
    begun = about(group, Event.SNAPSHOT_BEGUN, "snapshot", at=now, principal="ann", pages=12)
    await ledger.audit.record(replace(begun, plan_id="PLAN1"))
    await ledger.audit.record(about_intent(upload(), Event.REQUEST_UNANSWERED, now))
    found = await entries(ledger)
    assert [entry.seq for entry in found] == [1, 2, 3]
    assert (found[0].previous, found[1].detail, found[1].plan_id) == (GENESIS, {"pages": 12}, "PLAN1")
    assert all(later.previous == earlier.hash for earlier, later in pairwise(found))
    assert await ledger.audit.verify() == Verdict(count=3, head=found[-1].hash)
    assert (await ledger.audit.verify(found[0].hash)).holds
    assert not (await ledger.audit.verify("0badc0de")).holds


@pytest.mark.parametrize(
    "word",
    [CANARY, CANARY.replace("-", "").upper(), f"x{CANARY}", "/home/ann/list.csv", "wave 1", "", "x" * 65, "Bearer:t"],
)
def test_a_detail_takes_no_id_path_or_sentence(word: str, now: datetime) -> None:
    entry = Entry(at=now, principal="ann", event=Event.CALL_REFUSED, subject="upload_recontacts")
    for detail in ({"code": word}, {word: 1}):
        with pytest.raises(ValueError, match="words and numbers"):
            replace(entry, detail=detail)


def test_an_entry_takes_no_naive_time(now: datetime) -> None:
    with pytest.raises(ValueError, match="aware"):
        Entry(at=now.replace(tzinfo=None), principal="ann", event=Event.CALL_REFUSED, subject="upload_recontacts")


async def test_entries_are_found_by_principal_place_and_job(ledger: Ledger, group: TargetGroup, now: datetime) -> None:
    other = replace(group, target_group_id="01BTGNYV6HRNK8K8VKZASZCFP2", account_id=7)
    for place, principal in ((group, "ann"), (group, "bob"), (other, "ann")):
        await ledger.audit.record(about(place, Event.RESTORE_BEGUN, "restore", at=now, principal=principal))
    unplaced = Entry(at=now, principal="ann", event=Event.CALL_REFUSED, subject="upload_recontacts")
    await ledger.audit.record(replace(unplaced, target_group_id=group.target_group_id))
    await ledger.audit.record(replace(unplaced, intent_id="I1"))
    await ledger.audit.record(replace(unplaced, job_id="J1"))

    async def found(**fields: str | int) -> list[int]:
        return [entry.seq for entry in await entries(ledger, Wanted(**fields))]  # type: ignore[arg-type]

    assert await found() == [1, 2, 3, 4, 5, 6]
    assert await found(principal="bob") == [2]
    assert await found(target_group_id=group.target_group_id) == [1, 2, 4]
    assert await found(account_id=7, target_group_id=other.target_group_id) == [3]
    assert await found(account_id=7, project_id=group.project_id, target_group_id=group.target_group_id) == [4]
    assert (await found(job_id="I1"), await found(job_id="J1"), await found(job_id="J2")) == ([5], [6], [])


async def test_the_newest_come_first_however_many_pages_that_takes(
    ledger: Ledger, group: TargetGroup, now: datetime
) -> None:
    count = 2 * trail.PAGE + 1

    def many(connection: Connection) -> None:
        for number in range(count):
            trail.append(
                connection, about(group, Event.REPLACEMENT_STAGE, "replacement", at=now, principal="ann", number=number)
            )

    assert isinstance(ledger, SqlLedger)
    await ledger._database.write(many)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    newest = await ledger.audit.newest(3, Wanted())
    rare = await ledger.audit.newest(3, Wanted(), keep=lambda entry: entry.seq % trail.PAGE == 1)
    everything = await ledger.audit.newest(10_000, Wanted())
    assert [entry.seq for entry in newest] == [count, count - 1, count - 2]
    assert [entry.seq for entry in rare] == [count, trail.PAGE + 1, 1]
    assert len(everything) == count
    assert (await ledger.audit.verify()).count == count


class Counting:
    """A database that counts how often it is read."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.reads = 0

    async def read_in_thread(self, read: Callable[[Connection], Verdict]) -> Verdict:
        self.reads += 1
        return await self._database.read_in_thread(read)


async def test_many_who_look_at_once_have_the_chain_checked_once_after_they_asked(
    ledger: Ledger, group: TargetGroup, now: datetime
) -> None:
    assert isinstance(ledger, SqlLedger)
    counting, found = Counting(ledger._database), list[int]()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    audit = SqlAudit(cast("Database", counting))
    entry = about(group, Event.CANCELLATION_ASKED, "snapshot", at=now, principal="ann")
    await ledger.audit.record(entry)

    async def look() -> None:
        found.append((await audit.verify()).count)

    await look()
    once, counting.reads = counting.reads, 0
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(look)
        await anyio.wait_all_tasks_blocked()
        await ledger.audit.record(entry)
        tasks.start_soon(look)  # who asks after the second entry is told of it
    assert (found[0], found[-1]) == (1, 2)
    assert counting.reads <= 4 * once


async def test_several_ledgers_on_one_database_write_one_chain(place: Place, group: TargetGroup, now: datetime) -> None:
    ledgers = [await place.open() for _ in range(4)]

    async def write(ledger: SqlLedger, principal: str) -> None:
        for number in range(25):
            event = Event.CANCELLATION_ASKED
            await ledger.audit.record(about(group, event, "snapshot", at=now, principal=principal, number=number))
            assert (await ledger.audit.verify()).holds

    async with anyio.create_task_group() as tasks:
        for number, ledger in enumerate(ledgers):
            tasks.start_soon(write, ledger, f"p{number}")
    verdict = await ledgers[0].audit.verify()
    for ledger in ledgers:
        await ledger.aclose()
    assert (verdict.holds, verdict.count) == (True, 100)


async def test_the_trail_is_read_beside_a_ledger_that_is_open_and_cannot_be_written(
    ledger: Ledger, upload: MakeIntent, place: Place, group: TargetGroup, now: datetime
) -> None:
    await ledger.open_intent(upload(), payload=b"x")
    with place.reading() as connection:
        assert trail.verify(connection).count == 1
    with pytest.raises(LedgerUnavailable), place.reading() as connection:
        connection.execute("INSERT INTO updates (origin, uri) VALUES ('x', 'x')")
    await ledger.audit.record(about(group, Event.CANCELLATION_DONE, "snapshot", at=now, principal="ann"))
    assert (await ledger.audit.verify()).count == 2


def test_a_ledger_of_an_older_version_has_an_empty_trail_and_stays_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, MIGRATIONS[: AUDITED_SINCE - 1])
    with reading(path) as connection:
        assert trail.before(connection, None, Wanted(), 10) == []
        assert trail.verify(connection) == Verdict()
        assert connection.execute("PRAGMA user_version").fetchone()[0] == AUDITED_SINCE - 1


def test_a_ledger_of_a_newer_version_is_not_read(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, (*MIGRATIONS, ("CREATE TABLE later (id INTEGER)",)))
    with pytest.raises(LedgerUnavailable, match="newer version"), reading(path):
        pass
