"""Excluded RSIDs against stored ones: compared when that is affordable, and only counts are told."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from readiness_answers import finding
from scripted_api import GROUP_PATH, ScriptedApi

Check = Callable[..., Awaitable[dict[str, Any]]]

pytestmark = pytest.mark.anyio

EXCLUDED = "/exclusions/rsid/paginated"


def rsids(count: int, start: int = 0) -> list[str]:
    return [f"5a3b2ada-0000-4000-8000-{number:012x}" for number in range(start, start + count)]


def hold(api: ScriptedApi, stored: list[str], excluded: list[str], *, guids: int = 0) -> None:
    """Let the API store and exclude these, in one page each."""
    api.say("/recontacts/overview", {"saved_respondent_ids_count": len(stored)})
    api.say("/recontacts/rsids", {"data": stored, "next_cursor": None})
    counts = {"saved_respondent_ids_count": len(excluded), "saved_access_respondent_guids_count": guids}
    api.say("/exclusions/overview", counts)
    api.say(EXCLUDED, {"data": excluded, "next_cursor": ""})


async def test_stored_ids_that_are_excluded_are_a_risk_and_only_counted(
    api: ScriptedApi, check: Check, era: str
) -> None:
    api.be_launched()
    hold(api, rsids(60), [one.upper() for one in rsids(30, start=50)])
    answer = await check(era)
    found = finding(answer, "excluded_ids")
    assert found["severity"] == "risk"
    assert "30 RSIDs are excluded, 10 of them are stored" in found["seen"]
    assert "5a3b2ada" not in str(answer).casefold()
    assert api.queries[GROUP_PATH + EXCLUDED] == ["page_size=1000"]


async def test_when_all_stored_ids_are_excluded_nobody_can_enter(api: ScriptedApi, check: Check) -> None:
    api.be_draft(completes_goal=1)
    hold(api, rsids(5), rsids(9))
    answer = await check()
    assert finding(answer, "excluded_ids")["severity"] == "blocks"
    assert answer["ready"] is False


async def test_exclusions_of_others_are_only_told(api: ScriptedApi, check: Check) -> None:
    api.be_draft(completes_goal=1)
    hold(api, rsids(5), rsids(5, start=5))
    found = finding(await check(), "excluded_ids")
    assert (found["severity"], "0 of them" in found["seen"]) == ("info", True)


async def test_guids_cannot_be_compared_and_are_a_risk(api: ScriptedApi, check: Check) -> None:
    api.be_draft(completes_goal=1)
    hold(api, rsids(5), [], guids=4)
    found = finding(await check(), "excluded_ids")
    assert (found["severity"], "4 GUIDs" in found["seen"]) == ("risk", True)
    assert api.asked[GROUP_PATH + EXCLUDED] == 0


async def test_a_comparison_that_costs_too_many_pages_is_not_made_and_says_so(api: ScriptedApi, check: Check) -> None:
    api.be_draft(completes_goal=1)
    hold(api, rsids(101), rsids(1))
    found = finding(await check(compare_pages=2), "excluded_ids")
    assert (found["severity"], "not compared" in found["seen"]) == ("risk", True)
    assert "3 pages" in found["seen"]
    assert "RECONTACT_COMPARE_PAGES" in found["seen"]
    assert api.asked[GROUP_PATH + "/recontacts/rsids"] == 0
    assert "of them" in finding(await check(compare_pages=3), "excluded_ids")["seen"]


async def test_lists_are_read_by_their_cursors(api: ScriptedApi, check: Check) -> None:
    api.be_draft(completes_goal=1)
    hold(api, rsids(4), rsids(4))

    def paged(request: httpx.Request) -> httpx.Response:
        if "start_after" in request.url.params:
            return httpx.Response(200, json={"data": rsids(4), "next_cursor": None})
        return httpx.Response(200, json={"data": [], "next_cursor": "more"})

    api.answers[GROUP_PATH + EXCLUDED] = paged
    assert "4 of them" in finding(await check(), "excluded_ids")["seen"]


@pytest.mark.parametrize(
    ("tail", "body", "status"),
    [
        (EXCLUDED, {"data": rsids(1), "next_cursor": None}, 200),
        (EXCLUDED, {"data": rsids(1), "next_cursor": "again"}, 200),
        (EXCLUDED, {}, 404),
        ("/recontacts/rsids", {"data": []}, 200),
        ("/recontacts/rsids", b"<html>", 502),
    ],
)
async def test_lists_that_cannot_be_read_whole_are_not_compared(
    api: ScriptedApi, check: Check, tail: str, body: object, status: int
) -> None:
    api.be_draft(completes_goal=1)
    hold(api, rsids(5), rsids(5))
    api.say(tail, body, status)
    found = finding(await check(), "excluded_ids")
    assert (found["severity"], "not compared" in found["seen"]) == ("risk", True)


async def test_without_the_stored_count_nothing_is_compared(api: ScriptedApi, check: Check) -> None:
    api.be_draft()
    hold(api, rsids(5), rsids(5))
    api.say("/recontacts/overview", {}, 403)
    answer = await check()
    assert "not compared" in finding(answer, "excluded_ids")["seen"]
    assert answer["saved_respondent_ids_count"] is None
    assert answer["ready"] is False


async def test_without_stored_ids_there_is_nothing_to_compare(api: ScriptedApi, check: Check) -> None:
    api.be_draft()
    hold(api, [], rsids(5))
    assert "nothing to compare" in finding(await check(), "excluded_ids")["seen"]
    assert api.asked[GROUP_PATH + EXCLUDED] == 0
