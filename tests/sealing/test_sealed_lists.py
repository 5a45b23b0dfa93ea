"""Lists of ids come back as they were sealed, in order; one hash stands for a set, whatever its order."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from uuid import UUID

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recontact_tools.comparing import packed_file
from recontact_tools.errors import ErrorCode, Unreachable
from recontact_tools.identifiers import read_identifiers
from recontact_tools.ledger import Ledger, Proof, Purpose, Snapshot
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.models import TargetGroup
from recontact_tools.sealed_lists import (
    PIECE_IDS,
    Opened,
    closed,
    ids_of,
    lines_of,
    opened,
    opened_pieces,
    pieces_of,
    proof_of,
    set_hash,
)
from recontact_tools.sealing import KeyUnusable, Seal

pytestmark = pytest.mark.anyio

SEAL, OTHER = Seal(lambda: bytes(32)), Seal(lambda: bytes([1]) * 32)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
IDS = st.lists(st.binary(min_size=16, max_size=16), unique=True, max_size=40)
# Ids as respondents have them: version 4, as what reads files expects.
RESPONDENTS = st.lists(st.uuids(version=4).map(lambda one: one.bytes), unique=True, min_size=1, max_size=40)
CURSORS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite")
    yield ledger
    await ledger.aclose()


@given(IDS, CURSORS, st.integers(0, 10_000))
def test_a_piece_opens_as_it_was_closed(ids: list[bytes], cursor: str | None, number: int) -> None:
    piece = closed(SEAL, "LIST", number, ids, cursor)
    assert (piece.number, piece.ids) == (number, len(ids))
    assert opened(SEAL, "LIST", number, piece.sealed) == Opened(ids, cursor)


@given(IDS, CURSORS)
def test_a_piece_opens_in_its_own_list_and_at_its_own_number_only(ids: list[bytes], cursor: str | None) -> None:
    piece = closed(SEAL, "LIST", 1, ids, cursor)
    for seal, snapshot_id, number in ((OTHER, "LIST", 1), (SEAL, "OTHER", 1), (SEAL, "LIST", 2), (SEAL, "LIST/1", 1)):
        with pytest.raises(Unreachable) as refusal:
            opened(seal, snapshot_id, number, piece.sealed)
        assert refusal.value.code is ErrorCode.SNAPSHOT_UNREADABLE


@pytest.mark.parametrize("fault", [KeyUnusable("open to others"), PermissionError("/home/canary")])
def test_a_key_that_cannot_be_used_is_told_without_its_place(fault: Exception) -> None:
    def key() -> bytes:
        raise fault

    broken = Seal(key)
    piece = closed(SEAL, "LIST", 0, [bytes(16)], None)
    acts: list[Callable[[], object]] = [
        lambda: closed(broken, "LIST", 0, [], None),
        lambda: opened(broken, "LIST", 0, piece.sealed),
    ]
    for act in acts:
        with pytest.raises(Unreachable) as refusal:
            act()
        told = refusal.value.as_dict()
        assert (told["code"], told["changed"], told["safe_to_repeat"]) == ("SNAPSHOT_UNREADABLE", "no", False)
        assert "canary" not in str(told)


@settings(deadline=None)
@given(st.sampled_from([0, 1, PIECE_IDS - 1, PIECE_IDS, PIECE_IDS + 1, 2 * PIECE_IDS + 7]))
def test_a_whole_list_is_cut_into_pieces_that_make_it_again(count: int) -> None:
    ids = [UUID(int=number).bytes for number in range(count)]
    pieces = pieces_of(SEAL, "LIST", ids)
    assert [piece.number for piece in pieces] == list(range(len(pieces)))
    assert sum(piece.ids for piece in pieces) == count
    assert all(0 < piece.ids <= PIECE_IDS for piece in pieces)
    whole = [one for piece in pieces for one in opened(SEAL, "LIST", piece.number, piece.sealed).ids]
    assert whole == ids


@given(RESPONDENTS)
def test_the_lines_of_a_list_are_read_as_the_same_list(ids: list[bytes]) -> None:
    lines = lines_of(ids)
    assert lines == "".join(f"{UUID(bytes=one)}\n" for one in ids).encode()
    assert packed_file(read_identifiers(lines)) == ids


def test_an_empty_list_has_no_lines() -> None:
    assert lines_of([]) == b""


@settings(deadline=None)
@given(IDS, st.randoms(), st.binary(min_size=16, max_size=16))
def test_a_hash_stands_for_a_set_whatever_its_order(ids: list[bytes], random: Random, other: bytes) -> None:
    shuffled = list(ids)
    random.shuffle(shuffled)

    async def hashes(folder: Path) -> tuple[str, str, str]:
        ledger = SqlLedger.open(folder / "ledger.sqlite")
        try:
            another = [one for one in ids if one != other] if other in ids else [*ids, other]
            return (await set_hash(ledger, ids), await set_hash(ledger, shuffled), await set_hash(ledger, another))
        finally:
            await ledger.aclose()

    with TemporaryDirectory() as folder:
        ordered, mixed, different = anyio.run(hashes, Path(folder))
    assert ordered == mixed != different


async def test_the_hash_of_a_set_means_nothing_in_another_ledger(ledger: Ledger, tmp_path: Path) -> None:
    other = SqlLedger.open(tmp_path / "other.sqlite")
    assert await set_hash(ledger, [bytes(16)]) != await set_hash(other, [bytes(16)])
    await other.aclose()


@pytest.mark.parametrize(
    ("stored", "expected", "missing", "extra"),
    [
        pytest.param("abc", "cba", 0, 0, id="the same in another order"),
        pytest.param("", "", 0, 0, id="nothing and nothing"),
        pytest.param("ab", "abc", 1, 0, id="one is missing"),
        pytest.param("abc", "ab", 0, 1, id="one too many"),
        pytest.param("abd", "abc", 1, 1, id="as many and others"),
        pytest.param("", "abc", 3, 0, id="none at all"),
    ],
)
async def test_a_proof_counts_what_is_missing_and_what_is_extra(
    ledger: Ledger, stored: str, expected: str, missing: int, extra: int
) -> None:
    there, wanted = ([letter.encode() * 16 for letter in letters] for letters in (stored, expected))
    proof = await proof_of(ledger, stored=there, expected=wanted)
    assert proof == Proof(len(stored), len(expected), missing, extra, await set_hash(ledger, there))
    assert proof.is_equal is (missing == extra == 0)


async def kept(ledger: Ledger, ids: list[bytes], *, hashed: list[bytes] | None = None) -> None:
    """Keep a complete list, under the hash of another one if that is given."""
    empty = Snapshot(
        snapshot_id="LIST",
        purpose=Purpose.REMOVAL,
        principal="ann",
        group=TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1"),
        expected=len(ids),
        created_at=NOW,
        updated_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )
    await ledger.snapshots.begin(empty)
    await ledger.snapshots.add("LIST", pieces_of(SEAL, "LIST", ids), now=NOW)
    await ledger.snapshots.complete("LIST", set_hash=await set_hash(ledger, hashed or ids), now=NOW)


async def test_a_kept_list_comes_back_in_its_order(ledger: Ledger) -> None:
    ids = [UUID(int=number).bytes for number in reversed(range(PIECE_IDS + 1))]
    await kept(ledger, ids)
    assert await ids_of(ledger, SEAL, "LIST") == ids
    assert [len(piece.ids) for piece in await opened_pieces(ledger, SEAL, "LIST")] == [PIECE_IDS, 1]


async def test_a_list_that_is_not_what_its_hash_says_is_not_used(ledger: Ledger) -> None:
    await kept(ledger, [bytes(16)], hashed=[bytes([1]) * 16])
    with pytest.raises(Unreachable) as refusal:
        await ids_of(ledger, SEAL, "LIST")
    assert refusal.value.code is ErrorCode.SNAPSHOT_UNREADABLE


async def test_a_list_that_is_not_there_or_not_complete_is_not_used(ledger: Ledger) -> None:
    with pytest.raises(Unreachable):
        await ids_of(ledger, SEAL, "LIST")
    await kept(ledger, [bytes(16)])
    await ledger.snapshots.delete("LIST", now=NOW)
    with pytest.raises(Unreachable):
        await ids_of(ledger, SEAL, "LIST")


async def test_a_list_that_is_still_read_is_not_used(ledger: Ledger) -> None:
    await kept(ledger, [bytes(16)])
    snapshot = await ledger.snapshots.get("LIST")
    assert snapshot is not None
    await ledger.snapshots.begin(replace(snapshot, count=0, pieces=0, set_hash=None), afresh=True)
    with pytest.raises(Unreachable):
        await ids_of(ledger, SEAL, "LIST")
