"""How the ledger's schema grows."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from recontact_tools.ledger import Intent
from recontact_tools.ledger.migrations import MIGRATIONS, migrate, schema_version
from recontact_tools.ledger.sql import SqlLedger


def test_a_migration_happens_entirely_or_not_at_all() -> None:
    bad = (*MIGRATIONS, ("CREATE TABLE half (id INTEGER)", "CREATE NONSENSE"))
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, bad)
        assert schema_version(connection) == 0
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


def test_a_ledger_of_the_first_version_keeps_its_rows_and_gets_a_secret_of_its_own(
    path: Path, upload: Callable[..., Intent]
) -> None:
    path.parent.mkdir()
    moment = "2026-11-23T12:00:00.000000+00:00"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, MIGRATIONS[:1])
        connection.execute(
            "INSERT INTO intents (intent_id, kind, principal, account_id, project_id, target_group_id, id_type, "
            "file_name, ids, stored_before, state, created_at, updated_at) "
            "VALUES ('INTENT1', 'upload', 'ann', 101, '01BTGNYV6HRNK8K8VKZASZCFP0', '01BTGNYV6HRNK8K8VKZASZCFP1', "
            "'RSID', 'recontacts-INTENT1.csv', 3, 0, 'planned', ?, ?)",
            (moment, moment),
        )

    async def read(ledger: SqlLedger) -> tuple[Intent | None, str]:
        try:
            return await ledger.get("INTENT1"), await ledger.digest(b"x")
        finally:
            await ledger.aclose()

    kept, digest = anyio.run(read, SqlLedger.open(path))
    _, same = anyio.run(read, SqlLedger.open(path))
    _, other = anyio.run(read, SqlLedger.open(path.with_name("other.sqlite")))

    assert kept == upload()
    assert digest == same != other
