"""Ids and cursors are opaque: whatever they hold, they stay one segment or one value of the URL."""

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, unquote

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recontact_tools.errors import InvalidInput
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.models import TargetGroup

GROUP = TargetGroup(1, "P", "T")
HEAD = "/v1/demand/accounts/1/projects/P/target-groups/T/recontacts/"
TEXTS = st.text(min_size=1, max_size=30) | st.text(alphabet="./%?#&=+ ;\\\r\n:@é", min_size=1, max_size=9)


def targets_of(call: Callable[[Gateway], Awaitable[object]], *, base: str = "https://api.example/v1") -> list[str]:
    """Return the targets of the requests that *call* sends to the API."""
    seen: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host != "auth.example":
            seen.append(request.url.raw_path.decode("ascii"))
        return httpx.Response(200, json={"access_token": "t", "status": "Failed", "data": []})

    async def run() -> None:
        connection = Connection(base, "https://auth.example/token", "id", "secret")
        await call(Gateway(connection, transport=httpx.MockTransport(answer)))

    anyio.run(run)
    return seen


@given(job_id=TEXTS.filter(lambda text: text not in {".", ".."}))
@settings(deadline=None)
def test_a_job_id_stays_one_segment(job_id: str) -> None:
    (target,) = targets_of(lambda gateway: gateway.get_removal_job(GROUP, job_id))
    head, _, segment = target.rpartition("/")
    assert head == f"{HEAD}jobs/remove-all-rsids"
    assert unquote(segment) == job_id
    assert "?" not in target


@given(cursor=TEXTS)
@settings(deadline=None)
def test_a_cursor_stays_one_value(cursor: str) -> None:
    (target,) = targets_of(lambda gateway: gateway.list_respondents(GROUP, page_size=5, cursor=cursor))
    path, _, query = target.partition("?")
    assert path == f"{HEAD}rsids"
    assert parse_qsl(query, strict_parsing=True) == [("page_size", "5"), ("start_after", cursor)]


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_an_id_that_would_name_another_path_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        targets_of(lambda gateway: gateway.get_removal_job(GROUP, name))
    with pytest.raises(InvalidInput):
        targets_of(lambda gateway: gateway.remove_all(TargetGroup(1, "P", name)))


def test_half_a_surrogate_pair_is_refused_and_not_a_crash() -> None:
    calls: list[Callable[[Gateway], Awaitable[object]]] = [
        lambda gateway: gateway.get_removal_job(GROUP, "canary\ud800"),
        lambda gateway: gateway.list_respondents(GROUP, page_size=5, cursor="canary\udfff"),
    ]
    for call in calls:
        with pytest.raises(InvalidInput) as caught:
            targets_of(call)
        assert "canary" not in str(caught.value.as_dict())
        assert caught.value.__context__ is None


def test_an_endless_id_or_cursor_is_refused() -> None:
    text = "canary" * 20_000
    calls: list[Callable[[Gateway], Awaitable[object]]] = [
        lambda gateway: gateway.get_removal_job(GROUP, text),
        lambda gateway: gateway.list_upload_jobs(GROUP, page_size=5, cursor=text),
    ]
    for call in calls:
        with pytest.raises(InvalidInput) as caught:
            targets_of(call)
        assert "canary" not in str(caught.value.as_dict())
        assert caught.value.__context__ is None


def test_a_base_url_may_end_with_a_slash() -> None:
    (target,) = targets_of(lambda gateway: gateway.get_removal_job(GROUP, "J1"), base="https://api.example/v1/")
    assert target == f"{HEAD}jobs/remove-all-rsids/J1"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example/v1",
        "/v1",
        "ftp://api.example",
        "https://",
        "https://canary:canary@api.example",
        "https://[canary]",
        "https://api.example:canary",
    ],
)
def test_a_url_that_no_request_can_be_sent_to_is_refused_without_quoting_it(url: str) -> None:
    for connection in (
        Connection(url, "https://auth.example/token", "id", "secret"),
        Connection("https://api.example", url, "id", "secret"),
    ):
        with pytest.raises(InvalidInput) as caught:
            Gateway(connection)
        assert "canary" not in str(caught.value.as_dict())
