"""One process per data directory executes; its siblings hand over, stand by and take over."""

import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from desk_setting import IDS, Setting

from recontact_tools import launching
from recontact_tools.elected import Elected
from recontact_tools.engine import DurableEngine
from recontact_tools.launching import WORKFLOWS_KEPT
from recontact_tools.ledger import ACTIVE_STATES, IntentState
from recontact_tools.models import JobKind

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def engine_in(folder: Path, setting: Setting) -> AsyncGenerator[DurableEngine]:
    """Open an engine over the setting's desk, with its own gate, and close it."""
    desk = setting.another_desk()
    async with anyio.create_task_group() as tasks:
        engine = DurableEngine(Elected(folder, desk, tasks), desk, tasks)
        try:
            yield engine
        finally:
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await engine.aclose()


async def ended(setting: Setting, intent_id: str) -> IntentState:
    """Wait until an intent has ended."""
    with anyio.fail_after(30):
        while (await setting.recorded(intent_id)).state in ACTIVE_STATES:  # noqa: ASYNC110 - the engine tells nobody here
            await anyio.sleep(0.01)
    return (await setting.recorded(intent_id)).state


async def test_nothing_is_opened_before_the_first_intent(setting: Setting, tmp_path: Path) -> None:
    async with engine_in(tmp_path, setting) as engine:
        await engine.wake()

    assert [name for name in os.listdir(tmp_path) if name.startswith("engine")] == []  # noqa: PTH208 - no await needed


async def test_an_intent_runs_to_its_end_however_often_it_is_submitted(setting: Setting, tmp_path: Path) -> None:
    intent = await setting.intend("A", JobKind.UPLOAD, IDS)
    async with engine_in(tmp_path, setting) as engine:
        for _ in range(3):
            await engine.submit("A")

        assert await ended(setting, "A") is IntentState.FINISHED

    assert await setting.desk.gateway.get_overview(intent.group) == len(IDS)
    assert oct((tmp_path / "engine.sqlite").stat().st_mode & 0o777) == "0o600"


def launched_once(folder: Path, setting: Setting) -> None:
    """Leave what a first launch leaves: the engine's database, and the mark in the lock file."""
    launching.launch(folder / "engine.sqlite", setting.desk)
    launching.shut_down()
    (folder / "engine.lock").write_text("launched\n")


async def test_a_sibling_hands_over_and_takes_over_when_the_lock_is_free(setting: Setting, tmp_path: Path) -> None:
    await anyio.to_thread.run_sync(launched_once, tmp_path, setting)
    async with engine_in(tmp_path, setting) as engine:
        with (tmp_path / "engine.lock").open("r+") as executing:
            fcntl.flock(executing, fcntl.LOCK_EX)
            await setting.intend("A", JobKind.UPLOAD, IDS)
            await engine.submit("A")
            await engine.submit("A")
            assert (await setting.recorded("A")).state is IntentState.PLANNED

        assert await ended(setting, "A") is IntentState.FINISHED
        await setting.intend("B", JobKind.REMOVAL, IDS)
        await engine.submit("B")
        assert await ended(setting, "B") is IntentState.FINISHED


async def test_a_sibling_that_finds_no_finished_launch_executes_itself(setting: Setting, tmp_path: Path) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    async with engine_in(tmp_path, setting) as engine, anyio.create_task_group() as tasks:
        with (tmp_path / "engine.lock").open("w") as dying:
            fcntl.flock(dying, fcntl.LOCK_EX)
            tasks.start_soon(engine.submit, "A")
            with anyio.move_on_after(0.3):
                await ended(setting, "A")

        assert await ended(setting, "A") is IntentState.FINISHED


async def test_waking_resumes_what_is_unsettled(setting: Setting, tmp_path: Path) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    async with engine_in(tmp_path, setting) as engine:
        await engine.wake()

        assert await ended(setting, "A") is IntentState.FINISHED


async def kept_as_ended(database: Path) -> None:
    """Wait until the engine, too, has written down that its one workflow has ended."""
    client = launching.client(database)
    with anyio.fail_after(30):
        while not client.list_workflows(status="SUCCESS"):  # noqa: ASYNC110 - the engine tells nobody
            await anyio.sleep(0.01)
    client.destroy()


async def test_the_engine_forgets_what_ended_long_ago(setting: Setting, tmp_path: Path) -> None:
    await setting.intend("A", JobKind.UPLOAD, IDS)
    async with engine_in(tmp_path, setting) as engine:
        await engine.submit("A")
        await ended(setting, "A")
        await kept_as_ended(tmp_path / "engine.sqlite")
    setting.moment += timedelta(days=400) + WORKFLOWS_KEPT
    await setting.intend("B", JobKind.UPLOAD, IDS)
    async with engine_in(tmp_path, setting) as engine:
        await engine.submit("B")
        await ended(setting, "B")
    client = launching.client(tmp_path / "engine.sqlite")
    kept = [workflow.workflow_id for workflow in client.list_workflows()]
    client.destroy()

    assert kept == ["B"]


def test_the_engine_keeps_json_and_nothing_that_runs_when_it_is_read() -> None:
    serializer = launching.JsonSerializer()

    kept = serializer.serialize({"sent": ValueError("lost")})

    assert (serializer.deserialize(kept), serializer.name()) == ({"sent": "ValueError"}, "json")
