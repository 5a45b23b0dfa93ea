"""One read that fails spoils only its own finding, which says why; a target group that is nowhere is an error."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from readiness_answers import CHECKS, finding
from scripted_api import EXCLUSION_GROUPS_PATH, GROUP_PATH, PROJECT_PATH, ScriptedApi

Check = Callable[..., Awaitable[dict[str, Any]]]

pytestmark = pytest.mark.anyio

ESSENTIAL = {"state", "study_type", "live_url", "test_url", "stored_ids", "completes_goal", "dates"}
READS = [
    ("/details", {"live_url", "test_url", "industry_lockout"}),
    ("/overview", {"state"}),
    ("/fielding-runs", {"dates"}),
    ("/profiles", {"profiling"}),
    ("/allocation-specification", {"allocations"}),
    ("/exclusion-policy", {"project_exclusion"}),
    ("/respondent-activity-exclusions", {"activity_exclusions"}),
    ("/exclusions/overview", {"excluded_ids"}),
    ("/recontacts/overview", {"stored_ids", "completes_goal"}),
    ("/recontacts/jobs/upload-respondents-by-file", {"running_job"}),
]
FAILURES = [
    (b"<html>canary</html>", 200, "documented shape"),
    ({"error": "Access to this API has been disallowed"}, 403, "does not permit"),
    (b"<html>canary</html>", 502, "502"),
]


@pytest.mark.parametrize(("tail", "spoiled"), READS)
@pytest.mark.parametrize(("body", "status", "why"), FAILURES, ids=["page", "forbidden", "broken"])
async def test_a_failing_read_spoils_only_its_own_findings(
    api: ScriptedApi, check: Check, tail: str, spoiled: set[str], body: object, status: int, why: str
) -> None:
    api.be_launched()
    api.say(tail, body, status)
    answer = await check()
    unverified = {found["check"] for found in answer["findings"] if found["seen"].startswith("not verified: ")}
    assert unverified == spoiled
    for name in spoiled:
        assert why in finding(answer, name)["seen"]
    assert answer["ready"] == (not spoiled & ESSENTIAL)
    assert "canary" not in str(answer)


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b"", 200, "documented shape"),
        (b"[1, 2]", 200, "documented shape"),
        ({"object": "too_many_requests_problem_details", "details": "x"}, 429, "fewer requests"),
    ],
    ids=["empty", "list of numbers", "too many"],
)
async def test_other_failures_are_told_apart(
    api: ScriptedApi, check: Check, body: object, status: int, why: str
) -> None:
    api.be_launched()
    api.say("/profiles", body, status)
    assert why in finding(await check(), "profiling")["seen"]


@pytest.mark.parametrize(
    ("path", "check_name"), [(EXCLUSION_GROUPS_PATH, "exclusion_groups"), (f"{PROJECT_PATH}/exclusions", None)]
)
async def test_neighbours_that_are_not_told_spoil_what_needs_them(
    api: ScriptedApi, check: Check, path: str, check_name: str | None
) -> None:
    api.be_launched()
    api.say_at(path, b"{", 200)
    answer = await check()
    unverified = {found["check"] for found in answer["findings"] if "not verified" in found["seen"]}
    assert unverified == ({check_name} if check_name else set())


async def test_an_essential_read_that_failed_makes_nobody_ready_and_says_so(api: ScriptedApi, check: Check) -> None:
    api.be_launched()
    api.say("/overview", {}, 403)
    answer = await check()
    assert answer["ready"] is False
    assert answer["status"] is None
    assert "not everything could be verified" in answer["next_step"]


@pytest.mark.parametrize(
    ("status", "location"),
    [(301, None), (301, "/demand/elsewhere"), (302, "https://evil.example/elsewhere"), (308, "elsewhere")],
    ids=["nowhere", "path", "host", "relative"],
)
async def test_any_redirect_says_launched_and_none_is_followed(
    api: ScriptedApi, check: Check, status: int, location: str | None
) -> None:
    api.be_launched()
    api.say("", b"<html>moved</html>", status, {"location": location} if location else None)
    assert (await check())["state"] == "launched"
    assert set(api.asked) >= {GROUP_PATH, f"{GROUP_PATH}/details"}
    assert not any("elsewhere" in path for path in api.asked)


@pytest.mark.parametrize(("body", "status"), [({}, 404), ({}, 403), (b"<html>", 200), (b"", 500)])
async def test_where_the_draft_read_fails_the_details_may_tell_that_it_was_launched(
    api: ScriptedApi, check: Check, body: object, status: int
) -> None:
    api.be_launched()
    api.say("", body, status)
    answer = await check()
    assert (answer["state"], answer["ready"]) == ("launched", True)


async def test_a_launched_target_group_without_details_is_still_launched(api: ScriptedApi, check: Check) -> None:
    api.be_launched()
    api.say("/details", {}, 404)
    answer = await check()
    assert (answer["state"], answer["ready"]) == ("launched", False)
    assert "study_type" in answer["passed"], "the overview tells it"


async def test_an_account_that_shows_no_settings_is_told_what_could_be_seen(api: ScriptedApi, check: Check) -> None:
    api.be_around()
    answer = await check()
    assert (answer["state"], answer["status"], answer["ready"]) == ("unknown", None, False)
    assert answer["saved_respondent_ids_count"] == 1200
    assert finding(answer, "state")["severity"] == "risk"
    assert "stored_ids" in answer["passed"]
    assert {found["check"] for found in answer["findings"]} | {*answer["passed"]} == {*CHECKS}


async def test_a_target_group_that_is_nowhere_is_not_found(check: Check, era: str) -> None:
    assert (await check(era, fails=True))["code"] == "NOT_FOUND"


@pytest.mark.parametrize(("status", "code"), [(403, "NOT_PERMITTED"), (503, "UNAVAILABLE"), (429, "RATE_LIMITED")])
async def test_when_nothing_can_be_read_the_cause_is_the_error(
    api: ScriptedApi, check: Check, status: int, code: str
) -> None:
    for tail in ("", "/details", "/recontacts/overview"):
        api.say(tail, {}, status)
    assert (await check(fails=True))["code"] == code


async def test_an_account_without_a_job_list_is_told_what_was_looked_at_instead(api: ScriptedApi, check: Check) -> None:
    api.be_draft()
    api.say("/recontacts/jobs/upload-respondents-by-file", {}, 404)
    answer = await check()
    found = finding(answer, "running_job")
    assert (found["severity"], found["seen"]) == (
        "info",
        "not verified: this account or API version lacks the operation",
    )
    assert "started here" in found["mend"]
    assert answer["ready"] is True


@pytest.mark.parametrize("profiles", [b"null", b"{}", b"[]", b'{"data": []}', b'{"profiles": []}'])
async def test_every_way_to_say_that_there_are_no_profiles_passes(
    api: ScriptedApi, check: Check, profiles: bytes
) -> None:
    api.be_launched()
    api.say("/profiles", profiles)
    assert "profiling" in (await check())["passed"]


@pytest.mark.parametrize(
    "profiling",
    [
        {},
        {"profile": {"profile_adjustment_type": "percentage", "drafts": []}},
        {"profiling": {"profile_adjustment_type": "percentage"}},
    ],
)
async def test_a_draft_without_profiles_passes_in_the_words_of_both_versions(
    api: ScriptedApi, check: Check, profiling: dict[str, object]
) -> None:
    api.be_draft(**profiling)
    assert "profiling" in (await check())["passed"]


async def test_profiles_in_the_older_words_are_seen(api: ScriptedApi, check: Check) -> None:
    api.be_draft(profile={"drafts": [{"name": "age"}]})
    assert "age" in finding(await check(), "profiling")["seen"]


@pytest.mark.parametrize(
    ("change", "check_name"),
    [
        ({"study_type_code": None}, "study_type"),
        ({"study_type_code": 7}, "study_type"),
        ({"completes_goal": "many"}, "completes_goal"),
        ({"completes_goal": 1.5}, "completes_goal"),
        ({"completes_goal": True}, "completes_goal"),
        ({"completes_goal": 1e400}, "completes_goal"),
        ({"fielding_specification": None}, "dates"),
        ({"fielding_specification": {"end_at": "soon"}}, "dates"),
        ({"exclusion": None}, "project_exclusion"),
        ({"exclusion": {"enabled": "yes"}}, "project_exclusion"),
        ({"respondent_activity_exclusions": None}, "activity_exclusions"),
        ({"respondent_activity_exclusions": [{"duration": "P1D"}]}, "activity_exclusions"),
        ({"industry_lockout_code": None}, "industry_lockout"),
    ],
)
async def test_a_field_that_a_draft_does_not_show_is_not_taken_for_granted(
    api: ScriptedApi, check: Check, change: dict[str, object], check_name: str
) -> None:
    api.be_draft(**change)
    answer = await check()
    assert finding(answer, check_name)["seen"] == "not verified: the answer does not show it"
    assert answer["ready"] == (check_name not in ESSENTIAL)


async def test_an_overview_without_a_status_or_a_run_leaves_them_open(api: ScriptedApi, check: Check) -> None:
    api.be_launched()
    api.say("/overview", {"progress": {}})
    api.say("/fielding-runs", {"data": []})
    answer = await check()
    assert "does not show it" in finding(answer, "state")["seen"]
    assert "no fielding run" in finding(answer, "dates")["seen"]


@pytest.mark.parametrize(
    ("tail", "body"),
    [
        ("/exclusion-policy", {"project_exclusion_enabled": None}),
        ("/exclusions/overview", {"saved_access_respondent_guids_count": 0}),
        ("/exclusions/overview", {"saved_respondent_ids_count": -1}),
        ("/respondent-activity-exclusions", [{"type": "project"}]),
        ("/details", {"name": "Wave 2"}),
        ("/overview", {"name": "Wave 2"}),
    ],
)
async def test_an_answer_without_its_one_fact_is_not_read(
    api: ScriptedApi, check: Check, tail: str, body: object
) -> None:
    api.be_launched()
    api.say(tail, body)
    answer = await check()
    assert [found for found in answer["findings"] if "documented shape" in found["seen"]]


async def test_an_exclusion_group_without_its_id_is_not_read(api: ScriptedApi, check: Check) -> None:
    api.be_launched()
    api.say_at(EXCLUSION_GROUPS_PATH, {"data": [{"tag": "panel"}]})
    assert "documented shape" in finding(await check(), "exclusion_groups")["seen"]


async def test_names_are_shown_without_respondent_ids_and_on_one_short_line(api: ScriptedApi, check: Check) -> None:
    name = f"people\nlike 5a3b2ada-0066-4dcb-afdd-7302be78ce9e {'x' * 200}"
    api.be_draft(profiling={"profiles": [{"name": name}, {"name": "half \ud800"}]})
    seen = finding(await check(), "profiling")["seen"]
    assert "people like [id] xxx" in seen
    assert "5a3b2ada" not in seen
    assert len(seen) < 200


async def test_texts_that_are_numbers_count(api: ScriptedApi, check: Check) -> None:
    api.be_draft(completes_goal="500", expected_incidence_rate="0.5")
    answer = await check()
    assert answer["completes_goal"] == 500
    assert "50%" in finding(answer, "figures")["seen"]


async def test_a_broken_connection_spoils_only_its_own_finding(api: ScriptedApi, check: Check) -> None:
    def broken(_request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("canary")

    api.be_launched()
    api.answers[f"{GROUP_PATH}/profiles"] = broken
    answer = await check()
    assert finding(answer, "profiling")["seen"] == "not verified: no usable answer came"
    assert answer["ready"] is True
