"""Hearing that another process announced something, instead of looking again and again."""

from collections.abc import AsyncIterator

import anyio
import pytest
from ledger_places import SCHEMA, Place, SchemaPlace

from recontact_tools.ledger.bell import Bell
from recontact_tools.ledger.sql import SqlLedger

pytestmark = pytest.mark.anyio

# ours: what is waited for comes at once, or the test fails at its own limit long before.
LONG, PATIENCE = 600.0, 30.0
OTHERS = "SELECT 1 FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
END_LISTENERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"


@pytest.fixture
def schema(database_url: str) -> SchemaPlace:
    return SchemaPlace(database_url, SCHEMA)


@pytest.fixture
async def listener(schema: SchemaPlace) -> AsyncIterator[SqlLedger]:
    """A ledger that is listening: its first answer only says so."""
    opened = await schema.open()
    with anyio.fail_after(PATIENCE):
        await opened.updates.heard(LONG)
    yield opened
    await opened.aclose()


async def test_an_announcement_is_heard_by_another_process_on_any_database(place: Place) -> None:
    one, other = await place.open(), await place.open()
    position = await one.updates.latest()
    await other.updates.announce(["a"], origin="other")
    with anyio.fail_after(PATIENCE):
        while not (news := await one.updates.since(position, origin="one")).uris:
            await one.updates.heard(LONG)
    for ledger in (one, other):
        await ledger.aclose()
    assert news.uris == ("a",)


async def test_who_waits_hears_at_once(schema: SchemaPlace, listener: SqlLedger) -> None:
    other, heard = await schema.open(), list[str]()

    async def wait() -> None:
        await listener.updates.heard(LONG)
        heard.extend((await listener.updates.since(0, origin="one")).uris)

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await other.updates.announce(["a"], origin="other")
    await other.aclose()
    assert heard == ["a"]


async def test_what_was_announced_while_nobody_waited_is_heard_at_the_next_wait(
    schema: SchemaPlace, listener: SqlLedger
) -> None:
    other = await schema.open()
    await other.updates.announce(["a"], origin="other")
    await other.aclose()
    with anyio.fail_after(PATIENCE):
        await listener.updates.heard(LONG)


async def test_who_hears_nothing_goes_on_after_its_time(schema: SchemaPlace, listener: SqlLedger) -> None:
    elsewhere = await SchemaPlace(schema.url, "recontact_other").open()
    await elsewhere.updates.announce(["a"], origin="other")
    await elsewhere.aclose()
    with anyio.move_on_after(0.2) as deaf:
        await listener.updates.heard(LONG)
    with anyio.fail_after(PATIENCE):
        await listener.updates.heard(0.01)
    assert deaf.cancelled_caught


async def test_who_was_cut_off_hears_again_and_looks_at_once(schema: SchemaPlace, listener: SqlLedger) -> None:
    with schema.session() as session:
        session.execute(END_LISTENERS)
    other = await schema.open()
    await other.updates.announce(["a"], origin="other")
    with anyio.fail_after(PATIENCE):
        await listener.updates.heard(0.01)  # notices
        await listener.updates.heard(LONG)  # hears again, and may have missed something
        await other.updates.announce(["b"], origin="other")
        await listener.updates.heard(LONG)
    await other.aclose()
    assert (await listener.updates.since(0, origin="one")).uris == ("a", "b")


async def test_a_server_that_is_away_is_no_error_to_who_waits(postgres: str) -> None:
    bell = Bell(f"{postgres}-which-is-not-there", SCHEMA)
    with anyio.fail_after(PATIENCE):
        await bell.heard(0.01)
    await bell.aclose()


async def test_a_connection_that_cannot_listen_is_closed_again(database_url: str) -> None:
    bell = Bell(database_url, "no name of a schema")
    with pytest.raises(ValueError, match="name"):
        await bell.heard(LONG)
    with anyio.fail_after(PATIENCE), SchemaPlace(database_url, SCHEMA).session() as session:
        while session.execute(OTHERS).fetchone() is not None:
            await anyio.lowlevel.checkpoint()
