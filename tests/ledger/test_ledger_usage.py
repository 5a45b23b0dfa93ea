"""Caps by the day, held where work is opened, on both databases; and what earlier versions kept of principals."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from ledger_places import Place

from recontact_tools.ledger import CapReached, Intent, KeyTaken
from recontact_tools.ledger.migrations import MIGRATIONS, migrate
from recontact_tools.ledger.schema import CLAIMS
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.models import Caps, JobKind, TargetGroup

pytestmark = pytest.mark.anyio

Upload = Callable[..., Intent]


def elsewhere(number: int) -> TargetGroup:
    return TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", f"{number:026}")


def removal(upload: Upload, number: int, **fields: object) -> Intent:
    return upload(f"R{number}", kind=JobKind.REMOVAL, group=elsewhere(number), id_type=None, file_name=None, **fields)


async def test_what_is_opened_counts_for_its_principal_and_day(
    ledger: SqlLedger, upload: Upload, now: datetime
) -> None:
    caps = Caps()
    await ledger.open_intent(upload("A", group=elsewhere(1), ids=3), payload=b"", caps=caps)
    await ledger.open_intent(upload("B", group=elsewhere(2), ids=4), payload=b"", caps=caps)
    await ledger.open_intent(removal(upload, 3), payload=None, caps=caps)
    await ledger.open_intent(upload("C", group=elsewhere(4), principal="bob", ids=9), payload=b"", caps=caps)
    await ledger.open_intent(upload("D", group=elsewhere(5), ids=9), payload=b"")
    assert await ledger.usage.today("ann", now=now) == Caps(2, 7, 1)
    assert await ledger.usage.today("bob", now=now) == Caps(1, 9, 0)
    assert await ledger.usage.today("ann", now=now + timedelta(days=1)) == Caps(0, 0, 0)


@pytest.mark.parametrize(
    ("caps", "name", "used"),
    [(Caps(uploads=1), "uploads", 1), (Caps(ids=5), "ids", 3), (Caps(9, 5, 9), "ids", 3)],
)
async def test_more_than_a_cap_is_not_written_and_counts_nothing(
    ledger: SqlLedger, upload: Upload, now: datetime, caps: Caps, name: str, used: int
) -> None:
    await ledger.open_intent(upload("A", group=elsewhere(1), ids=3), payload=b"", caps=caps)
    with pytest.raises(CapReached) as reached:
        await ledger.open_intent(upload("B", group=elsewhere(2), ids=3), payload=b"", caps=caps)
    assert (reached.value.name, reached.value.used) == (name, used)
    assert await ledger.get("B") is None
    assert await ledger.usage.today("ann", now=now) == Caps(1, 3, 0)
    await ledger.open_intent(removal(upload, 3), payload=None, caps=caps)


async def test_a_removal_has_a_cap_of_its_own(ledger: SqlLedger, upload: Upload) -> None:
    await ledger.open_intent(removal(upload, 1), payload=None, caps=Caps(removals=1))
    with pytest.raises(CapReached):
        await ledger.open_intent(removal(upload, 2), payload=None, caps=Caps(removals=1))


async def test_the_next_day_begins_at_midnight_utc(ledger: SqlLedger, upload: Upload) -> None:
    late = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)
    early = late + timedelta(seconds=1)
    first = upload("A", group=elsewhere(1), created_at=late, updated_at=late)
    second = upload("B", group=elsewhere(2), created_at=early, updated_at=early)
    await ledger.open_intent(first, payload=b"", caps=Caps(uploads=1))
    await ledger.open_intent(second, payload=b"", caps=Caps(uploads=1))


async def test_a_repeated_call_and_a_refused_key_count_nothing(
    ledger: SqlLedger, upload: Upload, now: datetime
) -> None:
    caps = Caps(uploads=1)
    first = upload("A", fingerprint="f", idempotency_key="k")
    await ledger.open_intent(first, payload=b"", caps=caps)
    again = await ledger.open_intent(upload("B", fingerprint="f", idempotency_key="k"), payload=b"", caps=caps)
    assert again.intent_id == "A"
    with pytest.raises(KeyTaken):
        await ledger.open_intent(upload("C", fingerprint="g", idempotency_key="k"), payload=b"", caps=caps)
    assert (await ledger.usage.today("ann", now=now)).uploads == 1


async def test_replicas_that_count_at_once_do_not_overrun_a_cap(place: Place, upload: Upload, now: datetime) -> None:
    ledgers = [await place.open() for _ in range(3)]
    refused: list[int] = []

    async def one(ledger: SqlLedger, number: int) -> None:
        try:
            intent = upload(f"I{number}", group=elsewhere(number))
            await ledger.open_intent(intent, payload=b"", caps=Caps(uploads=5))
        except CapReached:
            refused.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(one, ledgers[number % 3], number)
    assert len(refused) == 7
    assert (await ledgers[0].usage.today("ann", now=now)).uploads == 5
    for ledger in ledgers:
        await ledger.aclose()


async def test_what_an_earlier_version_kept_of_a_principal_is_still_read(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, MIGRATIONS[: MIGRATIONS.index(CLAIMS)])
        connection.execute("INSERT INTO principals VALUES ('ann', '{\"groups\": [\"b\"]}', '2026-11-23')")
    ledger = SqlLedger.open(path)
    assert await ledger.usage.claims_of("ann") == {"groups": ["b"]}
    assert await ledger.usage.claims_of("bob") == {}
    await ledger.aclose()
