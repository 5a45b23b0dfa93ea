"""Hearing of changes without asking, in both protocol eras and across the processes of a data directory."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from ears import Ears, subscribe, unsubscribe
from mcp import Client, MCPError
from mcp_types import INVALID_PARAMS, METHOD_NOT_FOUND, EmptyResult, Request

from recontact_mcp.boundary import RecontactServer
from recontact_mcp.gate import Watchable, watchable
from recontact_mcp.opening import Effects
from recontact_mcp.storage import existing_ledger, opened_storage
from recontact_service.operations import Operation
from recontact_tools.policy import Policy

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Replying

    from recontact_mcp.settings import Settings

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
HERE = "recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/"
OVERVIEW = f"{HERE}overview"
RESPONDENTS = f"{HERE}respondents.csv"
NOBODYS_JOB = "01BTGNYV6HRNK8K8VKZASZCFZZ"
# source: the issue "Trust", 8: the others see updates within 2 s
TOLD_WITHIN = 2


async def refusal_of(client: Client, uri: str) -> MCPError:
    """Watch what must not be watchable, and return what was said."""
    with pytest.raises(MCPError) as caught:
        async with Ears().watching(client, OVERVIEW, uri):
            pass
    return caught.value


def details(error: MCPError) -> dict[str, Any]:
    """Return the fields of our error inside a JSON-RPC error."""
    fields: dict[str, Any] = error.error.data["error"]
    return fields


async def test_both_eras_are_told_that_resources_can_be_watched(era: str, connect: "Connect") -> None:
    async with connect(era) as client:
        resources = client.server_capabilities.resources
    assert resources is not None
    assert resources.subscribe is True


@pytest.mark.parametrize("kind", ["upload", "removal"])
async def test_whoever_watches_a_job_and_its_target_group_hears_of_its_end(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    kind: str,
) -> None:
    ears = Ears()
    async with connect(era, effects=effects, pace=1.0, answer=replying(), hear=ears) as client:
        if kind == "upload":
            started = await call(client, "upload_recontacts", ids=identifiers(10))
        else:
            await api.upload_elsewhere(identifiers(10))
            started = await call(client, "remove_all_recontacts")
        job = started["resource_uri"]
        async with ears.watching(client, job, OVERVIEW, RESPONDENTS):
            api.pass_time(hours=1)
            await ears.until(job, OVERVIEW, RESPONDENTS)
            # That the job runs may be news as well, if the follower's first look came after the subscription.
            ended = await call(client, f"get_{kind}_job", job_id=started["job_id"], wait_seconds=45)
    assert (ended["status"], set(ears.heard)) == ("Completed", {job, OVERVIEW, RESPONDENTS})


async def test_only_what_is_watched_is_heard(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    ears = Ears()
    async with connect(era, effects=effects, pace=1.0, hear=ears) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(10))
        async with ears.watching(client, started["resource_uri"]):
            api.pass_time(hours=1)
            await ears.until(started["resource_uri"])
    assert set(ears.heard) == {started["resource_uri"]}


@pytest.mark.sqlite_only(reason="two servers in one process, which has one engine; see tests/replicas")
async def test_the_servers_of_a_data_directory_tell_each_others_clients_once(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    here, there = Ears(), Ears()
    async with (
        connect(era, effects=effects, pace=1.0, hear=here) as worker,
        connect(era, effects=effects, pace=1.0, hear=there) as sibling,
    ):
        started = await call(worker, "upload_recontacts", ids=identifiers(10))
        job = started["resource_uri"]
        async with here.watching(worker, OVERVIEW), there.watching(sibling, job, OVERVIEW):
            api.pass_time(hours=1)
            await here.until(OVERVIEW)
            with anyio.fail_after(TOLD_WITHIN):
                await there.until(job, OVERVIEW)
            told = [*here.heard]
            # Whatever the worker's own announcements could come back as would be here by now.
            async with there.watching(sibling, RESPONDENTS):
                await anyio.wait_all_tasks_blocked()
    assert here.heard == told == [OVERVIEW] * len(told)


async def test_a_server_that_starts_anew_does_not_tell_what_was_told_before(
    era: str, connect: "Connect", effects: Effects, settings: "Settings"
) -> None:
    storage = await opened_storage(settings)
    ledger = storage.ledger
    await ledger.updates.announce([OVERVIEW, RESPONDENTS], origin="a process that is gone")
    ears = Ears()
    async with connect(era, effects=effects, hear=ears) as client, ears.watching(client, OVERVIEW, RESPONDENTS):
        await ledger.updates.announce([RESPONDENTS], origin="one that is there")
        with anyio.fail_after(TOLD_WITHIN):
            await ears.until(RESPONDENTS)
    await storage.aclose()
    assert ears.heard == [RESPONDENTS]


async def test_what_is_no_longer_watched_is_not_told(
    connect: "Connect", effects: Effects, settings: "Settings"
) -> None:
    ears = Ears()
    async with connect("legacy", effects=effects, hear=ears) as client:
        await subscribe(client, OVERVIEW)
        await subscribe(client, OVERVIEW)  # asking twice is asking once
        await subscribe(client, RESPONDENTS)
        await unsubscribe(client, OVERVIEW)
        await unsubscribe(client, f"{HERE}upload-jobs/{NOBODYS_JOB}")  # never watched
        async with existing_ledger(settings) as ledger:
            await ledger.updates.announce([OVERVIEW, RESPONDENTS], origin="a sibling")
            await ears.until(RESPONDENTS)
    assert ears.heard == [RESPONDENTS]


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        pytest.param("recontact://nowhere", None, id="another authority"),
        pytest.param("file:///etc/passwd", None, id="a file"),
        pytest.param(f"{HERE}secrets", None, id="another name"),
        pytest.param(HERE.replace("101", "101x") + "overview", "INVALID_ARGUMENTS", id="account with a letter"),
        pytest.param(HERE.replace("SZCFP1", "SZCFP") + "respondents.csv", "INVALID_ARGUMENTS", id="short group"),
        pytest.param(f"{HERE}upload-jobs/%2E%2E", "INVALID_ARGUMENTS", id="dots for a job"),
        pytest.param(HERE.lower() + "overview", "INVALID_ARGUMENTS", id="a spelling that no update has"),
        pytest.param(f"{HERE}upload-jobs/{NOBODYS_JOB}", "NOT_FOUND", id="a job that nobody knows"),
        pytest.param(f"{HERE}removal-jobs/{NOBODYS_JOB}", "NOT_FOUND", id="a removal that nobody knows"),
    ],
)
async def test_what_cannot_be_read_cannot_be_watched(
    era: str, connect: "Connect", effects: Effects, uri: str, code: str | None
) -> None:
    async with connect(era, effects=effects) as client:
        error = await refusal_of(client, uri)
    assert error.error.code == INVALID_PARAMS
    found: dict[str, Any] = error.error.data or {}
    assert code == (found["error"]["code"] if "error" in found else None)
    assert found.get("uri") == (None if code else uri)
    assert NOBODYS_JOB not in error.error.message


@pytest.mark.parametrize(
    "path", ["overview", "respondents.csv", f"upload-jobs/{NOBODYS_JOB}", f"upload-jobs/{NOBODYS_JOB}/file"]
)
async def test_what_the_policy_forbids_to_read_it_forbids_to_watch(
    era: str, connect: "Connect", effects: Effects, api: "Api", path: str
) -> None:
    async with connect(era, effects=effects, allowed_target_groups=frozenset()) as client:
        error = await refusal_of(client, HERE + path)
    assert (error.error.code, details(error)["code"]) == (INVALID_PARAMS, "POLICY_DENIED")
    assert sum(api.faults.requests.values()) == 0


async def test_a_stream_watches_so_many_resources_at_most(connect: "Connect", effects: Effects) -> None:
    uris = [f"{HERE}upload-jobs/{number}/file" for number in range(1_025)]
    async with connect("auto", effects=effects) as client:
        with pytest.raises(MCPError) as caught:
            async with Ears().watching(client, *uris):
                pass
        async with Ears().watching(client, *uris[1:]):
            pass
    assert details(caught.value)["code"] == "INVALID_ARGUMENTS"


@pytest.mark.sqlite_only(reason="the data directory shows whether something was opened")
async def test_a_stream_that_asks_for_no_resource_opens_nothing(connect: "Connect", settings: "Settings") -> None:
    async with connect("auto") as client, client.listen(tools_list_changed=True):
        assert not settings.data_dir.exists()


async def test_a_modern_client_cannot_subscribe_in_the_old_way(connect: "Connect", effects: Effects) -> None:
    async with connect("auto", effects=effects) as client:
        with pytest.raises(MCPError) as caught:
            await subscribe(client, OVERVIEW)
    assert caught.value.error.code == METHOD_NOT_FOUND


async def test_a_subscription_without_a_uri_is_an_invalid_parameter(era: str, connect: "Connect") -> None:
    odd = {"notifications": {"resourceSubscriptions": 5}} if era == "auto" else {}
    method = "subscriptions/listen" if era == "auto" else "resources/subscribe"
    async with connect(era) as client:
        with pytest.raises(MCPError) as caught:
            await client.session.send_request(Request[dict[str, Any], str](method=method, params=odd), EmptyResult)
    assert caught.value.error.code == INVALID_PARAMS


async def test_a_resource_without_a_target_group_is_watched_as_it_is_read() -> None:
    server = RecontactServer("with a resource of its own")

    @server.resource("recontact://audit")
    def audit() -> str:
        return "nothing happened"

    assert audit() == "nothing happened"
    nobody = Policy(read_only=True, accounts=frozenset(), projects=None, target_groups=None)
    assert await watchable(server, nobody, "recontact://audit") == Watchable("recontact://audit")


@pytest.mark.sqlite_only(reason="what cannot be used is the data directory")
async def test_a_data_directory_that_cannot_be_used_is_an_error_that_says_so(
    era: str, connect: "Connect", settings: "Settings"
) -> None:
    settings.data_dir.write_text("a file where a folder is needed")
    async with connect(era) as client:
        error = await refusal_of(client, OVERVIEW)
    assert details(error)["code"] == "UNAVAILABLE"


@pytest.mark.sqlite_only(reason="two servers in one process, which has one engine; see tests/replicas")
async def test_a_job_started_elsewhere_is_followed_once_for_all_who_watch_it_and_then_remembered(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    job_id = await api.upload_elsewhere(identifiers(10), finished=False)
    uri = f"{HERE}upload-jobs/{job_id}"
    here, there = Ears(), Ears()
    async with (
        connect(era, effects=effects, pace=1.0, hear=here) as client,
        connect(era, effects=effects, pace=1.0, hear=there) as sibling,
        here.watching(client, uri, OVERVIEW),
        there.watching(sibling, uri),
    ):
        api.pass_time(hours=1)
        with anyio.fail_after(2 * TOLD_WITHIN):  # one to see the end, one to tell it
            await here.until(uri, OVERVIEW)
            await there.until(uri)
        looks = api.asked(Operation.GET_RSIDS_UPLOAD)
        jobs = [await call(one, "get_upload_job", job_id=job_id, wait_seconds=45) for one in (client, sibling)]
        again = api.asked(Operation.GET_RSIDS_UPLOAD)
    assert [job["status"] for job in jobs] == ["Completed"] * 2
    assert again == looks


async def test_a_followed_job_started_elsewhere_keeps_nobody_from_anything(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    job_id = await api.upload_elsewhere(identifiers(10), finished=False)
    ears = Ears()
    async with (
        connect(era, effects=effects, pace=1.0, hear=ears) as client,
        ears.watching(client, f"{HERE}upload-jobs/{job_id}"),
    ):
        api.pass_time(hours=1)
        await api.until_count(10)
        started = await call(client, "upload_recontacts", ids=identifiers(11))
    assert started["status"] == "Processing"


@pytest.mark.sqlite_only(reason="the lock's file shows whether somebody follows")
async def test_a_job_that_had_ended_is_watched_in_peace(
    era: str, connect: "Connect", effects: Effects, settings: "Settings", api: "Api", identifiers: Identifiers
) -> None:
    job_id = await api.upload_elsewhere(identifiers(2))
    async with connect(era, effects=effects) as client, Ears().watching(client, f"{HERE}upload-jobs/{job_id}"):
        await anyio.wait_all_tasks_blocked()
    assert not (settings.data_dir / "follow.lock").exists()
