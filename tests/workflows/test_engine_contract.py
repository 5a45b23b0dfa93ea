"""What the engine's package does for replicas without promising it: a new version may change it."""

from collections.abc import AsyncGenerator

import anyio
import psycopg
import pytest
from anyio import to_thread
from crews import ENGINE, LEDGER, Database, engine_at
from dbos import DBOSClient
from desk_setting import IDS, Setting

from recontact_tools import launching
from recontact_tools.ledger import IntentState
from recontact_tools.ledger.locks import SessionLocks
from recontact_tools.models import JobKind
from recontact_tools.work import work_of

pytestmark = pytest.mark.anyio

# source: the issue "Remote", 4; with the engine's own look of a second
TAKEN_OVER_WITHIN = 3


@pytest.fixture
async def locks(database_url: str) -> AsyncGenerator[SessionLocks]:
    """The locks of one process."""
    held = SessionLocks(database_url, LEDGER)
    yield held
    await held.aclose()


async def left_behind(setting: Setting, url: str, name: str) -> None:
    """Have a replica begin an upload and end before it has sent anything."""
    await setting.intend("A", JobKind.UPLOAD, IDS)
    desk = setting.another_desk()
    await desk.close()  # its gate lets nothing through
    await launching.launch_replica(url, ENGINE, name, desk)
    await launching.run(await work_of(setting.desk.ledger, "A"))
    await to_thread.run_sync(launching.shut_down)


def states(url: str) -> list[tuple[str, str | None]]:
    """Return how each workflow stands, and whose it is."""
    client = DBOSClient(system_database_url=url, dbos_system_schema=ENGINE, serializer=launching.JsonSerializer())
    found: list[tuple[str, str | None]] = [(one.status, one.executor_id) for one in client.list_workflows()]
    client.destroy()
    return found


async def until_finished(setting: Setting) -> None:
    """Wait until the upload has ended well."""
    while (await setting.recorded("A")).state is not IntentState.FINISHED:  # noqa: ASYNC110 - a ledger tells nobody
        await anyio.sleep(0.01)


async def test_what_a_replica_left_stays_pending_until_it_is_recovered_by_name(
    setting: Setting, database_url: str
) -> None:
    await left_behind(setting, database_url, "dead")
    assert await to_thread.run_sync(states, database_url) == [("PENDING", "dead")]

    await launching.launch_replica(database_url, ENGINE, "alive", setting.another_desk())
    try:
        await launching.run(await work_of(setting.desk.ledger, "A"))  # it is somebody's already
        await launching.recover("another")
        assert await launching.at_work() == {"dead"}
        assert (await setting.recorded("A")).state is IntentState.PLANNED

        await launching.recover("dead")
        with anyio.fail_after(30):
            await until_finished(setting)
            while await launching.at_work():  # noqa: ASYNC110 - the engine tells nobody
                await anyio.sleep(0.01)
    finally:
        await to_thread.run_sync(launching.shut_down)
    assert await to_thread.run_sync(states, database_url) == [("SUCCESS", "alive")]


async def test_a_replica_takes_over_from_one_that_holds_its_lock_no_more(
    setting: Setting, database_url: str, locks: SessionLocks
) -> None:
    other = SessionLocks(database_url, LEDGER)
    await other.take("dead")
    await left_behind(setting, database_url, "dead")
    async with engine_at(Database(database_url, locks), setting) as engine:
        await engine.wake()
        with anyio.move_on_after(2):
            await until_finished(setting)
        alive = (await setting.recorded("A")).state

        await other.aclose()
        with anyio.fail_after(TAKEN_OVER_WITHIN):
            await until_finished(setting)

    assert alive is IntentState.PLANNED


async def test_workflows_run_on_the_loop_that_launched_their_engine(
    setting: Setting, database_url: str, locks: SessionLocks
) -> None:
    # The gateway's connections belong to this loop: on another one no request would come back.
    await left_behind(setting, database_url, "dead")
    async with engine_at(Database(database_url, locks), setting) as engine:
        await engine.wake()
        with anyio.fail_after(30):
            await until_finished(setting)


async def test_a_replica_takes_few_connections(setting: Setting, database_url: str, locks: SessionLocks) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    async with engine_at(Database(database_url, locks), setting) as engine:
        await engine.submit("A")
        await until_finished(setting)
        taken = await to_thread.run_sync(connections, database_url)

    assert taken <= launching.CONNECTIONS


def connections(url: str) -> int:
    """Count the connections of engines to a database."""
    with psycopg.connect(url) as connection:
        [[number]] = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'dbos%'"
        ).fetchall()
    return int(number)
