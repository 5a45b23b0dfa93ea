"""The engine's time on whatever SQLite this Python has: `unixepoch('subsec')` is NULL before 3.42."""

import sqlite3
import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError

from recontact_tools import launching, old_sqlite


@pytest.fixture
def connection() -> Generator[Connection]:
    """Open a connection as the engine does, after the mend."""
    old_sqlite.supply_time()
    old_sqlite.supply_time()  # more than once is as good as once
    engine = create_engine("sqlite://")
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def answer(connection: Connection, expression: str) -> object:
    return connection.execute(text(f"SELECT {expression}")).scalar_one()


def test_the_time_that_the_engine_asks_for_is_there_with_its_milliseconds(connection: Connection) -> None:
    before = round(time.time(), 3)
    now = answer(connection, "unixepoch('subsec')")

    assert isinstance(now, float)
    assert before - 0.001 <= now <= time.time() + 0.001


def test_a_column_takes_that_time_as_its_default(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE t (n, at INTEGER NOT NULL DEFAULT (unixepoch('subsec') * 1000))"))
    connection.execute(text("INSERT INTO t (n) VALUES (1)"))

    assert connection.execute(text("SELECT at > 1700000000000 FROM t")).scalar_one() == 1


def test_every_other_call_is_left_to_sqlite(connection: Connection) -> None:
    assert answer(connection, "unixepoch('2025-12-18', '+1 day')") == 1_766_102_400
    assert answer(connection, "unixepoch() - strftime('%s', 'now')") in {-1, 0}


@pytest.mark.skipif(
    sqlite3.sqlite_version_info >= old_sqlite.FIRST_WITH_SUBSECONDS, reason="this SQLite answers such calls itself"
)
def test_what_cannot_be_answered_on_an_old_sqlite_is_an_error_and_no_wrong_time(connection: Connection) -> None:
    with pytest.raises(OperationalError, match="raised exception"):
        answer(connection, "unixepoch('2025-12-18')")


def test_the_engine_starts_on_this_python_and_its_clients_reach_it(tmp_path: Path) -> None:
    database = tmp_path / "engine.sqlite"
    launching.rehearse(database)
    with closing(sqlite3.connect(database)) as plain:
        assert plain.execute("SELECT version_name, version_timestamp > 0 FROM application_versions").fetchall() == [
            (launching.APPLICATION_VERSION, 1)
        ]
    client = launching.client(database)
    client.check_connection()
    client.destroy()
