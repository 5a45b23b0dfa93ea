"""Which answer becomes which error, and that a start of a job is never sent twice."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import respx

from recontact_tools.errors import (
    JobRunning,
    NotFound,
    NotPermitted,
    RateLimited,
    RecontactError,
    Refused,
)
from recontact_tools.gateway import Gateway
from recontact_tools.models import TargetGroup

pytestmark = pytest.mark.anyio

REFUSALS = [
    (400, Refused, "REFUSED"),
    (401, NotPermitted, "NOT_PERMITTED"),
    (403, NotPermitted, "NOT_PERMITTED"),
    (404, NotFound, "NOT_FOUND"),
    (405, Refused, "REFUSED"),
    (409, JobRunning, "JOB_RUNNING"),
    (412, Refused, "REFUSED"),
    (413, Refused, "FILE_TOO_LARGE"),
    (415, Refused, "REFUSED"),
    (418, Refused, "REFUSED"),
    (422, Refused, "REFUSED"),
    (429, RateLimited, "RATE_LIMITED"),
]
BODIES = [
    pytest.param({"json": {"object": "some_error", "detail": "canary-body"}}, id="envelope"),
    pytest.param({"json": {"error": "canary-body"}}, id="another object"),
    pytest.param({"json": ["canary-body"]}, id="a list"),
    pytest.param({"json": {"object": 5}}, id="an envelope with a number"),
    pytest.param({"html": "<h1>canary-body</h1>"}, id="a proxy's page"),
    pytest.param({"content": b"\xff\x00canary-body"}, id="bytes"),
    pytest.param({"content": b"[" * 100_000}, id="nested too deeply"),
    pytest.param({}, id="nothing"),
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(("status", "kind", "code"), REFUSALS)
async def test_a_4xx_means_that_no_job_was_started(
    start: Callable[[], Awaitable[str]],
    router: respx.MockRouter,
    *,
    status: int,
    kind: type[Refused],
    code: str,
    body: dict[str, Any],
) -> None:
    router.route(host="api.example").mock(return_value=httpx.Response(status, **body))
    with pytest.raises(Refused) as caught:
        await start()
    assert type(caught.value) is kind
    assert caught.value.as_dict() | {"message": "", "next_step": "", "safe_to_repeat": False} == {
        "code": code,
        "message": "",
        "changed": "no",
        "safe_to_repeat": False,
        "next_step": "",
        "http_status": status,
    }
    assert "canary" not in str(caught.value.as_dict())


@pytest.mark.parametrize(("status", "kind", "code"), REFUSALS)
async def test_a_4xx_to_a_read_is_the_same_error(
    gateway: Gateway,
    group: TargetGroup,
    router: respx.MockRouter,
    *,
    status: int,
    kind: type[Refused],
    code: str,
) -> None:
    router.route(host="api.example").respond(status)
    with pytest.raises(Refused) as caught:
        await gateway.get_overview(group)
    assert (type(caught.value), caught.value.code) == (kind, code)


async def test_a_missing_version_header_is_named_and_no_new_token_is_asked_for(
    start: Callable[[], Awaitable[str]], router: respx.MockRouter, token_route: respx.Route
) -> None:
    route = router.route(host="api.example").respond(403, json={"object": "required_header_missing"})
    with pytest.raises(NotPermitted, match="version header"):
        await start()
    assert (route.call_count, token_route.call_count) == (1, 1)


async def test_the_wait_that_the_api_asks_for_is_passed_on(
    start: Callable[[], Awaitable[str]], router: respx.MockRouter
) -> None:
    router.route(host="api.example").respond(429, headers={"retry-after": "17"})
    with pytest.raises(RateLimited) as caught:
        await start()
    assert caught.value.details == {"http_status": 429, "retry_after_seconds": 17}


async def test_a_job_on_neither_upload_path_is_not_found(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter
) -> None:
    route = router.route(host="api.example").respond(404)
    with pytest.raises(NotFound):
        await gateway.get_upload_job(group, "J1")
    assert route.call_count == 2


async def test_every_error_says_what_to_do_next_in_our_words(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter
) -> None:
    router.route(host="api.example").respond(500, json={"detail": "canary-body"})
    with pytest.raises(RecontactError) as caught:
        await gateway.get_overview(group)
    assert caught.value.next_step
    assert "canary" not in str(caught.value.as_dict())


LISTS: list[Callable[..., Awaitable[object]]] = [Gateway.list_upload_jobs, Gateway.list_respondents]


@pytest.mark.parametrize("pages", LISTS)
async def test_a_400_to_a_cursor_names_the_cursor(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, *, pages: Callable[..., Awaitable[object]]
) -> None:
    router.route(host="api.example").respond(400)
    with pytest.raises(Refused, match="cursor") as caught:
        await pages(gateway, group, page_size=10, cursor="canary")
    assert caught.value.as_dict() == {
        "code": "REFUSED",
        "message": caught.value.message,
        "changed": "no",
        "safe_to_repeat": False,
        "next_step": "Start again without a cursor.",
        "http_status": 400,
    }
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("status", "body", "cursor"),
    [
        pytest.param(400, {}, None, id="no cursor"),
        pytest.param(400, {}, "", id="an empty cursor"),
        pytest.param(400, {"object": "required_header_missing"}, "c", id="a missing header"),
        pytest.param(404, {}, "c", id="another status"),
    ],
)
@pytest.mark.parametrize("pages", LISTS)
async def test_another_refusal_of_a_page_does_not_blame_the_cursor(
    gateway: Gateway,
    group: TargetGroup,
    router: respx.MockRouter,
    *,
    pages: Callable[..., Awaitable[object]],
    status: int,
    body: dict[str, Any],
    cursor: str | None,
) -> None:
    router.route(host="api.example").respond(status, json=body)
    with pytest.raises(Refused) as caught:
        await pages(gateway, group, page_size=10, cursor=cursor)
    assert "cursor" not in str(caught.value.as_dict())


async def test_refused_credentials_do_not_blame_the_cursor(
    gateway: Gateway, group: TargetGroup, token_route: respx.Route
) -> None:
    token_route.side_effect = None
    token_route.respond(400)
    with pytest.raises(NotPermitted, match="client id and secret"):
        await gateway.list_respondents(group, page_size=10, cursor="c")
