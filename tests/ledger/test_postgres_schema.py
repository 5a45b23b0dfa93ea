"""How the ledger's schema grows on PostgreSQL, and what the database itself sees to there."""

import re
from collections.abc import Callable, Generator
from datetime import datetime
from secrets import token_hex

import psycopg
import pytest
from audit_chains import in_memory
from ledger_places import SCHEMA, SchemaPlace
from psycopg.conninfo import make_conninfo

from recontact_tools.ledger import Intent, LedgerUnavailable, audit, repeats
from recontact_tools.ledger.entries import Event, about
from recontact_tools.ledger.intent_reads import one
from recontact_tools.ledger.migrations import AUDITED_SINCE, MIGRATIONS
from recontact_tools.ledger.postgres import PostgresConnection, Session
from recontact_tools.ledger.postgres_migrations import migrate, reading, schema_version
from recontact_tools.ledger.postgres_schema import translated_version
from recontact_tools.ledger.sqlite_connection import writing
from recontact_tools.ledger.trail import GENESIS, Recorded, Verdict, Wanted
from recontact_tools.models import TargetGroup

COLUMNS = tuple(Recorded.__dataclass_fields__)
ENTRIES = 6
LATER = ("CREATE TABLE later (id INTEGER)",)


@pytest.fixture
def place(database_url: str) -> SchemaPlace:
    return SchemaPlace(database_url, SCHEMA)


@pytest.fixture
def session(place: SchemaPlace) -> Generator[Session]:
    with place.session() as opened:
        yield opened


@pytest.fixture
def trail(session: Session, group: TargetGroup, now: datetime) -> PostgresConnection:
    """A ledger with some entries in its trail."""
    migrate(session, SCHEMA)
    connection = PostgresConnection(session)
    write(connection, group, now, ENTRIES)
    return connection


def write(connection: PostgresConnection, group: TargetGroup, now: datetime, entries: int) -> None:
    for number in range(entries):
        connection.execute("BEGIN")
        audit.append(connection, about(group, Event.SNAPSHOT_BEGUN, "snapshot", at=now, principal="ann", pages=number))
        connection.execute("COMMIT")


def rows(session: Session) -> list[dict[str, object]]:
    return session.execute("SELECT * FROM audit ORDER BY seq").fetchall()


@pytest.mark.parametrize("versions", range(1, len(MIGRATIONS)))
def test_a_ledger_of_any_version_is_brought_up_to_date_and_keeps_its_rows(
    session: Session, upload: Callable[..., Intent], now: datetime, versions: int
) -> None:
    migrate(session, SCHEMA, MIGRATIONS[:versions])
    moment = now.isoformat(timespec="microseconds")
    session.execute(
        "INSERT INTO intents (intent_id, kind, principal, account_id, project_id, target_group_id, id_type, "
        "file_name, ids, stored_before, state, created_at, updated_at) "
        "VALUES ('INTENT1', 'upload', 'ann', 101, '01BTGNYV6HRNK8K8VKZASZCFP0', '01BTGNYV6HRNK8K8VKZASZCFP1', "
        "'RSID', 'recontacts-INTENT1.csv', 3, 0, 'planned', %s, %s)",
        (moment, moment),
    )
    migrate(session, SCHEMA)
    assert schema_version(session, SCHEMA) == len(MIGRATIONS)
    assert one(PostgresConnection(session), "INTENT1") == upload()


def test_each_ledger_gets_a_secret_of_its_own_and_keeps_it(session: Session, place: SchemaPlace) -> None:
    migrate(session, SCHEMA)
    digest = repeats.digest(PostgresConnection(session), [b"x"])
    migrate(session, SCHEMA)
    other = SchemaPlace(place.url, "recontact_other")
    with other.session() as beside:
        migrate(beside, other.schema)
        others = repeats.digest(PostgresConnection(beside), [b"x"])
    assert digest == repeats.digest(PostgresConnection(session), [b"x"]) != others


@pytest.mark.parametrize("versions", [0, len(MIGRATIONS)])
def test_a_migration_happens_entirely_or_not_at_all(session: Session, versions: int) -> None:
    if versions:
        migrate(session, SCHEMA)
    with pytest.raises(psycopg.errors.SyntaxError):
        migrate(session, SCHEMA, (*MIGRATIONS, LATER, ("CREATE NONSENSE",)))
    assert schema_version(session, SCHEMA) == (versions or None)
    assert session.execute("SELECT 1 FROM pg_class WHERE relname = 'later'").fetchone() is None


@pytest.mark.anyio
async def test_a_ledger_of_a_newer_version_is_left_alone(session: Session, place: SchemaPlace) -> None:
    migrate(session, SCHEMA, (*MIGRATIONS, LATER))
    with pytest.raises(LedgerUnavailable, match="newer version"):
        await place.open()
    with pytest.raises(LedgerUnavailable, match="newer version"), reading(place.url, SCHEMA):
        pass
    assert schema_version(session, SCHEMA) == len(MIGRATIONS) + 1


def test_a_ledger_that_is_older_than_the_trail_has_an_empty_one(session: Session, place: SchemaPlace) -> None:
    migrate(session, SCHEMA, MIGRATIONS[: AUDITED_SINCE - 1])
    with reading(place.url, SCHEMA) as connection:
        assert audit.before(connection, None, Wanted(), 10) == []
        assert audit.verify(connection) == Verdict()


@pytest.mark.anyio
async def test_a_role_that_may_not_make_schemas_uses_one_that_was_made_for_it(
    session: Session, place: SchemaPlace
) -> None:
    lesser = f"lesser_{token_hex(8)}"
    session.execute(f"CREATE ROLE {lesser} LOGIN PASSWORD '{lesser}'".encode())
    try:
        session.execute(f"CREATE SCHEMA {SCHEMA} AUTHORIZATION {lesser}".encode())
        ledger = await SchemaPlace(make_conninfo(place.url, user=lesser, password=lesser), SCHEMA).open()
        await ledger.aclose()
        owner = session.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'intents'").fetchone()
    finally:
        session.execute(f"DROP OWNED BY {lesser}".encode())
        session.execute(f"DROP ROLE {lesser}".encode())
    assert owner == {"tableowner": lesser}


def test_every_trigger_of_the_schema_is_written_out_for_postgresql() -> None:
    written = "".join(text for version in MIGRATIONS for text in translated_version(version))
    assert not re.search(r"RAISE\(|AUTOINCREMENT|\bBLOB\b|randomblob", written)
    with pytest.raises(KeyError):
        translated_version(("CREATE TRIGGER unheard_of AFTER UPDATE ON intents BEGIN SELECT 1; END",))


def test_a_payload_is_deleted_by_the_database_however_its_intent_moves_on(session: Session) -> None:
    migrate(session, SCHEMA)
    session.execute(
        "INSERT INTO intents (intent_id, kind, principal, account_id, project_id, target_group_id, state, created_at, "
        "updated_at) SELECT name, 'upload', 'ann', number, 'P', 'T', 'planned', '', '' "
        "FROM (VALUES (1, 'A'), (2, 'B'), (3, 'C')) AS wanted (number, name)"
    )
    session.execute("INSERT INTO payloads VALUES ('A', 'x'), ('B', 'x'), ('C', 'x')")
    session.execute("SET session_replication_role = replica")  # who says so fires no ordinary trigger
    session.execute("UPDATE intents SET state = 'sending' WHERE intent_id = 'A'")
    session.execute("UPDATE intents SET state = 'started' WHERE intent_id = 'B'")
    session.execute("SET search_path = pg_catalog")
    session.execute(f"UPDATE {SCHEMA}.intents SET state = 'refused' WHERE intent_id = 'C'")  # noqa: S608
    left = session.execute(f"SELECT intent_id FROM {SCHEMA}.payloads").fetchall()  # noqa: S608
    assert left == [{"intent_id": "A"}]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET principal = 'bob' WHERE seq = 1",
        "UPDATE audit SET seq = 9 WHERE seq = 6",
        "DELETE FROM audit WHERE seq = 3",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "TRUNCATE audit, audit_given",
        "INSERT INTO audit SELECT * FROM audit WHERE seq = 3",
        "INSERT INTO audit SELECT * FROM audit WHERE seq = 3 ON CONFLICT DO NOTHING",
        "INSERT INTO audit SELECT * FROM audit WHERE seq = 3 ON CONFLICT (seq) DO UPDATE SET principal = 'bob'",
        f"INSERT INTO audit SELECT 9, {', '.join(COLUMNS[1:-2])}, hash, hash FROM audit WHERE seq = 6",  # noqa: S608
        f"INSERT INTO audit SELECT 7, {', '.join(COLUMNS[1:])} FROM audit WHERE seq = 6",  # noqa: S608
        f"INSERT INTO audit ({', '.join(COLUMNS[1:])}) SELECT {', '.join(COLUMNS[1:])} FROM audit",  # noqa: S608
        "UPDATE audit_given SET number = 0",
        "UPDATE audit_given SET number = number + 1",
        "DELETE FROM audit_given",
        "TRUNCATE audit_given",
        "INSERT INTO audit_given VALUES (1, 7)",
    ],
)
@pytest.mark.parametrize("claims", ["origin", "replica"])
@pytest.mark.usefixtures("trail")
def test_the_database_itself_refuses_whatever_is_not_appending(session: Session, statement: str, claims: str) -> None:
    before = rows(session)
    session.execute(f"SET session_replication_role = {claims}".encode())
    with pytest.raises(psycopg.IntegrityError):
        session.execute(statement.encode())
    assert rows(session) == before
    assert session.execute("SELECT number FROM audit_given").fetchone() == {"number": ENTRIES}


@pytest.mark.usefixtures("trail")
def test_a_table_of_the_same_name_in_the_session_deceives_no_trigger(session: Session) -> None:
    session.execute("CREATE TEMP TABLE audit_given AS SELECT 1 AS one, 0 AS number")
    session.execute("CREATE TEMP TABLE audit (seq BIGINT, hash TEXT)")
    forged = f"INSERT INTO {SCHEMA}.audit SELECT 1, {', '.join(COLUMNS[1:])} FROM {SCHEMA}.audit WHERE seq = 1"  # noqa: S608
    with pytest.raises(psycopg.IntegrityError):
        session.execute(forged.encode())


def test_two_writers_that_take_no_lock_cannot_both_append(
    trail: PostgresConnection, place: SchemaPlace, group: TargetGroup, now: datetime
) -> None:
    with place.session() as other:
        other.execute("SET lock_timeout = '100ms'")
        beside = PostgresConnection(other)
        trail.execute("BEGIN")
        beside.execute("BEGIN")
        entry = about(group, Event.SNAPSHOT_BEGUN, "snapshot", at=now, principal="ann")
        audit.append(trail, entry)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            audit.append(beside, entry)
        trail.execute("COMMIT")
    assert audit.verify(trail) == Verdict(count=ENTRIES + 1, head=audit.verify(trail).head)


def unguarded(session: Session, statement: str) -> None:
    """Do something past the database's own guards, as its owner can."""
    for table in ("audit", "audit_given"):
        session.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
    session.execute(statement.encode())
    for table in ("audit", "audit_given"):
        session.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER".encode())


@pytest.mark.parametrize("seq", range(1, ENTRIES + 1))
def test_an_entry_that_was_deleted_is_missed_the_last_one_too(
    session: Session, trail: PostgresConnection, seq: int
) -> None:
    unguarded(session, f"DELETE FROM audit WHERE seq = {seq}")  # noqa: S608
    verdict = audit.verify(trail)
    assert (verdict.broken_at, verdict.why, verdict.count) == (seq, "it is missing", seq - 1)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", "'2026'"),
        ("principal", "'bob'"),
        ("event", "'plan_made'"),
        ("account_id", "NULL"),
        ("account_id", "7"),
        ("job_id", "''"),
        ("detail", "'{}'"),
        ("detail", "'['"),
        ("previous", f"'{GENESIS[1:]}1'"),
        ("hash", f"'{GENESIS}'"),
    ],
)
def test_a_field_that_was_changed_is_found_at_its_entry(
    session: Session, trail: PostgresConnection, column: str, value: str
) -> None:
    unguarded(session, f"UPDATE audit SET {column} = {value} WHERE seq = 4")  # noqa: S608
    assert audit.verify(trail).broken_at == 4


def test_what_is_appended_after_the_end_was_cut_off_leaves_the_gap(
    session: Session, trail: PostgresConnection, group: TargetGroup, now: datetime
) -> None:
    unguarded(session, "DELETE FROM audit WHERE seq > 4")
    write(trail, group, now, 1)
    assert audit.verify(trail).broken_at == 5
    assert audit.before(trail, None, Wanted(), 1)[0].seq == ENTRIES + 1


def test_an_end_that_was_cut_off_with_all_its_traces_is_missed_by_a_noted_head(
    session: Session, trail: PostgresConnection
) -> None:
    noted = audit.verify(trail).head
    unguarded(session, "DELETE FROM audit WHERE seq > 4")
    unguarded(session, "UPDATE audit_given SET number = 4")
    assert audit.verify(trail).holds
    assert not audit.verify(trail, noted).holds


def test_the_same_entries_have_the_same_hashes_on_both_databases(
    trail: PostgresConnection, group: TargetGroup, now: datetime
) -> None:
    with in_memory() as file:
        for number in range(ENTRIES):
            with writing(file):
                audit.append(
                    file, about(group, Event.SNAPSHOT_BEGUN, "snapshot", at=now, principal="ann", pages=number)
                )
        assert audit.verify(file) == audit.verify(trail)
