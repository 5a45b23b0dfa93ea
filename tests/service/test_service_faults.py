"""Scripted faults: what a client meets, and whether the operation happened."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import anyio
import httpx
import pytest

from recontact_service.faults import Fault, FaultKind
from recontact_service.operations import Operation
from recontact_service.running import RunningService, running
from recontact_service.settings import ServiceSettings

pytestmark = pytest.mark.anyio

Opener = Callable[[ServiceSettings], AbstractAsyncContextManager[RunningService]]
Client = Callable[[RunningService], httpx.AsyncClient]

RSIDS = "recontacts/jobs/upload-rsids-by-file"
FILE = {"file": ("a.csv", b"0F1CE179-A917-49FF-9D50-B05FC91F7BD4\n", "text/csv")}


@pytest.mark.parametrize(
    ("kind", "status", "jobs"),
    [
        (FaultKind.CONFLICT, 409, 0),
        (FaultKind.RATE_LIMITED, 429, 0),
        (FaultKind.ERROR, 500, 0),
        (FaultKind.ERROR_AFTER_COMMIT, 500, 1),
        (FaultKind.PROXY_HTML, 502, 0),
        (FaultKind.PROXY_HTML_AFTER_COMMIT, 504, 1),
        (FaultKind.REDIRECT, 302, 0),
        (FaultKind.UNAUTHORIZED, 401, 0),
        (FaultKind.EXPIRED_TOKEN, 403, 0),
        (FaultKind.NO_PERMISSION, 403, 0),
    ],
)
async def test_a_faulty_answer_is_given_once_and_the_job_exists_only_after_a_commit(
    kind: FaultKind, status: int, jobs: int, service: RunningService, client: httpx.AsyncClient
) -> None:
    service.faults.script(Operation.UPLOAD_RSIDS, Fault(kind, seconds=3))
    faulty = await client.post(RSIDS, files=FILE)
    count = sum(service.store.count_jobs().values())
    await service.advance()
    healthy = await client.post(RSIDS, files=FILE)

    assert (faulty.status_code, count, healthy.status_code) == (status, jobs, 201)
    assert service.faults.requests[Operation.UPLOAD_RSIDS] == 2
    if kind is FaultKind.RATE_LIMITED:
        assert faulty.headers["retry-after"] == "3"
        assert set(faulty.json()) == {"object", "details"}
    if kind in {FaultKind.PROXY_HTML, FaultKind.PROXY_HTML_AFTER_COMMIT}:
        assert faulty.headers["content-type"] == "text/html"
    if kind is FaultKind.REDIRECT:
        assert faulty.headers["location"]
    if status in {401, 403}:
        assert faulty.json()["object"] == "authorization_error"


@pytest.mark.parametrize(("kind", "jobs"), [(FaultKind.LOST_ANSWER, 1), (FaultKind.LOST_REQUEST, 0)])
async def test_a_lost_connection_breaks_before_or_after_the_commit(
    kind: FaultKind, jobs: int, service: RunningService, client: httpx.AsyncClient
) -> None:
    service.faults.script(Operation.UPLOAD_RSIDS, Fault(kind))
    with pytest.raises(ConnectionResetError):
        await client.post(RSIDS, files=FILE)

    assert sum(service.store.count_jobs().values()) == jobs


async def test_a_slow_answer_waits_on_the_injected_clock(settings: ServiceSettings, client_of: Client) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if seconds != 9:
            await anyio.sleep_forever()

    async with running(settings, sleep=sleep) as service, client_of(service) as client:
        service.faults.script(Operation.OVERVIEW, Fault(FaultKind.SLOW, 9))
        answer = await client.get("recontacts/overview")

    assert answer.status_code == 200
    assert 9 in waits


async def test_faults_are_scripted_over_http_only_where_the_endpoint_is_open(
    settings: ServiceSettings, open_service: Opener, client_of: Client
) -> None:
    async with open_service(replace(settings, faults_endpoint=True)) as service, client_of(service) as client:
        at = "http://service/_service"
        fault = {"operation": Operation.OVERVIEW.value, "kind": "error", "times": 2}
        scripted = await client.post(f"{at}/faults", json=fault)
        answers = [(await client.get("recontacts/overview")).status_code for _ in range(3)]
        await client.post(f"{at}/faults", json=fault)
        forgotten = await client.delete(f"{at}/faults")
        after = await client.get("recontacts/overview")
        await client.post(RSIDS, files=FILE)
        seen = (await client.get(f"{at}/requests")).json()
        unknown = await client.get(f"{at}/faults")

    assert (scripted.status_code, forgotten.status_code, unknown.status_code) == (204, 204, 404)
    assert (answers, after.status_code) == ([500, 500, 200], 200)
    assert seen == {
        "requests": {Operation.OVERVIEW.value: 4, Operation.UPLOAD_RSIDS.value: 1},
        "jobs": {"upload-rsids-by-file": 1},
    }


@pytest.mark.parametrize(
    "change", [{"operation": "nothing"}, {"kind": "nothing"}, {"times": 0}, {"times": "1"}, {"seconds": -1}]
)
async def test_a_fault_that_makes_no_sense_is_refused(
    change: dict[str, object], settings: ServiceSettings, open_service: Opener, client_of: Client
) -> None:
    async with open_service(replace(settings, faults_endpoint=True)) as service, client_of(service) as client:
        fault = {"operation": Operation.OVERVIEW.value, "kind": "error", **change}
        answer = await client.post("http://service/_service/faults", json=fault)

    assert answer.status_code == 400
    assert answer.json()["invalid_params"][0]["name"] in change


async def test_a_client_that_leaves_during_its_upload_leaves_no_job(service: RunningService) -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(_message: object) -> None:
        raise AssertionError

    token = service.issue_token("robot").encode()
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/demand/accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0"
        f"/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/{RSIDS}",
        "query_string": b"",
        "headers": [
            (b"authorization", b"Bearer " + token),
            (b"cint-api-version", b"2025-12-18"),
            (b"content-type", b"multipart/form-data; boundary=b"),
        ],
    }
    await service.app(scope, receive, send)

    assert service.store.count_jobs() == {}


async def test_only_http_is_spoken(service: RunningService) -> None:
    async def receive() -> dict[str, object]:
        raise AssertionError

    async def send(_message: object) -> None:
        raise AssertionError

    with pytest.raises(NotImplementedError):
        await service.app({"type": "websocket"}, receive, send)
