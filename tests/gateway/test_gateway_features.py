"""Operations that an account or a version may lack: found by harmless reads, said in words, and remembered a while."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx
import pytest
import respx

from recontact_tools.errors import FeatureMissing, NotFound, RecontactError, Unreachable
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.gateway.features import REMEMBERED_SECONDS
from recontact_tools.models import IdType, TargetGroup
from recontact_tools.versions import Features

pytestmark = pytest.mark.anyio

JOB = {"job_id": "J1", "status": "Processing"}
NOT_THERE = httpx.Response(404, json={"object": "not_found_error", "detail": "x"})
NEWER = r"/jobs/upload-respondents-by-file"
NONE = Features(job_list=False, download=False, rid_upload=False)

MakeGateway = Callable[[Connection], Gateway]
Call = Callable[[Gateway, TargetGroup], Awaitable[object]]


def upload(gateway: Gateway, group: TargetGroup, id_type: IdType) -> Awaitable[str]:
    return gateway.upload_file(group, file_name="a.csv", content=b"x\n", id_type=id_type)


CALLS: list[tuple[str, str, Call]] = [
    ("job_list", "list of upload jobs", lambda g, tg: g.list_upload_jobs(tg, page_size=10, cursor=None)),
    ("download", "download", lambda g, tg: g.download_upload_file(tg, "J1")),
    ("rid_upload", "upload of RIDs", lambda g, tg: upload(g, tg, IdType.RID)),
]
each_call = pytest.mark.parametrize(("feature", "words", "call"), CALLS, ids=[row[0] for row in CALLS])


@pytest.fixture
def newer(router: respx.MockRouter) -> respx.Route:
    """The newer operations, which this account has not."""
    return router.route(path__regex=NEWER).mock(return_value=NOT_THERE)


@pytest.fixture
def older(router: respx.MockRouter, newer: respx.Route) -> respx.Route:
    """The operations that every account has."""
    assert newer is not None
    answer = {**JOB, "saved_respondent_ids_count": 7}
    return router.route(host="api.example").mock(return_value=httpx.Response(200, json=answer))


async def missing(call: Awaitable[object]) -> FeatureMissing:
    with pytest.raises(FeatureMissing) as caught:
        await call
    return caught.value


@each_call
async def test_an_operation_that_is_not_there_is_told_from_a_thing_that_is_not(
    gateway: Gateway,
    group: TargetGroup,
    older: respx.Route,
    *,
    feature: str,
    words: str,
    call: Call,
) -> None:
    error = await missing(call(gateway, group))
    assert (error.code, error.changed, error.details) == ("FEATURE_MISSING", "no", {"feature": feature})
    assert words in error.message
    assert "uploading RSIDs" in error.next_step
    assert older.called


@each_call
async def test_what_is_known_to_be_missing_is_not_asked_for_until_a_while_has_passed(
    gateway: Gateway,
    group: TargetGroup,
    newer: respx.Route,
    older: respx.Route,
    pauses: list[float],
    *,
    feature: str,
    words: str,
    call: Call,
) -> None:
    assert feature
    assert words
    assert await gateway.features(group) == NONE
    sent = newer.call_count, older.call_count
    other = replace(group, target_group_id="T2")
    for one in (group, other):
        await missing(call(gateway, one))
    assert (newer.call_count, older.call_count) == sent == (1, 1)
    pauses.append(REMEMBERED_SECONDS)
    await missing(call(gateway, group))
    assert newer.call_count > 1


@each_call
async def test_a_target_group_that_is_not_there_is_not_found(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter, *, feature: str, words: str, call: Call
) -> None:
    assert feature
    assert words
    router.route(host="api.example").mock(return_value=NOT_THERE)
    for _ in range(2):
        with pytest.raises(NotFound):
            await call(gateway, group)
    with pytest.raises(NotFound):
        await gateway.features(group)


@each_call
async def test_when_looking_does_not_tell_the_operation_was_refused_all_the_same(
    make_gateway: MakeGateway,
    connection: Connection,
    group: TargetGroup,
    router: respx.MockRouter,
    newer: respx.Route,
    *,
    feature: str,
    words: str,
    call: Call,
) -> None:
    assert newer is not None
    assert feature
    assert words
    gateway = make_gateway(replace(connection, reads_retried=1))
    router.route(host="api.example").respond(503)
    with pytest.raises(NotFound):
        await call(gateway, group)
    with pytest.raises(Unreachable):
        await gateway.features(group)


async def test_a_job_that_is_not_there_is_not_taken_for_a_missing_operation(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter
) -> None:
    router.route(path__regex=f"{NEWER}$").respond(200, json={"data": []})
    router.route(host="api.example").mock(return_value=NOT_THERE)
    with pytest.raises(NotFound):
        await gateway.download_upload_file(group, "J1")
    assert await gateway.features(group) == Features(job_list=True, download=True, rid_upload=True)
    with pytest.raises(NotFound):
        await gateway.get_upload_job(group, "J1", id_type=IdType.RID)


async def test_an_account_may_have_the_list_and_no_upload_of_rids(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter
) -> None:
    uploads = router.post(path__regex=f"{NEWER}$").mock(return_value=NOT_THERE)
    router.get(path__regex=f"{NEWER}$").respond(200, json={"data": []})
    for _ in range(2):
        await missing(upload(gateway, group, IdType.RID))
    assert uploads.call_count == 1
    assert await gateway.features(group) == Features(job_list=True, download=True, rid_upload=False)
    assert (await gateway.list_upload_jobs(group, page_size=1, cursor=None)).jobs == ()


async def test_rsids_are_uploaded_and_their_jobs_read_by_the_path_that_every_account_has(
    gateway: Gateway, group: TargetGroup, newer: respx.Route, older: respx.Route
) -> None:
    await gateway.features(group)
    asked = newer.call_count
    assert await upload(gateway, group, IdType.RSID) == "J1"
    for id_type in (None, IdType.RSID, IdType.RID):
        assert (await gateway.get_upload_job(group, "J1", id_type=id_type)).status == "Processing"
    assert (newer.call_count, older.call_count) == (asked, 5)


async def test_an_rsid_upload_to_a_target_group_that_is_not_there_is_not_found(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter
) -> None:
    route = router.route(host="api.example").mock(return_value=NOT_THERE)
    with pytest.raises(NotFound):
        await upload(gateway, group, IdType.RSID)
    assert route.call_count == 1


async def test_features_that_were_seen_are_not_looked_for_again(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter
) -> None:
    route = router.route(path__regex=f"{NEWER}$").respond(200, json={"data": [], "next_cursor": None})
    for _ in range(3):
        assert (await gateway.features(group)).job_list
    assert route.call_count == 1
    assert route.calls.last.request.url.query == b"page_size=1"


async def test_each_account_is_looked_at_for_itself(
    gateway: Gateway, group: TargetGroup, router: respx.MockRouter
) -> None:
    router.route(path__regex=f"/accounts/202/.*{NEWER}$").respond(200, json={"data": []})
    router.route(path__regex=NEWER).mock(return_value=NOT_THERE)
    router.route(host="api.example").respond(200, json={"saved_respondent_ids_count": 7})
    assert await gateway.features(group) == NONE
    assert (await gateway.features(replace(group, account_id=202))).job_list


@pytest.mark.parametrize(
    ("version", "says"),
    [
        pytest.param("2025-12-18", "Cint has to enable it", id="documented"),
        pytest.param("2025-05-27", "API version 2025-05-27 does not promise it", id="not documented"),
        pytest.param("2031-01-01", "API version 2031-01-01 does not promise it", id="an unknown version"),
    ],
)
async def test_the_cure_depends_on_what_the_version_documents(
    make_gateway: MakeGateway,
    connection: Connection,
    group: TargetGroup,
    older: respx.Route,
    *,
    version: str,
    says: str,
) -> None:
    assert older is not None
    gateway = make_gateway(replace(connection, api_version=version))
    assert says in (await missing(gateway.list_upload_jobs(group, page_size=1, cursor=None))).next_step


async def test_a_newer_operation_that_answers_in_an_older_version_is_used(
    make_gateway: MakeGateway, connection: Connection, group: TargetGroup, router: respx.MockRouter
) -> None:
    gateway = make_gateway(replace(connection, api_version="2025-05-27"))
    router.route(host="api.example").respond(201, json=JOB)
    assert await upload(gateway, group, IdType.RID) == "J1"


async def test_a_feature_that_comes_is_seen_after_a_while(
    gateway: Gateway, group: TargetGroup, newer: respx.Route, older: respx.Route, pauses: list[float]
) -> None:
    assert older is not None
    with pytest.raises(RecontactError):
        await gateway.list_upload_jobs(group, page_size=1, cursor=None)
    newer.mock(return_value=httpx.Response(200, json={"data": []}))
    with pytest.raises(FeatureMissing):
        await gateway.list_upload_jobs(group, page_size=1, cursor=None)
    pauses.append(REMEMBERED_SECONDS)
    assert (await gateway.list_upload_jobs(group, page_size=1, cursor=None)).jobs == ()
