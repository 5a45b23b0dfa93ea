"""A server on PostgreSQL: the same surface, no files but a key, and plain words for a database that is away."""

import json
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import postgres_server
import psycopg
import pytest
from anyio import to_thread
from mcp import Client, MCPError
from mcp_types import INTERNAL_ERROR
from psycopg import sql
from pydantic import SecretStr

from recontact_mcp.app import build_server
from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_mcp.state_keys import shared_state_keys
from recontact_service.operations import Operation
from recontact_tools.errors import Unreachable
from recontact_tools.uris import WHOLE_AUDIT

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Replying

pytestmark = [pytest.mark.anyio, pytest.mark.sqlite_only(reason="each test says itself which database there is")]

Identifiers = Callable[[int], list[str]]
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
PASSWORD = "c4n4ry"
# source: the promise of the ledger's pool (tools/recontact_tools/ledger/postgres_database.py), with room for its jitter
SERVED_AGAIN_WITHIN = 15
NOWHERE = SecretStr(f"postgresql://somebody:{PASSWORD}@127.0.0.1:1/nowhere")
ONE_KEY, ANOTHER_KEY = (SecretStr(f"{letter * 43}=") for letter in "AE")


async def finished(call: "Call", client: Client, tool: str, job_id: str) -> str:
    """Follow a job to its end."""
    while (report := await call(client, tool, job_id=job_id, wait_seconds=45))["poll_after_seconds"]:
        pass
    return str(report["status"])


async def test_what_is_started_on_a_database_leaves_nothing_but_the_key_in_the_data_directory(
    era: str,
    connect: "Connect",
    settings: Settings,
    effects: Effects,
    api: "Api",
    call: "Call",
    replying: "Replying",
    identifiers: Identifiers,
    database_url: str,
) -> None:
    url = SecretStr(database_url)
    async with connect(era, effects=effects, answer=replying(), database_url=url) as client:
        upload = await call(client, "upload_recontacts", ids=identifiers(3))
        uploaded = await finished(call, client, "get_upload_job", upload["job_id"])
        removal = await call(client, "remove_all_recontacts")
        removed = await finished(call, client, "get_removal_job", removal["job_id"])
        restored = await call(client, "restore_recontacts", snapshot_id=removal["snapshot"]["snapshot_id"])
        put_back = await finished(call, client, "get_upload_job", restored["job_id"])

    assert (uploaded, removed, put_back, await api.count()) == ("Completed", "Completed", "Completed", 3)
    kept = {path.name for path in settings.data_dir.rglob("*") if path.is_file()}
    assert kept - {"service.sqlite"} == {"snapshots.key"}  # the former is the API of these tests


async def test_a_database_that_is_away_is_named_by_its_setting_and_never_by_its_value(
    era: str, connect: "Connect", effects: Effects, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(era, effects=effects, database_url=NOWHERE) as client:
        result = await client.call_tool("upload_recontacts", {"target_group_id": GROUP, "ids": []})
        with pytest.raises(MCPError) as unread:
            await client.read_resource(
                f"recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/{GROUP}/overview"
            )
    said = json.dumps([result.model_dump(mode="json"), str(unread.value), caplog.text])

    assert result.structured_content is not None
    error = result.structured_content["error"]
    assert (error["code"], error["changed"], error["safe_to_repeat"]) == ("UNAVAILABLE", "no", True)
    assert "RECONTACT_DATABASE_URL" in error["next_step"]
    assert not [word for word in (PASSWORD, "somebody", "127.0.0.1", "nowhere") if word in said]


async def test_the_next_call_tries_a_database_again(
    connect: "Connect", effects: Effects, call: "Call", postgres: str
) -> None:
    later = postgres_server.sibling(postgres, "later")
    with existing(postgres, "later") as make:
        async with connect("auto", effects=effects, database_url=SecretStr(later)) as client:
            before = await client.call_tool("get_recontact_overview", {"target_group_id": GROUP})
            await to_thread.run_sync(make)
            after = await call(client, "get_recontact_overview")

    assert before.is_error
    assert after["saved_respondent_ids_count"] == 0


@contextmanager
def existing(server: str, name: str) -> Generator[Callable[[], None]]:
    """Yield what makes a database, and drop it afterwards."""
    identifier = sql.Identifier(name)
    with closing(psycopg.connect(server, autocommit=True)) as connection:

        def make() -> None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(identifier))

        yield make
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))


def shut(server: str, url: str, *, allowed: bool) -> None:
    """End every connection to a database and let none in, or let them in again."""
    database = urlsplit(url).path.removeprefix("/")
    name = sql.Identifier(database)
    with closing(psycopg.connect(server, autocommit=True)) as connection:
        admitting = sql.SQL("true" if allowed else "false")
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(name, admitting))
        ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        while not allowed and connection.execute(ending, [database]).fetchall():
            pass  # a backend ends when it gets to it


async def test_a_database_that_goes_away_under_a_server_is_said_to_and_found_again(
    connect: "Connect",
    effects: Effects,
    call: "Call",
    identifiers: Identifiers,
    postgres: str,
    database_url: str,
) -> None:
    url = SecretStr(database_url)
    async with connect("auto", effects=effects, database_url=url) as client:
        await call(client, "list_upload_jobs")
        await to_thread.run_sync(lambda: shut(postgres, database_url, allowed=False))
        arguments = {"target_group_id": GROUP, "ids": identifiers(3)}
        lost = await client.call_tool("upload_recontacts", arguments)
        with pytest.raises(MCPError) as unread:
            await client.read_resource(WHOLE_AUDIT)
        await to_thread.run_sync(lambda: shut(postgres, database_url, allowed=True))
        with anyio.fail_after(SERVED_AGAIN_WITHIN):
            while (again := await client.call_tool("upload_recontacts", arguments)).is_error:  # noqa: ASYNC110 - a server that is back tells nobody
                await anyio.sleep(0.1)

    assert lost.is_error
    assert (lost.structured_content or {})["error"]["code"] == "UNAVAILABLE"
    assert unread.value.error.code == INTERNAL_ERROR
    assert unread.value.error.message == "The server's database did not answer; nothing was changed."
    assert (again.structured_content or {})["ids_sent"] == 3


async def test_a_server_with_another_key_of_the_snapshots_starts_nothing_and_says_that_it_is_not_ready(
    connect: "Connect",
    settings: Settings,
    effects: Effects,
    api: "Api",
    call: "Call",
    refused: "Call",
    replying: "Replying",
    identifiers: Identifiers,
    database_url: str,
) -> None:
    url = SecretStr(database_url)
    async with connect("auto", effects=effects, database_url=url, snapshot_key=ONE_KEY) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(3))
        await finished(call, client, "get_upload_job", started["job_id"])
    async with connect(
        "auto", effects=effects, answer=replying(), database_url=url, snapshot_key=ANOTHER_KEY
    ) as client:
        error = await refused(client, "remove_all_recontacts")
        count = (await call(client, "get_recontact_overview"))["saved_respondent_ids_count"]

    assert (error["code"], error["changed"], count) == ("SNAPSHOT_UNREADABLE", "no", 3)
    assert "RECONTACT_SNAPSHOT_KEY" in error["next_step"]
    assert api.asked(Operation.REMOVE_ALL) == 0
    chosen = settings.model_copy(update={"database_url": url})
    assert [await unready(chosen, key, effects) for key in (ONE_KEY, ANOTHER_KEY)] == [None, error["message"]]


async def unready(settings: Settings, key: SecretStr, effects: Effects) -> str | None:
    """Ask a server with a key why it is not ready."""
    server = build_server(settings.model_copy(update={"snapshot_key": key}), effects=effects)
    async with Client(server):
        return await server.opening.unready()


async def test_the_servers_of_a_database_share_a_key_for_rounds_that_no_other_database_has(
    settings: Settings, database_url: str, postgres: str
) -> None:
    one = settings.model_copy(update={"database_url": SecretStr(database_url)})
    own = settings.model_copy(update={"database_url": SecretStr(database_url), "state_key": ONE_KEY})
    with postgres_server.database(postgres) as other_url:
        other = settings.model_copy(update={"database_url": SecretStr(other_url)})
        keys = [await shared_state_keys(chosen) for chosen in (one, one, other)]

    assert keys[0] == keys[1] != keys[2]
    assert [len(key) for [key] in keys] == [32, 32, 32]
    assert (await shared_state_keys(own), await shared_state_keys(settings)) == ((bytes(32),), ())


async def test_a_database_that_is_away_keeps_a_server_from_having_a_key(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="database"):
        await shared_state_keys(settings.model_copy(update={"database_url": NOWHERE, "data_dir": tmp_path / "none"}))

    assert not (tmp_path / "none").exists()
