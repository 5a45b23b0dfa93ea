"""Our tables in PostgreSQL: brought into being and forward, by whichever of many processes comes first."""

from contextlib import closing
from typing import Any

import psycopg
from psycopg import sql

from recontact_service.postgres_connection import configure, connection_words
from recontact_service.settings import Postgres
from recontact_service.store import StoreNewer

# ours: 1,000 full target groups are 6 MB of index and 100 MB of table in each; the number can never change for a
# database, so it leaves room: vacuuming one stays short at ten times as many.
PARTITIONS = 16

_PARTITIONED = ("id_chunks", "excluded_chunks")
# Respondent IDs and deflated files do not compress: EXTERNAL spares the attempt (100,000 IDs are written in 10 ms
# instead of 16), and lets a part of a value be read.
_FIRST = (
    "CREATE TABLE token_keys (one INTEGER PRIMARY KEY CHECK (one = 1), key BYTEA NOT NULL)",
    """CREATE TABLE target_groups (
        number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        target_group_id TEXT NOT NULL UNIQUE,
        account_id BIGINT NOT NULL,
        project_id TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('draft', 'launched')),
        document TEXT NOT NULL,
        saved BIGINT NOT NULL DEFAULT 0 CHECK (saved >= 0)
    )""",
    "CREATE INDEX target_groups_of_account ON target_groups (account_id, number)",
    *(
        statement
        for table in _PARTITIONED
        for statement in (
            f"""CREATE TABLE {table} (
                target_group BIGINT NOT NULL REFERENCES target_groups (number),
                first BYTEA NOT NULL,
                ids BYTEA STORAGE EXTERNAL NOT NULL,
                PRIMARY KEY (target_group, first)
            ) PARTITION BY HASH (target_group)""",
            *(
                f"CREATE TABLE {table}_{number:02} PARTITION OF {table}"
                f" FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {number})"
                for number in range(PARTITIONS)
            ),
        )
    ),
    """CREATE TABLE jobs (
        number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        job_id TEXT NOT NULL UNIQUE,
        target_group BIGINT NOT NULL REFERENCES target_groups (number),
        kind TEXT NOT NULL,
        status TEXT NOT NULL DEFAULT 'Processing' CHECK (status IN ('Processing', 'Completed', 'Failed')),
        created_ms BIGINT NOT NULL,
        created_by TEXT NOT NULL,
        trace_id TEXT NOT NULL,
        file_name TEXT NOT NULL DEFAULT '',
        by_response_id INTEGER NOT NULL DEFAULT 0,
        total BIGINT NOT NULL DEFAULT 0,
        ids_done BIGINT NOT NULL DEFAULT 0,
        stored BIGINT NOT NULL DEFAULT 0,
        failed BIGINT NOT NULL DEFAULT 0,
        completed_ms BIGINT,
        partial TEXT,
        failure_code TEXT,
        failure_description TEXT
    )""",
    "CREATE UNIQUE INDEX one_processing_job ON jobs (target_group) WHERE status = 'Processing'",
    "CREATE INDEX jobs_of_group ON jobs (target_group, number)",
    """CREATE TABLE job_files (
        job_id TEXT PRIMARY KEY REFERENCES jobs (job_id),
        content BYTEA STORAGE EXTERNAL NOT NULL,
        deflated INTEGER NOT NULL
    )""",
    "CREATE TABLE respondents_of_responses (rid BYTEA PRIMARY KEY, rsid BYTEA NOT NULL)",
)
MIGRATIONS = (_FIRST,)  # only ever longer: each takes a database from the version before to its own


def bring_forward(database: Postgres, *, busy_seconds: float) -> None:
    """Create our schema and tables, or take those of an earlier version forward; several processes may do so at once.

    Raises:
        StoreNewer: a newer version of this program made them.
    """
    with closing(psycopg.connect("", **connection_words(database))) as connection:
        configure(connection, database, busy_seconds=busy_seconds)
        # Looked at without the lock first: every start of every process comes here, and nearly none finds work.
        if _version(connection) == len(MIGRATIONS):
            return
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (database.schema,))
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(database.schema)))
            connection.execute(
                "CREATE TABLE IF NOT EXISTS migrations"
                " (version INTEGER PRIMARY KEY, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())"
            )
            _migrate(connection, _version(connection))


def _migrate(connection: psycopg.Connection[Any], version: int) -> None:
    if version > len(MIGRATIONS):
        raise StoreNewer
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        for statement in statements:
            connection.execute(statement.encode())
        connection.execute("INSERT INTO migrations (version) VALUES (%s)", (number,))


def _version(connection: psycopg.Connection[Any]) -> int:
    (table,) = connection.execute("SELECT to_regclass('migrations')").fetchone() or (None,)
    if table is None:
        return 0
    (version,) = connection.execute("SELECT coalesce(max(version), 0) FROM migrations").fetchone() or (0,)
    return int(version)
