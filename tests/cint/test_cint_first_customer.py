"""The first customer's first run, with nothing set but credentials: every request as Cint documents it."""

import json
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest
import respx
from mcp import Client
from mcp_types import ElicitRequestParams, ElicitResult

from recontact_mcp.app import build_server
from recontact_mcp.opening import Effects
from recontact_mcp.settings import load_settings
from recontact_tools.runtime import Clock

if TYPE_CHECKING:
    from mcp.client.session import ClientRequestContext

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
# source: cint-api.md sections 1 and 2.1
GROUP_URL = f"https://api.cint.com/v1/demand/accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/{GROUP}"
RECONTACTS = f"{GROUP_URL}/recontacts"
UPLOADS = f"{RECONTACTS}/jobs/upload-rsids-by-file"
UPLOAD_LIST = f"{RECONTACTS}/jobs/upload-respondents-by-file"
REMOVALS = f"{RECONTACTS}/jobs/remove-all-rsids"
TOKEN_URL = "https://auth.cint.com/oauth/token"
UPLOAD_JOB, REMOVAL_JOB = "01JH0PEGPC4Z8RDD304E2SF0UP", "01JH0PEGPC4Z8RDD304E2SF0RM"
USER = "5b3a2ada-1111-4222-8333-444455556666"
ELSEWHERE = "https://elsewhere.example/details"
SURVEY = "https://survey.example/?RID=[%RID%]&RECONTACT_RSID=[%RECONTACT_RSID%]"
# source: cint-api.md section 3.2, what a launched target group shows that matters to a recontact
DETAILS = {
    "id": GROUP,
    "name": "Wave 2",
    "study_type_code": "recontact",
    "live_url": SURVEY,
    "test_url": SURVEY,
    "completes_goal": 3,
    "industry_lockout_code": "no_lock_out",
}
OVERVIEW = {
    "status": "live",
    "study_type_code": "recontact",
    "progress": {"filling_goal": 3, "current_completes": 0, "current_prescreens": 0, "filling_strategy": "completes"},
}


def envelope(kind: str, detail: str) -> dict[str, object]:
    """Return an error as section 2.4 shows it."""
    return {"id": USER, "object": kind, "detail": detail, "invalid_params": None}


def page(data: list[Any], **more: object) -> dict[str, object]:
    """Return the last page of a list."""
    return {"data": data, "next_cursor": None, **more}


def bare(request: httpx.Request) -> str:
    """Return where a request goes, without its query."""
    return str(request.url.copy_with(query=None))


@dataclass
class Cint:
    """The documented answers, and every request that came; what is not documented here is not found."""

    requests: list[httpx.Request] = field(default_factory=list[httpx.Request])
    stored: list[str] = field(default_factory=list[str])
    jobs: dict[str, int] = field(default_factory=dict[str, int])
    uploaded: str = ""

    def sent(self, method: str, url: str) -> list[httpx.Request]:
        """Return the requests of one kind, whatever their query."""
        return [one for one in self.requests if (one.method, bare(one)) == (method, url)]

    def token(self, request: httpx.Request) -> httpx.Response:
        """Answer a request for a token."""
        self.requests.append(request)
        return httpx.Response(200, json={"access_token": "canary-token", "expires_in": 86_400, "token_type": "Bearer"})

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a request to the API."""
        self.requests.append(request)
        answers: dict[tuple[str, str], Callable[[httpx.Request], httpx.Response]] = {
            ("GET", f"{RECONTACTS}/overview"): lambda _: self._ok({"saved_respondent_ids_count": len(self.stored)}),
            ("GET", f"{RECONTACTS}/rsids"): lambda _: self._ok(page(self.stored, url="accounts/101/...")),
            ("GET", UPLOAD_LIST): lambda _: self._ok(page(self._listed())),
            ("GET", f"{UPLOADS}/{UPLOAD_JOB}"): lambda _: self._job(UPLOAD_JOB),
            ("GET", f"{REMOVALS}/{REMOVAL_JOB}"): lambda _: self._job(REMOVAL_JOB),
            ("POST", UPLOADS): self._upload,
            ("POST", REMOVALS): self._remove,
            ("GET", GROUP_URL): lambda _: httpx.Response(301, headers={"location": ELSEWHERE}),
            ("GET", f"{GROUP_URL}/details"): lambda _: self._ok(DETAILS),
            ("GET", f"{GROUP_URL}/overview"): lambda _: self._ok(OVERVIEW),
        }
        return answers.get((request.method, bare(request)), self._missing)(request)

    def _ok(self, body: object, status: int = 200) -> httpx.Response:
        return httpx.Response(status, json=body, headers={"server": "Kestrel", "x-ratelimit-limit": "0"})

    def _missing(self, _request: httpx.Request) -> httpx.Response:
        return self._ok(envelope("not_found_error", "Not found."), 404)

    def _upload(self, request: httpx.Request) -> httpx.Response:
        part = file_part(request)
        self.uploaded = part.get_filename() or ""
        # The sample list is lower-case whatever was uploaded.
        self.stored += part.get_payload(decode=True).decode().lower().split()
        self.jobs[UPLOAD_JOB] = 0
        return self._ok({"job_id": UPLOAD_JOB}, 201)

    def _remove(self, _request: httpx.Request) -> httpx.Response:
        self.stored.clear()
        self.jobs[REMOVAL_JOB] = 0
        return self._ok({"job_id": REMOVAL_JOB}, 201)

    def _job(self, job_id: str) -> httpx.Response:
        self.jobs[job_id] += 1
        done = self.jobs[job_id] > 2
        return self._ok(
            {
                "job_id": job_id,
                "created_at": "2023-01-01T23:00:00.000Z",
                "created_by": USER,
                "status": "Completed" if done else "Processing",
                "completed_at": "2023-01-01T23:12:00Z" if done else None,
                "failure_reason": None,
                "partial_success_reason": None,
                "job_trace_id": None,
            }
        )

    def _listed(self) -> list[dict[str, str]]:
        if UPLOAD_JOB not in self.jobs:
            return []
        times = {"created_at": "2023-01-01T23:00:00Z", "created_by": USER}
        status = "Completed" if self.jobs[UPLOAD_JOB] > 2 else "Processing"
        return [{"job_id": UPLOAD_JOB, "file_name": self.uploaded, "status": status, **times}]


def file_part(request: httpx.Request) -> Any:
    """Read the one part of a multipart body."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    [part] = BytesParser(policy=HTTP).parsebytes(head + request.content).iter_parts()
    return part


@pytest.fixture
def cint() -> Generator[Cint]:
    """Answer in Cint's place, and let nothing else leave this machine."""
    with respx.mock(assert_all_called=False) as router:
        answering = Cint()
        router.post(TOKEN_URL).mock(side_effect=answering.token)
        router.route(host="api.cint.com").mock(side_effect=answering.answer)
        yield answering


async def agree(context: "ClientRequestContext", params: ElicitRequestParams) -> ElicitResult:
    """Answer as a person does who types the phrase that is asked for."""
    del context  # the client passes it by position
    phrase = params.message.partition("type: ")[2].partition("\n")[0]
    return ElicitResult(action="accept", content={"phrase": phrase})


async def nap(seconds: float) -> None:
    """Sleep for a moment, however long was asked for."""
    await anyio.sleep(min(seconds, 0.05))  # requests keep their distance in real time


@pytest.fixture(params=["2025-12-18", "2025-05-27"])
def version(request: pytest.FixtureRequest) -> str:
    """Run a test once in each version of the API."""
    return str(request.param)


async def run(era: str, version: str, folder: Path, ids: list[str]) -> list[dict[str, Any]]:
    """Go through the whole workflow with a customer's settings, and return what each tool said."""
    (folder / "wave1.csv").write_text("RSID\r\n" + "\r\n".join(one.upper() for one in ids) + "\r\n")
    settings = load_settings(
        {
            "RECONTACT_DATA_DIR": str(folder / "data"),
            "RECONTACT_UPLOAD_ROOTS": str(folder),
            "CINT_CLIENT_ID": "first-customer",
            "CINT_CLIENT_SECRET": "canary-secret",
            "CINT_ACCOUNT_ID": "101",
            "CINT_PROJECT_ID": "01BTGNYV6HRNK8K8VKZASZCFP0",
            "CINT_API_VERSION": version,
        }
    )
    said: list[dict[str, Any]] = []
    server = build_server(settings, effects=Effects(clock=Clock(sleep=nap)))
    with anyio.fail_after(60):
        async with Client(server, mode=era, elicitation_callback=agree) as client:

            async def call(tool: str, **arguments: object) -> dict[str, Any]:
                result = await client.call_tool(tool, {"target_group_id": GROUP, **arguments})
                assert not result.is_error, result.structured_content
                said.append(result.structured_content or {})
                return said[-1]

            await call("preview_upload", path="wave1.csv")
            upload = await call("upload_recontacts", path="wave1.csv")
            await call("get_upload_job", job_id=upload["job_id"], wait_seconds=45)
            await call("check_recontact_readiness")
            await call("get_recontact_overview")
            await call("list_recontacts", page_size=100)
            removal = await call("remove_all_recontacts")
            await call("get_removal_job", job_id=removal["job_id"], wait_seconds=45)
            await call("get_recontact_overview")
    return said


async def test_the_first_run_succeeds_and_is_what_cint_documents(
    era: str, version: str, cint: Cint, tmp_path: Path, identifiers: Identifiers
) -> None:
    ids = identifiers(3)
    said = await run(era, version, tmp_path, ids)

    preview, upload, uploaded, ready, overview, listed, _, removed, left = said
    assert (upload["job_id"], uploaded["status"], removed["status"]) == (UPLOAD_JOB, "Completed", "Completed")
    assert (overview["saved_respondent_ids_count"], left["saved_respondent_ids_count"]) == (3, 0)
    assert listed["respondent_ids"] == ids
    assert (preview["new"], preview["already_stored"]) == (3, 0)
    assert (ready["state"], ready["status"], ready["completes_goal"]) == ("launched", "live", 3)
    assert not [finding for finding in ready["findings"] if finding["severity"] == "blocks"]

    [token] = cint.sent("POST", TOKEN_URL)
    assert dict(token.headers) == {
        "host": "auth.cint.com",
        "accept": "application/json",
        "user-agent": "recontact-mcp",
        "content-type": "application/json",
        "content-length": str(len(token.content)),
    }
    assert json.loads(token.content) == {
        "client_id": "first-customer",
        "client_secret": "canary-secret",
        "grant_type": "client_credentials",
        "auth_scopes": "app:api",
        "audience": "https://api.luc.id",
    }

    usual = {
        "host": "api.cint.com",
        "authorization": "Bearer canary-token",
        "cint-api-version": version,
        "accept": "*/*",
        "user-agent": "recontact-mcp",
    }
    [posted] = cint.sent("POST", UPLOADS)
    [removal] = cint.sent("POST", REMOVALS)
    boundary = re.fullmatch(r"multipart/form-data; boundary=(\S+)", posted.headers["content-type"])
    assert boundary
    body = {"content-length": str(len(posted.content)), "content-type": boundary[0]}
    assert dict(posted.headers) == {**usual, **body}
    assert dict(removal.headers) == {**usual, "content-length": "0"}
    assert (str(posted.url), str(removal.url), removal.content) == (UPLOADS, REMOVALS, b"")
    part = file_part(posted)
    assert part.get_content_type() == "text/csv"
    assert part.get_content_disposition() == "form-data"
    assert part.get_param("name", header="content-disposition") == "file"
    assert part.get_filename() == upload["file_name"]
    assert re.fullmatch(r"[A-Za-z0-9._-]+\.csv", upload["file_name"])
    assert part.get_payload(decode=True).decode() == "".join(f"{one}\n" for one in ids)

    reads = [one for one in cint.requests if one.method == "GET"]
    assert reads
    for read in reads:
        assert dict(read.headers) == usual
        assert str(read.url).startswith(("https://api.cint.com/v1/demand/", "https://api.cint.com/v1/study-types"))
    pages = [parse_qs(urlsplit(str(one.url)).query) for one in cint.sent("GET", f"{RECONTACTS}/rsids")]
    assert {"page_size": ["100"]} in pages
    assert "canary" not in str(said)


async def test_a_launched_groups_redirect_is_not_followed(
    era: str, cint: Cint, tmp_path: Path, identifiers: Identifiers
) -> None:
    await run(era, "2025-12-18", tmp_path, identifiers(1))
    assert cint.sent("GET", GROUP_URL)
    assert cint.sent("GET", f"{GROUP_URL}/details")
    assert {one.url.host for one in cint.requests} == {"api.cint.com", "auth.cint.com"}
