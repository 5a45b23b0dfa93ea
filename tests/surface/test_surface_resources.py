"""Resources: what the tools point at can be read, and nothing else."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client, MCPError
from mcp.server.mcpserver import MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, TextResourceContents

from recontact_mcp.boundary import RecontactServer
from recontact_mcp.opening import Effects, Opening
from recontact_mcp.resources import add_resources
from recontact_mcp.settings import Settings
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
HERE = "recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/"
NOBODYS_JOB = "01BTGNYV6HRNK8K8VKZASZCFZZ"


async def read(client: Client, uri: str) -> tuple[str | None, str]:
    """Read a resource of one text and return its type and the text."""
    [content] = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    assert str(content.uri) == uri
    return content.mime_type, content.text


async def unread(client: Client, uri: str) -> MCPError:
    """Read a resource that must not be readable."""
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    return caught.value


def details(error: MCPError) -> dict[str, Any]:
    """Return the fields of our error inside a JSON-RPC error."""
    fields: dict[str, Any] = error.error.data["error"]
    return fields


async def test_every_uri_that_a_tool_answers_reads_as_the_tool_says(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    async with connect(era, effects=effects, answer=replying()) as client:
        upload = await call(client, "upload_recontacts", ids=identifiers(2))
        uploaded = await call(client, "get_upload_job", job_id=upload["job_id"], wait_seconds=45)
        [line] = (await call(client, "list_upload_jobs"))["jobs"]
        overview = await call(client, "get_recontact_overview")
        answers = [uploaded, overview]
        pages = [await read(client, answer["resource_uri"]) for answer in answers]
        removal = await call(client, "remove_all_recontacts")
        removed = await call(client, "get_removal_job", job_id=removal["job_id"], wait_seconds=45)
        pages.append(await read(client, removed["resource_uri"]))
    assert [mime_type for mime_type, _ in pages] == ["application/json"] * 3
    assert [json.loads(text) for _, text in pages] == [uploaded, overview, removed]
    assert line["resource_uri"] == upload["resource_uri"] == uploaded["resource_uri"]
    assert removal["resource_uri"] == removed["resource_uri"]


async def test_the_file_of_a_job_reads_as_it_was_sent_and_the_list_as_it_is_stored(
    era: str, connect: "Connect", effects: Effects, api: "Api", identifiers: Identifiers
) -> None:
    sent = [identifiers(250)[249], *(line.upper() for line in identifiers(249))]
    job_id = await api.upload_elsewhere(sent)
    async with connect(era, effects=effects) as client:
        file = await read(client, f"{HERE}upload-jobs/{job_id}/file")
        respondents = await read(client, f"{HERE}respondents.csv")
    assert file == ("text/csv", "".join(f"{line}\n" for line in sent))
    assert respondents == ("text/csv", "".join(f"{line}\n" for line in sorted(identifiers(250))))
    assert api.asked(Operation.LIST_RSIDS) == 3


async def test_an_empty_target_group_reads_as_an_empty_list(era: str, connect: "Connect", effects: Effects) -> None:
    async with connect(era, effects=effects) as client:
        assert await read(client, f"{HERE}respondents.csv") == ("text/csv", "")


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("recontact://nowhere", id="another authority"),
        pytest.param(f"{HERE}secrets", id="another name"),
        pytest.param(f"{HERE}upload-jobs/{NOBODYS_JOB}/file/more", id="too deep"),
        pytest.param("file:///etc/passwd", id="a file"),
    ],
)
async def test_what_no_template_matches_is_an_invalid_parameter(era: str, connect: "Connect", uri: str) -> None:
    async with connect(era) as client:
        error = await unread(client, uri)
    assert (error.error.code, error.error.data) == (INVALID_PARAMS, {"uri": uri})


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param(HERE.replace("101", "101x") + "overview", id="account with a letter"),
        pytest.param(HERE.replace("101", "-1") + "overview", id="account below one"),
        pytest.param(HERE.replace("101", "99999999999") + "overview", id="account beyond 32 bits"),
        pytest.param(HERE.replace("101", "\N{ARABIC-INDIC DIGIT ONE}") + "overview", id="account in other digits"),
        pytest.param(HERE.replace("SZCFP0", "SZCFP") + "overview", id="short project"),
        pytest.param(HERE.replace("SZCFP1", "SZCFP1X") + "respondents.csv", id="long target group"),
        pytest.param(HERE.replace("SZCFP1", "SZCF-1") + "upload-jobs/x", id="sign in the target group"),
        pytest.param(f"{HERE}upload-jobs/%2E%2E", id="dots for a job"),
        pytest.param(f"{HERE}upload-jobs/%00/file", id="nothing for a job"),
    ],
)
async def test_a_malformed_id_is_an_invalid_parameter(
    era: str, connect: "Connect", effects: Effects, api: "Api", uri: str
) -> None:
    async with connect(era, effects=effects) as client:
        error = await unread(client, uri)
    assert error.error.code == INVALID_PARAMS
    assert set(api.faults.requests) <= {Operation.ISSUE_TOKEN}


@pytest.mark.parametrize("path", ["upload-jobs/{}", "upload-jobs/{}/file", "removal-jobs/{}", "removal-jobs/a%2F{}"])
async def test_a_job_that_nobody_knows_is_an_invalid_parameter(
    era: str, connect: "Connect", effects: Effects, path: str
) -> None:
    async with connect(era, effects=effects) as client:
        error = await unread(client, HERE + path.format(NOBODYS_JOB))
    assert (error.error.code, details(error)["code"]) == (INVALID_PARAMS, "NOT_FOUND")
    assert NOBODYS_JOB not in error.error.message


@pytest.mark.parametrize("path", ["overview", "respondents.csv", f"upload-jobs/{NOBODYS_JOB}/file", "audit"])
async def test_a_resource_follows_the_same_policy_as_the_tools(
    era: str, connect: "Connect", effects: Effects, api: "Api", path: str
) -> None:
    async with connect(era, effects=effects, allowed_target_groups=frozenset()) as client:
        error = await unread(client, HERE + path)
    assert (error.error.code, details(error)["code"]) == (INVALID_PARAMS, "POLICY_DENIED")
    assert sum(api.faults.requests.values()) == 0


async def test_a_list_that_takes_too_long_is_an_error_that_names_the_paged_way(
    era: str, effects: Effects, settings: Settings
) -> None:
    opening = Opening(settings, effects, bus=InMemorySubscriptionBus(), local_files=True)

    @asynccontextmanager
    async def lifespan(_server: MCPServer[Opening]) -> AsyncGenerator[Opening]:
        async with opening.running():
            yield opening

    server = RecontactServer("impatient", lifespan=lifespan)
    add_resources(server, opening, list_seconds=0.0)
    async with Client(server, mode=era) as client:
        error = await unread(client, f"{HERE}respondents.csv")
    assert (error.error.code, details(error)["code"]) == (INTERNAL_ERROR, "UNREACHABLE")
    assert "list_recontacts" in details(error)["next_step"]


async def test_a_list_that_breaks_off_is_an_error_and_never_half_a_list(
    era: str, connect: "Connect", effects: Effects, api: "Api", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(101))
    async with connect(era, effects=effects) as client:
        api.meet(Operation.LIST_RSIDS, FaultKind.SLOW, seconds=0)  # the first page answers
        api.meet(Operation.LIST_RSIDS, FaultKind.ERROR, times=4)  # every attempt at the second does not
        error = await unread(client, f"{HERE}respondents.csv")
    assert (error.error.code, details(error)["code"]) == (INTERNAL_ERROR, "UNAVAILABLE")
