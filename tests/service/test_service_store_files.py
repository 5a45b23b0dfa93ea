"""The files of the store: private from their first byte, and small."""

import os
import sqlite3
from collections.abc import Generator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Thread
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recontact_service.job_rows import deflate, read_file
from recontact_service.lines import read_lines
from recontact_service.seed import DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID, DEFAULT_TARGET_GROUP_ID, seed_defaults
from recontact_service.sqlite_store import SqliteStore
from recontact_service.values import Ending, JobKind, JobStatus, NewJob, Step, Upload, UploadWork

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def usual_umask() -> Generator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """Return the permissions of everything in a folder."""
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


def add_upload(store: SqliteStore, content: bytes) -> Step:
    """Write an upload to the default target group down, and return its one step."""
    seed_defaults(store, now=lambda: NOON)
    found = store.find_group(DEFAULT_TARGET_GROUP_ID, account_id=DEFAULT_ACCOUNT_ID, project_id=DEFAULT_PROJECT_ID)
    assert found is not None
    upload = Upload(file_name="a.csv", content=content, by_response_id=False)
    new = NewJob(job_id="A", kind=JobKind.UPLOAD_RSIDS, created_at=NOON, created_by="me", trace_id="t", upload=upload)
    store.create_job(found.number, new)
    (job,) = store.list_processing()
    return Step(job=job, ids_done=0, last=True, at=NOON)


def test_a_new_database_and_the_folders_above_it_are_private(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    folder = tmp_path / "there" / "first" / "second"
    store = SqliteStore(folder / "service.sqlite")
    add_upload(store, b"raw")
    open_modes = modes(folder)
    store.close()

    assert open_modes == dict.fromkeys(["service.sqlite", "service.sqlite-wal", "service.sqlite-shm"], 0o600)
    assert modes(folder) == {"service.sqlite": 0o600}
    assert (modes(tmp_path), modes(tmp_path / "there"), modes(folder.parent)) == (
        {"there": 0o755},
        {"first": 0o700},
        {"second": 0o700},
    )


def test_the_database_of_an_earlier_version_becomes_private_with_the_files_beside_it(tmp_path: Path) -> None:
    database = tmp_path / "service.sqlite"
    with closing(sqlite3.connect(database, isolation_level=None)) as earlier:
        earlier.execute("PRAGMA journal_mode = WAL")
        earlier.execute("CREATE TABLE target_groups_of_old (number INTEGER)")
        before = modes(tmp_path)
        store = SqliteStore(database)
        after = modes(tmp_path)
        store.close()

    assert before == dict.fromkeys(["service.sqlite", "service.sqlite-wal", "service.sqlite-shm"], 0o644)
    assert after == dict.fromkeys(before, 0o600)


def test_a_database_behind_a_link_is_made_private_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "link.sqlite").symlink_to(tmp_path / "far" / "service.sqlite")
    store = SqliteStore(tmp_path / "link.sqlite")
    far = modes(tmp_path / "far")
    store.close()

    assert far == dict.fromkeys(["service.sqlite", "service.sqlite-wal", "service.sqlite-shm"], 0o600)


def test_an_owner_who_may_only_read_is_given_no_more(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "service.sqlite").close()
    (tmp_path / "service.sqlite").chmod(0o400)
    if os.geteuid() == 0:  # nobody else can open it for writing
        SqliteStore(tmp_path / "service.sqlite").close()

    assert modes(tmp_path) == {"service.sqlite": 0o400}


def test_many_that_start_at_once_share_one_database_and_leave_nothing_else(tmp_path: Path) -> None:
    barrier, keys = Barrier(6), list[bytes]()

    def start() -> None:
        barrier.wait()
        with closing(SqliteStore(tmp_path / "service.sqlite")) as store:
            keys.append(store.token_key())

    threads = [Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(keys), len(set(keys))) == (6, 1)
    assert modes(tmp_path) == {"service.sqlite": 0o600}


@settings(deadline=None)
@given(st.binary(max_size=5_000))
def test_any_file_comes_back_as_it_came(content: bytes) -> None:
    assert read_file(("a.csv", deflate(content), 1, 1)) == Upload(
        file_name="a.csv", content=content, by_response_id=True
    )


def test_files_that_an_earlier_version_stored_as_they_came_are_still_read(tmp_path: Path) -> None:
    database = tmp_path / "service.sqlite"
    store = SqliteStore(database)
    add_upload(store, b"packed")
    store.close()
    with closing(sqlite3.connect(database, isolation_level=None)) as earlier:
        earlier.execute("ALTER TABLE job_files DROP COLUMN deflated")
        earlier.execute("UPDATE job_files SET content = ?", (b"x\x9c as it came",))
    store = SqliteStore(database)
    found = store.read_upload("A")
    store.close()

    assert found.content == b"x\x9c as it came"


def test_an_id_takes_at_most_thirty_eight_bytes_with_the_file_it_came_in(tmp_path: Path) -> None:
    odd = 0x9E3779B97F4A7C15F39CC0605CEDC835
    content = "".join(f"{UUID(int=number * odd % 2**128)}\n" for number in range(100_000)).encode()
    store = SqliteStore(tmp_path / "service.sqlite")
    step = add_upload(store, content)
    work = UploadWork(
        ids=read_lines(content).ids,
        later=b"",
        failed=0,
        capacity=100_000,
        over_capacity=Ending(JobStatus.FAILED),
        conclude=lambda _stored, _failed: Ending(JobStatus.COMPLETED),
        derive=None,
    )
    store.apply_upload(step, work)
    store.vacuum()
    kept = store.read_upload("A").content
    store.close()

    assert kept == content
    assert (tmp_path / "service.sqlite").stat().st_size <= 38 * 100_000
