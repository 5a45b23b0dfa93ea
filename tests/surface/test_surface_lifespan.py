"""Opening and closing: late, once, and without a word on the way out."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_mcp.storage import LEDGER_FILE, opened_ledger
from recontact_tools.ledger import Intent, Ledger
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


async def opened_slowly(settings: Settings) -> Ledger:
    """Open a slow ledger."""
    if settings.database_url is not None:
        return await SlowLedger.connect(settings.database_url.get_secret_value(), settings.namespace)
    settings.home.mkdir(exist_ok=True)
    return SlowLedger.open(settings.home / LEDGER_FILE)


async def test_a_client_that_leaves_at_once_closes_nothing_that_is_still_being_read(
    era: str, connect: "Connect", effects: Effects, call: "Call"
) -> None:
    slow = Effects(clock=effects.clock, gateway=effects.gateway, ledger=opened_slowly)
    async with connect(era, effects=slow) as client:
        overview = await call(client, "get_recontact_overview")
    assert overview["saved_respondent_ids_count"] == 0


async def test_first_calls_at_once_open_the_server_once(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    opened: list[Settings] = []
    counts: list[int] = []

    async def counted(settings: Settings) -> Ledger:
        opened.append(settings)
        return await opened_ledger(settings)

    await api.upload_elsewhere(identifiers(3))
    counting = Effects(clock=effects.clock, gateway=effects.gateway, ledger=counted)
    async with connect(era, effects=counting) as client:

        async def count() -> None:
            counts.append((await call(client, "get_recontact_overview"))["saved_respondent_ids_count"])

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(count)
    assert (len(opened), counts) == (1, [3] * 5)


async def test_work_that_a_dead_process_left_is_resumed_without_any_call(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects, pace=1.0) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(10))
    api.pass_time(hours=1)
    opened = anyio.Event()

    async def noticed(settings: Settings) -> Ledger:
        opened.set()
        return await opened_ledger(settings)

    waking = Effects(clock=effects.clock, gateway=effects.gateway, ledger=noticed)
    async with connect(era, effects=waking, pace=1.0) as client:
        await opened.wait()
        await api.until_count(10)
        job = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
    assert job["status"] == "Completed"
