"""What an upload came to, once it has ended: the counts around it, settled once, and explained honestly."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.runtime import Clock

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]


def counts(job: dict[str, Any]) -> tuple[int | None, int | None, int | None]:
    """Return what was stored before and after, and the growth."""
    return job["stored_before"], job["stored_after"], job["growth"]


async def test_a_finished_upload_says_what_was_stored_before_and_after(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(2))
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(5)[2:])
        job = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
    assert counts(job) == (2, 5, 3)
    assert job["explanation"] == "The count grew by exactly the 3 IDs sent."
    assert "5 IDs were stored once it had ended" in job["next_step"]
    assert "present count" not in job["next_step"]
    assert (job["not_stored"], job["not_compared_because"], job["missing_uri"]) == (None, None, None)


async def test_a_count_from_before_a_later_job_is_not_called_the_present_one(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(3))
        await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
        removal = await call(client, "remove_all_recontacts")
        await call(client, "get_removal_job", job_id=removal["job_id"], wait_seconds=45)
        job = await call(client, "get_upload_job", job_id=started["job_id"])
    assert job["stored_after"] == 3
    assert "3 IDs were stored once it had ended" in job["next_step"]
    assert "get_recontact_overview tells the present count" in job["next_step"]
    assert "launch" not in job["next_step"]


async def test_a_running_upload_is_not_settled(
    era: str, connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects, pace=1.0) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(3))
        job = await call(client, "get_upload_job", job_id=started["job_id"], compare=True)
    assert (job["status"], counts(job), job["explanation"]) == ("Processing", (0, None, None), None)
    assert job["not_compared_because"].startswith("The job still runs")


async def test_the_result_is_settled_once_and_said_again_without_asking_the_api(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(3))
        first = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
        await api.upload_elsewhere(identifiers(9))
        asked = sum(api.faults.requests.values())
        second = await call(client, "get_upload_job", job_id=started["job_id"])
    async with connect(era, effects=effects) as client:  # another process
        third = await call(client, "get_upload_job", job_id=started["job_id"])
        assert sum(api.faults.requests.values()) == asked
    assert first == second == third
    assert counts(first) == (0, 3, 3)


async def test_growth_that_is_less_than_what_was_sent_is_explained_and_not_called_an_error(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(5))
        job = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
    assert counts(job) == (3, 5, 2)
    assert job["explanation"] == (
        "The count grew by 2 of 5 IDs. It is normal for IDs that were stored already to add nothing: that may be 3."
    )
    assert "tell the user explanation" in job["next_step"]
    assert "compare=true" in job["next_step"]


async def test_what_the_api_says_of_failures_is_told_as_text_and_as_numbers(
    era: str, connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(2), id_type="RID")
        job = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
    assert (job["api_stored"], job["api_failed"]) == (0, 2)
    assert "0 respondent IDs uploaded successfully, 2 failed" in job["partial_success_reason"]
    assert counts(job) == (0, 0, 0)
    assert job["explanation"] == (
        "The count grew by 0 of 2 IDs. The API says that 2 failed. That accounts for the difference."
    )
    assert "partial_success_reason and explanation" in job["next_step"]
    assert "compare=true" not in job["next_step"]


async def test_an_upload_from_elsewhere_has_no_counts_and_says_why(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    job_id = await api.upload_elsewhere(identifiers(3))
    async with connect(era, effects=effects) as client:
        job = await call(client, "get_upload_job", job_id=job_id, compare=True)
    assert counts(job) == (None, None, None)
    assert job["explanation"].startswith("This upload was not started here")
    assert (job["not_stored"], job["missing_uri"]) == (None, None)
    assert "nobody can tell whether its file held RSIDs" in job["not_compared_because"]
    assert "get_recontact_overview" in job["next_step"]


async def test_an_upload_that_another_job_followed_before_anybody_looked_is_not_comparable(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(3))
        await api.until_count(3)
        removal = await call(client, "remove_all_recontacts")
        await call(client, "get_removal_job", job_id=removal["job_id"], wait_seconds=45)
        before = api.asked(Operation.OVERVIEW)
        job = await call(client, "get_upload_job", job_id=started["job_id"])
        assert api.asked(Operation.OVERVIEW) == before
    assert counts(job) == (0, None, None)
    assert "Another job was started on this target group since" in job["explanation"]


async def test_a_later_upload_that_the_api_refused_changed_nothing(
    era: str, connect: "Connect", effects: Effects, call: "Call", refused: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(3))
        await api.until_count(3)
        api.meet(Operation.UPLOAD_RSIDS, FaultKind.CONFLICT)
        await refused(client, "upload_recontacts", ids=identifiers(4))
        job = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
    assert counts(job) == (0, 3, 3)


async def test_an_upload_that_another_one_follows_is_not_counted_with_it(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects) as client:
        first = await call(client, "upload_recontacts", ids=identifiers(3))
        await api.until_count(3)
        second = await call(client, "upload_recontacts", ids=identifiers(5)[3:])
        jobs = [
            await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
            for started in (first, second)
        ]
    assert [counts(job) for job in jobs] == [(0, None, None), (3, 5, 2)]


async def test_two_looks_at_once_settle_one_result(
    era: str, connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers
) -> None:
    found: list[dict[str, Any]] = []
    api = Ledge([7, 8, 9, 10], {"completed_at": "2020-01-01T00:00:00Z"})
    async with connect(era, effects=Effects(clock=effects.clock, gateway=api.gateway)) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(3))

        async def look() -> None:
            found.append(await call(client, "get_upload_job", job_id=started["job_id"]))

        async with anyio.create_task_group() as together:
            for _ in range(3):
                together.start_soon(look)
    assert len({answer["stored_after"] for answer in found}) == 1


async def test_a_count_that_cannot_be_read_now_is_read_by_a_later_call(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(3))
        api.meet(Operation.OVERVIEW, FaultKind.ERROR, times=4)
        first = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
        second = await call(client, "get_upload_job", job_id=started["job_id"])
    assert (first["status"], counts(first)) == ("Completed", (0, None, None))
    assert "could not be read yet" in first["explanation"]
    assert "get_recontact_overview" in first["next_step"]
    assert counts(second) == (0, 3, 3)


async def test_a_read_only_server_settles_what_another_started(
    era: str, connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(3))
    async with connect(era, effects=effects, read_only=True) as client:
        job = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
    assert counts(job) == (0, 3, 3)


@dataclass
class Ledge:
    """An API that answers one upload job as scripted, and *counts* one after the other (the last ever after)."""

    counts: list[int]
    job: dict[str, Any] = field(default_factory=dict[str, Any])
    overviews: int = 0
    looks: int = 0
    hanging: bool = False

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a request as the API would."""
        path = request.url.path
        if path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        if path.endswith("/recontacts/overview"):
            self.overviews += 1
            if self.hanging and self.overviews > 1:
                await anyio.sleep_forever()
            count = self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]
            return httpx.Response(200, json={"saved_respondent_ids_count": count})
        if request.method == "POST":
            return httpx.Response(201, json={"job_id": "J1"})
        if path.endswith("/J1"):
            self.looks += 1
            return httpx.Response(200, json={"job_id": "J1", "status": "Completed", **self.job})
        return httpx.Response(200, json={"data": []})

    @asynccontextmanager
    async def gateway(self, _settings: Settings) -> AsyncGenerator[Gateway]:
        """Open a way to this API."""
        connection = Connection("https://api.example/v1", "https://api.example/oauth/token", "robot", "open sesame")
        async with Gateway(connection, transport=httpx.MockTransport(self.answer)) as gateway:
            yield gateway


async def settled(
    connect: "Connect",
    call: "Call",
    effects: Effects,
    api: Ledge,
    ids: list[str],
    *,
    era: str = "auto",
    id_type: str = "RSID",
) -> dict[str, Any]:
    """Upload to such an API and return what the job came to."""
    clock = effects.clock
    async with connect(era, effects=Effects(clock=clock, gateway=api.gateway)) as client:
        started = await call(client, "upload_recontacts", ids=ids, id_type=id_type)
        return await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)


async def test_a_count_that_lags_behind_its_job_is_looked_at_again(
    era: str, connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers
) -> None:
    api = Ledge([7, 7, 7, 10])
    job = await settled(connect, call, effects, api, identifiers(3), era=era)
    assert counts(job) == (7, 10, 3)
    assert api.overviews == 4


async def test_a_count_that_stays_as_it_is_is_looked_at_only_a_few_times(
    connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers
) -> None:
    api = Ledge([7])
    job = await settled(connect, call, effects, api, identifiers(3))
    assert counts(job) == (7, 7, 0)
    assert api.overviews == 1 + 4


@pytest.mark.parametrize(
    ("job", "looks"),
    [
        pytest.param({"completed_at": "2020-01-01T00:00:00Z"}, 1, id="ended long ago"),
        pytest.param({"completed_at": "2030-01-01T12:00:00Z"}, 4, id="has just ended"),
        pytest.param({"status": "Failed"}, 1, id="failed"),
        pytest.param({"partial_success_reason": {"description": "2 uploaded, 1 failed"}}, 1, id="accounted for"),
    ],
)
async def test_only_a_fresh_and_unexplained_difference_is_worth_another_look(
    connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers, job: dict[str, Any], looks: int
) -> None:
    api = Ledge([7, 9], job)
    answer = await settled(connect, call, effects, api, identifiers(3))
    assert answer["stored_after"] == 9
    assert api.overviews == 1 + looks


@pytest.mark.parametrize(
    ("after", "job", "growth", "words"),
    [
        pytest.param(6, {}, None, "Fewer IDs are stored than before", id="fewer than before"),
        pytest.param(11, {}, None, "grew by more than was sent", id="more than was sent"),
        pytest.param(7, {"status": "Failed"}, 0, "The job failed; the count grew by 0 of 3 IDs.", id="failed"),
        pytest.param(9, {"status": "Failed"}, 2, "The job failed; the count grew by 2 of 3 IDs.", id="failed halfway"),
        pytest.param(
            9,
            {"partial_success_reason": {"description": "1 uploaded, 2 failed"}},
            2,
            "this is more than was sent, so others changed the list, too",
            id="numbers that contradict each other",
        ),
        pytest.param(
            8,
            {"partial_success_reason": {"description": "2 uploaded, 1 failed"}},
            1,
            "The API says that 1 failed. It is normal for IDs that were stored already to add nothing: that may be 1.",
            id="partly accounted for",
        ),
        pytest.param(
            9, {"partial_success_reason": {"description": "Some failed."}}, 2, "that may be 1", id="without numbers"
        ),
    ],
)
async def test_every_difference_is_said_in_words_that_claim_no_more_than_is_known(
    connect: "Connect",
    effects: Effects,
    call: "Call",
    identifiers: Identifiers,
    *,
    after: int,
    job: dict[str, Any],
    growth: int | None,
    words: str,
) -> None:
    answer = await settled(connect, call, effects, Ledge([7, after], job), identifiers(3))
    assert (answer["stored_after"], answer["growth"]) == (after, growth)
    assert words in answer["explanation"]


async def test_response_ids_of_one_respondent_are_named_as_a_reason(
    connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers
) -> None:
    answer = await settled(connect, call, effects, Ledge([7, 9]), identifiers(3), id_type="RID")
    assert "stored already or are of the same respondent as another RID" in answer["explanation"]
    assert "compare=true" not in answer["next_step"]


async def test_a_count_that_never_comes_does_not_hold_the_answer_up(
    era: str, connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers
) -> None:
    api = Ledge([7], hanging=True)
    begun = effects.clock.now()
    # The look at the job has used up the time of the call.
    clock = Clock(now=lambda: begun + timedelta(minutes=1 if api.looks else 0), sleep=effects.clock.sleep)
    async with connect(era, effects=Effects(clock=clock, gateway=api.gateway)) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(3))
        job = await call(client, "get_upload_job", job_id=started["job_id"])
    assert (job["status"], counts(job)) == ("Completed", (7, None, None))
