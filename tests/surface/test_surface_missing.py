"""Which RSIDs of an upload are not stored: counted when asked for, and listed as a resource only."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from mcp import Client, MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, TextResourceContents

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.runtime import Clock

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
HERE = "recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/"
AT_CINT = {"cint_client_id": "robot", "cint_account_id": 101, "cint_project_id": "01BTGNYV6HRNK8K8VKZASZCFP0"}


async def csv(client: Client, uri: str) -> list[str]:
    """Read a resource of lines."""
    [content] = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    assert content.mime_type == "text/csv"
    return content.text.splitlines()


async def unread(client: Client, uri: str) -> tuple[int, dict[str, Any]]:
    """Read a resource that must not be readable."""
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    fields: dict[str, Any] = caught.value.error.data["error"]
    return caught.value.error.code, fields


@dataclass
class Attic:
    """An API that stores a part of what it is sent, and lists and gives back what it is told to."""

    stored: list[str]
    before: int = 0
    given_back: bytes | None = None
    sent: bytes = b""
    asked: list[str] = field(default_factory=list[str])

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a request as the API would."""
        name = request.url.path.rpartition("/")[2]
        self.asked.append(name)
        if request.method == "POST" and name != "token":
            self.sent = request.content.split(b"\r\n\r\n", 1)[1].split(b"\r\n", 1)[0]
            return httpx.Response(201, json={"job_id": "J1"})
        if name == "download":
            return httpx.Response(200, content=self.sent if self.given_back is None else self.given_back)
        return httpx.Response(200, json=self._read(name))

    def _read(self, name: str) -> dict[str, Any]:
        count = len(self.stored) if self.sent else self.before
        answers: dict[str, dict[str, Any]] = {
            "token": {"access_token": "t", "expires_in": 3600},
            "overview": {"saved_respondent_ids_count": count},
            "rsids": {"data": self.stored, "next_cursor": None},
            "J1": {"job_id": "J1", "status": "Completed", "completed_at": "2020-01-01T00:00:00Z"},
        }
        return answers.get(name, {"data": []})

    @asynccontextmanager
    async def gateway(self, _settings: Settings) -> AsyncGenerator[Gateway]:
        """Open a way to this API."""
        connection = Connection("https://api.example/v1", "https://api.example/oauth/token", "robot", "open sesame")
        async with Gateway(connection, transport=httpx.MockTransport(self.answer)) as gateway:
            yield gateway


async def uploaded(client: Client, call: "Call", ids: list[str], **arguments: object) -> dict[str, Any]:
    """Upload, wait for the end, and return what the job came to, compared."""
    started = await call(client, "upload_recontacts", ids=ids, **arguments)
    await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
    return await call(client, "get_upload_job", job_id=started["job_id"], compare=True)


async def test_rsids_that_the_api_did_not_store_are_counted_and_listed_as_a_resource(
    era: str, connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers
) -> None:
    ids = identifiers(5)
    api = Attic([ids[3].upper(), ids[1], ids[4]])
    async with connect(era, effects=Effects(clock=effects.clock, gateway=api.gateway)) as client:
        job = await uploaded(client, call, ids[:4])
        missing = await csv(client, job["missing_uri"])
    assert (job["not_stored"], job["not_compared_because"]) == (2, None)
    assert job["missing_uri"] == f"{HERE}upload-jobs/J1/missing.csv"
    assert missing == [ids[0], ids[2]]
    assert "2 of the RSIDs sent are not stored" in job["next_step"]
    assert not [one for one in ids if one in json.dumps(job)]


async def test_an_upload_that_is_stored_whole_has_nothing_missing(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(200)[100:])
    async with connect(era, effects=effects) as client:
        job = await uploaded(client, call, identifiers(150))
        missing = await csv(client, f"{HERE}upload-jobs/{job['job_id']}/missing.csv")
    assert (job["growth"], job["not_stored"], job["missing_uri"], missing) == (100, 0, None, [])
    assert "200 IDs were stored once it had ended" in job["next_step"]


async def test_nothing_is_compared_unless_it_is_asked_for(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(3))
        await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
    assert (api.asked(Operation.DOWNLOAD), api.asked(Operation.LIST_RSIDS)) == (0, 0)


async def test_response_ids_are_never_compared_and_the_answer_says_why(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects) as client:
        job = await uploaded(client, call, identifiers(3), id_type="RID")
        code, error = await unread(client, f"{HERE}upload-jobs/{job['job_id']}/missing.csv")
    assert (job["not_stored"], job["missing_uri"]) == (None, None)
    assert "RIDs cannot be compared" in job["not_compared_because"]
    assert (code, error["code"], error["message"]) == (INVALID_PARAMS, "INVALID_ARGUMENTS", job["not_compared_because"])
    assert (api.asked(Operation.DOWNLOAD), api.asked(Operation.LIST_RSIDS)) == (0, 0)


async def test_the_upload_of_somebody_else_may_have_been_of_anything(
    era: str, connect: "Connect", effects: Effects, api: "Api", identifiers: Identifiers
) -> None:
    job_id = await api.upload_elsewhere(identifiers(3))
    async with connect(era, effects=effects) as client:
        code, error = await unread(client, f"{HERE}upload-jobs/{job_id}/missing.csv")
    assert (code, error["code"]) == (INVALID_PARAMS, "INVALID_ARGUMENTS")
    assert "nobody can tell whether its file held RSIDs" in error["message"]


async def test_a_running_upload_has_no_missing_ids_yet(
    era: str, connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects, pace=1.0) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(3))
        code, error = await unread(client, f"{HERE}upload-jobs/{started['job_id']}/missing.csv")
    assert (code, error["safe_to_repeat"]) == (INVALID_PARAMS, True)
    assert "still runs" in error["message"]


async def test_too_much_to_compare_is_refused_before_anything_is_read(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(101))
    async with connect(era, effects=effects, **AT_CINT, compare_pages=1) as client:
        job = await uploaded(client, call, identifiers(2))
        code, error = await unread(client, f"{HERE}upload-jobs/{job['job_id']}/missing.csv")
    assert (job["not_stored"], job["missing_uri"]) == (None, None)
    assert "RECONTACT_COMPARE_PAGES" in job["not_compared_because"]
    assert (code, error["code"]) == (INVALID_PARAMS, "POLICY_DENIED")
    assert (api.asked(Operation.DOWNLOAD), api.asked(Operation.LIST_RSIDS)) == (0, 0)


async def test_without_the_download_of_files_nothing_is_compared(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects, cint_api_version="2025-05-27") as client:
        job = await uploaded(client, call, identifiers(3))
        _, error = await unread(client, f"{HERE}upload-jobs/{job['job_id']}/missing.csv")
    assert (job["growth"], job["not_stored"], job["missing_uri"]) == (3, None, None)
    assert error["code"] == "FEATURE_MISSING"
    assert job["not_compared_because"] == error["message"]
    assert api.asked(Operation.LIST_RSIDS) == 0


async def test_a_list_that_cannot_be_read_spoils_the_comparison_and_nothing_else(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects) as client:
        api.meet(Operation.LIST_RSIDS, FaultKind.ERROR, times=8)
        job = await uploaded(client, call, identifiers(3))
        code, error = await unread(client, f"{HERE}upload-jobs/{job['job_id']}/missing.csv")
    assert (job["growth"], job["not_stored"]) == (3, None)
    assert job["not_compared_because"] == error["message"]
    assert (code, error["code"]) == (INTERNAL_ERROR, "UNAVAILABLE")


@pytest.mark.parametrize(
    ("given_back", "words"),
    [
        pytest.param(b"", "holds no list of IDs", id="nothing"),
        pytest.param(b"name\nAnna\n", "holds no list of IDs", id="something else"),
        pytest.param(b"5a3b2ada-0000-4000-8000-000000000000\n", "not the one that was sent", id="less"),
    ],
)
async def test_a_file_that_is_not_what_was_sent_is_not_compared(
    connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers, given_back: bytes, words: str
) -> None:
    api = Attic(identifiers(2), given_back=given_back)
    async with connect(effects=Effects(clock=effects.clock, gateway=api.gateway)) as client:
        job = await uploaded(client, call, identifiers(3))
    assert job["not_stored"] is None
    assert words in job["not_compared_because"]
    assert "rsids" not in api.asked


async def test_a_comparison_gets_only_the_time_that_the_call_has_left(
    era: str, connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers
) -> None:
    api = Attic(identifiers(3))
    begun = effects.clock.now()

    def now() -> datetime:
        """Let a minute pass while the call that compares counts what is stored, which the follower never does."""
        return begun + timedelta(minutes=1 if api.asked.count("overview") > 1 else 0)

    clock = Clock(now=now, sleep=effects.clock.sleep)
    async with connect(era, effects=Effects(clock=clock, gateway=api.gateway)) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(3))
        job = await call(client, "get_upload_job", job_id=started["job_id"], compare=True)
    assert (job["status"], job["not_stored"]) == ("Completed", None)
    assert job["not_compared_because"] == "Comparing what was sent with what is stored took too long."


async def test_missing_ids_follow_the_policy_of_reading(
    era: str, connect: "Connect", effects: Effects, api: "Api"
) -> None:
    async with connect(era, effects=effects, allowed_target_groups=frozenset()) as client:
        code, error = await unread(client, f"{HERE}upload-jobs/J1/missing.csv")
    assert (code, error["code"]) == (INVALID_PARAMS, "POLICY_DENIED")
    assert sum(api.faults.requests.values()) == 0


async def test_the_missing_ids_of_a_job_that_nobody_knows_are_an_invalid_parameter(
    era: str, connect: "Connect", effects: Effects
) -> None:
    async with connect(era, effects=effects) as client:
        code, error = await unread(client, f"{HERE}upload-jobs/01BTGNYV6HRNK8K8VKZASZCFZZ/missing.csv")
    assert (code, error["code"]) == (INVALID_PARAMS, "NOT_FOUND")
