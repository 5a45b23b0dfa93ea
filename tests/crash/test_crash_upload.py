"""kill -9 of the server anywhere in an upload: at most one job, nothing doubled, and a truthful end."""

from functools import partial
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.crash.conftest import Crash, Host, Hosting, Place

pytestmark = pytest.mark.anyio

KIND = "upload-rsids-by-file"
# Three chunks in three seconds, so that looks find the job Processing, on a busy machine too.
SLOWLY = "0.012"

# What each end looks like on record: the ledger's intents with what settled them, the jobs the API made, and
# whether the file's IDs are stored.
NOTHING = ((), (), False)
FINISHED = ((("finished", "job"),), ("Completed",), True)
UNKNOWN = ((("unknown", ""),), (), False)

AT_FULL_SPEED = [
    pytest.param("before list 1", NOTHING, id="before looking for running jobs"),
    pytest.param("after overview 1", NOTHING, id="after the capacity check"),
    pytest.param("before open_intent 1", NOTHING, id="before the intent is written"),
    pytest.param("after open_intent 1", FINISHED, id="after the intent is written"),
    pytest.param("before mark_sending 1", FINISHED, id="before it is marked as sending"),
    pytest.param("after mark_sending 1", UNKNOWN, id="after it is marked as sending"),
    pytest.param("before payload 1", UNKNOWN, id="before the file is read for sending"),
    pytest.param("before upload 1", UNKNOWN, id="before the POST leaves"),
    pytest.param("after upload 1", FINISHED, id="between the POST and its answer"),
    pytest.param("before mark_started 1", FINISHED, id="before the answer is recorded"),
    pytest.param("after mark_started 1", FINISHED, id="after the answer is recorded"),
    pytest.param("before poll 1", FINISHED, id="before the first look"),
    pytest.param("after poll 1", FINISHED, id="after the first look"),
    pytest.param("before mark_finished 1", FINISHED, id="before the end is recorded"),
    pytest.param("after mark_finished 1", FINISHED, id="after the end is recorded"),
]
AGAIN = [
    pytest.param("after open_intent 1", "after upload 1", FINISHED, id="resumed, between the POST and its answer"),
    pytest.param("after upload 1", "before list 1", FINISHED, id="before the settling look"),
    pytest.param("after upload 1", "before mark_started 1", FINISHED, id="before adopting"),
    pytest.param("after upload 1", "after mark_started 1", FINISHED, id="after adopting"),
    pytest.param("before upload 1", "before mark_unknown 1", UNKNOWN, id="before giving up"),
    pytest.param("before upload 1", "after mark_unknown 1", UNKNOWN, id="after giving up"),
]
WHILE_IT_RUNS = [
    pytest.param("after upload 1", id="between the POST and its answer"),
    pytest.param("before note_job 1", id="before Processing is noted"),
    pytest.param("after note_job 1", id="after Processing is noted"),
    pytest.param("before poll 3", id="during the third look"),
    pytest.param("after poll 6", id="between two chunks of the job"),
]


async def upload(place: "Place", host: "Host", **arguments: str) -> None:
    """Upload the file and follow its job to the end."""
    started = await host.call("upload_recontacts", path=place.write_file(), **arguments)
    report = await host.call("get_upload_job", job_id=started["job_id"], wait_seconds=20)
    assert report["status"] == "Completed"


async def check(place: "Place", host: "Host", outcome: tuple[object, object, bool]) -> None:
    """Compare what is on record and what the tools say with the outcome; then a new upload works, and only that."""
    await place.settle(host)
    seen = place.seen(KIND)
    assert (seen.intents, seen.jobs, seen.stored == place.ids) == outcome
    assert seen.stored in (place.ids, frozenset())
    if outcome is UNKNOWN:
        await check_unknown(place, host)
    if outcome is FINISHED:
        report = await host.call("get_upload_job", job_id=place.intents()[0]["job_id"])
        assert (report["status"], report["ids_sent"]) == ("Completed", len(place.ids))
        assert (await host.call("upload_recontacts", path=place.write_file()))["repeated"]
    await upload(place, host, idempotency_key="anew")
    seen_after = place.seen(KIND)
    assert (seen_after.jobs, seen_after.stored) == ((*seen.jobs, "Completed"), place.ids)
    await host.kill()  # nothing is left to be closed, and closing takes a second


async def check_unknown(place: "Place", host: "Host") -> None:
    """The intent's own id leads to what is known of it and what to look at."""
    intent = place.intents()[0]
    error = await host.refusal("get_upload_job", job_id=intent["intent_id"])
    assert (error["code"], error["changed"], error["file_name"]) == ("OUTCOME_UNKNOWN", "unknown", intent["file_name"])
    assert "list_upload_jobs" in error["next_step"]
    assert await host.refusal("upload_recontacts", path=place.write_file()) == error


@pytest.mark.parametrize(("moment", "outcome"), AT_FULL_SPEED)
async def test_an_upload_killed_anywhere_is_sent_at_most_once_and_ends_truthfully(
    moment: str, outcome: tuple[object, object, bool], hosting: "Hosting", crash: "Crash", place: "Place"
) -> None:
    await crash(moment, partial(upload, place))
    async with hosting() as host:
        await check(place, host, outcome)


@pytest.mark.parametrize(("moment", "second", "outcome"), AGAIN)
async def test_an_upload_killed_again_while_it_is_resumed_is_still_sent_at_most_once(
    moment: str, second: str, outcome: tuple[object, object, bool], hosting: "Hosting", crash: "Crash", place: "Place"
) -> None:
    await crash(moment, partial(upload, place))
    await crash(second, place.resume)
    async with hosting() as host:
        await check(place, host, outcome)


@pytest.mark.parametrize("moment", WHILE_IT_RUNS)
async def test_an_upload_killed_while_its_job_runs_is_followed_to_the_end_of_that_job(
    moment: str, hosting: "Hosting", crash: "Crash", place: "Place"
) -> None:
    await crash(moment, partial(upload, place), RECONTACT_PACE=SLOWLY)
    async with hosting(RECONTACT_PACE=SLOWLY) as host:
        assert place.intents()[0]["state"] in {"sending", "started"}
        await check(place, host, FINISHED)
