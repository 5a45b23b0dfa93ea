"""Several servers on one data directory: one executes, the others hand over, follow, and take over."""

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

from recontact_tools.catalog import catalog

if TYPE_CHECKING:
    from tests.crash.conftest import Crash, Host, Hosting, Json, Place

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.sqlite_only(reason="on PostgreSQL they are replicas: tests/replicas"),
]

KIND = "upload-rsids-by-file"
# Three chunks in 1.1 seconds: long enough to be killed in the middle.
SLOWLY = "0.005"
# Three seconds: long enough for every watch of a sibling.
MORE_SLOWLY = "0.013"
# source: the engine's promise (tools/recontact_tools/engine.py): a sibling executes within this many seconds.
TAKEN_OVER_WITHIN = 3
OTHER_GROUP = "01BTGNYV6HRNK8K8VKZASZCFP2"
THIRD_GROUP = "01BTGNYV6HRNK8K8VKZASZCFP3"


async def upload(place: "Place", host: "Host", **arguments: str) -> "Json":
    """Upload the file, follow its job to the end, and return the last report."""
    started = await host.call("upload_recontacts", path=place.write_file(), **arguments)
    return await host.call("get_upload_job", job_id=started["job_id"], wait_seconds=45, **arguments)


async def taken_over(place: "Place", sibling: "Host") -> None:
    """Wait until the sibling holds the engine's lock."""
    with anyio.fail_after(TAKEN_OVER_WITHIN):
        while place.executor() != sibling.process.pid:  # noqa: ASYNC110 - it is another process that takes it
            await anyio.sleep(0.02)


async def test_a_cold_second_server_lists_its_tools_without_opening_the_engine(
    hosting: "Hosting", place: "Place"
) -> None:
    async with hosting() as first:
        await first.call("get_recontact_overview")
        async with hosting() as second:
            listed = await second.ask("tools/list", {})
        files = {path.name for path in place.data.iterdir()}
    assert len(listed["tools"]) == len(catalog(local_files=True))
    assert not files & {"engine.lock", "engine.sqlite"}


async def test_one_of_two_servers_executes_and_the_other_hands_over_and_follows(
    hosting: "Hosting", place: "Place"
) -> None:
    place.seed(OTHER_GROUP)
    async with hosting() as first, hosting() as second:
        own = await upload(place, first)
        handed = await upload(place, second, target_group_id=OTHER_GROUP)
        also = await second.call("get_upload_job", job_id=own["job_id"])
        await place.settle(second)
        assert place.executor() == first.process.pid
    assert [report["status"] for report in (own, handed, also)] == ["Completed"] * 3
    assert place.seen(KIND).intents == (("finished", "job"),) * 2
    assert place.seen(KIND).jobs == ("Completed",) * 2


@pytest.mark.parametrize(
    ("moment", "states"),
    [
        pytest.param("after open_intent 2", {"planned"}, id="after the intent is written"),
        pytest.param("after upload 3", {"sending"}, id="between the POST and its answer"),
        pytest.param("after mark_started 3", {"started"}, id="while the job runs"),
    ],
)
async def test_a_sibling_that_stands_by_takes_over_within_seconds_and_makes_no_second_job(
    moment: str, states: set[str], hosting: "Hosting", place: "Place"
) -> None:
    place.seed(OTHER_GROUP)
    place.seed(THIRD_GROUP)
    async with hosting(CRASH_AT=moment, RECONTACT_PACE=SLOWLY) as victim:
        # Another group's job elects the victim, and the sibling's own job makes the sibling stand by.
        await upload(place, victim, target_group_id=OTHER_GROUP)
        async with hosting(RECONTACT_PACE=SLOWLY) as sibling:
            await upload(place, sibling, target_group_id=THIRD_GROUP)
            assert place.executor() == victim.process.pid
            await victim.death(partial(upload, place, victim))
            assert place.intents()[-1]["state"] in states
            await taken_over(place, sibling)
            await place.settle(sibling)
    assert place.seen(KIND).intents == (("finished", "job"),) * 3
    assert place.seen(KIND).jobs == ("Completed",) * 3


async def test_a_server_that_has_only_read_resumes_what_a_killed_one_left(
    hosting: "Hosting", crash: "Crash", place: "Place"
) -> None:
    async with hosting() as sibling:
        await sibling.call("get_recontact_overview")
        await crash("after upload 1", partial(upload, place))
        assert [intent["state"] for intent in place.intents()] == ["sending"]
        with anyio.fail_after(20):
            await place.settle(sibling)
    assert (place.seen(KIND).intents, place.seen(KIND).jobs) == ((("finished", "job"),), ("Completed",))


async def test_a_server_that_opens_while_another_executes_leaves_the_job_to_it(
    hosting: "Hosting", place: "Place"
) -> None:
    async with hosting(RECONTACT_PACE=MORE_SLOWLY) as first, hosting(RECONTACT_PACE=MORE_SLOWLY) as second:
        await first.call("upload_recontacts", path=place.write_file())
        await place.settle(second)
        assert place.executor() == first.process.pid
    assert (place.seen(KIND).intents, place.seen(KIND).jobs) == ((("finished", "job"),), ("Completed",))


@pytest.mark.parametrize("keys", [("one", "one"), ("one", "other")], ids=["the same call", "another call"])
async def test_of_two_uploads_at_once_from_two_processes_one_is_sent(
    hosting: "Hosting", place: "Place", keys: tuple[str, str]
) -> None:
    path = place.write_file()
    answers: list[Json] = []

    async def begin(host: "Host", key: str) -> None:
        answers.append(await host.outcome("upload_recontacts", path=path, idempotency_key=key))

    async with hosting(RECONTACT_PACE=SLOWLY) as first, hosting(RECONTACT_PACE=SLOWLY) as second:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(begin, first, keys[0])
            tasks.start_soon(begin, second, keys[1])
        await place.settle(first)
        anew = await second.call("upload_recontacts", path=path, idempotency_key="anew")
        after = await second.call("get_upload_job", job_id=anew["job_id"], wait_seconds=45)
    (winner,) = [answer for answer in answers if answer.get("repeated") is False]
    (other,) = [answer for answer in answers if answer is not winner]
    assert ("code" in other, other.get("repeated")) == ((False, True) if keys[0] == keys[1] else (True, None))
    assert "code" not in other or (other["code"], other["changed"]) == ("JOB_RUNNING", "no")
    assert other["job_id"] in {winner["job_id"], place.intents()[0]["intent_id"]}
    assert Counter(place.seen(KIND).jobs) == {"Completed": 2}
    assert after["status"] == "Completed"
