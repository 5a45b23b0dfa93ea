"""What stands between a replacement and its end, and where it stands meanwhile."""

import json
from typing import TYPE_CHECKING, Any

import anyio
import httpx
from mcp import Client

from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.surface.conftest import Between, Call, Forward, Read

HERE = "recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/"
GROUP_ID = "01BTGNYV6HRNK8K8VKZASZCFP1"
UPLOAD, REMOVE = Operation.UPLOAD_RSIDS, Operation.REMOVE_ALL
UPLOADS, REMOVALS, LISTED = "/upload-rsids-by-file", "/remove-all-rsids", "/recontacts/rsids"
PHRASE = f"REPLACE 5 BY 3 IN {GROUP_ID}"


def unconnected(path_end: str, times: int) -> "Between":
    """Let so many POSTs find no connection."""
    left = [path_end] * times

    async def between(request: httpx.Request, forward: "Forward") -> httpx.Response:
        if request.method == "POST" and left and request.url.path.endswith(left[0]):
            left.pop()
            raise httpx.ConnectError("refused", request=request)
        return await forward(request)

    return between


def failing(part: str) -> "Between":
    """Let the first job of a kind end as failed, whatever the API says of it."""
    jobs: list[str] = []

    async def between(request: httpx.Request, forward: "Forward") -> httpx.Response:
        response = await forward(request)
        place, _, job_id = request.url.path.rpartition("/")
        if request.method == "GET" and place.endswith(part) and job_id in [*jobs, job_id][:1]:
            jobs[:] = [job_id]
            body = json.loads(await response.aread())
            reason = {"code": "internal", "description": "It broke."}
            return httpx.Response(200, json={**body, "status": "Failed", "failure_reason": reason})
        return response

    return between


async def stage(read: "Read", client: Client, started: dict[str, Any]) -> dict[str, Any]:
    """Read where a replacement stands."""
    report: dict[str, Any] = json.loads(await read(client, started["resource_uri"]))
    standing: dict[str, Any] = report["replacement"]
    return standing


async def until(read: "Read", client: Client, started: dict[str, Any], stage_name: str, part: str) -> dict[str, Any]:
    """Wait until a replacement is in a stage and that part of it is known to the API."""
    while True:
        standing = await stage(read, client, started)
        if standing["stage"] == stage_name and standing[part]:
            return standing
        await anyio.sleep(0.005)


async def uploads(call: "Call", client: Client) -> list[str]:
    """List the upload jobs that the API knows and we started."""
    jobs = (await call(client, "list_upload_jobs"))["jobs"]
    return [job["status"] for job in jobs if job["file_name"] != "elsewhere.csv"]


async def unlisted(request: httpx.Request, forward: "Forward") -> httpx.Response:
    """Refuse to list the upload jobs once the target group is to be empty, so that nobody can look for one."""
    if request.method == "GET" and request.url.path.endswith("/upload-respondents-by-file"):
        return httpx.Response(403, json={"id": "E", "object": "some_error", "detail": "No."})
    return await forward(request)
