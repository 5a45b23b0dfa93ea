"""Answers become values: tolerant of absent and null fields, of nothing else."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import respx

from recontact_tools.errors import Unreachable
from recontact_tools.gateway import Gateway
from recontact_tools.models import IdType, Job, JobPage, ListedJob, Reason, RespondentPage, TargetGroup

pytestmark = pytest.mark.anyio

TEN = datetime(2023, 1, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("answer", "job"),
    [
        pytest.param({"job_id": "J1", "status": "Processing"}, Job("J1", "Processing"), id="the least"),
        pytest.param({"status": "Processing"}, Job("asked", "Processing"), id="without its id"),
        pytest.param(
            {
                "job_id": "J1",
                "status": "Processing",
                "created_at": "2023-01-01T10:00:00.000Z",
                "created_by": "someone",
                "completed_at": None,
                "failure_reason": None,
                "partial_success_reason": None,
                "job_trace_id": None,
            },
            Job("J1", "Processing", created_at=TEN),
            id="processing, by somebody whose name is not read",
        ),
        pytest.param(
            {
                "job_id": "J1",
                "status": "Completed",
                "created_at": "2023-01-01T10:00:00Z",
                "completed_at": "2023-01-01T10:00:00.0000000Z",
                "partial_success_reason": {"description": "500 uploaded, 10 failed"},
            },
            Job(
                "J1",
                "Completed",
                created_at=TEN,
                completed_at=TEN,
                partial_success_reason=Reason("500 uploaded, 10 failed"),
            ),
            id="completed in part",
        ),
        pytest.param(
            {
                "job_id": "J1",
                "status": "Failed",
                "created_at": "2023-01-01T10:00:00",
                "completed_at": "2023-01-01T12:00:00+02:00",
                "failure_reason": {"code": "JobExecutionStartMessageFailed", "description": "Contact Cint"},
                "job_trace_id": "0af7651916cd43dd8448eb211c80319c",
            },
            Job(
                "J1",
                "Failed",
                created_at=TEN,
                completed_at=TEN,
                failure_reason=Reason("Contact Cint", "JobExecutionStartMessageFailed"),
                job_trace_id="0af7651916cd43dd8448eb211c80319c",
            ),
            id="failed",
        ),
        pytest.param(
            {
                "job_id": "J1",
                "status": "Paused?",
                "created_at": "soon",
                "created_by": 5,
                "failure_reason": {},
            },
            Job("J1", "Paused?", failure_reason=Reason("")),
            id="an unknown status and odd fields",
        ),
        pytest.param(
            {"job_id": "J1", "status": "Failed", "failure_reason": "no", "partial_success_reason": ""},
            Job("J1", "Failed", failure_reason=Reason("no")),
            id="reasons that are texts",
        ),
        pytest.param(
            {
                "job_id": "J1",
                "status": "Failed",
                "failure_reason": {
                    "code": "Bad5A3B2ADA-0000-4000-8000-00000000000F",
                    "description": "5a3b2ada-0000-4000-8000-000000000001,5a3b2ada00004000800000000000000f: 2 of 10",
                },
                "partial_success_reason": "not 5a3b2ada-0000-4000-8000-000000000001",
            },
            Job(
                "J1",
                "Failed",
                failure_reason=Reason("[id],[id]: 2 of 10", "Bad[id]"),
                partial_success_reason=Reason("not [id]"),
            ),
            id="reasons that quote respondents",
        ),
    ],
)
async def test_a_job_is_read_as_the_api_gives_it(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, *, answer: dict[str, Any], job: Job
) -> None:
    router.route(host="api.example").respond(200, json=answer)
    assert await gateway.get_upload_job(group, "asked", id_type=IdType.RSID) == job
    assert await gateway.get_removal_job(group, "asked") == job


@pytest.mark.parametrize(
    "text",
    [
        "2023-01-01T10:00:00Z",
        "2023-01-01T10:00:00.000Z",
        "2023-01-01T10:00:00.0000000Z",
        "2023-01-01T10:00:00",
        "2023-01-01T10:00:00.000",
        "2023-01-01T10:00:00+00:00",
        "2023-01-01T10:00:00.0000000+00:00",
        "2023-01-01T05:30:00-04:30",
        "2023-01-01 10:00:00Z",
    ],
)
async def test_every_way_to_write_a_moment_is_the_same_moment(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, *, text: str
) -> None:
    listed = {"data": [{"job_id": "J1", "created_at": text}]}
    answer = {"status": "Completed", "created_at": text, "completed_at": text, **listed}
    router.route(host="api.example").respond(200, json=answer)
    job = await gateway.get_removal_job(group, "J1")
    assert (job.created_at, job.completed_at) == (TEN, TEN)
    page = await gateway.list_upload_jobs(group, page_size=10, cursor=None)
    assert [one.created_at for one in page.jobs] == [TEN]


@pytest.mark.parametrize(
    ("status", "completed", "failed"),
    [
        ("Completed", True, False),
        ("completed", True, False),
        ("COMPLETED", True, False),
        ("Success", True, False),
        ("success", True, False),
        ("Failed", False, True),
        ("FAILED", False, True),
        ("Processing", False, False),
        ("processing", False, False),
        ("Queued", False, False),
    ],
)
async def test_a_status_is_compared_in_any_spelling_and_kept_as_the_api_spells_it(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, *, status: str, completed: bool, failed: bool
) -> None:
    router.route(host="api.example").respond(200, json={"status": status})
    job = await gateway.get_upload_job(group, "J1")
    assert (job.status, job.is_completed, job.is_failed) == (status, completed, failed)
    assert job.is_finished is (completed or failed)


@pytest.mark.parametrize("count", ["12500", "12500.0", '"12500"', "1.25e4"])
async def test_a_count_is_read_in_every_spelling_of_the_number(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, *, count: str
) -> None:
    router.route(host="api.example").respond(200, content=f'{{"saved_respondent_ids_count": {count}}}')
    assert await gateway.get_overview(group) == 12_500


@pytest.mark.parametrize("listing", ["upload jobs", "respondents"])
async def test_a_page_that_is_its_own_next_page_ends_in_an_error_and_one_that_is_empty_goes_on(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, *, listing: str
) -> None:
    read = gateway.list_upload_jobs if listing == "upload jobs" else gateway.list_respondents
    router.route(host="api.example").respond(200, json={"data": [], "next_cursor": "c1"})
    assert (await read(group, page_size=10, cursor=None)).next_cursor == "c1"
    assert (await read(group, page_size=10, cursor="c0")).next_cursor == "c1"
    with pytest.raises(Unreachable, match="no end") as caught:
        await read(group, page_size=10, cursor="c1")
    assert (caught.value.code, caught.value.changed) == ("UNAVAILABLE", "no")
    assert "c1" not in str(caught.value.as_dict())


async def test_what_cannot_be_written_or_has_no_utc_is_as_good_as_absent(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter
) -> None:
    half = "\ud800"
    answer = {"job_id": half, "status": "Failed", "created_at": "0001-01-01T00:00:00+10:00", "completed_at": half}
    reasons = {"failure_reason": half, "partial_success_reason": {"description": half, "code": half}}
    router.route(host="api.example").respond(200, content=json.dumps(answer | reasons | {"job_trace_id": half}))
    job = Job("asked", "Failed", failure_reason=Reason(""), partial_success_reason=Reason(""))
    assert await gateway.get_removal_job(group, "asked") == job


@pytest.mark.parametrize(
    ("answer", "page"),
    [
        pytest.param({"data": []}, JobPage((), None), id="nothing"),
        pytest.param({"data": [], "next_cursor": "c"}, JobPage((), "c"), id="empty with a next page"),
        pytest.param({"data": [], "next_cursor": ""}, JobPage((), None), id="an empty cursor"),
        pytest.param(
            {
                "data": [
                    {
                        "job_id": "J2",
                        "file_name": "ids.csv",
                        "status": "Completed",
                        "created_at": "2023-01-01T10:00:00Z",
                        "created_by": "someone",
                    },
                    {"job_id": "J1", "file_name": None},
                ],
                "next_cursor": None,
            },
            JobPage((ListedJob("J2", "ids.csv", "Completed", TEN), ListedJob("J1", "", "")), None),
            id="two jobs",
        ),
    ],
)
async def test_a_page_of_jobs_is_read_in_order(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, *, answer: dict[str, Any], page: JobPage
) -> None:
    router.route(host="api.example").respond(200, json=answer)
    assert await gateway.list_upload_jobs(group, page_size=10, cursor=None) == page


@pytest.mark.parametrize(
    ("answer", "page"),
    [
        pytest.param({"data": ["A", "b"], "next_cursor": "c"}, RespondentPage(("A", "b"), "c"), id="two"),
        pytest.param({"data": None, "url": "x"}, RespondentPage((), None), id="null"),
        pytest.param({"next_cursor": "c"}, RespondentPage((), "c"), id="no data but a next page"),
    ],
)
async def test_a_page_of_respondents_is_read_as_it_is(
    gateway: Gateway,
    group: TargetGroup,
    router: respx.MockRouter,
    *,
    answer: dict[str, Any],
    page: RespondentPage,
) -> None:
    router.route(host="api.example").respond(200, json=answer)
    assert await gateway.list_respondents(group, page_size=10, cursor=None) == page


async def test_a_file_is_returned_byte_for_byte(gateway: Gateway, group: TargetGroup, router: respx.MockRouter) -> None:
    content = b"\xef\xbb\xbfa\r\n\x00\xff"
    router.route(host="api.example").respond(200, content=content, headers={"content-type": "application/octet-stream"})
    assert await gateway.download_upload_file(group, "J1") == content


@pytest.mark.parametrize(
    "place",
    [
        pytest.param({"project_id": "P"}, id="no account"),
        pytest.param({"account_id": "101", "project_id": "P"}, id="an account that is a text"),
        pytest.param({"account_id": True, "project_id": "P"}, id="an account that is true"),
        pytest.param({"account_id": 101}, id="no project"),
        pytest.param({"account_id": 101, "project_id": ""}, id="an empty project"),
    ],
)
async def test_a_target_group_that_does_not_say_where_it_lives_is_not_located(
    gateway: Gateway, router: respx.MockRouter, *, place: dict[str, object]
) -> None:
    router.route(host="api.example").respond(200, json=place)
    with pytest.raises(Unreachable, match="no usable answer"):
        await gateway.target_groups.find("01BTGNYV6HRNK8K8VKZASZCFP1")
