"""kill -9 of the API, or of the server that uses it over HTTP: the one that lives goes on, and no POST is repeated."""

from functools import partial
from typing import TYPE_CHECKING

import pytest

from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.crash.conftest import Api, Crash, Host, Hosting, Place, Serving

pytestmark = pytest.mark.anyio

UPLOAD, REMOVAL = "upload-rsids-by-file", "remove-all-rsids"
# Beside a real API the server waits as for Cint; here its waits are a hundredth of that.
HASTE = "100"
# Three chunks in 0.7 seconds.
UPLOAD_PACE, REMOVAL_PACE = "0.003", "0.01"

FINISHED = ((("finished", "job"),), ("Completed",), True)
COUNTED = ((("finished", "overview"),), ("Completed",), True)
UNKNOWN = ((("unknown", ""),), (), False)

UPLOADS = [
    pytest.param("before create_job 1", UNKNOWN, id="before the commit of the POST"),
    pytest.param("after create_job 1", FINISHED, id="between the commit and its answer"),
    pytest.param("before apply_upload 1", FINISHED, id="before the first chunk"),
    pytest.param("after apply_upload 1", FINISHED, id="between two chunks"),
    pytest.param("before apply_upload 3", FINISHED, id="before the last chunk"),
    pytest.param("after apply_upload 3", FINISHED, id="after the last chunk"),
]
REMOVALS = [
    pytest.param("before create_job 1", UNKNOWN, id="before the commit of the POST"),
    pytest.param("after create_job 1", COUNTED, id="between the commit and its answer"),
    pytest.param("before apply_removal 1", FINISHED, id="before the first chunk"),
    pytest.param("after apply_removal 1", FINISHED, id="between two chunks"),
    pytest.param("after apply_removal 3", FINISHED, id="after the last chunk"),
]
SERVERS = [
    pytest.param("before token 1", ((), (), False), 0, id="before the token is fetched"),
    pytest.param("after open_intent 1", FINISHED, 1, id="after the intent is written"),
    pytest.param("before upload 1", UNKNOWN, 0, id="before the POST leaves"),
    pytest.param("amid upload 2", UNKNOWN, 1, id="when a part of the POST has left"),
    pytest.param("after upload 1", FINISHED, 1, id="between the POST and its answer"),
    pytest.param("after mark_started 1", FINISHED, 1, id="after the answer is recorded"),
    pytest.param("before poll 1", FINISHED, 1, id="during the first look"),
]


async def upload(place: "Place", host: "Host", **arguments: str) -> None:
    """Upload the file and follow its job to the end."""
    started = await host.call("upload_recontacts", path=place.write_file(), **arguments)
    await place.settle(host)
    report = await host.call("get_upload_job", job_id=started["job_id"])
    assert report["status"] == "Completed"


async def settled(place: "Place", api: "Api", host: "Host", kind: str) -> tuple[object, object, bool]:
    """Wait for the end, and return what is on record; the bool is whether the job has done its work."""
    await place.settle(host)
    seen = place.seen(kind, api.database)
    assert seen.stored in (place.ids, frozenset())
    return seen.intents, seen.jobs, seen.stored == (place.ids if kind == UPLOAD else frozenset())


@pytest.mark.parametrize(("moment", "outcome"), UPLOADS)
async def test_a_server_outlives_an_api_killed_anywhere_in_an_upload(
    moment: str, outcome: tuple[object, object, bool], serving: "Serving", hosting: "Hosting", place: "Place"
) -> None:
    async with serving(moment, pace=UPLOAD_PACE) as api, hosting(CRASH_HASTE=HASTE, **api.environ) as host:
        await host.outcome("upload_recontacts", path=place.write_file())
        assert await settled(place, api, host, UPLOAD) == outcome
        assert (api.deaths, (await api.requests()).get(Operation.UPLOAD_RSIDS, 0)) == (1, 0)
        await upload(place, host, idempotency_key="anew")
        assert place.seen(UPLOAD, api.database).stored == place.ids
        await host.kill()  # nothing is left to be closed, and closing takes a second


@pytest.mark.parametrize(("moment", "outcome"), REMOVALS)
async def test_a_server_outlives_an_api_killed_anywhere_in_a_removal(
    moment: str, outcome: tuple[object, object, bool], serving: "Serving", hosting: "Hosting", place: "Place"
) -> None:
    database = await place.store()
    async with (
        serving(moment, pace=REMOVAL_PACE, database=database) as api,
        hosting(CRASH_HASTE=HASTE, **api.environ) as host,
    ):
        await host.outcome("remove_all_recontacts")
        assert await settled(place, api, host, REMOVAL) == outcome
        assert (api.deaths, (await api.requests()).get(Operation.REMOVE_ALL, 0)) == (1, 0)
        await upload(place, host, idempotency_key="anew")
        assert place.seen(UPLOAD, api.database).stored == place.ids
        await host.kill()  # nothing is left to be closed, and closing takes a second


@pytest.mark.parametrize(("moment", "outcome", "posts"), SERVERS)
async def test_the_api_sees_one_post_at_most_of_a_server_killed_anywhere(
    moment: str,
    outcome: tuple[object, object, bool],
    posts: int,
    serving: "Serving",
    hosting: "Hosting",
    crash: "Crash",
    place: "Place",
) -> None:
    async with serving() as api:
        await crash(moment, partial(upload, place), CRASH_HASTE=HASTE, **api.environ)
        async with hosting(CRASH_HASTE=HASTE, **api.environ) as host:
            assert await settled(place, api, host, UPLOAD) == outcome
            assert (await api.requests()).get(Operation.UPLOAD_RSIDS, 0) == posts
            await upload(place, host, idempotency_key="anew")
            assert place.seen(UPLOAD, api.database).stored == place.ids
            await host.kill()  # as above


async def test_a_read_is_tried_again_until_a_killed_api_is_back(
    serving: "Serving", hosting: "Hosting", place: "Place"
) -> None:
    async with serving() as api, hosting(**api.environ) as host:
        await upload(place, host)
        await api.kill()
        overview = await host.call("get_recontact_overview")
    assert overview["saved_respondent_ids_count"] == len(place.ids)
    assert api.deaths == 1
