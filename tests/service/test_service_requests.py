"""What the API refuses, and in which words."""

import base64
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest

from recontact_service.running import RunningService
from recontact_service.seed import seed
from recontact_service.settings import ServiceSettings
from recontact_service.values import TargetGroupState

pytestmark = pytest.mark.anyio

Opener = Callable[[ServiceSettings], AbstractAsyncContextManager[RunningService]]
Client = Callable[[RunningService], httpx.AsyncClient]

RSIDS = "recontacts/jobs/upload-rsids-by-file"
RESPONDENTS = "recontacts/jobs/upload-respondents-by-file"
GOOD = b"0F1CE179-A917-49FF-9D50-B05FC91F7BD4\n"
PROJECT = "http://service/v1/demand/accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups"
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"


def assert_envelope(answer: httpx.Response, status: int, kind: str) -> None:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["object"]) == (status, kind)
    assert set(body) <= {"id", "object", "detail", "invalid_params"}
    assert str(UUID(body["id"])) == body["id"]
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("header", ["", "Basic cm9ib3Q6", "Bearer", "Bearer garbage"])
async def test_a_request_without_a_token_of_ours_is_unauthorized(client: httpx.AsyncClient, header: str) -> None:
    answer = await client.get("recontacts/overview", headers={"Authorization": header})

    assert_envelope(answer, 401, "authorization_error")


async def test_an_expired_token_is_forbidden_even_when_it_was_seen_before(
    client: httpx.AsyncClient, clock: list[datetime]
) -> None:
    before = await client.get("recontacts/overview")
    clock[0] += timedelta(seconds=86_400)
    after = await client.get("recontacts/overview")

    assert before.status_code == 200
    assert_envelope(after, 403, "authorization_error")


async def test_a_token_signed_with_another_key_is_unauthorized(client: httpx.AsyncClient) -> None:
    claims = {"sub": "robot", "exp": 4_000_000_000, "aud": "https://api.luc.id"}
    forged = jwt.encode(claims, "another key of at least 32 bytes, yes", algorithm="HS256")
    answer = await client.get("recontacts/overview", headers={"Authorization": f"Bearer {forged}"})

    assert_envelope(answer, 401, "authorization_error")


async def test_only_the_last_thousand_tokens_are_remembered(service: RunningService, client: httpx.AsyncClient) -> None:
    for number in range(1_001):
        token = service.issue_token(f"client {number}")
        answer = await client.get("recontacts/overview", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200


async def test_the_version_header_is_required(client: httpx.AsyncClient) -> None:
    del client.headers["Cint-API-Version"]
    answer = await client.get("recontacts/overview")

    assert_envelope(answer, 403, "required_header_missing")


@pytest.mark.parametrize(("status", "kind"), [(400, "bad_request_error"), (403, "authorization_error")])
async def test_an_unknown_version_is_refused_as_the_setting_says(
    status: int, kind: str, settings: ServiceSettings, open_service: Opener, client_of: Client
) -> None:
    chosen = replace(settings, unsupported_version_status=400 if status == 400 else 403)
    async with open_service(chosen) as service, client_of(service) as client:
        answer = await client.get("recontacts/overview", headers={"Cint-API-Version": "2024-01-01"})

    assert_envelope(answer, status, kind)


async def test_the_older_version_knows_no_uploads_of_respondents(client: httpx.AsyncClient) -> None:
    older = {"Cint-API-Version": "2025-05-27"}
    unknown = [
        await client.get(RESPONDENTS, headers=older),
        await client.post(f"{RESPONDENTS}?entity_type=RID", headers=older),
        await client.get(f"{RESPONDENTS}/x", headers=older),
        await client.get(f"{RESPONDENTS}/x/download", headers=older),
    ]

    assert {answer.status_code for answer in unknown} == {404}
    assert (await client.get("recontacts/overview", headers=older)).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("http://service/nowhere", id="another root"),
        pytest.param("http://service/v1/demand/accounts/101/projects", id="too short"),
        pytest.param(f"http://service/v1/demand/accounts/101/things/x/target-groups/{GROUP}", id="no project"),
        pytest.param(f"{PROJECT}/{GROUP}/nothing", id="unknown below a group"),
        pytest.param(f"{PROJECT}/01BTGNYV6HRNK8K8VKZASZCFP9/recontacts/overview", id="unknown group"),
        pytest.param(f"{PROJECT}/01BTGNYV6HRNK8K8VKZASZCFP9", id="unknown draft"),
        pytest.param(
            "http://service/v1/demand/target-groups/01BTGNYV6HRNK8K8VKZASZCFP9/overview", id="unknown group by id"
        ),
        pytest.param(f"{PROJECT}/{GROUP}/recontacts/jobs/remove-all-rsids/none", id="unknown job"),
        pytest.param(f"{PROJECT.replace('101', '102')}/{GROUP}/recontacts/overview", id="another account"),
        pytest.param("http://service/_service/requests", id="the rehearsal surface is closed"),
    ],
)
async def test_what_is_unknown_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert_envelope(await client.get(path), 404, "not_found_error")


async def test_a_method_the_path_does_not_have_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.delete(RESPONDENTS)

    assert_envelope(answer, 405, "method_not_allowed_error")
    assert answer.headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{PROJECT}/lowercase/recontacts/overview", "target_group_id"),
        (f"{PROJECT.replace('01BTGNYV6HRNK8K8VKZASZCFP0', 'short')}/{GROUP}/recontacts/overview", "project_id"),
        (f"{PROJECT.replace('101', 'abc')}/{GROUP}/recontacts/overview", "account_id"),
        (f"{PROJECT.replace('101', '4294967296')}/{GROUP}/recontacts/overview", "account_id"),
        (f"{PROJECT}/{GROUP}/recontacts/rsids?page_size=0", "page_size"),
        (f"{PROJECT}/{GROUP}/recontacts/rsids?page_size=101", "page_size"),
        (f"{PROJECT}/{GROUP}/recontacts/rsids?page_size=ten", "page_size"),
        (f"{PROJECT}/{GROUP}/recontacts/rsids?start_after=%C3%BC", "start_after"),
        (f"{PROJECT}/{GROUP}/recontacts/rsids?start_after=abc", "start_after"),
        (f"{PROJECT}/{GROUP}/recontacts/rsids?start_after=a&end_before=b", "end_before"),
        (f"{PROJECT}/{GROUP}/{RESPONDENTS}?start_after=MDFKUkc0UFdISDRKMEpWRVRTTTNKTlZKWlc", "start_after"),
    ],
)
async def test_a_bad_parameter_is_named(client: httpx.AsyncClient, path: str, name: str) -> None:
    answer = await client.get(path)

    assert_envelope(answer, 400, "bad_request_error")
    assert [bad["name"] for bad in answer.json()["invalid_params"]] == [name]


@pytest.mark.parametrize("text", ["", "5a3b2ada", "z" * 32])
async def test_a_cursor_without_a_respondent_is_refused(client: httpx.AsyncClient, text: str) -> None:
    cursor = base64.b64encode(f"{GROUP}&{text}".encode()).decode()
    answer = await client.get("recontacts/rsids", params={"start_after": cursor})

    assert_envelope(answer, 400, "bad_request_error")


@pytest.mark.parametrize("entity_type", ["", "rid", "PID"])
async def test_an_unknown_entity_type_is_refused(client: httpx.AsyncClient, entity_type: str) -> None:
    answer = await client.post(RESPONDENTS, params={"entity_type": entity_type}, files={"file": ("a.csv", GOOD)})

    assert_envelope(answer, 400, "bad_request_error")
    assert answer.json()["invalid_params"][0]["name"] == "entity_type"


@pytest.mark.parametrize(
    "files",
    [
        pytest.param([("other", ("a.csv", GOOD, "text/csv"))], id="no file part"),
        pytest.param([("file", ("a.csv", GOOD, "text/csv"))] * 2, id="two files"),
        pytest.param([("file", ("a.csv", GOOD, "text/csv"))] * 3, id="three files"),
        pytest.param([("file", (None, GOOD, "text/csv"))], id="a field instead of a file"),
        pytest.param([("file", ("a.csv", b"", "text/csv"))], id="an empty file"),
    ],
)
async def test_anything_but_one_file_is_refused(client: httpx.AsyncClient, files: Any) -> None:
    answer = await client.post(RSIDS, files=files)

    assert_envelope(answer, 400, "bad_request_error")
    assert answer.json()["invalid_params"][0]["name"] == "file"


async def test_a_form_without_a_boundary_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post(RSIDS, content=GOOD, headers={"Content-Type": "multipart/form-data"})

    assert_envelope(answer, 400, "bad_request_error")


async def test_another_content_type_is_refused(client: httpx.AsyncClient) -> None:
    whole = await client.post(RSIDS, content=GOOD, headers={"Content-Type": "text/csv"})
    part = await client.post(RSIDS, files={"file": ("a.pdf", GOOD, "application/pdf")})

    assert_envelope(whole, 415, "unsupported_media_type_error")
    assert_envelope(part, 415, "unsupported_media_type_error")


async def test_a_file_of_five_million_bytes_is_too_large_and_one_below_is_taken(client: httpx.AsyncClient) -> None:
    refused = await client.post(RSIDS, files={"file": ("a.csv", b"x" * 5_000_000, "text/csv")})
    far = await client.post(RSIDS, files={"file": ("a.csv", b"x" * 6_000_000, "text/csv")})
    taken = await client.post(RSIDS, files={"file": ("a.csv", b"x" * 4_999_999, "text/csv")})

    assert_envelope(refused, 413, "content_too_large_error")
    assert_envelope(far, 413, "content_too_large_error")
    assert taken.status_code == 201


async def test_reading_stops_once_a_streamed_body_is_too_large(client: httpx.AsyncClient) -> None:
    sent: list[int] = []

    async def endless() -> AsyncGenerator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        while True:
            sent.append(65_536)
            yield b"x" * 65_536

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await client.post(RSIDS, content=endless(), headers=headers)

    assert_envelope(answer, 413, "content_too_large_error")
    assert sum(sent) < 5_200_000


async def test_page_sizes_out_of_range_can_be_clamped(
    settings: ServiceSettings, open_service: Opener, client_of: Client
) -> None:
    async with open_service(replace(settings, page_size_out_of_range="clamp")) as service, client_of(service) as client:
        answer = await client.get("recontacts/rsids", params={"page_size": -5})

    assert answer.json()["data"] == []


async def test_credentials_are_exchanged_for_a_token(client: httpx.AsyncClient) -> None:
    body = {
        "client_id": "robot",
        "client_secret": "open sesame",
        "grant_type": "client_credentials",
        "audience": "https://api.luc.id",
    }
    answer = await client.post("http://service/oauth/token", json=body)
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    assert (answer.json()["expires_in"], answer.json()["token_type"]) == (86_400, "Bearer")
    assert (await client.get("recontacts/overview", headers=bearer)).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "access_denied"),
        ({"client_id": "nobody", "client_secret": ""}, 401, "access_denied"),
        ({"client_secret": None}, 401, "access_denied"),
        ({"grant_type": "password"}, 403, "unauthorized_client"),
        ({"audience": "https://elsewhere"}, 403, "access_denied"),
    ],
)
async def test_wrong_credentials_are_refused_in_the_token_hosts_words(
    client: httpx.AsyncClient, change: dict[str, str], status: int, error: str
) -> None:
    body = {
        "client_id": "robot",
        "client_secret": "open sesame",
        "grant_type": "client_credentials",
        "audience": "https://api.luc.id",
    }
    answer = await client.post("http://service/oauth/token", json={**body, **change})

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert set(answer.json()) == {"error", "error_description"}


@pytest.mark.parametrize("body", [b"{", b"[]", b"x" * 70_000])
async def test_a_token_request_that_is_no_json_object_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("http://service/oauth/token", content=body)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_draft_is_read_as_such_and_has_no_details(client: httpx.AsyncClient) -> None:
    draft = await client.get(f"{PROJECT}/{GROUP}")
    hidden = [
        await client.get("details"),
        await client.get("overview"),
        await client.get(f"http://service/v1/demand/target-groups/{GROUP}/overview"),
    ]

    assert draft.status_code == 200
    assert "status" not in draft.json()
    assert draft.json()["study_type_code"] == "recontact"
    assert "[%RECONTACT_RSID%]" in draft.json()["live_url"]
    assert {answer.status_code for answer in hidden} == {404}


async def test_a_launched_group_redirects_to_its_details(
    client: httpx.AsyncClient, settings: ServiceSettings, clock: list[datetime]
) -> None:
    seed(
        settings.database,
        now=lambda: clock[0],
        target_group_id=GROUP,
        state=TargetGroupState.LAUNCHED,
        fields={"status": "paused", "completes_goal": 7},
    )
    moved = await client.get(f"{PROJECT}/{GROUP}")
    details = (await client.get("details")).json()
    overview = (await client.get("overview")).json()
    by_id = (await client.get(f"http://service/v1/demand/target-groups/{GROUP}/overview")).json()

    assert moved.status_code == 301
    assert moved.headers["location"].endswith(f"{GROUP}/details")
    assert (details["id"], details["completes_goal"], details["study_type_code"]) == (GROUP, 7, "recontact")
    assert (overview["status"], overview["progress"]["filling_goal"]) == ("paused", 7)
    assert by_id == {"account_id": 101, "project_id": "01BTGNYV6HRNK8K8VKZASZCFP0", **overview}


def test_a_group_with_a_malformed_id_is_not_seeded(tmp_path: Path, clock: list[datetime]) -> None:
    with pytest.raises(ValueError, match="26"):
        seed(tmp_path / "service.sqlite", now=lambda: clock[0], target_group_id="short")


async def test_pages_go_forwards_and_backwards_over_the_same_ids(
    service: RunningService, client: httpx.AsyncClient
) -> None:
    lines = "".join(f"{UUID(int=number * 7)}\n" for number in range(250)).encode()
    await client.post(RSIDS, files={"file": ("a.txt", lines, "text/plain")})
    await service.advance()
    pages: list[list[str]] = []
    cursor: str | None = None
    cursors: list[str] = []
    while True:
        page = (
            await client.get(
                "recontacts/rsids", params={"page_size": 100} | ({"start_after": cursor} if cursor else {})
            )
        ).json()
        pages.append(page["data"])
        cursor = page.get("next_cursor")
        if cursor is None:
            break
        cursors.append(cursor)
    back = (await client.get("recontacts/rsids", params={"page_size": 50, "end_before": cursors[1]})).json()
    first = (await client.get("recontacts/rsids", params={"end_before": cursors[0], "page_size": 100})).json()

    assert [len(page) for page in pages] == [100, 100, 50]
    assert [one for page in pages for one in page] == lines.decode().split()
    assert back["data"] == pages[1][49:99]
    assert first["data"] == pages[0][:99]
    assert first["next_cursor"] is not None
    assert len((await client.get("recontacts/rsids")).json()["data"]) == 10
