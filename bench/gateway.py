"""What the gateway costs beside a bare httpx call, over HTTP to one server in a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
from bench.figures import Figure
from bench.timing import Pair, side_by_side

from recontact_service.seed import DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID, DEFAULT_TARGET_GROUP_ID
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.models import TargetGroup

ROUNDS = 2_000
GROUP = TargetGroup(DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID, DEFAULT_TARGET_GROUP_ID)
SECRET = "bench"  # noqa: S105 - opens nothing but the bench's own database
URL = re.compile(rb"CINT_BASE_URL=(http://\S+)/v1")


@contextmanager
def served(folder: Path) -> Generator[str]:
    """Serve the API from a process of its own until the block is left; yield its URL."""
    command = [sys.executable, "-m", "recontact_mcp", "service", "--port", "0", "--client-id", "bench"]
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("RECONTACT_", "CINT_"))}
    environment = {**usual, "RECONTACT_DATA_DIR": str(folder), "RECONTACT_SERVICE_SECRET": SECRET, "COLUMNS": "200"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment) as process:
        assert process.stdout
        try:
            found = next((match for line in process.stdout if (match := URL.search(line))), None)
            assert found, "the service ended before it said where it is"
            yield found[1].decode()
        finally:
            process.terminate()


def connection_to(url: str) -> Connection:
    """Connect as to Cint: politely, but at a rate that never makes us wait."""
    return Connection(
        f"{url}/v1", f"{url}/oauth/token", "bench", SECRET, requests_at_once=20, requests_per_second=1_000_000.0
    )


def bare_headers(connection: Connection) -> dict[str, str]:
    """Fetch a token as anybody would, and return the headers that the gateway sends."""
    credentials = {
        "client_id": connection.client_id,
        "client_secret": connection.client_secret,
        "grant_type": "client_credentials",
        "auth_scopes": connection.auth_scopes,
        "audience": connection.audience,
    }
    token = httpx.post(connection.token_url, json=credentials).json()["access_token"]
    return {
        "authorization": f"Bearer {token}",
        "cint-api-version": connection.api_version,
        "accept": "*/*",
        "user-agent": "recontact-mcp",
    }


async def compare(url: str, *, rounds: int) -> Pair:
    """Time a read of the overview by the gateway, and by httpx alone, in turn."""
    connection = connection_to(url)
    address = (
        f"{connection.base_url}/demand/accounts/{GROUP.account_id}/projects/{GROUP.project_id}"
        f"/target-groups/{GROUP.target_group_id}/recontacts/overview"
    )
    headers = bare_headers(connection)
    async with Gateway(connection) as gateway, httpx.AsyncClient() as client:

        async def ours() -> None:
            assert await gateway.get_overview(GROUP) == 0

        async def bare() -> None:
            answer = await client.get(address, headers=headers)
            assert answer.json()["saved_respondent_ids_count"] == 0

        return await side_by_side(ours, bare, rounds=rounds)


async def measure(folder: Path) -> list[Figure]:
    with served(folder) as url:
        pair = await compare(url, rounds=ROUNDS)
    return [Figure("get_overview by the gateway over HTTP, beside bare httpx", pair.ratio, "x", 1.3, pair.detail)]
