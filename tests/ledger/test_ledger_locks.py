"""Who does something for all replicas: locks that the database frees when their holder is gone."""

import sys
from collections.abc import AsyncIterator

import anyio
import ledger_lock_holder
import pytest

from recontact_tools.ledger import LedgerUnavailable
from recontact_tools.ledger.locks import SessionLocks
from recontact_tools.ledger.postgres import connected
from recontact_tools.seats import FleetSeat

pytestmark = pytest.mark.anyio

SCHEMA = "recontact"
END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND datname = current_database()"
)


@pytest.fixture
async def one(database_url: str) -> AsyncIterator[SessionLocks]:
    locks = SessionLocks(database_url, SCHEMA)
    yield locks
    await locks.aclose()


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[SessionLocks]:
    locks = SessionLocks(database_url, SCHEMA)
    yield locks
    await locks.aclose()


def end_others(url: str) -> None:
    session = connected(url, SCHEMA)
    session.execute(END_OTHERS)
    session.close()


async def test_one_holds_a_lock_however_often_it_asks_until_it_frees_it(one: SessionLocks, other: SessionLocks) -> None:
    assert [await one.take("a"), await one.take("a"), await other.take("a")] == [True, True, False]
    assert await other.take("b")
    await one.free("a")
    await one.free("a")
    assert [await other.take("a"), await one.take("a")] == [True, False]


async def test_what_was_never_taken_need_not_be_freed(one: SessionLocks) -> None:
    await one.free("a")
    assert one.held_seconds() == 0.0


async def test_locks_of_another_schema_are_others(database_url: str, one: SessionLocks) -> None:
    elsewhere = SessionLocks(database_url, "recontact_other")
    assert [await one.take("a"), await elsewhere.take("a")] == [True, True]
    await elsewhere.aclose()


async def test_who_closes_frees_every_lock(one: SessionLocks, other: SessionLocks) -> None:
    assert await one.take("a")
    assert await one.take("b")
    await one.aclose()
    assert [await other.take("a"), await other.take("b")] == [True, True]


async def test_a_lock_is_free_as_soon_as_its_holder_was_killed(database_url: str, other: SessionLocks) -> None:
    command = [sys.executable, ledger_lock_holder.__file__, database_url, SCHEMA, "a"]
    async with await anyio.open_process(command) as holder:
        assert holder.stdout is not None
        assert await holder.stdout.receive() == b"True\n"
        taken = await other.take("a")
        holder.kill()
    with anyio.fail_after(10):
        while not await other.take("a"):
            await anyio.lowlevel.checkpoint()
    assert not taken


async def test_who_lost_its_connection_takes_its_lock_anew_if_nobody_else_did(
    database_url: str, one: SessionLocks, other: SessionLocks
) -> None:
    assert await one.take("a")
    end_others(database_url)
    assert await one.take("a")
    assert not await other.take("a")
    end_others(database_url)
    assert await other.take("a")
    assert not await one.take("a")


async def test_a_lock_that_was_lost_is_free_already(database_url: str, one: SessionLocks, other: SessionLocks) -> None:
    assert await one.take("a")
    end_others(database_url)
    await one.free("a")
    assert one.held_seconds() == 0.0
    assert await other.take("a")


async def test_how_long_the_locks_have_lasted_counts_from_the_connection(one: SessionLocks) -> None:
    await one.take("a")
    before = one.held_seconds()
    await one.take("b")
    assert 0 < before < one.held_seconds()


async def test_a_server_that_is_not_there_is_told_without_its_name(postgres: str) -> None:
    locks = SessionLocks(f"{postgres}-which-is-not-there", SCHEMA)
    with pytest.raises(LedgerUnavailable) as away:
        await locks.take("a")
    assert "not-there" not in str(away.value)
    await locks.aclose()


async def test_a_seat_among_replicas_is_taken_by_one_until_it_is_left(one: SessionLocks, other: SessionLocks) -> None:
    mine, theirs = FleetSeat(one, "following"), FleetSeat(other, "following")
    assert [await mine.taken(), await mine.taken(), await theirs.taken()] == [True, True, False]
    await mine.leave()
    assert [await theirs.taken(), await mine.taken()] == [True, False]
