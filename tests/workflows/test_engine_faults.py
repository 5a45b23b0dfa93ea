"""An engine that cannot be used never ends the server, nor keeps others from the work."""

import fcntl
import logging
import os
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from anyio import to_thread
from desk_setting import IDS, Setting

from recontact_tools import launching
from recontact_tools.elected import Elected
from recontact_tools.engine import OWN_PROCESS_SUBMITS, DurableEngine
from recontact_tools.ledger import IntentState
from recontact_tools.models import JobKind

pytestmark = pytest.mark.anyio


def engine(folder: Path, setting: Setting, tasks: anyio.abc.TaskGroup) -> DurableEngine:
    """Return an engine over the setting's desk, with its own gate."""
    desk = setting.another_desk()
    return DurableEngine(Elected(folder, desk, tasks), desk, tasks)


def is_free(lock: Path) -> bool:
    """Tell whether another process could execute."""
    with lock.open() as sibling:
        try:
            fcntl.flock(sibling, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


async def until_finished(setting: Setting, intent_id: str) -> None:
    """Wait until an intent has ended well."""
    with anyio.fail_after(30):
        while (await setting.recorded(intent_id)).state is not IntentState.FINISHED:  # noqa: ASYNC110 - a ledger tells nobody
            await anyio.sleep(0.01)


async def test_an_engine_that_cannot_start_leaves_the_lock_to_others(setting: Setting, tmp_path: Path) -> None:
    (tmp_path / "engine.sqlite").write_bytes(b"this is no database, but it is long enough to be looked at" * 20)
    await setting.intend("A", JobKind.UPLOAD, IDS)
    async with anyio.create_task_group() as tasks:
        broken = engine(tmp_path, setting, tasks)
        for _ in range(2):
            with pytest.raises(Exception, match="database"):
                await broken.submit("A")
            assert is_free(tmp_path / "engine.lock")

        (tmp_path / "engine.sqlite").unlink()
        await broken.submit("A")
        await until_finished(setting, "A")
        await broken.aclose()


async def test_what_is_left_is_resumed_once_the_engine_can_be_used_again(
    setting: Setting, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = tmp_path / "engine.sqlite"
    database.write_bytes(b"this is no database, but it is long enough to be looked at" * 20)
    async with anyio.create_task_group() as tasks:
        watching = engine(tmp_path, setting, tasks)
        await watching.wake()
        await setting.intend("A", JobKind.UPLOAD, IDS)
        setting.moment += OWN_PROCESS_SUBMITS + timedelta(seconds=1)
        with anyio.fail_after(30):
            while not caplog.records:  # noqa: ASYNC110 - a log tells nobody
                await anyio.sleep(0.05)
        os.unlink(database)  # noqa: PTH108 - no await needed
        await until_finished(setting, "A")
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await watching.aclose()

    assert [record.levelno for record in caplog.records if "resumed" in record.message] == [logging.ERROR]
    assert str(tmp_path) not in caplog.text


async def test_a_young_intent_is_left_to_the_process_that_wrote_it(setting: Setting, tmp_path: Path) -> None:
    async with anyio.create_task_group() as tasks:
        watching = engine(tmp_path, setting, tasks)
        await watching.wake()
        await setting.intend("A", JobKind.UPLOAD, IDS)
        await anyio.sleep(1.5)
        assert (await setting.recorded("A")).state is IntentState.PLANNED
        tasks.cancel_scope.cancel()


async def test_a_sibling_that_cannot_take_over_says_so_and_tries_again(
    setting: Setting, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = tmp_path / "engine.sqlite"

    def launched_once() -> None:
        launching.launch(database, setting.desk)
        launching.shut_down()
        (tmp_path / "engine.lock").write_text("launched\n")

    await to_thread.run_sync(launched_once)
    async with anyio.create_task_group() as tasks:
        standing_by = engine(tmp_path, setting, tasks)
        with (tmp_path / "engine.lock").open("r+") as executing:
            fcntl.flock(executing, fcntl.LOCK_EX)
            await setting.intend("A", JobKind.UPLOAD, IDS)
            await standing_by.submit("A")
            database.rename(tmp_path / "aside")
            database.write_bytes(b"this is no database, but it is long enough to be looked at" * 20)
        with anyio.fail_after(30):
            while not caplog.records:  # noqa: ASYNC110 - a log tells nobody
                await anyio.sleep(0.05)
        (tmp_path / "aside").rename(database)
        await until_finished(setting, "A")
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await standing_by.aclose()

    assert "taken over" in caplog.text
    assert str(tmp_path) not in caplog.text
