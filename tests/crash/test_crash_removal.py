"""kill -9 of the server anywhere in a removal: never without consent, at most once, and a truthful end."""

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.crash.conftest import Crash, Host, Hosting, Place

pytestmark = pytest.mark.anyio

KIND = "remove-all-rsids"
# Three chunks in two seconds, so that looks find the job Processing, on a busy machine too.
SLOWLY = "0.03"

# What each end looks like on record: the ledger's intents with what settled them, the jobs the API made, and
# whether the IDs are still stored.
NOTHING = ((), (), True)
FINISHED = ((("finished", "job"),), ("Completed",), False)
COUNTED = ((("finished", "overview"),), ("Completed",), False)
UNKNOWN = ((("unknown", ""),), (), True)
STALE = ((("refused", ""),), (), True)

AT_FULL_SPEED = [
    pytest.param("before record_plan 1", NOTHING, id="before the plan is written"),
    pytest.param("after record_plan 1", NOTHING, id="before the question is asked"),
    pytest.param("before spend_plan 1", NOTHING, id="before the plan is spent"),
    pytest.param("after spend_plan 1", NOTHING, id="after the plan is spent"),
    pytest.param("before open_intent 1", NOTHING, id="before the intent is written"),
    pytest.param("after open_intent 1", FINISHED, id="after the intent is written"),
    pytest.param("before mark_sending 1", FINISHED, id="before it is marked as sending"),
    pytest.param("after mark_sending 1", UNKNOWN, id="after it is marked as sending"),
    pytest.param("before removal 1", UNKNOWN, id="before the POST leaves"),
    pytest.param("after removal 1", COUNTED, id="between the POST and its answer"),
    pytest.param("before mark_started 1", COUNTED, id="before the answer is recorded"),
    pytest.param("after mark_started 1", FINISHED, id="after the answer is recorded"),
    pytest.param("before poll 1", FINISHED, id="before the first look"),
    pytest.param("before mark_finished 1", FINISHED, id="before the end is recorded"),
    pytest.param("after mark_finished 1", FINISHED, id="after the end is recorded"),
]
AGAIN = [
    pytest.param("after open_intent 1", "after removal 1", COUNTED, id="resumed, between the POST and its answer"),
    pytest.param("after removal 1", "after overview 1", COUNTED, id="after the settling look"),
    pytest.param("after removal 1", "before mark_finished 1", COUNTED, id="before the count is accepted"),
    pytest.param("before removal 1", "before mark_unknown 1", UNKNOWN, id="before giving up"),
]
WHILE_IT_RUNS = [
    pytest.param("after removal 1", COUNTED, id="between the POST and its answer"),
    pytest.param("before note_job 1", FINISHED, id="before Processing is noted"),
    pytest.param("after note_job 1", FINISHED, id="after Processing is noted"),
    pytest.param("after poll 6", FINISHED, id="between two chunks of the job"),
]


async def remove(host: "Host") -> None:
    """Remove everything and follow the job to the end."""
    started = await host.call("remove_all_recontacts")
    report = await host.call("get_removal_job", job_id=started["job_id"], wait_seconds=20)
    assert report["status"] == "Completed"


async def check(place: "Place", host: "Host", outcome: tuple[object, object, bool]) -> None:
    """Compare what is on record and what the tools say with the outcome; then the next job must work."""
    await place.settle(host)
    seen = place.seen(KIND)
    assert (seen.intents, seen.jobs, seen.stored == place.ids) == outcome
    assert seen.stored in (place.ids, frozenset())
    if outcome is UNKNOWN:
        error = await host.refusal("get_removal_job", job_id=place.intents()[0]["intent_id"])
        assert (error["code"], error["changed"]) == ("OUTCOME_UNKNOWN", "unknown")
        assert "get_recontact_overview" in error["next_step"]
    if seen.stored:
        await remove(host)
        assert place.seen(KIND).stored == frozenset()
    again = await host.call("upload_recontacts", path=place.write_file())
    await host.call("get_upload_job", job_id=again["job_id"], wait_seconds=20)
    assert place.seen(KIND).stored == place.ids
    await host.kill()  # nothing is left to be closed, and closing takes a second


@pytest.mark.parametrize(("moment", "outcome"), AT_FULL_SPEED)
async def test_a_removal_killed_anywhere_runs_at_most_once_and_ends_truthfully(
    moment: str, outcome: tuple[object, object, bool], hosting: "Hosting", crash: "Crash", place: "Place"
) -> None:
    await place.store()
    await crash(moment, remove)
    async with hosting() as host:
        await check(place, host, outcome)


@pytest.mark.parametrize(("moment", "second", "outcome"), AGAIN)
async def test_a_removal_killed_again_while_it_is_resumed_still_runs_at_most_once(
    moment: str, second: str, outcome: tuple[object, object, bool], hosting: "Hosting", crash: "Crash", place: "Place"
) -> None:
    await place.store()
    await crash(moment, remove)
    await crash(second, place.resume)
    async with hosting() as host:
        await check(place, host, outcome)


@pytest.mark.parametrize(("moment", "outcome"), WHILE_IT_RUNS)
async def test_a_removal_killed_while_its_job_runs_is_followed_to_the_end_of_that_job(
    moment: str, outcome: tuple[object, object, bool], hosting: "Hosting", crash: "Crash", place: "Place"
) -> None:
    await place.store()
    await crash(moment, remove, RECONTACT_PACE=SLOWLY)
    async with hosting(RECONTACT_PACE=SLOWLY) as host:
        await check(place, host, outcome)


async def test_a_removal_that_a_person_agreed_to_too_long_ago_is_not_resumed(
    hosting: "Hosting", crash: "Crash", place: "Place"
) -> None:
    await place.store()
    await crash("after open_intent 1", remove, CRASH_LAG_SECONDS="61")
    intent_id = place.intents()[0]["intent_id"]
    async with hosting() as host:
        await place.settle(host)
        error = await host.refusal("get_removal_job", job_id=intent_id)
        assert (error["code"], error["changed"]) == ("PLAN_NOT_VALID", "no")
        await check(place, host, STALE)


async def test_a_server_killed_while_a_person_is_asked_removes_nothing_and_asks_anew(
    hosting: "Hosting", place: "Place"
) -> None:
    await place.store()
    asked: list[str] = []

    def die(question: str) -> dict[str, Any]:
        asked.append(question)
        host.process.kill()
        return {"action": "cancel"}

    async with hosting() as host:
        host.answer = die
        await host.death(partial(host.call, "remove_all_recontacts"))
    async with hosting() as survivor:
        await check(place, survivor, NOTHING)
    assert len(asked) == 1
