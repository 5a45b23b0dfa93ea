"""What is particular to the ledger on PostgreSQL: connections that are lost, and servers that are not there."""

from collections.abc import AsyncIterator

import anyio
import psycopg
import pytest
from ledger_places import SCHEMA, SchemaPlace

from recontact_tools.ledger import LedgerUnavailable
from recontact_tools.ledger.database import Connection
from recontact_tools.ledger.postgres import connected, translated
from recontact_tools.ledger.postgres_database import CONNECTIONS_MOST, PostgresDatabase
from recontact_tools.ledger.postgres_migrations import write_lock
from recontact_tools.ledger.sql import SqlLedger

pytestmark = pytest.mark.anyio

ADD = "INSERT INTO updates (origin, uri) VALUES ('a', 'a')"
END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND datname = current_database()"
)
# Ends the connection while it commits.
END_IN_COMMIT = (
    """
    CREATE FUNCTION ending() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER ending AFTER INSERT ON updates DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ending()
    """,
)


@pytest.fixture
def place(database_url: str) -> SchemaPlace:
    return SchemaPlace(database_url, SCHEMA)


@pytest.fixture
async def database(place: SchemaPlace) -> AsyncIterator[PostgresDatabase]:
    opened = PostgresDatabase.open(place.url, place.schema)
    yield opened
    await opened.aclose()


def add(connection: Connection) -> None:
    connection.execute(ADD)


def busy(connection: Connection) -> None:
    connection.execute("SELECT pg_sleep(0.05)")


def count(connection: Connection) -> int:
    found: int = connection.execute("SELECT count(*) AS rows FROM updates").fetchone()["rows"]
    return found


def test_marks_for_values_are_the_drivers_and_texts_stay_as_they_are() -> None:
    assert translated("SELECT '?%' WHERE a LIKE ? AND b % 2 = ?") == b"SELECT '?%%' WHERE a LIKE %s AND b %% 2 = %s"


async def test_a_truth_is_written_as_a_number(database: PostgresDatabase) -> None:
    await database.write(
        lambda connection: connection.execute("INSERT INTO updates VALUES (?, ?, ?)", (True, "a", "a"))
    )
    rows = await database.read(lambda connection: connection.execute("SELECT position FROM updates").fetchall())
    assert [row["position"] for row in rows] == [1]


async def test_calls_go_on_after_all_connections_were_lost(place: SchemaPlace, database: PostgresDatabase) -> None:
    await database.write(lambda connection: connection.execute(ADD))
    async with anyio.create_task_group() as tasks:  # more than one connection is open
        for _ in range(CONNECTIONS_MOST):
            tasks.start_soon(database.read, busy)
    with place.session() as session:
        session.execute(END_OTHERS)
    assert await database.read(count) == 1
    with place.session() as session:
        session.execute(END_OTHERS)
    await database.write(lambda connection: connection.execute(ADD))
    assert await database.read(count) == 2


async def test_a_write_whose_connection_is_lost_before_its_commit_is_done_once(
    place: SchemaPlace, database: PostgresDatabase
) -> None:
    tries = list[int]()

    def write(connection: Connection) -> None:
        connection.execute(ADD)
        tries.append(1)
        if len(tries) == 1:
            with place.session() as session:
                session.execute(END_OTHERS)
        connection.execute(ADD)

    await database.write(write)
    assert (len(tries), await database.read(count)) == (2, 2)


async def test_a_write_whose_connection_is_lost_again_and_again_is_given_up(
    place: SchemaPlace, database: PostgresDatabase
) -> None:
    tries = list[int]()

    def write(connection: Connection) -> None:
        tries.append(1)
        with place.session() as session:
            session.execute(END_OTHERS)
        connection.execute(ADD)

    with pytest.raises(LedgerUnavailable):
        await database.write(write)
    assert (len(tries), await database.read(count)) == (2, 0)


async def test_a_write_that_was_lost_in_its_commit_is_never_repeated(
    place: SchemaPlace, database: PostgresDatabase
) -> None:
    tries = list[int]()
    with place.session() as session:
        for statement in END_IN_COMMIT:
            session.execute(statement.encode())

    def write(connection: Connection) -> None:
        tries.append(1)
        connection.execute(ADD)

    with pytest.raises(LedgerUnavailable):
        await database.write(write)
    assert len(tries) == 1


async def test_reads_go_on_while_ever_so_many_writes_wait_for_another_replica(
    place: SchemaPlace, database: PostgresDatabase
) -> None:
    waiting = 60  # more than there are threads
    with place.session() as session:
        session.execute(f"BEGIN; {write_lock(SCHEMA)}".encode())
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                for _ in range(waiting):
                    tasks.start_soon(database.write, add)
                while not session.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                    await anyio.lowlevel.checkpoint()
                assert await database.read(count) == 0
                session.execute("COMMIT")
    assert await database.read(count) == waiting


async def test_what_the_database_refuses_leaves_nothing_of_its_write(database: PostgresDatabase) -> None:
    def write(connection: Connection) -> None:
        connection.execute(ADD)
        connection.execute("INSERT INTO updates VALUES (1, 'a', 'a'), (1, 'a', 'a')")

    with pytest.raises(LedgerUnavailable):
        await database.write(write)
    assert await database.read(count) == 0


async def test_no_error_names_a_host_a_user_or_a_password(place: SchemaPlace) -> None:
    for url in (
        "postgresql://somebody:secret@127.0.0.1:1/kept",
        f"{place.url}-which-is-not-there",
        "postgresql://somebody:secret@[nonsense",
    ):
        with pytest.raises(LedgerUnavailable) as refused:
            await SqlLedger.connect(url, SCHEMA)
        assert not any(word in str(refused.value) for word in ("secret", "somebody", "127.0.0.1", "kept", "not-there"))


async def test_a_closed_ledger_says_that_it_is_unavailable(place: SchemaPlace) -> None:
    ledger = await place.open()
    await ledger.aclose()
    await ledger.aclose()
    with pytest.raises(LedgerUnavailable):
        await ledger.get("INTENT1")
    with pytest.raises(LedgerUnavailable):
        await ledger.updates.announce(["a"], origin="one")


async def test_schemas_of_one_database_are_ledgers_of_their_own(place: SchemaPlace) -> None:
    ledgers = [await place.open(), await SchemaPlace(place.url, "recontact_other").open()]
    await ledgers[0].updates.announce(["a"], origin="one")
    digests = {await ledger.digest(b"x") for ledger in ledgers}
    latest = [await ledger.updates.latest() for ledger in ledgers]
    for ledger in ledgers:
        await ledger.aclose()
    assert (latest, len(digests)) == ([1, 0], 2)


@pytest.mark.parametrize("schema", ["", "Recontact", "a b", "1a", "a" * 64, 'a"; DROP SCHEMA public; --'])
async def test_a_name_that_is_none_of_a_schema_is_refused(place: SchemaPlace, schema: str) -> None:
    with pytest.raises(ValueError, match="name"):
        await SqlLedger.connect(place.url, schema)


def test_a_connection_has_limits_of_its_own_and_keeps_what_it_commits(place: SchemaPlace) -> None:
    expected = {
        "idle_in_transaction_session_timeout": "30s",
        "lock_timeout": "30s",
        "default_transaction_isolation": "read committed",
        "synchronous_commit": "on",
        "search_path": '"recontact", pg_temp',
    }
    with psycopg.connect(place.url, autocommit=True) as server:
        for setting in ("default_transaction_isolation = 'serializable'", "synchronous_commit = off"):
            server.execute(f"ALTER DATABASE {server.info.dbname} SET {setting}".encode())
    with place.session() as session:
        shown = {name: session.execute("SELECT current_setting(%s) AS value", (name,)).fetchone() for name in expected}
    assert {name: row and row["value"] for name, row in shown.items()} == expected


def test_a_connection_that_cannot_be_settled_is_closed_again(place: SchemaPlace) -> None:
    with pytest.raises(ValueError, match="name"):
        connected(place.url, "No")
    with place.session() as session:
        others = session.execute(
            "SELECT count(*) AS others FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND datname = current_database() AND state IS NOT NULL"
        ).fetchone()
    assert others == {"others": 0}
