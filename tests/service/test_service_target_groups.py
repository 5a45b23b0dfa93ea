"""What the reads around a target group show, before and after its launch, and in each version of the API."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

import httpx
import pytest

from recontact_service.running import RunningService
from recontact_service.seed import seed
from recontact_service.settings import ServiceSettings
from recontact_service.values import TargetGroupState

pytestmark = pytest.mark.anyio

Opener = Callable[[ServiceSettings], AbstractAsyncContextManager[RunningService]]
Put = Callable[..., None]

GROUP, OTHER, THIRD = (f"01BTGNYV6HRNK8K8VKZASZCFP{digit}" for digit in "123")
PROJECT, OTHER_PROJECT = "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFPX"
ACCOUNT = "http://service/v1/demand/accounts/101"
HERE = f"{ACCOUNT}/projects/{PROJECT}/target-groups/{GROUP}"
OLDER = {"Cint-API-Version": "2025-05-27"}
PROFILING = {"profile_adjustment_type": "percentage", "profiles": [{"object": "regular", "name": "age"}]}
TRACKER, AUTO = "01JW97M2Y5Q5KB0N543B4G4T5Y", "01JW97M2Y5Q5KB0N543B4G4T5Z"
LAUNCHED = TargetGroupState.LAUNCHED


@pytest.fixture
def put(settings: ServiceSettings, clock: list[datetime]) -> Put:
    """Seed a target group of the service under test."""

    def putting(target_group_id: str = GROUP, /, **options: Any) -> None:
        seed(settings.database, now=lambda: clock[0], target_group_id=target_group_id, **options)

    return putting


async def read(client: httpx.AsyncClient, url: str, **options: Any) -> Any:
    answer = await client.get(url, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("path", ["details", "overview", "profiles", "allocation-specification"])
async def test_what_only_a_launch_brings_is_not_found_for_a_draft(
    client: httpx.AsyncClient, put: Put, path: str
) -> None:
    before = await client.get(path)
    put(state=LAUNCHED)
    after = await client.get(path)

    assert (before.status_code, after.status_code) == (404, 200)


async def test_a_draft_has_no_fielding_run_and_a_launched_group_has_one(client: httpx.AsyncClient, put: Put) -> None:
    before = await read(client, "fielding-runs")
    dates = {"start_at": "2029-12-01T00:00:00.000Z", "end_at": "2030-01-31T00:00:00.000Z"}
    put(state=LAUNCHED, fields={"status": "paused", "fielding_specification": dates})
    [run] = (await read(client, "fielding-runs"))["data"]

    assert before == {"data": [], "has_more": False}
    assert (run["start_fielding_at"], run["end_fielding_at"]) == tuple(dates.values())
    assert (run["status"], run["version"]) == ("paused", 1)


@pytest.mark.parametrize(
    ("fields", "statuses"),
    [
        pytest.param({"status": "archived"}, ["completed"], id="an archived group"),
        pytest.param({"fielding_run": {"status": "scheduled", "version": 5}}, ["scheduled"], id="a run of its own"),
        pytest.param({"fielding_run": None}, [], id="no run"),
    ],
)
async def test_the_fielding_run_can_be_seeded(
    client: httpx.AsyncClient, put: Put, fields: dict[str, Any], statuses: list[str]
) -> None:
    put(state=LAUNCHED, fields=fields)

    assert [run["status"] for run in (await read(client, "fielding-runs"))["data"]] == statuses


async def test_profiling_has_another_name_in_the_older_version(client: httpx.AsyncClient, put: Put) -> None:
    none = (await read(client, HERE))["profiling"]
    older_none = (await read(client, HERE, headers=OLDER))["profile"]
    put(fields={"profiling": PROFILING})
    newest, older = await read(client, HERE), await read(client, HERE, headers=OLDER)

    assert none is None
    assert older_none == {"profile_adjustment_type": "percentage", "drafts": []}
    assert newest["profiling"] == PROFILING
    assert older["profile"] == {"profile_adjustment_type": "percentage", "drafts": PROFILING["profiles"]}
    assert "profile" not in newest
    assert "profiling" not in older


async def test_the_profiles_of_a_launched_group_are_those_of_its_profiling(client: httpx.AsyncClient, put: Put) -> None:
    put(state=LAUNCHED)
    none = await read(client, "profiles")
    put(state=LAUNCHED, fields={"profiling": PROFILING, "completes_goal": 7})
    some = await read(client, "profiles")

    assert none["profiles"] == []
    assert some == {"locale": "eng_us", "completes_goal": 7, "profiles": PROFILING["profiles"]}


async def test_the_business_unit_is_a_number_before_the_launch_and_a_text_after_it(
    client: httpx.AsyncClient, put: Put
) -> None:
    before = await read(client, HERE)
    put(state=LAUNCHED)

    assert (before["business_unit_id"], (await read(client, "details"))["business_unit_id"]) == (3337, "3337")


async def test_progress_is_seeded_field_by_field(client: httpx.AsyncClient, put: Put) -> None:
    put(state=LAUNCHED, fields={"completes_goal": 40, "progress": {"current_completes": 12}})

    assert (await read(client, "overview"))["progress"] == {
        "filling_goal": 40,
        "current_completes": 12,
        "current_prescreens": 0,
        "filling_strategy": "completes",
    }


async def test_a_draft_names_its_template_and_a_launched_group_shows_only_what_it_allocates(
    client: httpx.AsyncClient, put: Put
) -> None:
    draft = (await read(client, HERE))["allocations"]
    template = await read(
        client, f"{ACCOUNT}/business-units/3337/global-allocation-templates/{draft['template_id']}?locale=eng_us"
    )
    put(state=LAUNCHED)
    launched = await read(client, "allocation-specification")

    assert set(launched) == {"open_exchange_allocations", "private_exchange_allocations"}
    opened = launched["open_exchange_allocations"]
    assert {str(one["id"]) for one in opened["exchange_suppliers"]} == {
        one["supplier_id"] for one in template["open_exchange_allocations"]["exchange_suppliers"]
    }
    assert all(one["completes"] == one["pre_screens"] == 0 for one in opened["exchange_suppliers"])


async def test_allocations_can_be_seeded_without_a_template(client: httpx.AsyncClient, put: Put) -> None:
    supplier = {"id": 980, "name": "Test supplier"}
    group = {"group_name": "a", "min_percentage": 1, "max_percentage": 9, "suppliers": [supplier]}
    allocations = {"open_exchange_allocations": {"exchange_max_percentage": 60, "groups": [group]}}
    put(fields={"allocations": allocations})
    draft = (await read(client, HERE))["allocations"]
    put(state=LAUNCHED, fields={"allocations": allocations})
    launched = await read(client, "allocation-specification")

    assert draft == allocations
    assert launched["open_exchange_allocations"] == {
        "exchange_min_percentage": 0,
        "exchange_max_percentage": 60,
        "exchange_suppliers": [],
        "blocked_suppliers": [],
        "groups": [{**group, "suppliers": [{**supplier, "completes": 0, "pre_screens": 0}]}],
    }


async def test_the_templates_end_with_an_empty_cursor(client: httpx.AsyncClient) -> None:
    url = "http://service/v1/demand/allocation-templates"
    first = await read(client, url, params={"page_size": 1})
    last = await read(client, url, params={"page_size": 1, "start_after": first["next_cursor"]})
    [recontact], [everyone] = first["templates"], last["templates"]
    alone = await client.get(f"{url}/{recontact['template_id']}")

    assert (first["has_more"], last["has_more"], last["next_cursor"]) == (True, False, "")
    assert recontact["template_id"] == "01JH0PEGPC4Z8RDD304E2SF0EW"
    assert everyone["template_id"] != recontact["template_id"]
    assert alone.json()["name"] == recontact["name"]
    assert alone.headers["etag"]


async def test_a_template_of_a_business_unit_needs_a_locale(client: httpx.AsyncClient) -> None:
    url = f"{ACCOUNT}/business-units/3337/global-allocation-templates/01JH0PEGPC4Z8RDD304E2SF0EW"
    refused = await client.get(url)

    assert refused.status_code == 400
    assert refused.json()["invalid_params"] == [{"name": "locale", "reason": "is required"}]


async def test_there_is_a_study_type_for_recontacts(client: httpx.AsyncClient) -> None:
    listed = await read(client, "http://service/v1/study-types")

    assert "recontact" in [one["code"] for one in listed["study_types"]]


async def test_the_policy_of_a_group_and_the_list_of_its_project_agree(client: httpx.AsyncClient, put: Put) -> None:
    put(fields={"exclusion": {"enabled": True}})
    put(OTHER, state=LAUNCHED)
    put(THIRD, project_id=OTHER_PROJECT)
    policy = await read(client, "exclusion-policy")
    of_project = await read(client, f"{ACCOUNT}/projects/{PROJECT}/exclusions")

    assert policy["project_exclusion_enabled"] is True
    assert of_project == [
        {"target_group_id": GROUP, "project_exclusion_enabled": True},
        {"target_group_id": OTHER, "project_exclusion_enabled": False},
    ]


async def test_an_activity_exclusion_that_names_no_duration_lasts_ninety_days(
    client: httpx.AsyncClient, put: Put
) -> None:
    exclusions = [{"type": "project", "id": OTHER_PROJECT}, {"type": "target-group", "id": OTHER, "duration": "P2W"}]
    put(fields={"respondent_activity_exclusions": exclusions})
    found = (await read(client, "respondent-activity-exclusions"))["respondent_activity_exclusions"]

    assert found == [{**exclusions[0], "duration": "P90D"}, exclusions[1]]


async def test_an_exclusion_group_holds_the_target_groups_of_the_account_that_say_so(
    client: httpx.AsyncClient, put: Put
) -> None:
    memberships = [{"exclusion_group_id": TRACKER, "tag": "Tracker"}, {"exclusion_group_id": AUTO}]
    put(fields={"exclusion_groups": memberships})
    put(OTHER, project_id=OTHER_PROJECT, fields={"exclusion_groups": memberships[:1]})
    put(THIRD, account_id=102, fields={"exclusion_groups": memberships[:1]})
    mine = await read(client, f"{ACCOUNT}/target-groups/{GROUP}/exclusion-groups")
    elsewhere = await read(client, f"{ACCOUNT}/target-groups/{THIRD}/exclusion-groups")
    members = await read(client, f"{ACCOUNT}/exclusion-groups/{TRACKER}/target-groups")

    assert [(one["exclusion_group_id"], one["tag"]) for one in mine["data"]] == [(TRACKER, "Tracker"), (AUTO, "")]
    assert elsewhere["data"] == []
    assert members["data"] == [GROUP, OTHER]


async def test_a_list_in_memory_is_paged_both_ways(client: httpx.AsyncClient, put: Put) -> None:
    for group in (GROUP, OTHER, THIRD):
        put(group, fields={"exclusion_groups": [{"exclusion_group_id": TRACKER}]})
    url = f"{ACCOUNT}/exclusion-groups/{TRACKER}/target-groups"
    first = await read(client, url, params={"page_size": 2})
    last = await read(client, url, params={"page_size": 2, "start_after": first["next_cursor"]})
    back = await read(client, url, params={"page_size": 5, "end_before": first["next_cursor"]})
    foreign = await client.get(url, params={"start_after": "MDFKUkc0UFdISDRKMEpWRVRTTTNKTlZKWlc"})

    assert (first["data"], last["data"], back["data"]) == ([GROUP, OTHER], [THIRD], [GROUP])
    assert "next_cursor" not in last
    assert back["next_cursor"]
    assert foreign.status_code == 400


async def test_what_is_seeded_in_another_shape_counts_as_nothing(client: httpx.AsyncClient, put: Put) -> None:
    put(fields={"exclusion": None, "exclusion_groups": "none", "respondent_activity_exclusions": [1]})

    assert (await read(client, "exclusion-policy"))["project_exclusion_enabled"] is False
    assert (await read(client, "respondent-activity-exclusions"))["respondent_activity_exclusions"] == []
    assert (await read(client, f"{ACCOUNT}/target-groups/{GROUP}/exclusion-groups"))["data"] == []


async def test_an_answer_belongs_to_the_trace_that_its_caller_names(client: httpx.AsyncClient) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    named = await client.get("exclusion-policy", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    unnamed = await client.get("exclusion-policy")

    assert named.headers["traceparent"].split("-")[1] == trace
    assert len(unnamed.headers["traceparent"]) == 55
