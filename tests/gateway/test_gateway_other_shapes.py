"""Answers of another shape than documented are no answers, and never crash a caller."""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
import httpx
import pytest
import respx
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from recontact_tools.errors import RecontactError, Unreachable
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.models import IdType, TargetGroup

pytestmark = pytest.mark.anyio

Call = Callable[[Gateway, TargetGroup], Awaitable[object]]


def spelled(fields: dict[str, str]) -> str:
    """Return the JSON object of *fields*, whose values are JSON already."""
    return f"{{{','.join(f'{json.dumps(name)}:{value}' for name, value in fields.items())}}}"


# Numbers that no float or no clock holds, and texts that UTF-8 does not hold, as JSON can spell them.
ODD = ("1e400", "-1e400", "NaN", "Infinity", "-1", "0", "1e-320", "1" + "0" * 400, "9" * 5_000, "true", '"\\ud800"')
TEXTS = st.text(st.characters(), max_size=5)  # characters() has halves of surrogate pairs, too
JSON = st.recursive(
    st.sampled_from(ODD) | (st.none() | st.booleans() | st.integers() | st.floats() | TEXTS).map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda found: f"[{','.join(found)}]")
        | st.dictionaries(TEXTS, inner, max_size=3).map(spelled)
    ),
    max_leaves=5,
)
FIELDS = st.dictionaries(
    st.sampled_from(
        [
            *("job_id", "status", "created_at", "completed_at", "created_by", "failure_reason", "file_name"),
            *("partial_success_reason", "data", "next_cursor", "saved_respondent_ids_count", "access_token"),
        ]
    ),
    JSON,
).map(spelled)
JOBS = st.fixed_dictionaries(
    {"job_id": TEXTS.map(json.dumps), "status": TEXTS.map(json.dumps)},
    optional={"created_at": st.datetimes().map(lambda time: json.dumps(f"{time.isoformat()}+14:00"))}
    | dict.fromkeys(("failure_reason", "partial_success_reason", "file_name", "job_trace_id"), JSON),
).map(spelled)
PAGES = st.fixed_dictionaries(
    {"data": st.lists(JOBS | JSON, max_size=2).map(lambda found: f"[{','.join(found)}]")},
    optional={"next_cursor": JSON},
).map(spelled)
TOKENS = st.fixed_dictionaries({"access_token": st.just('"t"') | JSON, "expires_in": JSON}).map(spelled)
SHAPES: list[tuple[str, dict[str, Any], Call]] = [
    ("a job without a status", {"job_id": "J1"}, lambda g, tg: g.get_removal_job(tg, "J1")),
    (
        "a reason that is a number",
        {"status": "Failed", "failure_reason": 5},
        lambda g, tg: g.get_removal_job(tg, "J1"),
    ),
    ("no count", {"saved_respondent_ids_count": None}, lambda g, tg: g.get_overview(tg)),
    ("a truth", {"saved_respondent_ids_count": True}, lambda g, tg: g.get_overview(tg)),
    ("below zero", {"saved_respondent_ids_count": -1}, lambda g, tg: g.get_overview(tg)),
    ("beyond any number", {"saved_respondent_ids_count": 2**53 + 1}, lambda g, tg: g.get_overview(tg)),
    ("a text", {"saved_respondent_ids_count": "many"}, lambda g, tg: g.get_overview(tg)),
    ("half a respondent", {"saved_respondent_ids_count": 0.5}, lambda g, tg: g.get_overview(tg)),
    ("no jobs", {"next_cursor": None}, lambda g, tg: g.list_upload_jobs(tg, page_size=1, cursor=None)),
    (
        "a listed job without an id",
        {"data": [{"status": "Completed"}]},
        lambda g, tg: g.list_upload_jobs(tg, page_size=1, cursor=None),
    ),
    (
        "a listed job that is a text",
        {"data": ["J1"]},
        lambda g, tg: g.list_upload_jobs(tg, page_size=1, cursor=None),
    ),
    (
        "a cursor that is a list",
        {"data": [], "next_cursor": []},
        lambda g, tg: g.list_upload_jobs(tg, page_size=1, cursor=None),
    ),
    ("no known field", {"error": "no"}, lambda g, tg: g.list_respondents(tg, page_size=1, cursor=None)),
    ("an odd RSID", {"data": ["a", 5]}, lambda g, tg: g.list_respondents(tg, page_size=1, cursor=None)),
]


@pytest.mark.parametrize(("answer", "call"), [pytest.param(*row, id=name) for name, *row in SHAPES])
async def test_an_answer_of_another_shape_is_no_answer(
    gateway: Gateway,
    group: TargetGroup,
    router: respx.MockRouter,
    *,
    answer: dict[str, Any],
    call: Call,
) -> None:
    router.route(host="api.example").respond(200, json=answer)
    with pytest.raises(Unreachable) as caught:
        await call(gateway, group)
    assert caught.value.code == "UNAVAILABLE"


@pytest.mark.parametrize("kind", ["text/html", "Text/HTML; charset=utf-8"])
async def test_a_page_is_not_taken_for_a_file(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, *, kind: str
) -> None:
    router.route(host="api.example").respond(200, content=b"<h1>hi</h1>", headers={"content-type": kind})
    with pytest.raises(Unreachable):
        await gateway.download_upload_file(group, "J1")


async def test_a_file_that_is_cut_short_is_not_taken_for_the_whole(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter
) -> None:
    router.route(host="api.example").respond(200, content=b"a\n", headers={"content-length": "64"})
    with pytest.raises(Unreachable):
        await gateway.download_upload_file(group, "J1")


def calls_of(gateway: Gateway, *, api_text: str) -> list[Awaitable[object]]:
    group = TargetGroup(1, "P", "T")
    return [
        gateway.get_overview(group),
        gateway.get_upload_job(group, api_text),
        gateway.get_removal_job(group, "J1"),
        gateway.list_upload_jobs(group, page_size=1, cursor=None),
        gateway.list_upload_jobs(group, page_size=1, cursor=api_text),
        gateway.list_respondents(group, page_size=1, cursor=api_text),
        gateway.download_upload_file(group, "J1"),
        gateway.upload_file(group, file_name="a.csv", content=b"a\n", id_type=IdType.RSID),
        gateway.remove_all(group),
    ]


@given(status=st.integers(200, 599), body=PAGES | JOBS | FIELDS | JSON, token=st.just('{"access_token": "t"}') | TOKENS)
@example(
    status=200, body='{"job_id": "\\ud800", "status": "Failed"}', token='{"access_token": "t", "expires_in": 1e400}'
)
@example(status=200, body='{"data": ["\\ud800"]}', token=f'{{"access_token": "t", "expires_in": 1{"0" * 400}}}')
@settings(deadline=None)
def test_whatever_the_api_answers_only_our_errors_and_texts_that_can_be_written_come_out(
    status: int, body: str, token: str
) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "auth.example":
            return httpx.Response(200, content=token)
        return httpx.Response(status, content=body)

    async def sleep(_seconds: float) -> None: ...

    async def call_everything() -> None:
        connection = Connection("https://api.example/v1", "https://auth.example/token", "id", "secret")
        gateway = Gateway(connection, transport=httpx.MockTransport(answer), now=lambda: 0.0, sleep=sleep)
        for call in calls_of(gateway, api_text=body[:200]):
            with suppress(RecontactError):
                assert to_json(await call)  # the boundary to MCP writes with it

    anyio.run(call_everything)
