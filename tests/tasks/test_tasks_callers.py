"""Who may have tasks, and whose they are."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from mcp_types import INVALID_PARAMS, METHOD_NOT_FOUND, MISSING_REQUIRED_CLIENT_CAPABILITY

from recontact_mcp.settings import Settings
from recontact_mcp.storage import LEDGER_FILE
from recontact_mcp.tasks.jobs import LIFETIME, new_task_id
from recontact_tools.ledger import LedgerUnavailable, Task
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.ledger.sqlite_file import SqliteFile
from recontact_tools.ledger.tasks import SqlTasks
from recontact_tools.models import JobKind, TargetGroup

if TYPE_CHECKING:
    from task_speaker import Json, Speaker
    from tests.tasks.conftest import Speaking, World

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
# A thousand times as slow as Cint: a few IDs take minutes.
SLOW = 1_000.0
GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
TASKS = "io.modelcontextprotocol/tasks"
METHODS = ("tasks/get", "tasks/update", "tasks/cancel")


class FullTasks(SqlTasks):
    """Tasks on a disk without room for another."""

    async def bind(self, task: Task) -> Task:
        """Write nothing."""
        raise LedgerUnavailable(task.task_id)


async def opened_full(settings: Settings) -> SqlLedger:
    """Open a ledger that takes jobs and no tasks."""
    settings.home.mkdir(exist_ok=True)
    file = SqliteFile.open(settings.home / LEDGER_FILE)
    ledger = SqlLedger(file)
    ledger.tasks = FullTasks(file)
    return ledger


async def codes(speaker: "Speaker", task_id: str) -> set[int]:
    """Return the codes with which every request about a task is refused."""
    parameters: Json = {"taskId": task_id, "inputResponses": {}}
    return {(await speaker.refused(method, **parameters)).error.code for method in METHODS}


async def test_a_client_that_does_not_declare_the_extension_gets_the_handle_and_may_not_ask_for_tasks(
    speaking: "Speaking", identifiers: Identifiers
) -> None:
    async with speaking(pace=SLOW) as speaker:
        task = await speaker.start(ids=identifiers(3))
    async with speaking(pace=SLOW, speaks=False) as stranger:
        handle = await stranger.call("upload_recontacts", ids=identifiers(3))
        refusals = await codes(stranger, task["taskId"])
        error = (await stranger.refused("tasks/get", taskId=task["taskId"])).error
    assert (handle["resultType"], handle["structuredContent"]["kind"]) == ("complete", "upload")
    assert refusals == {MISSING_REQUIRED_CLIENT_CAPABILITY}
    assert error.data == {"requiredCapabilities": {"extensions": {TASKS: {}}}}


async def test_a_client_of_2025_never_sees_a_task(speaking: "Speaking", identifiers: Identifiers) -> None:
    async with speaking(pace=SLOW) as speaker:
        task = await speaker.start(ids=identifiers(3))
    async with speaking(pace=SLOW, mode="legacy") as older:
        greeted = older.client.session.initialize_result
        handle = await older.call("upload_recontacts", ids=identifiers(3))
        refusals = await codes(older, task["taskId"])
    assert greeted is not None
    assert greeted.capabilities.extensions is None
    assert "taskId" not in handle
    assert handle["structuredContent"]["kind"] == "upload"
    assert refusals == {METHOD_NOT_FOUND}


async def test_where_tasks_are_switched_off_nobody_has_them(speaking: "Speaking", identifiers: Identifiers) -> None:
    async with speaking(pace=SLOW) as speaker:
        task = await speaker.start(ids=identifiers(3))
        discovered = await speaker.ask("server/discover")
    async with speaking(pace=SLOW, tasks=False) as speaker:
        handle = await speaker.call("upload_recontacts", ids=identifiers(3))
        refusals = await codes(speaker, task["taskId"])
        undiscovered = await speaker.ask("server/discover")
    assert discovered["capabilities"]["extensions"] == {TASKS: {}}
    assert "extensions" not in undiscovered["capabilities"]
    assert handle["structuredContent"]["kind"] == "upload"
    assert refusals == {METHOD_NOT_FOUND}


async def test_a_client_that_shows_apps_keeps_the_handle_that_their_views_are_made_of(
    speaking: "Speaking", identifiers: Identifiers
) -> None:
    async with speaking(pace=SLOW, apps=True) as speaker:
        handle = await speaker.call("upload_recontacts", ids=identifiers(3))
    assert handle["structuredContent"]["kind"] == "upload"


async def test_a_task_that_nobody_has_or_somebody_else_is_not_there(
    speaking: "Speaking", world: "World", identifiers: Identifiers
) -> None:
    async with speaking(pace=SLOW) as speaker:
        mine = await speaker.start(ids=identifiers(3))
        theirs = Task(
            task_id=new_task_id(),
            principal="somebody else",
            kind=JobKind.UPLOAD,
            group=GROUP,
            job_id=mine["statusMessage"].partition(" job ")[2].partition(":")[0],
            created_at=world.now(),
            expires_at=world.now() + LIFETIME,
            updated_at=world.now(),
        )
        async with world.ledger() as ledger:
            await ledger.tasks.bind(theirs)
        refusals = await codes(speaker, theirs.task_id) | await codes(speaker, new_task_id())
        messages = {
            (await speaker.refused("tasks/get", taskId=task_id)).error.message
            for task_id in (theirs.task_id, new_task_id())
        }
        async with world.ledger() as ledger:
            untouched = await ledger.tasks.find(theirs.task_id, principal=theirs.principal, now=world.now())
    assert refusals == {INVALID_PARAMS}
    assert len(messages) == 1
    assert untouched == theirs


async def test_a_task_is_there_for_its_whole_life_and_not_longer(
    speaking: "Speaking", world: "World", identifiers: Identifiers
) -> None:
    async with speaking() as speaker:
        task = await speaker.start(ids=identifiers(3), idempotency_key="wave-1")
        await speaker.until_over(task)
        world.pass_time(milliseconds=task["ttlMs"] - 1)
        last = await speaker.look(task)
        world.pass_time(milliseconds=1)
        refusals = await codes(speaker, task["taskId"])
        another = await speaker.start(ids=identifiers(3), idempotency_key="wave-1")
        again = await speaker.look(another)
    assert last["status"] == "completed"
    assert refusals == {INVALID_PARAMS}
    assert another["taskId"] != task["taskId"]
    assert again["result"] == last["result"]


@pytest.mark.sqlite_only(reason="a ledger of the test's own, without room for a task, is opened in a file")
async def test_a_task_that_cannot_be_written_down_leaves_the_handle_for_the_job_runs(
    speaking: "Speaking", world: "World", identifiers: Identifiers
) -> None:
    world.opens = opened_full
    async with speaking(pace=SLOW) as speaker:
        handle = await speaker.call("upload_recontacts", ids=identifiers(3))
    assert (handle["structuredContent"]["kind"], handle["isError"], world.posts) == ("upload", False, 1)


@pytest.mark.sqlite_only(reason="what cannot be used is the data directory")
async def test_without_a_usable_data_directory_a_look_is_an_error_in_our_words(
    speaking: "Speaking", world: "World"
) -> None:
    world.settings.data_dir.write_text("in the way")
    async with speaking() as speaker:
        error = (await speaker.refused("tasks/get", taskId=new_task_id())).error
    assert error.data["error"]["code"] == "UNAVAILABLE"
