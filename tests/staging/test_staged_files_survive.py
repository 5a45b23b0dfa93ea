"""A staged file and what it is used for outlive the process that took it in."""

from contextlib import suppress
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from ledger_places import counted, kept_by
from served_files import send, serving, tool

from recontact_mcp.settings import Settings

pytestmark = pytest.mark.anyio

PATIENCE = 90.0


async def staged(address: str, content: bytes) -> str:
    ticket = await tool(address, "stage_upload")
    assert await send(ticket["upload_url"], content) == 201
    handle: str = ticket["ticket"]
    return handle


async def upload_and_be_cut_off(address: str, ticket: str) -> None:
    with suppress(Exception):
        await tool(address, "upload_recontacts", ticket=ticket)


async def until_intended(settings: Settings) -> None:
    """Wait until the upload is written down."""
    while not counted(kept_by(settings), "intents"):
        await anyio.lowlevel.checkpoint()


async def at_once(settings: Settings) -> None:
    """Wait for nothing but the request to be on its way."""
    del settings
    await anyio.wait_all_tasks_blocked()


@pytest.mark.parametrize("moment", [at_once, until_intended])
async def test_a_kill_neither_loses_a_staged_file_nor_uploads_it_twice(
    settings: Settings, content: bytes, moment: Any
) -> None:
    kept = {"RECONTACT_DATABASE_URL": settings.database_url.get_secret_value()} if settings.database_url else {}
    with anyio.fail_after(PATIENCE):
        with serving(settings.data_dir, **kept) as (address, process):
            ticket = await staged(address, content)
            async with anyio.create_task_group() as cut_off:
                cut_off.start_soon(upload_and_be_cut_off, address, ticket)
                await moment(settings)
                process.kill()
        with serving(settings.data_dir, **kept) as (address, _):
            job = await tool(address, "upload_recontacts", ticket=ticket)
            again = await tool(address, "upload_recontacts", ticket=ticket)
            ended = await tool(address, "get_upload_job", job_id=job["job_id"], wait_seconds=45)
            jobs = await tool(address, "list_upload_jobs")
            overview = await tool(address, "get_recontact_overview")
    assert (again["job_id"], again["repeated"]) == (job["job_id"], True)
    assert (ended["status"], len(jobs["jobs"])) == ("Completed", 1)
    assert (overview["saved_respondent_ids_count"], job["lines_read"]) == (3, 6)
