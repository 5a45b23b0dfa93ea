"""What any ledger does with sealed lists: they grow in order, count once complete, and leave no trace when deleted."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from ledger_places import Place

from recontact_tools.ledger import Intent, Ledger, Piece, Purpose, Replacement, Snapshot, Stage
from recontact_tools.models import IdType, JobKind, TargetGroup

pytestmark = pytest.mark.anyio

Upload = Callable[..., Intent]
Replacing = Callable[..., Replacement]
Kept = Callable[..., Snapshot]
CANARY = b"a sealed piece that must not be found again"


@pytest.fixture
def snapshot(now: datetime, group: TargetGroup) -> Kept:
    """Make an empty snapshot that is kept for thirty days; fields can be given."""

    def make(snapshot_id: str = "SNAPSHOT1", **fields: Any) -> Snapshot:
        made = Snapshot(
            snapshot_id=snapshot_id,
            purpose=Purpose.REMOVAL,
            principal="ann",
            group=group,
            expected=3,
            created_at=now,
            updated_at=now,
            expires_at=now + timedelta(days=30),
        )
        return replace(made, **fields)

    return make


async def test_a_list_grows_piece_by_piece_and_is_complete_once_it_is_declared(
    ledger: Ledger, snapshot: Kept, now: datetime
) -> None:
    later = now + timedelta(minutes=1)
    assert await ledger.snapshots.begin(snapshot()) == snapshot()
    await ledger.snapshots.add("SNAPSHOT1", [Piece(0, b"zero", 2), Piece(1, b"one", 1)], now=later)
    grown = snapshot(count=3, pieces=2, updated_at=later)
    assert await ledger.snapshots.get("SNAPSHOT1") == grown
    assert not grown.is_complete
    await ledger.snapshots.complete("SNAPSHOT1", set_hash="hash", now=later)
    complete = await ledger.snapshots.get("SNAPSHOT1")
    assert complete is not None
    assert complete == replace(grown, set_hash="hash")
    assert complete.is_complete
    assert await ledger.snapshots.sealed("SNAPSHOT1") == (b"zero", b"one")


async def test_a_list_that_was_never_written_is_not_found(ledger: Ledger, group: TargetGroup, now: datetime) -> None:
    assert await ledger.snapshots.get("NONE") is None
    assert await ledger.snapshots.sealed("NONE") == ()
    assert await ledger.snapshots.kept(group) == ()
    assert not await ledger.snapshots.delete("NONE", now=now)


async def test_a_list_that_was_begun_goes_on_where_it_was(ledger: Ledger, snapshot: Kept, now: datetime) -> None:
    await ledger.snapshots.begin(snapshot())
    await ledger.snapshots.add("SNAPSHOT1", [Piece(0, b"zero", 2)], now=now)
    assert await ledger.snapshots.begin(snapshot(expected=7)) == snapshot(count=2, pieces=1)


async def test_a_list_that_is_begun_afresh_is_empty_again(ledger: Ledger, snapshot: Kept, now: datetime) -> None:
    await ledger.snapshots.begin(snapshot())
    await ledger.snapshots.add("SNAPSHOT1", [Piece(0, b"zero", 2)], now=now)
    assert await ledger.snapshots.begin(snapshot(expected=7), afresh=True) == snapshot(expected=7)
    assert await ledger.snapshots.sealed("SNAPSHOT1") == ()


@pytest.mark.parametrize(
    ("number", "why"), [(0, "it is there already"), (2, "the one before is missing")], ids=["again", "too early"]
)
async def test_a_piece_that_is_not_the_next_one_is_left_out(
    ledger: Ledger, snapshot: Kept, now: datetime, number: int, why: str
) -> None:
    await ledger.snapshots.begin(snapshot())
    await ledger.snapshots.add("SNAPSHOT1", [Piece(0, b"zero", 2)], now=now)
    await ledger.snapshots.add("SNAPSHOT1", [Piece(number, b"other", 1)], now=now + timedelta(minutes=1))
    assert await ledger.snapshots.sealed("SNAPSHOT1") == (b"zero",), why
    assert await ledger.snapshots.get("SNAPSHOT1") == snapshot(count=2, pieces=1)


async def test_a_complete_list_never_changes(ledger: Ledger, snapshot: Kept, now: datetime) -> None:
    await ledger.snapshots.begin(snapshot())
    await ledger.snapshots.add("SNAPSHOT1", [Piece(0, b"zero", 2)], now=now)
    await ledger.snapshots.complete("SNAPSHOT1", set_hash="first", now=now)
    await ledger.snapshots.add("SNAPSHOT1", [Piece(1, b"one", 1)], now=now)
    await ledger.snapshots.complete("SNAPSHOT1", set_hash="second", now=now + timedelta(minutes=1))
    assert await ledger.snapshots.get("SNAPSHOT1") == snapshot(count=2, pieces=1, set_hash="first")
    assert await ledger.snapshots.sealed("SNAPSHOT1") == (b"zero",)


async def test_snapshots_are_listed_latest_first_without_the_lists_of_replacements(
    ledger: Ledger, snapshot: Kept, group: TargetGroup
) -> None:
    elsewhere = replace(group, account_id=102)
    await ledger.snapshots.begin(snapshot("A"))
    await ledger.snapshots.begin(snapshot("B", group=elsewhere))
    await ledger.snapshots.begin(snapshot("C", purpose=Purpose.REPLACEMENT))
    await ledger.snapshots.begin(snapshot("D"))
    assert [one.snapshot_id for one in await ledger.snapshots.kept()] == ["D", "B", "A"]
    assert [one.snapshot_id for one in await ledger.snapshots.kept(group)] == ["D", "A"]
    assert [one.snapshot_id for one in await ledger.snapshots.kept(limit=1)] == ["D"]
    assert await ledger.snapshots.kept(elsewhere) == (snapshot("B", group=elsewhere),)


async def test_a_deleted_list_leaves_no_trace_in_its_tables(
    ledger: Ledger, snapshot: Kept, now: datetime, place: Place
) -> None:
    await ledger.snapshots.begin(snapshot())
    await ledger.snapshots.add("SNAPSHOT1", [Piece(0, CANARY * 30, 3)], now=now)
    assert CANARY in place.pages()
    assert await ledger.snapshots.delete("SNAPSHOT1", now=now)
    assert CANARY not in place.pages()


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_a_deleted_list_leaves_no_trace_in_a_file_beside_others_either(
    ledger: Ledger, snapshot: Kept, now: datetime, place: Place
) -> None:
    await ledger.snapshots.begin(snapshot())
    await ledger.snapshots.begin(snapshot("OTHER"))
    await ledger.snapshots.add("SNAPSHOT1", [Piece(0, CANARY * 30, 3)], now=now)
    await ledger.snapshots.add("OTHER", [Piece(0, b"other", 3)], now=now)
    assert CANARY in place.pages()
    assert await ledger.snapshots.delete("SNAPSHOT1", now=now)
    assert await ledger.snapshots.get("SNAPSHOT1") is None
    assert await ledger.snapshots.sealed("SNAPSHOT1") == ()
    assert await ledger.snapshots.sealed("OTHER") == (b"other",)
    assert CANARY not in place.pages()


async def test_lists_expire_from_their_moment_on_and_not_before(
    ledger: Ledger, snapshot: Kept, now: datetime, place: Place
) -> None:
    due = now + timedelta(days=30)
    await ledger.snapshots.begin(snapshot("A"))
    await ledger.snapshots.add("A", [Piece(0, CANARY, 3)], now=now)
    await ledger.snapshots.begin(snapshot("B", purpose=Purpose.REPLACEMENT))
    await ledger.snapshots.begin(snapshot("C", expires_at=due + timedelta(seconds=1)))
    assert await ledger.snapshots.expire(now=due - timedelta(seconds=1)) == 0
    assert await ledger.snapshots.expire(now=due) == 2
    assert await ledger.snapshots.expire(now=due) == 0
    assert [one.snapshot_id for one in await ledger.snapshots.kept()] == ["C"]
    assert CANARY not in place.pages()


async def test_what_a_running_removal_needs_does_not_expire(
    ledger: Ledger, snapshot: Kept, upload: Upload, now: datetime
) -> None:
    due = now + timedelta(days=30)
    await ledger.open_intent(upload("SNAPSHOT1", kind=JobKind.REMOVAL, id_type=None, file_name=None), payload=None)
    await ledger.snapshots.begin(snapshot())
    kept = await ledger.snapshots.expire(now=due)
    await ledger.withdraw("SNAPSHOT1", {"code": "CANCELLED"}, now=now)
    assert (kept, await ledger.snapshots.expire(now=due)) == (0, 1)


async def test_what_a_running_replacement_needs_does_not_expire(
    ledger: Ledger, snapshot: Kept, upload: Upload, replacement: Replacing, now: datetime
) -> None:
    due = now + timedelta(days=30)
    await ledger.replacements.open(replacement("NEW", removal_id="OLD", id_type=IdType.RSID, plan_id=None))
    for removal_id in ("OLD", "OLD-1"):  # the answer to the first was lost
        removal = upload(removal_id, kind=JobKind.REMOVAL, id_type=None, file_name=None, parent_id="NEW")
        await ledger.open_intent(removal, payload=None)
        await ledger.withdraw(removal_id, {"code": "CANCELLED"}, now=now)
        await ledger.snapshots.begin(snapshot(removal_id))
    await ledger.snapshots.begin(snapshot("NEW", purpose=Purpose.REPLACEMENT))
    await ledger.snapshots.begin(snapshot("UNRELATED"))
    assert await ledger.snapshots.expire(now=due) == 1
    assert await ledger.snapshots.get("UNRELATED") is None
    await ledger.replacements.move("NEW", Stage.REMOVING, Stage.STUCK, now=now)
    assert await ledger.snapshots.expire(now=due) == 3
