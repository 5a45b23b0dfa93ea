"""What goes over the wire, operation by operation."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import respx

from recontact_tools.gateway import Gateway
from recontact_tools.models import IdType, TargetGroup

pytestmark = pytest.mark.anyio

Call = Callable[[Gateway, TargetGroup], Awaitable[object]]

JOB: dict[str, Any] = {"job_id": "J1", "status": "Processing"}
LIST: dict[str, Any] = {"data": [], "next_cursor": None}
UPLOADS = "/jobs/upload-respondents-by-file"
# source: cint-api.md section 1.1
OPERATIONS: list[tuple[str, str, str, object, Call]] = [
    (
        "upload RSIDs",
        "POST",
        "/jobs/upload-rsids-by-file",
        {"job_id": "J1"},
        lambda g, tg: g.upload_file(tg, file_name="a.csv", content=b"x\n", id_type=IdType.RSID),
    ),
    (
        "upload RIDs",
        "POST",
        f"{UPLOADS}?entity_type=RID",
        {"job_id": "J1"},
        lambda g, tg: g.upload_file(tg, file_name="a.csv", content=b"x\n", id_type=IdType.RID),
    ),
    (
        "job of an RSID upload",
        "GET",
        "/jobs/upload-rsids-by-file/J1",
        JOB,
        lambda g, tg: g.get_upload_job(tg, "J1", id_type=IdType.RSID),
    ),
    (
        "job of a RID upload",
        "GET",
        f"{UPLOADS}/J1",
        JOB,
        lambda g, tg: g.get_upload_job(tg, "J1", id_type=IdType.RID),
    ),
    (
        "first page of jobs",
        "GET",
        f"{UPLOADS}?page_size=20",
        LIST,
        lambda g, tg: g.list_upload_jobs(tg, page_size=20, cursor=None),
    ),
    (
        "next page of jobs",
        "GET",
        f"{UPLOADS}?page_size=20&start_after=next",
        LIST,
        lambda g, tg: g.list_upload_jobs(tg, page_size=20, cursor="next"),
    ),
    ("file of a job", "GET", f"{UPLOADS}/J1/download", {}, lambda g, tg: g.download_upload_file(tg, "J1")),
    ("remove all", "POST", "/jobs/remove-all-rsids", {"job_id": "J1"}, lambda g, tg: g.remove_all(tg)),
    ("removal job", "GET", "/jobs/remove-all-rsids/J1", JOB, lambda g, tg: g.get_removal_job(tg, "J1")),
    ("overview", "GET", "/overview", {"saved_respondent_ids_count": 0}, lambda g, tg: g.get_overview(tg)),
    (
        "page of RSIDs",
        "GET",
        "/rsids?page_size=100&start_after=next",
        LIST,
        lambda g, tg: g.list_respondents(tg, page_size=100, cursor="next"),
    ),
]


@pytest.mark.parametrize(
    ("method", "tail", "answer", "call"), [pytest.param(*row, id=name) for name, *row in OPERATIONS]
)
async def test_each_operation_is_one_request_to_its_path_with_the_token_and_the_version(
    gateway: Gateway,
    group: TargetGroup,
    router: respx.MockRouter,
    recontacts: str,
    *,
    method: str,
    tail: str,
    answer: object,
    call: Call,
) -> None:
    route = router.route(host="api.example").respond(200, json=answer)
    await call(gateway, group)
    assert route.call_count == 1
    request = route.calls.last.request
    assert (request.method, str(request.url)) == (method, recontacts + tail)
    assert request.headers["authorization"] == "Bearer canary-token-1"
    assert request.headers["cint-api-version"] == "2025-12-18"


async def test_the_token_request_is_the_documented_json(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, token_route: respx.Route
) -> None:
    router.route(host="api.example").respond(200, json={"saved_respondent_ids_count": 0})
    await gateway.get_overview(group)
    request = token_route.calls.last.request
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers
    assert json.loads(request.content) == {
        "client_id": "client-1",
        "client_secret": "canary-secret",
        "grant_type": "client_credentials",
        "auth_scopes": "app:api",
        "audience": "https://api.luc.id",
    }


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_any_2xx_with_a_job_id_has_started_a_job(
    start: Callable[[], Awaitable[str]], router: respx.MockRouter, *, status: int
) -> None:
    router.route(host="api.example").respond(status, json={"job_id": "f0e1 lower/uuid"})
    assert await start() == "f0e1 lower/uuid"


@pytest.mark.parametrize(
    ("id_type", "first", "second"),
    [
        pytest.param(None, "upload-rsids-by-file", "upload-respondents-by-file", id="unknown"),
        pytest.param(IdType.RSID, "upload-rsids-by-file", "upload-respondents-by-file", id="RSID"),
        pytest.param(IdType.RID, "upload-respondents-by-file", "upload-rsids-by-file", id="RID"),
    ],
)
async def test_a_job_not_found_on_one_upload_path_is_looked_for_on_the_other(
    gateway: Gateway,
    group: TargetGroup,
    router: respx.MockRouter,
    recontacts: str,
    *,
    id_type: IdType | None,
    first: str,
    second: str,
) -> None:
    missing = router.get(f"{recontacts}/jobs/{first}/J1").respond(404)
    router.get(f"{recontacts}/jobs/{second}/J1").respond(200, json=JOB)
    assert (await gateway.get_upload_job(group, "J1", id_type=id_type)).status == "Processing"
    assert missing.call_count == 1
