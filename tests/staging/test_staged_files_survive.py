"""A staged file and what it is used for outlive the process that took it in."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from served_files import send, serving, tool

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


async def until_intended(folder: Path) -> None:
    """Wait until the upload is written down."""
    count = 0
    while not count:
        with closing(sqlite3.connect(folder / "ledger.sqlite")) as connection:
            count = connection.execute("SELECT count(*) FROM intents").fetchone()[0]
        await anyio.lowlevel.checkpoint()


async def at_once(folder: Path) -> None:
    """Wait for nothing but the request to be on its way."""
    del folder
    await anyio.wait_all_tasks_blocked()


@pytest.mark.parametrize("moment", [at_once, until_intended])
async def test_a_kill_neither_loses_a_staged_file_nor_uploads_it_twice(
    tmp_path: Path, content: bytes, moment: Any
) -> None:
    folder = tmp_path / "data"
    with anyio.fail_after(PATIENCE):
        with serving(folder) as (address, process):
            ticket = await staged(address, content)
            async with anyio.create_task_group() as cut_off:
                cut_off.start_soon(upload_and_be_cut_off, address, ticket)
                await moment(folder)
                process.kill()
        with serving(folder) as (address, _):
            job = await tool(address, "upload_recontacts", ticket=ticket)
            again = await tool(address, "upload_recontacts", ticket=ticket)
            ended = await tool(address, "get_upload_job", job_id=job["job_id"], wait_seconds=45)
            jobs = await tool(address, "list_upload_jobs")
            overview = await tool(address, "get_recontact_overview")
    assert (again["job_id"], again["repeated"]) == (job["job_id"], True)
    assert (ended["status"], len(jobs["jobs"])) == ("Completed", 1)
    assert (overview["saved_respondent_ids_count"], job["lines_read"]) == (3, 6)
