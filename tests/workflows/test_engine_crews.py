"""What the engine promises on a data directory and on PostgreSQL alike."""

from collections.abc import AsyncGenerator, Generator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import anyio
import postgres_server
import psycopg
import pytest
from crews import LEDGER, Database, Folder, Place, engine_at
from desk_setting import IDS, Setting
from psycopg import sql

from recontact_tools.engine import OWN_PROCESS_SUBMITS
from recontact_tools.ledger import IntentState
from recontact_tools.ledger.locks import SessionLocks
from recontact_tools.models import JobKind

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["data directory", "PostgreSQL"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Place]:
    """An empty place for a crew, of each kind."""
    if request.param == "data directory":
        yield Folder(tmp_path)
        return
    url = str(request.getfixturevalue("database_url"))
    locks = SessionLocks(url, LEDGER)
    yield Database(url, locks)
    await locks.aclose()


@pytest.fixture
async def locks(database_url: str) -> AsyncGenerator[SessionLocks]:
    """The locks of one replica."""
    opened = SessionLocks(database_url, LEDGER)
    yield opened
    await opened.aclose()


async def until_finished(setting: Setting, *intent_ids: str) -> None:
    """Wait until intents have ended well."""
    with anyio.fail_after(30):
        for intent_id in intent_ids:
            while (await setting.recorded(intent_id)).state is not IntentState.FINISHED:  # noqa: ASYNC110 - a ledger tells nobody
                await anyio.sleep(0.01)


async def test_an_intent_runs_to_its_end_however_often_it_is_submitted(setting: Setting, place: Place) -> None:
    intent = await setting.intend("A", JobKind.UPLOAD, IDS)
    async with engine_at(place, setting) as engine:
        for _ in range(3):
            await engine.submit("A")
        await until_finished(setting, "A")

    assert await setting.desk.gateway.get_overview(intent.group) == len(IDS)


async def test_waking_resumes_what_is_unsettled(setting: Setting, place: Place) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    setting.moment += OWN_PROCESS_SUBMITS + timedelta(seconds=1)
    async with engine_at(place, setting) as engine:
        await engine.wake()
        await until_finished(setting, "A")


async def test_what_is_written_later_by_nobody_who_lives_is_resumed_as_well(setting: Setting, place: Place) -> None:
    async with engine_at(place, setting) as engine:
        await engine.wake()
        await setting.intend("A", JobKind.UPLOAD, IDS)
        setting.moment += OWN_PROCESS_SUBMITS + timedelta(seconds=1)
        await until_finished(setting, "A")


async def test_an_engine_that_was_closed_is_followed_by_another_one(setting: Setting, place: Place) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    async with engine_at(place, setting) as engine:
        await engine.submit("A")
        await until_finished(setting, "A")
    await setting.intend("B", JobKind.REMOVAL, IDS)
    async with engine_at(place, setting) as engine:
        await engine.submit("B")
        await until_finished(setting, "B")


async def test_an_engine_that_was_never_used_can_be_closed(setting: Setting, place: Place) -> None:
    async with engine_at(place, setting):
        pass


async def test_a_replica_that_has_left_looks_after_nobody_any_more(
    setting: Setting, database_url: str, locks: SessionLocks
) -> None:
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:  # which ends by itself once nothing looks any more
            replica = Database(database_url, locks).crew(setting.another_desk(), tasks)
            await replica.join()
            await replica.leave()
            assert not replica.executes


async def test_a_replica_whose_database_was_away_says_so_and_works_on(
    setting: Setting, postgres: str, database_url: str, locks: SessionLocks, caplog: pytest.LogCaptureFixture
) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    async with engine_at(Database(database_url, locks), setting) as engine:
        await engine.submit("A")
        await until_finished(setting, "A")
        with anyio.fail_after(30), away(postgres, database_url):
            while "cannot be looked after: LedgerUnavailable" not in caplog.text:  # noqa: ASYNC110 - a log tells nobody
                await anyio.sleep(0.01)
        with anyio.fail_after(30):
            while not locks.held_seconds():  # noqa: ASYNC110 - locks tell nobody
                await anyio.sleep(0.01)
        await setting.intend("B", JobKind.REMOVAL, IDS)
        await engine.submit("B")
        await until_finished(setting, "B")
    assert postgres_server.name_of(database_url) not in caplog.text


@contextmanager
def away(server: str, url: str) -> Generator[None]:
    """Let nobody reach a database, and end every connection to it."""
    name = postgres_server.name_of(url)
    with closing(psycopg.connect(server, autocommit=True)) as connection:
        alter = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        connection.execute(alter.format(sql.Identifier(name), sql.SQL("false")))
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            yield
        finally:
            connection.execute(alter.format(sql.Identifier(name), sql.SQL("true")))
