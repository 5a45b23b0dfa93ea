"""Opening and closing: late, once, and without a word on the way out."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from recontact_mcp.opening import Effects
from recontact_tools.ledger import Intent
from recontact_tools.ledger.sql import SqlLedger

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]


class SlowLedger(SqlLedger):
    """A ledger whose first look for unfinished work takes long, and cannot be broken off."""

    async def unsettled(self) -> tuple[Intent, ...]:
        """Look after many turns of the event loop."""
        found: tuple[Intent, ...] = ()
        with anyio.CancelScope(shield=True):
            for _ in range(1_000):
                await anyio.lowlevel.checkpoint()
            found = await super().unsettled()
        return found  # noqa: RET504 (the types say that a scope may swallow what it returns)


def opened_slowly(path: Path) -> SqlLedger:
    """Open a slow ledger."""
    return SlowLedger.open(path)


@pytest.mark.sqlite_only(reason="a ledger of the test's own is opened in a file")
async def test_a_client_that_leaves_at_once_closes_nothing_that_is_still_being_read(
    era: str, connect: "Connect", effects: Effects, call: "Call"
) -> None:
    slow = Effects(clock=effects.clock, gateway=effects.gateway, ledger=opened_slowly)
    async with connect(era, effects=slow) as client:
        overview = await call(client, "get_recontact_overview")
    assert overview["saved_respondent_ids_count"] == 0


@pytest.mark.sqlite_only(reason="a ledger of the test's own is opened in a file")
async def test_first_calls_at_once_open_the_server_once(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    opened: list[Path] = []
    counts: list[int] = []

    def counted(path: Path) -> SqlLedger:
        opened.append(path)
        return SqlLedger.open(path)

    await api.upload_elsewhere(identifiers(3))
    counting = Effects(clock=effects.clock, gateway=effects.gateway, ledger=counted)
    async with connect(era, effects=counting) as client:

        async def count() -> None:
            counts.append((await call(client, "get_recontact_overview"))["saved_respondent_ids_count"])

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(count)
    assert (len(opened), counts) == (1, [3] * 5)


@pytest.mark.sqlite_only(reason="a ledger of the test's own is opened in a file")
async def test_work_that_a_dead_process_left_is_resumed_without_any_call(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects, pace=1.0) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(10))
    api.pass_time(hours=1)
    opened = anyio.Event()

    def noticed(path: Path) -> SqlLedger:
        opened.set()
        return SqlLedger.open(path)

    waking = Effects(clock=effects.clock, gateway=effects.gateway, ledger=noticed)
    async with connect(era, effects=waking, pace=1.0) as client:
        await opened.wait()
        await api.until_count(10)
        job = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
    assert job["status"] == "Completed"
