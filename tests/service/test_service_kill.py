"""The service as a real process on a real socket, killed at the worst moments."""

import resource
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from service_databases import stored_ids

from recontact_service.seed import seed
from recontact_service.settings import Postgres

PROGRAM = """
import sys, anyio
from pathlib import Path
from recontact_service.serve import serve
from recontact_service.settings import Postgres, ServiceSettings
named = sys.argv[1]
settings = ServiceSettings(
    database=Postgres(url=named) if named.startswith("postgresql:") else Path(named),
    pace=float(sys.argv[2]), clients={"robot": "sesame"}, faults_endpoint=True, sweep_seconds=0.05,
)
anyio.run(lambda: serve(settings, ready=lambda host, port: print(port, flush=True)))
"""
TARGET_GROUP = "/v1/demand/accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1"
RSIDS = "recontacts/jobs/upload-rsids-by-file"
REMOVE = "recontacts/jobs/remove-all-rsids"
IDS = [str(UUID(int=number * 0x1234567890ABCDEF1234567)) for number in range(10_000)]
UPLOAD_PACE = 0.6 / 750  # ten chunks within 0.6 seconds
REMOVAL_PACE = 0.6 / 240


@contextmanager
def started(
    database: Path | Postgres, pace: float = 0.0, *, errors: int | None = None
) -> Generator[tuple[httpx.Client, subprocess.Popen[str]]]:
    named = str(database) if isinstance(database, Path) else database.url
    command = [sys.executable, "-c", PROGRAM, named, str(pace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
        try:
            assert process.stdout is not None
            base = f"http://127.0.0.1:{int(process.stdout.readline())}"
            with httpx.Client(base_url=f"{base}{TARGET_GROUP}/", headers=authorized(base)) as client:
                yield client, process
        finally:
            process.kill()


def authorized(base: str) -> dict[str, str]:
    body = {
        "client_id": "robot",
        "client_secret": "sesame",
        "grant_type": "client_credentials",
        "audience": "https://api.luc.id",
    }
    token = httpx.post(f"{base}/oauth/token", json=body).json()["access_token"]
    return {"Authorization": f"Bearer {token}", "Cint-API-Version": "2025-12-18"}


def upload(client: httpx.Client, ids: list[str], path: str = RSIDS) -> str:
    answer = client.post(path, files={"file": ("a.csv", "\n".join(ids), "text/csv")})
    job_id: str = answer.json()["job_id"]
    return job_id


def count(client: httpx.Client) -> int:
    return saved_of(client, TARGET_GROUP.rpartition("/")[2])


def saved_of(client: httpx.Client, group: str) -> int:
    answer: int = client.get(f"../{group}/recontacts/overview").json()["saved_respondent_ids_count"]
    return answer


def ended(client: httpx.Client, path: str, job_id: str) -> str:
    while True:
        status: str = client.get(f"{path}/{job_id}").json()["status"]
        if status != "Processing":
            return status


def stored(database: Path | Postgres) -> list[str]:
    ids = stored_ids(database)
    return [str(UUID(bytes=ids[at : at + 16])) for at in range(0, len(ids), 16)]


@pytest.mark.parametrize("applied", [0, 1_000, 2_000, 5_000, 8_000, 10_000])
def test_a_killed_upload_finishes_exactly_once_after_a_restart(applied: int, database: Path | Postgres) -> None:
    with started(database, UPLOAD_PACE) as (client, process):
        job_id = upload(client, IDS)
        while count(client) < applied:
            pass
        process.send_signal(signal.SIGKILL)
    with started(database, UPLOAD_PACE) as (client, _):
        status = ended(client, RSIDS, job_id)
        jobs = client.get("recontacts/jobs/upload-respondents-by-file").json()["data"]

    assert (status, len(jobs)) == ("Completed", 1)
    assert stored(database) == sorted(IDS)


@pytest.mark.parametrize("left", [10_000, 9_000, 5_000, 1_000, 0])
def test_a_killed_removal_finishes_exactly_once_after_a_restart(left: int, database: Path | Postgres) -> None:
    with started(database) as (client, _):
        ended(client, RSIDS, upload(client, IDS))
    with started(database, REMOVAL_PACE) as (client, process):
        job_id = client.post(REMOVE).json()["job_id"]
        while count(client) > left:
            pass
        process.send_signal(signal.SIGKILL)
    with started(database, REMOVAL_PACE) as (client, _):
        status = ended(client, REMOVE, job_id)
        after = ended(client, RSIDS, upload(client, IDS[:3]))

    assert (status, after) == ("Completed", "Completed")
    assert stored(database) == sorted(IDS[:3])


def test_a_full_speed_upload_killed_right_after_its_answer_is_not_lost(database: Path | Postgres) -> None:
    with started(database) as (client, process):
        job_id = upload(client, IDS)
        process.send_signal(signal.SIGKILL)
    with started(database) as (client, _):
        status = ended(client, RSIDS, job_id)

    assert status == "Completed"
    assert stored(database) == sorted(IDS)


def test_a_sibling_process_takes_over_the_job_of_a_killed_one(database: Path | Postgres) -> None:
    with started(database, UPLOAD_PACE) as (first, process), started(database, UPLOAD_PACE) as (second, _):
        job_id = upload(first, IDS)
        while count(second) < 1_000:
            pass
        process.send_signal(signal.SIGKILL)
        status = ended(second, RSIDS, job_id)

    assert status == "Completed"
    assert stored(database) == sorted(IDS)


def test_the_jobs_of_many_groups_end_once_each_when_one_of_two_processes_is_killed(database: Path | Postgres) -> None:
    groups = [f"01BTGNYV6HRNK8K8VKZASZCG{number:02}" for number in range(6)]
    for group in groups:
        seed(database, now=lambda: datetime.now(UTC), target_group_id=group)
    with started(database, UPLOAD_PACE) as (first, process), started(database, UPLOAD_PACE) as (second, _):
        jobs: dict[str, str] = {}
        for turn, group in enumerate(groups):
            client = (first, second)[turn % 2]
            jobs[group] = upload(client, IDS, path=f"../{group}/{RSIDS}")
        while not saved_of(second, groups[0]):
            pass
        process.send_signal(signal.SIGKILL)
        ends = {ended(second, f"../{group}/{RSIDS}", job_id) for group, job_id in jobs.items()}
        counts = {saved_of(second, group) for group in groups}
        uploads = [second.get(f"../{group}/recontacts/jobs/upload-respondents-by-file").json() for group in groups]

    assert (ends, counts) == ({"Completed"}, {len(IDS)})
    assert [len(page["data"]) for page in uploads] == [1] * len(groups)


@pytest.mark.parametrize(("kind", "jobs"), [("lost_answer", 1), ("lost_request", 0)])
def test_a_lost_answer_reaches_a_client_as_a_broken_one(kind: str, jobs: int, database: Path | Postgres) -> None:
    with started(database) as (client, _):
        control = f"{client.base_url.scheme}://{client.base_url.netloc.decode()}/_service"
        fault = {"operation": "recontact_create_upload_rsids_by_file_job", "kind": kind}
        client.post(f"{control}/faults", json=fault)
        with pytest.raises(httpx.TransportError):
            upload(client, IDS[:1])
        seen = client.get(f"{control}/requests").json()["jobs"]

    assert sum(seen.values()) == jobs


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_terminated_service_leaves_in_order(stop: signal.Signals, database: Path | Postgres) -> None:
    with started(database) as (_, process):
        process.send_signal(stop)
        code = process.wait(10)

    assert code == 0


def test_a_full_disk_refuses_new_jobs_and_delays_running_ones_but_ends_nothing(tmp_path: Path) -> None:
    database = tmp_path / "service.sqlite"
    with started(database, 4 * UPLOAD_PACE, errors=subprocess.PIPE) as (client, process):
        assert process.stderr is not None
        full, unlimited = (1, resource.RLIM_INFINITY), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, full)
        refused = client.post(RSIDS, files={"file": ("a.csv", IDS[0], "text/csv")})
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)
        job_id = upload(client, IDS)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, full)
        lines = [process.stderr.readline(), process.stderr.readline()]
        running = client.get(f"{RSIDS}/{job_id}").json()["status"]
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)
        status = ended(client, RSIDS, job_id)

    assert (refused.status_code, refused.json()["object"]) == (500, "unexpected_internal_error")
    assert lines == [
        "A request failed in the store: StoreFault\n",
        "Jobs that the store failed, to be tried again: StoreFault\n",
    ]
    assert (running, status) == ("Processing", "Completed")
    assert stored(database) == sorted(IDS)
