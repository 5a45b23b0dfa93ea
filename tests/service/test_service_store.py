"""The store, through its interface only."""

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Event, Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recontact_service.packed import as_text, pack_set, position_after, position_of
from recontact_service.settings import Postgres
from recontact_service.sqlite_store import SqliteStore
from recontact_service.store import JobAlreadyProcessing, Store
from recontact_service.stores import open_store
from recontact_service.values import (
    Ending,
    Job,
    JobKind,
    JobStatus,
    NewJob,
    Step,
    TargetGroup,
    TargetGroupState,
    Upload,
    UploadWork,
)

EXAMPLES = count(1)
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
PROJECT = "01BTGNYV6HRNK8K8VKZASZCFP0"


def packed(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(16, "big") for number in numbers)


def add_group(store: Store, number: int = 1) -> int:
    target_group_id = f"{number:026d}"
    group = TargetGroup(
        account_id=101,
        project_id=PROJECT,
        target_group_id=target_group_id,
        state=TargetGroupState.DRAFT,
        document={"name": "first"},
    )
    store.add_group(group)
    found = store.find_group(target_group_id, account_id=101, project_id=PROJECT)
    assert found is not None
    return found.number


def saved(store: Store, number: int = 1) -> int:
    found = store.find_group(f"{number:026d}", account_id=101, project_id=PROJECT)
    assert found is not None
    return found.saved


def start(store: Store, group: int, job_id: str, kind: JobKind = JobKind.UPLOAD_RSIDS) -> Job:
    upload = None
    if kind is not JobKind.REMOVE_ALL:
        upload = Upload(file_name="a.csv", content=b"raw", by_response_id=False)
    new = NewJob(job_id=job_id, kind=kind, created_at=NOON, created_by="me", trace_id="t", upload=upload)
    store.create_job(group, new)
    job = store.find_job(group, job_id)
    assert job is not None
    return job


def work(ids: bytes, *, later: bytes = b"", capacity: int = 100_000) -> UploadWork:
    return UploadWork(
        ids=ids,
        later=later,
        failed=0,
        capacity=capacity,
        over_capacity=Ending(JobStatus.FAILED, failure_code="Over", failure_description="over"),
        conclude=lambda stored, failed: Ending(JobStatus.COMPLETED, f"{stored} and {failed}"),
        derive=None,
    )


def last(job: Job, ids: int = 0) -> Step:
    return Step(job=job, ids_done=ids, last=True, at=NOON)


def test_one_job_at_a_time_is_kept_by_the_database_for_each_group(store: Store) -> None:
    one, two = add_group(store, 1), add_group(store, 2)
    job = start(store, one, "A")
    with pytest.raises(JobAlreadyProcessing):
        start(store, one, "B", JobKind.REMOVE_ALL)
    start(store, two, "C")
    store.apply_upload(last(job), work(b""))
    start(store, one, "D", JobKind.REMOVE_ALL)

    assert [running.job_id for running in store.list_processing()] == ["C", "D"]
    assert store.count_jobs() == {"upload-rsids-by-file": 2, "remove-all-rsids": 1}


def test_a_step_is_applied_once_however_often_it_is_tried(store: Store) -> None:
    group = add_group(store)
    job = start(store, group, "A")
    first = Step(job=job, ids_done=2, last=False, at=NOON)
    tries = [store.apply_upload(first, work(packed(1, 2), later=packed(3))) for _ in range(2)]
    moved = store.find_job(group, "A")
    assert moved is not None
    ends = [store.apply_upload(last(moved, 3), work(packed(3))) for _ in range(2)]
    done = store.find_job(group, "A")

    assert (tries, ends) == ([True, False], [True, False])
    assert done is not None
    assert done.ending == Ending(JobStatus.COMPLETED, "3 and 0")
    assert saved(store) == 3


def test_a_removal_goes_step_by_step_and_once(store: Store) -> None:
    group = add_group(store)
    store.apply_upload(last(start(store, group, "A")), work(packed(*range(2_500))))
    job = start(store, group, "B", JobKind.REMOVE_ALL)
    step = Step(job=job, ids_done=1_000, last=False, at=NOON)
    tries = [store.apply_removal(step) for _ in range(2)]
    left = store.read_page(group, after=b"", limit=5_000)
    store.apply_removal(last(replace(job, ids_done=1_000), 2_500))

    assert (job.total, tries) == (2_500, [True, False])
    assert left == packed(*range(1_000, 2_500))
    assert saved(store) == 0


def test_an_upload_over_capacity_fails_whole_even_when_only_later_steps_pass_it(store: Store) -> None:
    group = add_group(store)
    job = start(store, group, "A")
    store.apply_upload(Step(job=job, ids_done=1, last=False, at=NOON), work(packed(1), later=packed(2, 3), capacity=2))
    failed = store.find_job(group, "A")

    assert failed is not None
    assert (failed.status, saved(store)) == (JobStatus.FAILED, 0)


def test_a_failure_inside_a_step_changes_nothing(store: Store) -> None:
    group = add_group(store)
    job = start(store, group, "A")

    def fail(_stored: int, _failed: int) -> Ending:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.apply_upload(last(job, 1), replace(work(packed(1)), conclude=fail))

    assert store.find_job(group, "A") == job
    assert saved(store) == 0


def test_a_group_is_added_once_and_replaced_on_request_with_its_ids_kept(store: Store) -> None:
    group = add_group(store)
    store.apply_upload(last(start(store, group, "A")), work(packed(1)))
    changed = store.read_group(f"{1:026d}")
    assert changed is not None
    store.add_group(replace(changed, document={"name": "ignored"}))
    kept = store.read_group(f"{1:026d}")
    store.put_group(replace(changed, state=TargetGroupState.LAUNCHED, document={"name": "second"}))
    replaced = store.read_group(f"{1:026d}")

    assert kept == changed
    assert replaced == replace(changed, state=TargetGroupState.LAUNCHED, document={"name": "second"})
    assert saved(store) == 1
    assert store.read_group("unknown") is None


def test_the_file_is_kept_with_its_name(store: Store) -> None:
    start(store, add_group(store), "A")

    assert store.read_upload("A") == Upload(file_name="a.csv", content=b"raw", by_response_id=False)
    with pytest.raises(LookupError):
        store.read_upload("B")


def test_every_process_signs_with_the_same_key(store: Store) -> None:
    assert store.token_key() == store.token_key()
    assert len(store.token_key()) == 32


def test_what_is_written_is_there_for_the_next_process(database: Path | Postgres) -> None:
    first, second = open_store(database), open_store(database)
    group = add_group(first)
    job = start(first, group, "A")
    claimed = [one.apply_upload(last(job, 1), work(packed(7))) for one in (second, first)]
    pages = [one.read_page(group, after=b"", limit=9) for one in (first, second)]
    first.close()
    second.close()

    assert claimed == [True, False]
    assert pages == [packed(7)] * 2


def test_only_one_of_many_writers_gets_its_job_in(database: Path | Postgres) -> None:
    stores = [open_store(database) for _ in range(4)]
    group = add_group(stores[0])
    go, created, refused = Event(), list[str](), list[str]()

    def create(store: Store, name: str) -> None:
        go.wait()
        try:
            start(store, group, name)
            created.append(name)
        except JobAlreadyProcessing:
            refused.append(name)

    threads = [Thread(target=create, args=(store, str(number))) for number, store in enumerate(stores)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()

    assert (len(created), len(refused)) == (1, 3)


def test_stored_ids_take_at_most_eighteen_bytes_each(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "big.sqlite")
    group = add_group(store)
    ids = pack_set(
        b"".join(
            (number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128).to_bytes(16, "big") for number in range(100_000)
        )
    )
    store.apply_upload(last(start(store, group, "A")), work(ids[: 90_000 * 16]))
    store.apply_upload(last(start(store, group, "B")), work(ids[10_000 * 16 :]))
    store.vacuum()
    store.close()
    size = (tmp_path / "big.sqlite").stat().st_size

    assert size <= 18 * 100_000


def test_removed_ids_are_gone_from_the_disk(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "gone.sqlite")
    group = add_group(store)
    canary = bytes.fromhex("c0ffee00c0ffee00c0ffee00c0ffee00")
    store.apply_upload(last(start(store, group, "A")), work(canary))
    store.apply_removal(last(start(store, group, "B", JobKind.REMOVE_ALL)))
    store.close()

    assert canary not in (tmp_path / "gone.sqlite").read_bytes()


def test_tables_of_a_later_start_are_left_alone(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "again.sqlite").close()
    SqliteStore(tmp_path / "again.sqlite").close()

    connection = sqlite3.connect(tmp_path / "again.sqlite")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.sets(st.integers(0, 5_000), max_size=60), max_size=4),
    spread=st.sampled_from([1, 2_000]),
    probe=st.integers(0, 5_000),
    limit=st.integers(1, 150),
)
def test_pages_are_windows_of_the_sorted_set(
    store: Store, batches: list[set[int]], spread: int, probe: int, limit: int
) -> None:
    example = next(EXAMPLES)
    group = add_group(store, example)
    expected: set[int] = set()
    for number, batch in enumerate(batches):
        many = {one + shift * 5_001 for one in batch for shift in range(1 if spread == 1 else 40)}
        expected |= many
        store.apply_upload(last(start(store, group, f"{example}-{number}")), work(packed(*sorted(many))))
    ordered = sorted(expected)
    after = store.read_page(group, after=packed(probe), limit=limit)
    before = store.read_page_before(group, before=packed(probe), limit=limit)
    union = store.count_union(group, packed(probe))
    stored = saved(store, example)

    assert after == packed(*[one for one in ordered if one > probe][:limit])
    assert before == packed(*[one for one in ordered if one < probe][-limit:])
    assert (stored, union) == (len(expected), len(expected | {probe}))


@given(st.sets(st.integers(0, 2**128 - 1), max_size=50), st.integers(0, 2**128 - 1))
def test_positions_split_a_chunk_around_a_key(numbers: set[int], key: int) -> None:
    chunk = packed(*sorted(numbers))

    assert position_after(chunk, packed(key)) == 16 * sum(one <= key for one in numbers)
    assert position_of(chunk, packed(key)) == 16 * sum(one < key for one in numbers)
    assert len(as_text(chunk)) == len(numbers)
