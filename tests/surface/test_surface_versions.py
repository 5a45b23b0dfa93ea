"""What one version of the product began, the next one ends; and an older one beside a newer does no harm."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from ledger_places import kept_by
from mcp import Client
from older_ledgers import set_back, take_forward, version_of
from person import person_at

from recontact_mcp.app import build_server
from recontact_mcp.embedded import service_database
from recontact_mcp.opening import Effects, Opening
from recontact_mcp.settings import Settings
from recontact_service.operations import Operation
from recontact_service.seed import DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID, DEFAULT_TARGET_GROUP_ID, seed
from recontact_tools.ledger import audit
from recontact_tools.ledger.migrations import MIGRATIONS
from recontact_tools.ledger.schema import APPROVALS, STAGING
from recontact_tools.receiving import awaited_by, receive

if TYPE_CHECKING:
    from tests.surface.conftest import Api, Call

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
URL = "https://recontact.example/approve"
OTHER = "01BTGNYV6HRNK8K8VKZASZCFP2"
THIRD = "01BTGNYV6HRNK8K8VKZASZCFP3"
STAGED_SINCE = MIGRATIONS.index(STAGING) + 1
APPROVED_SINCE = MIGRATIONS.index(APPROVALS) + 1
PATIENCE = 60.0


@pytest.fixture
def api(api: "Api") -> "Api":
    """An API that knows three target groups."""
    api.settings.data_dir.mkdir(parents=True, exist_ok=True)
    for group in (OTHER, THIRD):
        seed(
            service_database(api.settings.data_dir, api.settings.database_url),
            now=lambda: datetime.now(UTC),
            target_group_id=group,
            account_id=DEFAULT_ACCOUNT_ID,
            project_id=DEFAULT_PROJECT_ID,
        )
    return api


@asynccontextmanager
async def served(settings: Settings, effects: Effects) -> AsyncGenerator[tuple[Client, Opening]]:
    """Serve as over HTTP, beside an API at Cint's pace."""
    chosen = settings.model_copy(update={"pace": 1.0, "public_url": "https://recontact.example"})
    server = build_server(chosen, effects=effects, local_files=False, approve_url=URL)
    with anyio.fail_after(PATIENCE):
        async with Client(server, mode="auto") as client:
            yield client, server.opening


async def staged(client: Client, opening: Opening, call: "Call", ids: list[str]) -> str:
    """Stage a file for the third target group, and return its ticket."""
    ticket = await call(client, "stage_upload", target_group_id=THIRD)
    runtime = await opening.receiving()
    waiting = await awaited_by(runtime, ticket["upload_url"].rpartition("/")[2])
    assert waiting is not None

    async def chunks() -> AsyncGenerator[bytes]:
        yield "".join(f"{one}\n" for one in ids).encode()

    assert await receive(runtime, waiting, chunks()) is not None
    handle: str = ticket["ticket"]
    return handle


async def end_of(client: Client, call: "Call", kind: str, job: dict[str, Any], group: str) -> str:
    """Wait until a job has ended, and return how."""
    while True:
        told = {"job_id": job["job_id"], "target_group_id": group, "wait_seconds": 45}
        report = await call(client, f"get_{kind}_job", **told)
        if report["poll_after_seconds"] == 0:
            return str(report["status"])


@pytest.mark.parametrize("versions", range(1, len(MIGRATIONS) + 1))
async def test_what_was_begun_under_an_older_schema_goes_on_under_this_one(
    settings: Settings,
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    old: list[str],
    identifiers: Identifiers,
    versions: int,
) -> None:
    await api.upload_elsewhere(old)
    async with served(settings, effects) as (client, opening):
        running = await call(client, "upload_recontacts", ids=identifiers(10), target_group_id=OTHER)
        asked = await refused(client, "remove_all_recontacts")
        ticket = await staged(client, opening, call, identifiers(3))
    set_back(kept_by(settings), versions)
    assert version_of(kept_by(settings)) == versions

    async with served(settings, effects) as (client, _), person_at(settings, effects) as person:
        again = await refused(client, "remove_all_recontacts")
        await person.approves(again["approval_code"])
        removal = await call(client, "remove_all_recontacts")
        if versions >= STAGED_SINCE:
            sent = await call(client, "upload_recontacts", ticket=ticket, target_group_id=THIRD)
        else:
            sent = await call(client, "upload_recontacts", ids=identifiers(3), target_group_id=THIRD)
        api.pass_time(seconds=30)
        ends = [
            await end_of(client, call, kind, job, group)
            for kind, job, group in (
                ("upload", running, OTHER),
                ("upload", sent, THIRD),
                ("removal", removal, DEFAULT_TARGET_GROUP_ID),
            )
        ]
    assert version_of(kept_by(settings)) == len(MIGRATIONS)
    assert ends == ["Completed"] * 3
    assert (api.asked(Operation.UPLOAD_RSIDS), api.asked(Operation.REMOVE_ALL), await api.count()) == (2, 1, 0)
    if versions >= APPROVED_SINCE:
        assert (again["plan_id"], again["approval_code"]) == (asked["plan_id"], asked["approval_code"])
    with kept_by(settings).reading() as connection:
        assert audit.verify(connection).broken_at is None


async def test_an_older_server_beside_a_newer_one_ends_its_work_and_begins_nothing_once_it_is_started_anew(
    settings: Settings, effects: Effects, call: "Call", refused: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with served(settings, effects) as (client, _):
        running = await call(client, "upload_recontacts", ids=identifiers(10), target_group_id=OTHER)
        take_forward(kept_by(settings))
        further = await call(client, "upload_recontacts", ids=identifiers(3), target_group_id=THIRD)
        api.pass_time(seconds=30)
        ends = [await end_of(client, call, "upload", job, group) for job, group in ((running, OTHER), (further, THIRD))]
    async with served(settings, effects) as (client, _):
        error = await refused(client, "upload_recontacts", ids=identifiers(5))
    assert ends == ["Completed"] * 2
    assert (error["code"], error["changed"]) == ("UNAVAILABLE", "no")
    assert api.asked(Operation.UPLOAD_RSIDS) == 2
    assert version_of(kept_by(settings)) == len(MIGRATIONS) + 1
