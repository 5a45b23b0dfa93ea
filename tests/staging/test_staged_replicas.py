"""Servers that share a PostgreSQL: a ticket of one is a ticket of all."""

from base64 import b64encode
from pathlib import Path

import anyio
import psycopg
import pytest
from served_files import send, serving, tool

pytestmark = pytest.mark.anyio

KEY = b64encode(bytes(32)).decode()
PATIENCE = 90.0


def pieces(database_url: str) -> list[bytes]:
    """Read the sealed pieces that are kept."""
    with psycopg.connect(database_url) as database:
        return [bytes(row[0]) for row in database.execute("SELECT sealed FROM recontact.ticket_pieces").fetchall()]


async def test_a_file_is_sent_to_one_server_and_used_by_another(
    content: bytes, database_url: str, tmp_path: Path
) -> None:
    shared = {"RECONTACT_DATABASE_URL": database_url, "RECONTACT_SNAPSHOT_KEY": KEY}
    with (
        anyio.fail_after(PATIENCE),
        serving(tmp_path / "one", **shared) as (one, _),
        serving(tmp_path / "two", **shared) as (two, _),
    ):
        ticket = await tool(one, "stage_upload")
        handle, secret = ticket["ticket"], ticket["upload_url"].rpartition("/")[2]
        empty = await tool(two, "preview_upload", ticket=handle)
        base = two.removesuffix("/mcp")
        statuses = [await send(f"{base}/staged/{secret}", content), await send(ticket["upload_url"], content)]
        preview = await tool(one, "preview_upload", ticket=handle)
        kept = pieces(database_url)
        job = await tool(one, "upload_recontacts", ticket=handle)
        again = await tool(two, "upload_recontacts", ticket=handle)
        ended = await tool(two, "get_upload_job", job_id=job["job_id"], wait_seconds=45)
        left = pieces(database_url)
    assert empty["error"]["code"] == "TICKET_EMPTY"
    assert statuses == [201, 404]
    assert (preview["ids_to_send"], len(kept), left) == (3, 1, [])
    assert b"5a3b2ada" not in kept[0]
    assert (ended["status"], again["job_id"], again["repeated"]) == ("Completed", job["job_id"], True)
