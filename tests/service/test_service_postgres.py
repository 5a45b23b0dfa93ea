"""What only PostgreSQL can do to the service: many processes that start at once, plans, locks, a server that goes."""

from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from threading import Barrier, Thread
from typing import Any
from urllib.parse import quote

import anyio
import httpx
import pytest
from service_databases import change, connected

from recontact_service.packed import CHUNK_IDS, ID_BYTES
from recontact_service.postgres_connection import PostgresConnection, configure
from recontact_service.postgres_ids import PostgresIds
from recontact_service.running import RunningService
from recontact_service.seed import seed, seed_defaults
from recontact_service.settings import Postgres, ServiceSettings
from recontact_service.store import Store, StoreBusy, StoreFault, StoreNewer
from recontact_service.stores import open_store
from recontact_service.values import Ending, Job, JobKind, JobStatus, NewJob, Step, Upload, UploadWork

Opener = Callable[[ServiceSettings], AbstractAsyncContextManager[RunningService]]
Client = Callable[[RunningService], httpx.AsyncClient]

# source: an index begins with a page of its own, the one of a table's long values too
EMPTY_PARTITION = 2 * 8_192
OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"
)
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
GROUP, PROJECT = "01BTGNYV6HRNK8K8VKZASZCFP1", "01BTGNYV6HRNK8K8VKZASZCFP0"
RSIDS = "recontacts/jobs/upload-rsids-by-file"
FILE = {"file": ("a.csv", b"0f1ce179-a917-49ff-9d50-b05fc91f7bd4\n", "text/csv")}


def packed(count: int) -> bytes:
    return b"".join((number << 64).to_bytes(16, "big") for number in range(1, count + 1))


@contextmanager
def opened(database: Postgres, **options: Any) -> Generator[Store]:
    with closing(open_store(database, **options)) as store:
        seed_defaults(store, now=lambda: NOON)
        yield store


def number_of(store: Store) -> int:
    found = store.find_group(GROUP, account_id=101, project_id=PROJECT)
    assert found is not None
    return found.number


def started(store: Store, job_id: str = "A") -> Job:
    group = number_of(store)
    upload = Upload(file_name="a.csv", content=b"raw", by_response_id=False)
    kind = JobKind.UPLOAD_RSIDS
    store.create_job(
        group, NewJob(job_id=job_id, kind=kind, created_at=NOON, created_by="me", trace_id="t", upload=upload)
    )
    job = store.find_job(group, job_id)
    assert job is not None
    return job


def apply(store: Store, job: Job, ids: bytes, *, last: bool = True) -> bool:
    work = UploadWork(
        ids=ids,
        later=b"",
        failed=0,
        capacity=100_000,
        over_capacity=Ending(JobStatus.FAILED),
        conclude=lambda _stored, _failed: Ending(JobStatus.COMPLETED),
        derive=None,
    )
    return store.apply_upload(Step(job=job, ids_done=len(ids) // ID_BYTES, last=last, at=NOON), work)


def ask(database: Postgres, statement: str) -> list[Any]:
    with closing(connected(database)) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_many_that_start_at_once_make_the_tables_once_and_share_the_key(database_url: str) -> None:
    barrier, keys = Barrier(6), list[bytes]()

    def start() -> None:
        barrier.wait()
        with closing(open_store(Postgres(url=database_url))) as store:
            keys.append(store.token_key())

    threads = [Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(keys), len(set(keys))) == (6, 1)
    assert ask(Postgres(url=database_url), "SELECT version FROM migrations") == [(1,)]


def test_tables_of_a_newer_version_are_refused_and_left_alone(database_url: str) -> None:
    database = Postgres(url=database_url)
    open_store(database).close()
    ask(database, "INSERT INTO migrations (version) VALUES (1000) RETURNING version")

    with pytest.raises(StoreNewer) as refused:
        open_store(database)

    assert str(refused.value) == ""
    assert ask(database, "SELECT max(version) FROM migrations") == [(1000,)]


def test_a_role_that_may_create_nothing_works_where_the_tables_are(database_url: str) -> None:
    database = Postgres(url=database_url)
    open_store(database).close()
    role = f"clerk_{database_url.rpartition('_')[2][:8]}"
    with closing(connected(database)) as connection:
        for statement in (
            f"CREATE ROLE {role}",
            f"GRANT USAGE ON SCHEMA {database.schema} TO {role}",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {database.schema} TO {role}",
        ):
            connection.execute(statement.encode())
    options = quote(f"-c role={role}")
    joined = "&" if "?" in database_url else "?"
    with opened(Postgres(url=f"{database_url}{joined}options={options}")) as store:
        applied = apply(store, started(store), packed(3))
        ids = store.read_page(number_of(store), after=b"", limit=9)
    with closing(connected(database)) as connection:
        connection.execute(f"DROP OWNED BY {role}".encode())
        connection.execute(f"DROP ROLE {role}".encode())

    assert (applied, ids) == (True, packed(3))


def test_whatever_isolation_the_database_prefers_a_job_is_applied(database_url: str) -> None:
    name = database_url.partition("?")[0].rpartition("/")[2]
    with closing(connected(Postgres(url=database_url))) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'".encode())
    with opened(Postgres(url=database_url)) as store, store.holding(started(store)) as held:
        (job,) = store.list_processing()
        applied = apply(store, job, packed(3))

    assert (held, applied) == (True, True)


def test_a_page_is_found_by_an_index_before_and_after_there_are_statistics(server_database: Postgres) -> None:
    with opened(server_database) as store:
        group = number_of(store)
        plans = [plan_of(server_database, group)]
        with closing(connected(server_database)) as connection:
            ids = PostgresIds(PostgresConnection(connection))
            ids.write_chunks(group, old={}, ids=packed(100_000))
        plans.append(plan_of(server_database, group))
        apply(store, started(store), packed(1))
        plans.append(plan_of(server_database, group))
        known = ask(
            server_database,
            f"SELECT DISTINCT reltuples >= 0 FROM id_chunks JOIN pg_class ON pg_class.oid = id_chunks.tableoid"  # noqa: S608 - a number
            f" WHERE target_group = {group}",
        )

    assert known == [(True,)]
    for plan in plans:
        assert "Seq Scan" not in plan
        assert plan.count("Index") >= 2
        assert len({word for word in plan.split() if word.startswith("id_chunks_") and len(word) == 12}) == 1, plan


def plan_of(database: Postgres, group: int) -> str:
    """Return how a page of 100 in the middle of a list is found, by the plan that every connection keeps."""
    with closing(connected(database)) as connection:
        configure(connection, database, busy_seconds=1)
        connection.execute(
            "PREPARE page (bigint, bytea) AS SELECT ids FROM id_chunks WHERE target_group = $1 AND first >= coalesce("
            "(SELECT max(first) FROM id_chunks WHERE target_group = $1 AND first <= $2), '') ORDER BY first LIMIT 2"
        )
        statement = f"EXPLAIN (ANALYZE) EXECUTE page ({group}, '\\x{packed(50_000)[-16:].hex()}')"
        return "\n".join(line for (line,) in connection.execute(statement.encode()).fetchall())


def test_target_groups_are_spread_over_the_partitions_in_full_chunks_and_one_rest(server_database: Postgres) -> None:
    with opened(server_database) as store:
        for number in range(40):
            seed(server_database, now=lambda: NOON, target_group_id=f"{number:026}")
        assert number_of(store)
        groups = [number for (number,) in ask(server_database, "SELECT number FROM target_groups ORDER BY number")]
        with closing(connected(server_database)) as connection:
            for group in groups:
                PostgresIds(PostgresConnection(connection)).write_chunks(group, old={}, ids=packed(CHUNK_IDS + 1))
        chunks = ask(server_database, "SELECT octet_length(ids), count(*) FROM id_chunks GROUP BY 1 ORDER BY 1")
        partitions = ask(server_database, "SELECT count(DISTINCT tableoid) FROM id_chunks")

    assert chunks == [(16, 41), (16_000, 41)]
    assert partitions[0][0] > 8


def test_one_process_at_a_time_works_a_step_out_and_none_that_is_done(server_database: Postgres) -> None:
    with opened(server_database) as one, opened(server_database) as other:
        job = started(one)
        with one.holding(job) as first, other.holding(job) as second:
            moved = apply(one, job, packed(2), last=False)
        with other.holding(job) as stale:
            pass
        (current,) = other.list_processing()
        with other.holding(current) as later:
            pass

    assert (first, second, moved) == (True, False, True)
    assert (stale, later) == (False, True)


@pytest.mark.anyio
async def test_a_read_that_waits_for_the_server_keeps_no_other_request_waiting(
    server_database: Postgres, open_service: Opener, client_of: Client
) -> None:
    settings = ServiceSettings(database=server_database, clients={"robot": "open sesame"})
    answers: list[int] = []
    with anyio.fail_after(20), closing(connected(server_database)) as other:
        async with open_service(settings) as service, client_of(service) as client:

            async def look() -> None:
                answers.append((await client.get("recontacts/overview")).status_code)

            async with anyio.create_task_group() as tasks:
                other.execute("BEGIN")
                other.execute("LOCK TABLE target_groups IN ACCESS EXCLUSIVE MODE")
                for _ in range(3):
                    tasks.start_soon(look)
                while waiting(server_database) < 3:
                    await anyio.lowlevel.checkpoint()
                answers.append((await client.get("http://service/v1/study-types")).status_code)
                other.execute("COMMIT")

    assert answers == [200, 200, 200, 200]


def waiting(database: Postgres) -> int:
    statement = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return int(ask(database, statement)[0][0])


@pytest.mark.anyio
async def test_a_server_that_drops_every_connection_costs_at_most_one_answer_and_no_job(
    server_database: Postgres, open_service: Opener, client_of: Client
) -> None:
    settings = ServiceSettings(database=server_database, clients={"robot": "open sesame"})
    async with open_service(settings) as service, client_of(service) as client:
        job_id = (await client.post(RSIDS, files=FILE)).json()["job_id"]
        await service.advance()
        ask(
            server_database,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        statuses = [(await client.get("recontacts/overview")).status_code for _ in range(12)]
        await service.advance()
        job = (await client.get(f"{RSIDS}/{job_id}")).json()

    assert statuses[1:] == [200] * 11
    assert job["status"] == "Completed"


def test_a_lock_is_told_apart_from_every_other_fault_and_no_text_of_the_driver_leaves(
    server_database: Postgres,
) -> None:
    with opened(server_database, busy_seconds=0.01) as store:
        with closing(connected(server_database)) as other, other.transaction():
            other.execute("LOCK TABLE jobs IN SHARE MODE")
            with pytest.raises(StoreBusy) as busy:
                started(store)
        store.close()
        with pytest.raises(StoreFault) as closed:
            store.list_processing()

    assert [(type(one.value), str(one.value), one.value.__cause__) for one in (busy, closed)] == [
        (StoreBusy, "", None),
        (StoreFault, "", None),
    ]


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("postgresql://clerk:canary@127.0.0.1:1/nowhere", id="nobody listens"),
        pytest.param("postgresql://clerk:canary@[/nowhere", id="no URL"),
    ],
)
def test_a_database_that_cannot_be_reached_is_a_fault_without_its_url(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = Postgres(url=url)
    with pytest.raises(StoreFault) as refused:
        open_store(database)

    assert (str(refused.value), caplog.text) == ("", "")
    assert "canary" not in repr((database, replace(ServiceSettings(database=database), pace=1)))


def test_what_was_removed_leaves_its_place_to_the_next(database_url: str) -> None:
    # In a database of its own: where other tests have been, their dead rows wait for a vacuum, and every partition that
    # was ever vacuumed keeps six pages that say where it has room.
    database, sizes = Postgres(url=database_url), list[int]()
    with opened(database) as store:
        for turn in range(3):
            apply(store, started(store, f"upload-{turn}"), packed(100_000))
            sizes.append(size_of(database))
            (group, job_id) = (number_of(store), f"removal-{turn}")
            removal = NewJob(job_id=job_id, kind=JobKind.REMOVE_ALL, created_at=NOON, created_by="me", trace_id="t")
            store.create_job(group, removal)
            (job,) = store.list_processing()
            store.apply_removal(Step(job=job, ids_done=100_000, last=True, at=NOON))
            store.vacuum()

    assert max(sizes) <= 18 * 100_000


def size_of(database: Postgres) -> int:
    """Return how many bytes respondent IDs take, without what sixteen empty partitions do."""
    statement = "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('id_chunks')"
    return int(ask(database, statement)[0][0]) - 16 * EMPTY_PARTITION


@pytest.mark.anyio
async def test_a_service_that_cannot_start_leaves_no_connection_behind(database_url: str, open_service: Opener) -> None:
    database = Postgres(url=database_url)
    open_store(database).close()
    change(database, "ALTER TABLE target_groups RENAME TO lost")
    with pytest.raises(StoreFault):
        async with open_service(ServiceSettings(database=database)):
            raise AssertionError

    with anyio.fail_after(10):
        while ask(database, OTHERS) != [(0,)]:
            await anyio.lowlevel.checkpoint()
