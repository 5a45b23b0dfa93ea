"""Uploads and removals through the API, as a client sees them."""

import re
import typing
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import httpx
import pytest

from recontact_service.running import RunningService
from recontact_service.settings import ServiceSettings

pytestmark = pytest.mark.anyio

Opener = Callable[[ServiceSettings], AbstractAsyncContextManager[RunningService]]
Client = Callable[[RunningService], httpx.AsyncClient]

OverCapStatus: typing.TypeAlias = typing.Literal[400, 409, 413]
RSIDS = "recontacts/jobs/upload-rsids-by-file"
RESPONDENTS = "recontacts/jobs/upload-respondents-by-file"
REMOVE = "recontacts/jobs/remove-all-rsids"
ONE = "0F1CE179-A917-49FF-9D50-B05FC91F7BD4"
TWO = "75f1404c-65f6-4937-ad2a-588e4f66e07f"


def numbered(count: int, *, start: int = 0) -> list[str]:
    return [str(UUID(int=number)) for number in range(start, start + count)]


def csv(*lines: str, name: str = "people.csv") -> dict[str, tuple[str, bytes, str]]:
    return {"file": (name, "".join(f"{line}\n" for line in lines).encode(), "text/csv")}


async def count(client: httpx.AsyncClient) -> int:
    answer: int = (await client.get("recontacts/overview")).json()["saved_respondent_ids_count"]
    return answer


async def test_an_upload_is_stored_in_lower_case_and_completes(
    service: RunningService, client: httpx.AsyncClient
) -> None:
    created = await client.post(RSIDS, files=csv(ONE, TWO))
    await service.advance()
    job = (await client.get(f"{RSIDS}/{created.json()['job_id']}")).json()
    page = (await client.get("recontacts/rsids")).json()

    assert created.status_code == 201
    assert list(created.json()) == ["job_id"]
    assert job == {
        "job_id": created.json()["job_id"],
        "created_at": "2030-01-01T12:00:00.000Z",
        "created_by": job["created_by"],
        "status": "Completed",
        "completed_at": "2030-01-01T12:00:00.000Z",
        "failure_reason": None,
        "partial_success_reason": None,
    }
    assert str(UUID(job["created_by"])) == job["created_by"]
    assert page == {
        "data": [ONE.lower(), TWO],
        "url": "accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0"
        "/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/recontacts/rsids",
    }


async def test_bad_rows_are_counted_in_the_documented_words(service: RunningService, client: httpx.AsyncClient) -> None:
    created = await client.post(RSIDS, files=csv("respondent_id", ONE, "", ONE.lower(), "123", TWO))
    await service.advance()
    job = (await client.get(f"{RSIDS}/{created.json()['job_id']}")).json()

    assert job["status"] == "Completed"
    assert job["partial_success_reason"] == {
        "description": "Upload partially successful."
        " 2 respondent IDs uploaded successfully, 3 failed (invalid or empty)."
    }


async def test_uploads_add_to_what_is_stored_and_merge_what_is_known(
    service: RunningService, client: httpx.AsyncClient
) -> None:
    for lines in (numbered(1_500), numbered(1_500, start=1_000)):
        await client.post(RSIDS, files=csv(*lines))
        await service.advance()

    assert await count(client) == 2_500


@pytest.mark.parametrize("first", [RSIDS, REMOVE])
@pytest.mark.parametrize("second", [RSIDS, REMOVE])
async def test_a_second_job_is_refused_while_one_runs(
    first: str, second: str, settings: ServiceSettings, open_service: Opener, client_of: Client
) -> None:
    async with open_service(replace(settings, pace=1)) as service, client_of(service) as client:
        await client.post(RSIDS, files=csv(ONE))
        service.parts.runner.wake()
        refused = await client.post(first, files=csv(TWO))
        again = await client.post(second, files=csv(TWO))

    assert {refused.status_code, again.status_code} == {409}
    assert refused.json()["object"] == "conflict_error"
    assert str(UUID(refused.json()["id"])) == refused.json()["id"]


async def test_a_removal_empties_the_group_and_has_no_partial_success(
    service: RunningService, client: httpx.AsyncClient
) -> None:
    await client.post(RSIDS, files=csv(*numbered(2_000)))
    await service.advance()
    created = await client.post(REMOVE)
    await service.advance()
    job = (await client.get(f"{REMOVE}/{created.json()['job_id']}")).json()

    assert created.status_code == 201
    assert set(job) == {
        "job_id",
        "created_at",
        "created_by",
        "status",
        "completed_at",
        "failure_reason",
    }
    assert job["status"] == "Completed"
    assert await count(client) == 0
    assert (await client.get(f"{RSIDS}/{created.json()['job_id']}")).status_code == 404


async def test_a_paced_job_takes_the_documented_time_in_chunks(
    settings: ServiceSettings, open_service: Opener, client_of: Client, clock: list[datetime]
) -> None:
    async with open_service(replace(settings, pace=1)) as service, client_of(service) as client:
        created = await client.post(RSIDS, files=csv(*numbered(3_500)))
        counts: list[int] = []
        for _ in range(5):
            await service.advance()
            counts.append(await count(client))
            clock[0] += timedelta(seconds=75)
        job = (await client.get(f"{RSIDS}/{created.json()['job_id']}")).json()
        await client.post(REMOVE)
        removal: list[int] = []
        for _ in range(5):
            await service.advance()
            removal.append(await count(client))
            clock[0] += timedelta(seconds=24)

    assert counts == [0, 1_000, 2_000, 3_000, 3_500]
    assert job["status"] == "Completed"
    assert job["completed_at"] == "2030-01-01T12:05:00.000Z"
    assert removal == [3_500, 2_500, 1_500, 500, 0]


async def test_a_processing_job_goes_on_after_a_restart_with_another_chunk_size(
    settings: ServiceSettings, open_service: Opener, client_of: Client, clock: list[datetime]
) -> None:
    async with open_service(replace(settings, pace=1)) as service, client_of(service) as client:
        created = await client.post(RSIDS, files=csv(*numbered(2_500)))
        clock[0] += timedelta(seconds=80)
        await service.advance()
        running = (await client.get(f"{RSIDS}/{created.json()['job_id']}")).json()
        before = await count(client)
    async with open_service(replace(settings, pace=1, chunk_ids=300)) as service, client_of(service) as client:
        clock[0] += timedelta(seconds=300)
        await service.advance()
        after = await count(client)

    assert (running["status"], running["completed_at"], before) == ("Processing", None, 1_000)
    assert after == 2_500


async def test_an_upload_over_the_cap_fails_and_stores_nothing(
    settings: ServiceSettings, open_service: Opener, client_of: Client
) -> None:
    async with open_service(replace(settings, capacity=10)) as service, client_of(service) as client:
        await client.post(RSIDS, files=csv(*numbered(6)))
        await service.advance()
        trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
        created = await client.post(RSIDS, files=csv(*numbered(6, start=5)), headers=trace)
        await service.advance()
        job = (await client.get(f"{RSIDS}/{created.json()['job_id']}")).json()
        stored = await count(client)

    assert (job["status"], stored) == ("Failed", 6)
    assert set(job["failure_reason"]) == {"code", "description"}
    assert job["job_trace_id"] == "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize("status", typing.get_args(OverCapStatus))
async def test_an_upload_over_the_cap_can_be_refused_at_once(
    status: OverCapStatus, settings: ServiceSettings, open_service: Opener, client_of: Client
) -> None:
    strict = replace(settings, capacity=10, over_cap="refuse_request", over_cap_status=status)
    async with open_service(strict) as service, client_of(service) as client:
        refused = await client.post(RSIDS, files=csv(*numbered(11)))
        taken = await client.post(RSIDS, files=csv(*numbered(10)))

    assert (refused.status_code, taken.status_code) == (status, 201)
    assert refused.json()["invalid_params"][0]["name"] == "file"


async def test_response_ids_are_stored_as_the_respondents_they_belong_to(
    service: RunningService, client: httpx.AsyncClient
) -> None:
    service.store.map_response_ids({UUID(ONE).bytes: UUID(TWO).bytes})
    created = await client.post(RESPONDENTS, params={"entity_type": "RID"}, files=csv(ONE, numbered(1)[0]))
    await service.advance()
    job = (await client.get(f"{RESPONDENTS}/{created.json()['job_id']}")).json()
    page = (await client.get("recontacts/rsids")).json()

    assert page["data"] == [TWO]
    assert "1 respondent IDs uploaded successfully, 1 failed" in job["partial_success_reason"]["description"]


async def test_unknown_response_ids_can_be_given_invented_respondents(
    settings: ServiceSettings, open_service: Opener, client_of: Client
) -> None:
    async with open_service(replace(settings, unknown_response_ids="derive")) as service, client_of(service) as client:
        for _ in range(2):
            await client.post(RESPONDENTS, params={"entity_type": "RESPONSE_ID"}, files=csv(ONE, TWO))
            await service.advance()
        stored = await count(client)

    assert stored == 2


@pytest.mark.parametrize("all_invalid", ["complete", "fail"])
async def test_a_file_without_a_valid_row_ends_as_the_setting_says(
    all_invalid: str, settings: ServiceSettings, open_service: Opener, client_of: Client
) -> None:
    chosen = replace(settings, all_invalid="fail" if all_invalid == "fail" else "complete")
    async with open_service(chosen) as service, client_of(service) as client:
        created = await client.post(RSIDS, files=csv("nothing", "here"))
        await service.advance()
        job = (await client.get(f"{RSIDS}/{created.json()['job_id']}")).json()

    assert job["status"] == ("Failed" if all_invalid == "fail" else "Completed")


async def test_jobs_of_both_upload_paths_are_listed_newest_first_in_pages(
    service: RunningService, client: httpx.AsyncClient
) -> None:
    job_ids: list[str] = []
    for number, path in enumerate([RSIDS, f"{RESPONDENTS}?entity_type=RSID", RSIDS]):
        created = await client.post(path, files=csv(ONE, name=f"file {number}.csv"))
        job_ids.insert(0, created.json()["job_id"])
        await service.advance()
    await client.post(REMOVE)
    first = (await client.get(RESPONDENTS, params={"page_size": 2})).json()
    second = (await client.get(RESPONDENTS, params={"page_size": 2, "start_after": first["next_cursor"]})).json()

    assert [job["job_id"] for job in first["data"] + second["data"]] == job_ids
    assert [job["file_name"] for job in first["data"]] == ["file 2.csv", "file 1.csv"]
    assert set(first["data"][0]) == {"job_id", "file_name", "status", "created_at", "created_by"}
    assert second["next_cursor"] is None


@pytest.mark.parametrize("both", [True, False])
async def test_a_job_is_read_on_the_other_upload_path_only_when_the_setting_says_so(
    both: bool,  # noqa: FBT001 - a parameter of the table
    settings: ServiceSettings,
    open_service: Opener,
    client_of: Client,
) -> None:
    chosen = replace(settings, jobs_readable_on_both_upload_paths=both)
    async with open_service(chosen) as service, client_of(service) as client:
        job_id = (await client.post(RSIDS, files=csv(ONE))).json()["job_id"]
        other = await client.get(f"{RESPONDENTS}/{job_id}")

    assert other.status_code == (200 if both else 404)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        pytest.param("my list (1).csv", "my_list__1_.csv", id="odd characters become underscores"),
        pytest.param("..", "{job_id}.txt", id="a name without a letter is replaced"),
    ],
)
async def test_the_file_is_downloaded_as_it_came_under_a_safe_name(
    sent: str, shown: str, client: httpx.AsyncClient
) -> None:
    raw = b"\xef\xbb\xbf" + ONE.encode() + b"\r\nnot one"
    created = await client.post(RSIDS, files={"file": (sent, raw, "text/plain")})
    job_id = created.json()["job_id"]
    answer = await client.get(f"{RESPONDENTS}/{job_id}/download")

    assert answer.content == raw
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == f'attachment; filename="{shown.format(job_id=job_id)}"'
    assert re.fullmatch(r"[0-9A-Z]{26}", job_id)


async def test_a_removal_has_no_file_to_download(client: httpx.AsyncClient) -> None:
    job_id = (await client.post(REMOVE)).json()["job_id"]

    assert (await client.get(f"{RESPONDENTS}/{job_id}/download")).status_code == 404
