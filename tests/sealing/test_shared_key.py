"""All who share a ledger have one key of the snapshots: the first one is right, and is not written down."""

from collections.abc import Callable
from pathlib import Path

import pytest

from recontact_tools.errors import ErrorCode, Unreachable
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.sealing import KeyUnusable, Seal
from recontact_tools.shared_key import check_shared_key

pytestmark = pytest.mark.anyio

KEY, ANOTHER = bytes(range(32)), bytes(32)


def open_to_all() -> bytes:
    """Have no key that can be trusted."""
    raise KeyUnusable("others can read it")


def not_there() -> bytes:
    """Have no key at all."""
    raise FileNotFoundError


async def test_the_first_key_is_right_for_all_and_only_what_tells_it_from_others_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    ledger = SqlLedger.open(file)
    await check_shared_key(ledger, Seal(lambda: KEY))
    await check_shared_key(ledger, Seal(lambda: KEY))
    with pytest.raises(Unreachable, match="another key") as refused:
        await check_shared_key(ledger, Seal(lambda: ANOTHER))
    await check_shared_key(ledger, Seal(lambda: KEY))
    await ledger.aclose()

    assert (refused.value.code, refused.value.changed) == (ErrorCode.SNAPSHOT_UNREADABLE, "no")
    assert KEY not in file.read_bytes()


@pytest.mark.parametrize("key", [open_to_all, not_there])
async def test_without_a_key_that_can_be_used_nothing_is_shared(tmp_path: Path, key: Callable[[], bytes]) -> None:
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite")
    with pytest.raises(Unreachable, match="cannot be used"):
        await check_shared_key(ledger, Seal(key))
    await check_shared_key(ledger, Seal(lambda: KEY))
    await ledger.aclose()


async def test_what_is_written_under_a_name_first_stays(tmp_path: Path) -> None:
    one, other = (SqlLedger.open(tmp_path / "ledger.sqlite") for _ in range(2))
    found = [await one.pinned("name", b"one"), await other.pinned("name", b"other"), await one.pinned("else", b"other")]
    await one.aclose()
    await other.aclose()

    assert found == [b"one", b"one", b"other"]
