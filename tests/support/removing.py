"""Removing everything, as a first step of what the tests look at."""

from typing import TYPE_CHECKING, Any

from mcp import Client

if TYPE_CHECKING:
    from tests.surface.conftest import Call


async def removed(call: "Call", client: Client) -> dict[str, Any]:
    """Remove everything, and return the report of the job that did."""
    started = await call(client, "remove_all_recontacts")
    job = await call(client, "get_removal_job", job_id=started["job_id"], wait_seconds=45)
    assert job["status"] == "Completed"
    return job


async def removed_snapshot(call: "Call", client: Client) -> str:
    """Remove everything, and return the id of the snapshot that was taken before."""
    return str((await removed(call, client))["snapshot"]["snapshot_id"])
