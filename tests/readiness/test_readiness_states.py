"""Draft or launched, and what each shows: every check passes where its fact is right and says so where not."""

import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from readiness_answers import CHECKS, finding, findings
from scripted_api import (
    EXCLUSION_GROUPS_PATH,
    GROUP,
    OTHER_GROUP,
    PROJECT,
    PROJECT_PATH,
    ScriptedApi,
    allocations_document,
    overview_document,
    run_document,
)

Check = Callable[..., Awaitable[dict[str, Any]]]

pytestmark = pytest.mark.anyio

ALWAYS_TOLD = {"completes_goal", "figures"}


async def test_a_draft_that_is_set_up_well_is_ready(api: ScriptedApi, check: Check, era: str) -> None:
    api.be_draft()
    answer = await check(era)
    assert answer["ready"] is True
    assert (answer["state"], answer["status"]) == ("draft", "draft")
    assert (answer["saved_respondent_ids_count"], answer["completes_goal"]) == (1200, 500)
    assert {found["check"] for found in answer["findings"]} == ALWAYS_TOLD
    assert {found["severity"] for found in answer["findings"]} == {"info"}
    assert answer["passed"] == [name for name in CHECKS if name not in ALWAYS_TOLD]
    assert "launch" in answer["next_step"]


async def test_a_launched_target_group_that_is_set_up_well_is_ready(api: ScriptedApi, check: Check, era: str) -> None:
    api.be_launched()
    answer = await check(era)
    assert answer["ready"] is True
    assert (answer["state"], answer["status"]) == ("launched", "live")
    assert {found["check"] for found in answer["findings"]} == ALWAYS_TOLD
    assert "https://elsewhere" not in str(api.asked), "the redirect was followed"


async def test_each_thing_is_asked_for_once(api: ScriptedApi, check: Check) -> None:
    api.be_launched()
    await check()
    assert set(api.asked.values()) == {1}
    assert sum(api.asked.values()) == 13


async def test_no_answer_shows_a_url_a_key_or_a_token(api: ScriptedApi, check: Check) -> None:
    api.be_launched(live_url="http://canary.example/?key=canary-key", test_url=None)
    answer = str(await check())
    assert "canary" not in answer
    assert "survey.example" not in answer


@pytest.mark.parametrize(
    ("status", "severity"), [("completed", "blocks"), ("Archived", "blocks"), ("paused", "info"), ("melting", "risk")]
)
async def test_the_status_of_a_launched_target_group_is_judged(
    api: ScriptedApi, check: Check, status: str, severity: str
) -> None:
    api.be_launched()
    api.say("/overview", {**overview_document(), "status": status})
    answer = await check()
    assert answer["status"] == status
    found = finding(answer, "state")
    assert found["severity"] == severity
    assert status.casefold() in found["seen"]
    assert answer["ready"] == (severity != "blocks")


@pytest.mark.parametrize("status", ["live", "Scheduled"])
async def test_a_status_that_lets_people_in_passes(api: ScriptedApi, check: Check, status: str) -> None:
    api.be_launched()
    api.say("/overview", {**overview_document(), "status": status})
    assert "state" in (await check())["passed"]


async def test_another_study_type_blocks_a_draft_and_can_be_changed(api: ScriptedApi, check: Check) -> None:
    api.be_draft(study_type_code="adhoc")
    api.say_at("/study-types", {"study_types": [{"code": "adhoc"}, {"code": "Recontact"}]})
    answer = await check()
    found = finding(answer, "study_type")
    assert found["severity"] == "blocks"
    assert "adhoc" in found["seen"]
    assert "PUT" in found["mend"]
    assert "ask Cint" not in found["mend"]
    assert answer["ready"] is False
    assert "blocks" in answer["next_step"]


async def test_another_study_type_is_locked_after_the_launch(api: ScriptedApi, check: Check) -> None:
    api.be_launched(study_type_code="adhoc")
    api.say_at("/study-types", {"study_types": [{"code": "adhoc"}, {"code": "diary"}]})
    found = finding(await check(), "study_type")
    assert "locked after launch" in found["mend"]
    assert "ask Cint to enable it" in found["mend"]


async def test_the_study_types_are_read_only_where_one_is_wrong(api: ScriptedApi, check: Check) -> None:
    api.be_draft(study_type_code="RECONTACT")
    assert "study_type" in (await check())["passed"]
    assert api.asked["/study-types"] == 0


async def test_the_overview_tells_the_study_type_and_goal_where_the_details_do_not(
    api: ScriptedApi, check: Check
) -> None:
    api.be_launched(study_type_code=None, completes_goal=None)
    answer = await check()
    assert "study_type" in answer["passed"]
    assert answer["completes_goal"] == 500


async def test_no_stored_ids_block_and_the_goal_is_above_them(api: ScriptedApi, check: Check) -> None:
    api.be_draft()
    api.say("/recontacts/overview", {"saved_respondent_ids_count": 0})
    answer = await check()
    assert finding(answer, "stored_ids")["severity"] == "blocks"
    assert finding(answer, "completes_goal")["severity"] == "blocks"
    assert answer["ready"] is False


@pytest.mark.parametrize(("goal", "severity"), [(1199, "info"), (1200, "risk"), (1201, "blocks")])
async def test_the_goal_is_held_against_the_stored_ids(
    api: ScriptedApi, check: Check, goal: int, severity: str
) -> None:
    api.be_launched(completes_goal=goal)
    found = finding(await check(), "completes_goal")
    assert found["severity"] == severity
    assert str(goal) in found["seen"]
    assert "1200" in found["seen"] or goal == 1200
    assert ("ceiling, not a forecast" in found["seen"]) == (severity != "blocks")
    assert "completes_goal of GET .../target-groups/{id}/details" in found["where"]
    assert "saved_respondent_ids_count" in found["where"]


@pytest.mark.parametrize(("strategy", "reached"), [("completes", False), ("Prescreens", True)])
async def test_a_reached_goal_blocks_and_counts_what_the_strategy_says(
    api: ScriptedApi, check: Check, strategy: str, *, reached: bool
) -> None:
    api.be_launched()
    document = overview_document()
    api.say("/overview", {**document, "progress": {**document["progress"], "filling_strategy": strategy}})
    found = finding(await check(), "completes_goal")
    assert (found["severity"] == "blocks") == reached
    assert ("prescreens" in found["seen"]) == reached


@pytest.mark.parametrize("status", ["Processing", "processing"])
async def test_a_running_upload_blocks(api: ScriptedApi, check: Check, status: str) -> None:
    api.be_draft()
    jobs = [{"job_id": "job-2", "status": status}, {"job_id": "job-1", "status": "Completed"}]
    api.say("/recontacts/jobs/upload-respondents-by-file", {"data": jobs})
    found = finding(await check(), "running_job")
    assert found["severity"] == "blocks"
    assert "job-2" in found["mend"]


async def test_ended_uploads_pass_and_a_status_nobody_knows_is_a_risk(api: ScriptedApi, check: Check) -> None:
    api.be_draft()
    jobs = [{"job_id": "job-1", "status": word} for word in ("Success", "FAILED", "completed")]
    api.say("/recontacts/jobs/upload-respondents-by-file", {"data": jobs})
    assert "running_job" in (await check())["passed"]
    api.say("/recontacts/jobs/upload-respondents-by-file", {"data": [*jobs, {"job_id": "job-9", "status": "Melting"}]})
    found = finding(await check(), "running_job")
    assert (found["severity"], "Melting" in found["seen"]) == ("risk", True)


@pytest.mark.parametrize(
    ("start", "end", "severity"),
    [
        ("2026-11-01T00:00:00Z", "2026-11-24T12:00:00.000Z", "blocks"),
        ("2027-02-01T00:00:00Z", "2027-01-01T00:00:00.000Z", "blocks"),
        ("2027-01-01T00:00:00+00:00", "2027-02-01T00:00:00", "info"),
    ],
)
async def test_dates_are_judged_in_both_states(
    api: ScriptedApi, check: Check, start: str, end: str, severity: str
) -> None:
    api.be_draft(fielding_specification={"start_at": start, "end_at": end})
    drafted = await check()
    api.be_launched()
    api.say("/fielding-runs", {"data": [{**run_document(), "start_fielding_at": start, "end_fielding_at": end}]})
    launched = await check()
    assert finding(drafted, "dates")["severity"] == finding(launched, "dates")["severity"] == severity
    assert drafted["ready"] == launched["ready"] == (severity != "blocks")
    if severity == "blocks":
        assert "fielding_specification.end_at" in finding(drafted, "dates")["mend"]
        assert "fielding-runs" in finding(launched, "dates")["mend"]


@pytest.mark.parametrize("where", ["draft", "launched"])
async def test_profiles_are_a_risk_and_named(api: ScriptedApi, check: Check, where: str) -> None:
    profiles = [{"name": "birth gender"}, {"description_translated": "What is your age?"}, {"object": "regular"}]
    if where == "draft":
        api.be_draft(profiling={"profile_adjustment_type": "percentage", "profiles": profiles})
    else:
        api.be_launched()
        api.say("/profiles", {"profiles": profiles})
    found = finding(await check(), "profiling")
    assert found["severity"] == "risk"
    assert "birth gender, What is your age?, a profile without a name" in found["seen"]
    assert ("PUT" in found["mend"]) == (where == "draft")


@pytest.mark.parametrize("where", ["draft", "launched"])
async def test_project_exclusion_is_a_risk_with_other_target_groups_in_the_project(
    api: ScriptedApi, check: Check, where: str
) -> None:
    def enabled(*, elsewhere: bool) -> list[dict[str, object]]:
        return [
            {"target_group_id": GROUP, "project_exclusion_enabled": True},
            {"target_group_id": OTHER_GROUP, "project_exclusion_enabled": elsewhere},
        ]

    if where == "draft":
        api.be_draft(exclusion={"enabled": True, "list": []})
    else:
        api.be_launched()
        api.say("/exclusion-policy", {"project_exclusion_enabled": True})
    api.say_at(f"{PROJECT_PATH}/exclusions", enabled(elsewhere=True))
    found = finding(await check(), "project_exclusion")
    assert found["severity"] == "risk"
    assert OTHER_GROUP in found["seen"]
    assert ("exclusion.enabled" in found["mend"]) == (where == "draft")
    api.say_at(f"{PROJECT_PATH}/exclusions", enabled(elsewhere=False))
    found = finding(await check(), "project_exclusion")
    assert (found["severity"], OTHER_GROUP in found["seen"]) == ("risk", False)
    api.say_at(f"{PROJECT_PATH}/exclusions", enabled(elsewhere=False)[:1])
    assert finding(await check(), "project_exclusion")["severity"] == "info"
    api.say_at(f"{PROJECT_PATH}/exclusions", {}, 403)
    found = finding(await check(), "project_exclusion")
    assert (found["severity"], "not verified" in found["seen"]) == ("risk", True)


@pytest.mark.parametrize("where", ["draft", "launched"])
async def test_activity_exclusions_are_a_risk_and_named(api: ScriptedApi, check: Check, where: str) -> None:
    exclusions = [
        {"type": "target-group", "id": OTHER_GROUP, "duration": "P90D"},
        {"type": "project", "id": PROJECT, "duration": None},
    ]
    if where == "draft":
        api.be_draft(respondent_activity_exclusions=exclusions)
    else:
        api.be_launched()
        api.say("/respondent-activity-exclusions", exclusions)
    found = finding(await check(), "activity_exclusions")
    assert found["severity"] == "risk"
    assert f"target-group {OTHER_GROUP} for P90D" in found["seen"]
    assert f"project {PROJECT} (this project itself)" in found["seen"]
    assert ("replaces it all" in found["mend"]) == (where == "launched")


async def test_exclusion_groups_with_others_in_them_are_a_risk(api: ScriptedApi, check: Check) -> None:
    api.be_draft()
    groups = [{"exclusion_group_id": "group/1", "tag": "Trackers"}, {"exclusion_group_id": "2"}]
    groups.append({"exclusion_group_id": "3", "tag": "Plain"})
    api.say_at(EXCLUSION_GROUPS_PATH, {"data": groups})
    members = "/demand/accounts/101/exclusion-groups/{}/target-groups"
    api.say_at(members.format("group%2F1"), {"data": [{"target_group_id": GROUP}, {"id": OTHER_GROUP}]})
    api.say_at(members.format("3"), {"data": [GROUP, OTHER_GROUP]})
    api.say_at(members.format("2"), [{"target_group_id": GROUP.lower()}])
    found = finding(await check(), "exclusion_groups")
    assert found["severity"] == "risk"
    assert "Trackers (1 others), Plain (1 others)." in found["seen"]
    assert "without a tag" not in found["seen"], "nobody else is in it"
    api.say_at(members.format("2"), b"<html>", 200)
    assert "without a tag (unknown others)" in finding(await check(), "exclusion_groups")["seen"]


async def test_a_group_alone_in_its_exclusion_groups_passes(api: ScriptedApi, check: Check) -> None:
    api.be_draft()
    api.say_at(EXCLUSION_GROUPS_PATH, {"data": [{"exclusion_group_id": 5, "tag": "Mine"}]})
    api.say_at("/demand/accounts/101/exclusion-groups/5/target-groups", [{"target_group_id": GROUP}])
    assert "exclusion_groups" in (await check())["passed"]


async def test_at_most_five_exclusion_groups_are_opened(api: ScriptedApi, check: Check) -> None:
    api.be_draft()
    api.say_at(EXCLUSION_GROUPS_PATH, {"data": [{"exclusion_group_id": str(n), "tag": f"t{n}"} for n in range(8)]})
    found = finding(await check(), "exclusion_groups")
    assert sum(count for path, count in api.asked.items() if "/exclusion-groups/" in path) == 5
    assert "and 3 more" in found["seen"]


async def test_an_industry_lockout_is_a_risk(api: ScriptedApi, check: Check) -> None:
    api.be_launched(industry_lockout_code="lock_out_30_days")
    found = finding(await check(), "industry_lockout")
    assert (found["severity"], "lock_out_30_days" in found["seen"]) == ("risk", True)


async def test_re_entry_is_told(api: ScriptedApi, check: Check) -> None:
    api.be_draft(re_entry_configuration={"completes": {}})
    assert finding(await check(), "re_entry")["severity"] == "info"


async def test_price_length_and_incidence_are_told_in_both_states(api: ScriptedApi, check: Check) -> None:
    api.be_draft()
    drafted = finding(await check(), "figures")["seen"]
    api.be_launched()
    launched = finding(await check(), "figures")["seen"]
    assert drafted == "price 2.7352 USD, expected length 10 minutes, expected incidence 90%."
    assert launched == drafted[:-1] + ", median length so far 10.5 minutes."


async def test_a_median_that_nobody_made_yet_is_left_out(api: ScriptedApi, check: Check) -> None:
    api.be_launched()
    api.say("/overview", {**overview_document(), "median_length_of_interview_seconds": 0})
    assert "median" not in finding(await check(), "figures")["seen"]


def test_listing_the_tools_does_not_load_the_checks() -> None:
    probe = "import sys, recontact_tools.catalog; print([n for n in sys.modules if '.readiness' in n])"
    listed = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    assert listed.stdout.strip() == "[]"


async def test_figures_that_are_not_shown_are_left_out(api: ScriptedApi, check: Check) -> None:
    nothing = dict.fromkeys(["cost_per_interview", "expected_length_of_interview_minutes", "expected_incidence_rate"])
    api.be_draft(**nothing)
    assert findings(await check(), "figures") == []


async def test_risks_alone_leave_it_ready_and_for_a_person_to_decide(api: ScriptedApi, check: Check) -> None:
    api.be_draft(industry_lockout_code="lock_out_30_days", allocations=allocations_document())
    answer = await check()
    assert answer["ready"] is True
    assert "Ask the user" in answer["next_step"]


async def test_the_gravest_findings_come_first(api: ScriptedApi, check: Check) -> None:
    api.be_draft(industry_lockout_code="lock_out_30_days", live_url=None)
    severities = [found["severity"] for found in (await check())["findings"]]
    assert severities == sorted(severities, key=["blocks", "risk", "info"].index)
    assert severities[0] == "blocks"


async def test_a_target_group_outside_the_allow_lists_is_counted_but_not_named(api: ScriptedApi, check: Check) -> None:
    api.be_draft(exclusion={"enabled": True})
    both = [{"target_group_id": group, "project_exclusion_enabled": True} for group in (GROUP, OTHER_GROUP)]
    api.say_at(f"{PROJECT_PATH}/exclusions", both)
    answer = await check(allowed_target_groups=frozenset({GROUP}))
    assert "1 other target groups" in finding(answer, "project_exclusion")["seen"]
    assert OTHER_GROUP not in str(answer)
