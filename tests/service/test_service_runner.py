"""The job runner beside slow siblings and a clock that runs on."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio
import httpx
import pytest
from service_databases import held

from recontact_service.running import RunningService, running
from recontact_service.settings import ServiceSettings

pytestmark = pytest.mark.anyio

Opener = Callable[[ServiceSettings], AbstractAsyncContextManager[RunningService]]
Client = Callable[[RunningService], httpx.AsyncClient]

RSIDS = "recontacts/jobs/upload-rsids-by-file"
FILE = {"file": ("a.csv", b"0F1CE179-A917-49FF-9D50-B05FC91F7BD4\n", "text/csv")}


async def test_a_database_held_by_a_sibling_delays_a_job_and_refuses_a_new_one(
    settings: ServiceSettings, open_service: Opener, client_of: Client, clock: list[datetime]
) -> None:
    chosen = replace(settings, busy_seconds=0.01, pace=1)
    async with open_service(chosen) as service, client_of(service) as client:
        job_id = (await client.post(RSIDS, files=FILE)).json()["job_id"]
        with held(settings.database):
            clock[0] += timedelta(hours=1)
            waiting = await service.advance()
            refused = await client.post(RSIDS, files=FILE)
            before = (await client.get(f"{RSIDS}/{job_id}")).json()["status"]
        await service.advance()
        after = (await client.get(f"{RSIDS}/{job_id}")).json()["status"]

    assert waiting is None
    assert (refused.status_code, refused.json()["object"]) == (500, "unexpected_internal_error")
    assert (before, after) == ("Processing", "Completed")


async def test_steps_that_have_become_due_meanwhile_are_not_slept_towards(
    settings: ServiceSettings, client_of: Client
) -> None:
    times = [datetime(2030, 1, 1, tzinfo=UTC)]
    slept: list[float] = []

    def hurry() -> datetime:
        times.append(times[-1] + timedelta(milliseconds=60))
        return times[-1]

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if seconds >= 1:
            await anyio.sleep_forever()
        await anyio.lowlevel.checkpoint()

    async with (
        running(replace(settings, pace=1, chunk_ids=1), now=hurry, sleep=sleep) as service,
        client_of(service) as client,
    ):
        lines = "".join(f"{number:032x}\n" for number in range(300))
        dashed = "".join(f"{one[:8]}-{one[8:12]}-{one[12:16]}-{one[16:20]}-{one[20:]}\n" for one in lines.split())
        job_id = (await client.post(RSIDS, files={"file": ("a.csv", dashed.encode(), "text/csv")})).json()["job_id"]
        with anyio.fail_after(5):
            while (await client.get(f"{RSIDS}/{job_id}")).json()["status"] == "Processing":
                await anyio.lowlevel.checkpoint()

    assert {seconds for seconds in slept if seconds < 1} == {0.0}


async def test_a_paced_job_is_slept_towards_and_finished(settings: ServiceSettings, client_of: Client) -> None:
    now = [datetime(2030, 1, 1, tzinfo=UTC)]

    async def sleep(seconds: float) -> None:
        await anyio.lowlevel.checkpoint()
        if seconds == 1:
            await anyio.sleep_forever()
        now[0] += timedelta(seconds=seconds)

    async with (
        running(replace(settings, pace=1), now=lambda: now[0], sleep=sleep) as service,
        client_of(service) as client,
    ):
        job_id = (await client.post(RSIDS, files=FILE)).json()["job_id"]
        with anyio.fail_after(5):
            while (await client.get(f"{RSIDS}/{job_id}")).json()["status"] == "Processing":
                await anyio.lowlevel.checkpoint()

    assert now[0] == datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=0.075)
