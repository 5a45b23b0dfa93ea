"""What the database cannot do: one family of faults, and neither the service nor another job ends over it."""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import httpx
import pytest
from service_databases import change

from recontact_service.running import RunningService
from recontact_service.schema import transaction
from recontact_service.seed import seed
from recontact_service.settings import ServiceSettings
from recontact_service.sqlite_store import SqliteStore
from recontact_service.store import StoreBusy, StoreFault

pytestmark = pytest.mark.anyio

Opener = Callable[[ServiceSettings], AbstractAsyncContextManager[RunningService]]
Client = Callable[[RunningService], httpx.AsyncClient]

RSIDS = "recontacts/jobs/upload-rsids-by-file"
DOWNLOADS = "recontacts/jobs/upload-respondents-by-file"
CANARY = "0f1ce179-a917-49ff-9d50-b05fc91f7bd4"
FILE = {"file": ("a.csv", f"{CANARY}\n".encode(), "text/csv")}
SECOND = "01BTGNYV6HRNK8K8VKZASZCFP2"


async def logged(caplog: pytest.LogCaptureFixture, *, records: int) -> None:
    """Wait for log records of the job runner."""
    with anyio.fail_after(5):
        while len(caplog.records) < records:
            await anyio.lowlevel.checkpoint()


async def upload(client: httpx.AsyncClient, path: str = RSIDS) -> str:
    """Start an upload and return its job id."""
    job_id: str = (await client.post(path, files=FILE)).json()["job_id"]
    return job_id


async def status(client: httpx.AsyncClient, job_id: str, path: str = RSIDS) -> str:
    """Read the status of a job."""
    found: str = (await client.get(f"{path}/{job_id}")).json()["status"]
    return found


async def test_a_runner_that_cannot_list_the_jobs_goes_on_once_it_can(
    settings: ServiceSettings,
    open_service: Opener,
    client_of: Client,
    clock: list[datetime],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, logger="recontact_service")
    async with open_service(replace(settings, pace=1)) as service, client_of(service) as client:
        job_id = await upload(client)
        change(settings.database, "ALTER TABLE jobs RENAME TO lost")
        clock[0] += timedelta(hours=1)
        service.parts.runner.wake()
        await logged(caplog, records=1)
        await service.advance()
        change(settings.database, "ALTER TABLE lost RENAME TO jobs")
        service.parts.runner.wake()
        await logged(caplog, records=2)

        assert await status(client, job_id) == "Completed"
    texts = [record.getMessage() for record in caplog.records]
    assert [text.rpartition(": ")[2] for text in texts] == ["StoreFault", "none"]
    assert not [word for word in ("service.sqlite", "relation", "host=") if word in caplog.text]


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        ("DELETE FROM job_files WHERE job_id = ", "UploadLost"),
        ("UPDATE job_files SET content = substr(content, 1, 1) WHERE job_id = ", "StoreFault"),
    ],
)
async def test_a_job_whose_file_is_lost_or_damaged_stops_no_other(
    damage: str,
    kind: str,
    settings: ServiceSettings,
    open_service: Opener,
    client_of: Client,
    clock: list[datetime],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_service(replace(settings, pace=1)) as service, client_of(service) as client:
        seed(settings.database, now=lambda: clock[0], target_group_id=SECOND)
        other = f"../{SECOND}/{RSIDS}"
        bad, good = await upload(client), await upload(client, other)
    change(settings.database, f"{damage}'{bad}'")
    clock[0] += timedelta(hours=1)
    async with open_service(settings) as service, client_of(service) as client:
        await service.advance()
        statuses = (await status(client, bad), await status(client, good, other))
        download = await client.get(f"{DOWNLOADS}/{bad}/download")

    assert statuses == ("Processing", "Completed")
    assert (download.status_code, download.json()["object"]) == (500, "unexpected_internal_error")
    ours = [record for record in caplog.records if record.name.startswith("recontact_service")]
    assert [record.getMessage().rpartition(": ")[2] for record in ours] == [kind, kind]
    assert CANARY not in caplog.text


async def test_reads_and_writes_that_the_database_fails_are_answered_in_the_envelope(
    settings: ServiceSettings, service: RunningService, client: httpx.AsyncClient
) -> None:
    change(settings.database, "ALTER TABLE target_groups RENAME TO lost")
    read = await client.get("recontacts/overview")
    change(settings.database, "ALTER TABLE lost RENAME TO target_groups", "ALTER TABLE jobs RENAME TO lost")
    write = await client.post(RSIDS, files=FILE)
    change(settings.database, "ALTER TABLE lost RENAME TO jobs")
    healthy = await client.post(RSIDS, files=FILE)

    assert [one.json()["object"] for one in (read, write)] == ["unexpected_internal_error"] * 2
    assert (read.status_code, write.status_code, healthy.status_code) == (500, 500, 201)
    assert service.store.count_jobs() == {"upload-rsids-by-file": 1}


def test_a_lock_is_told_apart_from_every_other_fault(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.sqlite", busy_seconds=0.01)
    with closing(sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)) as sibling:
        sibling.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            store.token_key()
    change(tmp_path / "store.sqlite", "DROP TABLE token_keys")
    with pytest.raises(StoreFault) as refused:
        store.token_key()
    store.close()
    with pytest.raises(StoreFault) as closed:
        store.token_key()

    assert [type(one.value) for one in (refused, closed)] == [StoreFault, StoreFault]
    assert str(refused.value) == str(closed.value) == ""


def test_a_transaction_that_the_database_ended_itself_hides_nothing_and_leaves_the_next_one_whole(
    tmp_path: Path,
) -> None:
    store = SqliteStore(tmp_path / "store.sqlite")
    change(
        tmp_path / "store.sqlite",
        "CREATE TRIGGER full BEFORE INSERT ON token_keys BEGIN SELECT RAISE(ROLLBACK, 'full'); END",
    )
    with pytest.raises(StoreFault) as fault:
        store.token_key()
    change(tmp_path / "store.sqlite", "DROP TRIGGER full")
    key = store.token_key()
    store.close()

    assert isinstance(fault.value.__cause__, sqlite3.IntegrityError)
    assert len(key) == 32


def test_a_commit_that_fails_leaves_no_transaction_open() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE children (id REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)")
        with pytest.raises(sqlite3.IntegrityError), transaction(connection):
            connection.execute("INSERT INTO children VALUES (1)")
        with transaction(connection):
            connection.execute("INSERT INTO parents VALUES (1)")

        assert connection.execute("SELECT (SELECT count(*) FROM children), count(*) FROM parents").fetchone() == (0, 1)


@pytest.mark.parametrize("damaged", [True, False])
def test_a_file_that_is_no_database_of_ours_is_not_opened(damaged: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a case
    database = tmp_path / "store.sqlite"
    if damaged:
        database.write_bytes(b"garbage " * 1_000)
    else:
        change(database, "CREATE TABLE jobs (title TEXT)")

    with pytest.raises(StoreFault):
        SqliteStore(database)
