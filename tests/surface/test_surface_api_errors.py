"""What the API refuses, breaks off or never hears, as a client is told: did anything happen, and what now?"""

import json
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from mcp import MCPError
from mcp_types import INTERNAL_ERROR
from tool_arguments import ASKING_TOOLS, EVERY_TOOL, arguments_of
from tool_arguments import SOMEBODY as CANARY

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation
from recontact_tools.catalog import catalog
from recontact_tools.gateway import Connection, Gateway

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
HERE = "recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/"
# What each reading tool asks the API.
ASKS = {
    "get_upload_job": Operation.GET_RSIDS_UPLOAD,
    "list_upload_jobs": Operation.LIST_UPLOADS,
    "get_removal_job": Operation.GET_REMOVAL,
    "get_recontact_overview": Operation.OVERVIEW,
    "list_recontacts": Operation.LIST_RSIDS,
    "preview_upload": Operation.OVERVIEW,
}
# One failing read spoils only its own findings there, which tests of its own show.
ASKS_MUCH = {"check_recontact_readiness"}
READERS = pytest.mark.parametrize("name", list(ASKS))


def test_every_tool_that_only_reads_is_tried() -> None:
    assert set(ASKS) | ASKS_MUCH == {operation.name for operation in catalog(local_files=True) if operation.read_only}


@READERS
@pytest.mark.parametrize(
    ("kind", "times", "code", "safe"),
    [
        pytest.param(FaultKind.ERROR, 4, "UNAVAILABLE", True, id="broken"),
        pytest.param(FaultKind.PROXY_HTML, 4, "UNAVAILABLE", True, id="page of a proxy"),
        pytest.param(FaultKind.LOST_REQUEST, 4, "UNAVAILABLE", True, id="broken off"),
        pytest.param(FaultKind.RATE_LIMITED, 1, "RATE_LIMITED", True, id="too many requests"),
        pytest.param(FaultKind.EXPIRED_TOKEN, 2, "NOT_PERMITTED", False, id="credentials refused"),
    ],
)
async def test_a_read_that_the_api_does_not_answer_changed_nothing(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    name: str,
    kind: FaultKind,
    times: int,
    code: str,
    *,
    safe: bool,
) -> None:
    api.meet(ASKS[name], kind, times=times, seconds=60)
    async with connect(era, effects=effects) as client:
        error = await refused(client, name, **arguments_of(name))
    assert (error["code"], error["changed"], error["safe_to_repeat"]) == (code, "no", safe)
    assert error.get("retry_after_seconds") == (60 if kind is FaultKind.RATE_LIMITED else None)
    assert "html" not in json.dumps(error).casefold()
    assert api.asked(ASKS[name]) == times


@READERS
async def test_a_short_disturbance_of_a_read_is_not_noticed(
    era: str, connect: "Connect", effects: Effects, refused: "Call", call: "Call", api: "Api", name: str
) -> None:
    api.meet(ASKS[name], FaultKind.ERROR, times=3)
    async with connect(era, effects=effects) as client:
        if "job_id" in arguments_of(name):
            assert (await refused(client, name, **arguments_of(name)))["code"] == "NOT_FOUND"
        else:
            await call(client, name, **arguments_of(name))
    assert api.asked(ASKS[name]) == 4


@pytest.mark.parametrize("name", ASKING_TOOLS)
async def test_a_target_group_that_nobody_knows_is_not_found(
    era: str, connect: "Connect", effects: Effects, refused: "Call", replying: "Replying", name: str
) -> None:
    nowhere = "01BTGNYV6HRNK8K8VKZASZCFP9"
    async with connect(era, effects=effects, answer=replying()) as client:
        error = await refused(client, name, **{**arguments_of(name), "target_group_id": nowhere})
    assert (error["code"], error["changed"], error["http_status"]) == ("NOT_FOUND", "no", 404)


async def test_a_request_that_the_api_finds_wrong_is_refused(
    era: str, connect: "Connect", effects: Effects, refused: "Call"
) -> None:
    async with connect(era, effects=effects, cint_api_version="2001-01-01") as client:
        error = await refused(client, "get_recontact_overview")
    assert (error["code"], error["changed"], error["http_status"]) == ("REFUSED", "no", 400)


@asynccontextmanager
async def nobody_there(_settings: Settings) -> AsyncGenerator[Gateway]:
    """Open a way to an API that cannot be reached."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    connection = Connection("http://api.example/v1", "http://api.example/token", "x", "y", reads_retried=1)
    async with Gateway(connection, transport=httpx.MockTransport(refuse)) as gateway:
        yield gateway


@pytest.mark.parametrize("name", ASKING_TOOLS)
async def test_without_a_connection_nothing_was_changed(
    era: str, connect: "Connect", refused: "Call", replying: "Replying", name: str
) -> None:
    async with connect(era, effects=Effects(gateway=nobody_there), answer=replying()) as client:
        error = await refused(client, name, **arguments_of(name))
    assert (error["code"], error["changed"], error["safe_to_repeat"]) == ("UNREACHABLE", "no", True)


async def test_an_upload_whose_answer_is_lost_is_found_by_its_file_name(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    api.meet(Operation.UPLOAD_RSIDS, FaultKind.LOST_ANSWER)
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(2))
        [listed] = (await call(client, "list_upload_jobs"))["jobs"]
    assert (listed["job_id"], listed["file_name"]) == (started["job_id"], started["file_name"])
    assert api.asked(Operation.UPLOAD_RSIDS) == 1


async def test_an_upload_that_never_arrived_is_unknown_and_never_sent_twice(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    identifiers: Identifiers,
) -> None:
    api.meet(Operation.UPLOAD_RSIDS, FaultKind.LOST_REQUEST)
    async with connect(era, effects=effects) as client:
        error = await refused(client, "upload_recontacts", ids=identifiers(2))
        jobs = await call(client, "list_upload_jobs")
        repeated = await refused(client, "upload_recontacts", ids=identifiers(2))
        anyway = await call(client, "upload_recontacts", ids=identifiers(2), idempotency_key="once-more")
    assert repeated == error
    assert (error["code"], error["changed"], error["safe_to_repeat"]) == ("OUTCOME_UNKNOWN", "unknown", False)
    assert error["file_name"].startswith("recontacts-")
    assert "list_upload_jobs" in error["next_step"]
    assert "idempotency_key" in error["next_step"]
    assert (jobs["jobs"], anyway["repeated"], api.asked(Operation.UPLOAD_RSIDS)) == ([], False, 2)


async def test_a_removal_that_never_arrived_is_unknown_and_never_sent_twice(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(2))
    api.meet(Operation.REMOVE_ALL, FaultKind.LOST_REQUEST)
    async with connect(era, effects=effects, answer=replying()) as client:
        error = await refused(client, "remove_all_recontacts")
    assert (error["code"], error["changed"], error["safe_to_repeat"]) == ("OUTCOME_UNKNOWN", "unknown", False)
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (1, 2)


@pytest.mark.parametrize("name", EVERY_TOOL)
@pytest.mark.sqlite_only(reason="what cannot be used is the data directory")
async def test_a_server_that_cannot_open_says_so_without_a_path_and_lives_on(
    era: str, connect: "Connect", refused: "Call", replying: "Replying", tmp_path: Path, name: str
) -> None:
    (tmp_path / "canary-file").touch()
    async with connect(era, answer=replying(), data_dir=tmp_path / "canary-file" / "data") as client:
        errors = [await refused(client, name, **arguments_of(name)) for _ in range(2)]
        tools = (await client.list_tools()).tools
    assert {(error["code"], error["changed"], error["safe_to_repeat"]) for error in errors} == {
        ("UNAVAILABLE", "no", True)
    }
    assert "RECONTACT_DATA_DIR" in errors[0]["next_step"]
    assert "canary" not in json.dumps(errors)
    assert len(tools) == len(catalog(local_files=True))


@asynccontextmanager
async def broken_way(_settings: Settings) -> AsyncGenerator[Gateway]:
    """Fail in a way that nobody foresaw."""
    for step in ("canary-step",):
        raise RuntimeError(step)
    yield  # type: ignore[misc]  # what comes before never lets it come to this


async def test_what_nobody_foresaw_in_a_read_changed_nothing_and_is_not_repeated(
    era: str, connect: "Connect", refused: "Call"
) -> None:
    async with connect(era, effects=Effects(gateway=broken_way)) as client:
        error = await refused(client, "get_recontact_overview")
        with pytest.raises(MCPError) as caught:
            await client.read_resource(f"{HERE}overview")
    assert (error["code"], error["changed"], error["safe_to_repeat"]) == ("INTERNAL_ERROR", "no", True)
    assert "canary" not in json.dumps(error)
    assert caught.value.error.code == INTERNAL_ERROR
    assert "canary" not in caught.value.error.model_dump_json()


async def test_what_nobody_foresaw_is_reported_in_our_words_and_logged_without_arguments(
    era: str, connect: "Connect", effects: Effects, refused: "Call", caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> str:
        raise RuntimeError("canary")

    surprising = Effects(clock=effects.clock, gateway=effects.gateway, new_id=broken)
    async with connect(era, effects=surprising) as client:
        error = await refused(client, "upload_recontacts", ids=[CANARY])
    assert (error["code"], error["changed"], error["safe_to_repeat"]) == ("INTERNAL_ERROR", "unknown", False)
    assert "canary" not in json.dumps(error)
    assert [record.levelno for record in caplog.records if record.name == "recontact_mcp.refusing"] == [logging.ERROR]
    assert CANARY not in caplog.text
