"""The ledger's schema as an append-only list of versions.

Plain SQL and `PRAGMA user_version` instead of Alembic, which would cost SQLAlchemy's import on the cold path.
"""

import sqlite3

from recontact_tools.ledger.faults import LedgerUnavailable
from recontact_tools.ledger.schema import (
    APPROVALS,
    ATTEMPTS,
    AUDIT,
    CLAIMS,
    FOLLOWED_FOR,
    FOLLOWING,
    REFUSALS,
    REFUSALS_APART,
    STAGING,
    TASKS,
    UNDO,
    USAGE,
)

# Never edit a version that was released: append one. `position` decides the order of rows written within
# one microsecond. The trigger, not our code, keeps respondent ids out of every settled intent.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE intents (
            position INTEGER PRIMARY KEY AUTOINCREMENT,
            intent_id TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL,
            principal TEXT NOT NULL,
            account_id INTEGER NOT NULL,
            project_id TEXT NOT NULL,
            target_group_id TEXT NOT NULL,
            id_type TEXT,
            file_name TEXT,
            ids INTEGER,
            stored_before INTEGER,
            state TEXT NOT NULL,
            job_id TEXT,
            job TEXT,
            error TEXT,
            plan_id TEXT,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            settled_by TEXT
        )
        """,
        """
        CREATE UNIQUE INDEX one_active_intent ON intents (target_group_id, project_id, account_id)
        WHERE state IN ('planned', 'sending', 'started')
        """,
        "CREATE INDEX intents_by_job ON intents (job_id) WHERE job_id IS NOT NULL",
        "CREATE INDEX intents_by_group ON intents (target_group_id, kind)",
        "CREATE TABLE payloads (intent_id TEXT PRIMARY KEY, payload BLOB NOT NULL)",
        """
        CREATE TRIGGER no_payload_once_sent AFTER UPDATE OF state ON intents
        WHEN NEW.state NOT IN ('planned', 'sending')
        BEGIN DELETE FROM payloads WHERE intent_id = NEW.intent_id; END
        """,
        """
        CREATE TABLE plans (
            plan_id TEXT PRIMARY KEY,
            principal TEXT NOT NULL,
            account_id INTEGER NOT NULL,
            project_id TEXT NOT NULL,
            target_group_id TEXT NOT NULL,
            count INTEGER NOT NULL,
            created_at TEXT NOT NULL,
            expires_at TEXT NOT NULL,
            state TEXT NOT NULL,
            updated_at TEXT NOT NULL
        )
        """,
        """
        CREATE UNIQUE INDEX one_open_plan ON plans (target_group_id, project_id, account_id, principal)
        WHERE state = 'open'
        """,
    ),
    # A refused intent lets go of its key, for nothing happened. The secret keeps a fingerprint from telling anybody
    # who does not hold this file what was uploaded.
    (
        "ALTER TABLE intents ADD COLUMN fingerprint TEXT",
        "ALTER TABLE intents ADD COLUMN idempotency_key TEXT",
        "ALTER TABLE intents ADD COLUMN stored_after INTEGER",
        "ALTER TABLE intents ADD COLUMN adoptions INTEGER NOT NULL DEFAULT 0",
        """
        CREATE UNIQUE INDEX one_intent_per_key ON intents (principal, idempotency_key)
        WHERE idempotency_key IS NOT NULL AND state <> 'refused'
        """,
        "CREATE INDEX intents_by_fingerprint ON intents (fingerprint) WHERE fingerprint IS NOT NULL",
        "CREATE TABLE secrets (name TEXT PRIMARY KEY, secret BLOB NOT NULL)",
        "INSERT INTO secrets VALUES ('digests', randomblob(32))",
    ),
    UNDO,
    TASKS,
    AUDIT,
    FOLLOWING,
    STAGING,
    USAGE,
    APPROVALS,
    REFUSALS,
    CLAIMS,
    FOLLOWED_FOR,
    REFUSALS_APART,
    ATTEMPTS,
)
AUDITED_SINCE = MIGRATIONS.index(AUDIT) + 1
"""The first version of the schema with an audit trail."""


def schema_version(connection: sqlite3.Connection) -> int:
    """Return how many migrations the file has had."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def check_version(connection: sqlite3.Connection, migrations: tuple[tuple[str, ...], ...] = MIGRATIONS) -> int:
    """Return how many migrations the file has had, all of them known here.

    Raises:
        LedgerUnavailable: a newer version of the product wrote the file.
    """
    version = schema_version(connection)
    if version > len(migrations):
        raise LedgerUnavailable("a newer version of recontact-mcp wrote this ledger; upgrade to use it")
    return version


def migrate(connection: sqlite3.Connection, migrations: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
    """Bring the schema up to date, all of it or nothing; a current one costs one read.

    Raises:
        LedgerUnavailable: a newer version of the product wrote the file.
    """
    if schema_version(connection) == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        # Asked again under the write lock: another process may have migrated while we waited for it.
        version = check_version(connection, migrations)
        for script in migrations[version:]:
            for statement in script:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
