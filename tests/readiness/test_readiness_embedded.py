"""The tool over the embedded service, with target groups as anybody can seed them, in both states and versions."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import pytest
from mcp import Client
from mcp_types import TextContent
from readiness_answers import finding, findings
from scripted_api import GROUP, OTHER_GROUP, PROJECT

from recontact_mcp.settings import Settings
from recontact_service.seed import seed
from recontact_service.values import Json, TargetGroupState

Connect = Callable[..., AbstractAsyncContextManager[Client]]
Seed = Callable[..., None]

pytestmark = pytest.mark.anyio

LAUNCHED, DRAFT = TargetGroupState.LAUNCHED, TargetGroupState.DRAFT
ALWAYS_TOLD = {"completes_goal", "figures"}


@pytest.fixture
def seeded(settings: Settings) -> Seed:
    """Put a target group into the embedded service's database."""

    def put(state: TargetGroupState = DRAFT, group: str = GROUP, **options: Any) -> None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        database = settings.data_dir / "service.sqlite"
        seed(database, now=lambda: datetime.now(UTC), target_group_id=group, state=state, **options)

    return put


async def checked(client: Client, group: str = GROUP) -> dict[str, Any]:
    """Call the tool, which must not fail."""
    result = await client.call_tool("check_recontact_readiness", {"target_group_id": group})
    [text] = result.content
    assert isinstance(text, TextContent)
    answer: dict[str, Any] = json.loads(text.text)
    assert not result.is_error, answer
    assert result.structured_content == answer
    return answer


async def stored(client: Client, ids: list[str]) -> None:
    """Upload IDs, and wait until they are stored."""
    started = await client.call_tool("upload_recontacts", {"target_group_id": GROUP, "ids": ids})
    handle: dict[str, Any] = started.structured_content or {}
    arguments: dict[str, Any] = {"target_group_id": GROUP, "job_id": handle["job_id"], "wait_seconds": 20}
    ended = await client.call_tool("get_upload_job", arguments)
    assert (ended.structured_content or {})["status"] == "Completed"


@pytest.mark.parametrize("state", [DRAFT, LAUNCHED])
@pytest.mark.parametrize("version", ["2025-12-18", "2025-05-27"])
async def test_a_fresh_target_group_lacks_only_its_ids_and_has_them_after_an_upload(
    connect: Connect,
    seeded: Seed,
    identifiers: Callable[[int], list[str]],
    state: TargetGroupState,
    version: str,
    era: str,
) -> None:
    seeded(state)
    async with connect(era, cint_api_version=version) as client:
        before = await checked(client)
        await stored(client, identifiers(600))
        after = await checked(client)
    assert before["ready"] is False
    blocking = {found["check"] for found in before["findings"] if found["severity"] == "blocks"}
    assert blocking == {"stored_ids", "completes_goal"}
    assert after["ready"] is True
    assert after["saved_respondent_ids_count"] == 600
    # The older version lists no jobs, and says so.
    told = ALWAYS_TOLD | ({"running_job"} if version == "2025-05-27" else set[str]())
    assert {found["check"] for found in after["findings"]} == told


@pytest.mark.parametrize("state", [DRAFT, LAUNCHED])
@pytest.mark.parametrize(
    ("check", "severity", "fields"),
    [
        ("study_type", "blocks", {"study_type_code": "adhoc"}),
        ("live_url", "blocks", {"live_url": "https://a.example/?RID=[%RID%]"}),
        ("test_url", "blocks", {"test_url": None}),
        ("industry_lockout", "risk", {"industry_lockout_code": "lock_out_30_days"}),
        ("profiling", "risk", {"profiling": {"profile_adjustment_type": "percentage", "profiles": [{"name": "age"}]}}),
        (
            "dates",
            "blocks",
            {"fielding_specification": {"start_at": "2020-01-01T00:00:00Z", "end_at": "2020-02-01T00:00:00Z"}},
        ),
        ("project_exclusion", "info", {"exclusion": {"enabled": True}}),
        (
            "activity_exclusions",
            "risk",
            {"respondent_activity_exclusions": [{"type": "project", "id": PROJECT, "duration": "P30D"}]},
        ),
        ("exclusion_groups", "risk", {"exclusion_groups": [{"exclusion_group_id": OTHER_GROUP, "tag": "Tracker"}]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_each_flaw_of_a_seeded_target_group_is_found(
    connect: Connect,
    seeded: Seed,
    state: TargetGroupState,
    check: str,
    severity: str,
    fields: Mapping[str, Json],
) -> None:
    if check == "exclusion_groups":
        seeded(DRAFT, group=OTHER_GROUP, fields=fields)
    seeded(state, fields=fields)
    async with connect() as client:
        answer = await checked(client)
    [first, *_] = findings(answer, check)
    assert first["severity"] == severity


@pytest.mark.parametrize("state", [DRAFT, LAUNCHED])
async def test_other_allocations_than_the_templates_are_a_mismatch(
    connect: Connect, seeded: Seed, state: TargetGroupState
) -> None:
    opened: Json = {
        "exchange_suppliers": [{"id": 980, "name": "Test supplier"}],
        "blocked_suppliers": [],
        "exchange_min_percentage": 0,
        "exchange_max_percentage": 100,
        "groups": [],
    }
    private: Json = {"blocked_suppliers": [], "groups": []}
    allocations: Json = {"open_exchange_allocations": opened, "private_exchange_allocations": private}
    seeded(state, fields={"allocations": allocations})
    async with connect() as client:
        assert "exchange_suppliers differ" in finding(await checked(client), "allocations")["seen"]


async def test_a_status_of_a_launched_target_group_is_seen(connect: Connect, seeded: Seed) -> None:
    seeded(LAUNCHED, fields={"status": "archived"})
    async with connect() as client:
        answer = await checked(client)
    assert (answer["state"], answer["status"]) == ("launched", "archived")
    assert finding(answer, "state")["severity"] == "blocks"


async def test_excluded_respondents_are_compared_with_the_stored_ones(
    connect: Connect, seeded: Seed, identifiers: Callable[[int], list[str]]
) -> None:
    ids = identifiers(30)
    seeded(LAUNCHED, excluded="\n".join(ids[20:]).encode())
    async with connect() as client:
        await stored(client, ids[:25])
        answer = await checked(client)
    assert "10 RSIDs are excluded, 5 of them are stored" in finding(answer, "excluded_ids")["seen"]
    assert not any(one in str(answer) for one in ids)


async def test_a_running_upload_blocks_until_it_has_ended(
    connect: Connect, seeded: Seed, identifiers: Callable[[int], list[str]]
) -> None:
    seeded(DRAFT)
    async with connect(pace=1.0) as client:
        await client.call_tool("upload_recontacts", {"target_group_id": GROUP, "ids": identifiers(10)})
        found = finding(await checked(client), "running_job")
    assert found["severity"] == "blocks"
    assert "get_upload_job" in found["mend"]


async def test_a_target_group_outside_the_allow_list_is_not_looked_at(connect: Connect, seeded: Seed) -> None:
    seeded(DRAFT)
    async with connect(allowed_target_groups=frozenset({OTHER_GROUP})) as client:
        result = await client.call_tool("check_recontact_readiness", {"target_group_id": GROUP})
    assert (result.structured_content or {})["error"]["code"] == "POLICY_DENIED"


async def test_a_read_only_server_checks_too(connect: Connect, seeded: Seed) -> None:
    seeded(DRAFT)
    async with connect(read_only=True) as client:
        assert (await checked(client))["state"] == "draft"
