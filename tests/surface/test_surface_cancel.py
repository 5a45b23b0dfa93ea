"""What was not sent can be stopped; of all else the answer says why it goes on, and whose doing that is."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from removing import removed
from replacing import GROUP_ID, LISTED, REMOVE, UPLOAD, UPLOADS, until

from recontact_mcp.opening import Effects
from recontact_service.faults import FaultKind
from recontact_tools.runtime import Clock

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Forward, Read, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]


async def test_a_removal_is_cancelled_while_its_snapshot_is_taken(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(150))
    held = api.hold(LISTED, after=1)
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "remove_all_recontacts")
        answer = await call(client, "cancel_recontact_job", job_id=started["job_id"])
        error = await refused(client, "get_removal_job", job_id=started["job_id"])
        held.release()
        again = await call(client, "cancel_recontact_job", job_id=started["job_id"])
        nothing_kept = await refused(client, "restore_recontacts")
        await removed(call, client)
    assert (answer["job_id"], answer["cancelled"], again["cancelled"]) == (started["job_id"], True, False)
    assert "nothing was changed" in answer["explanation"]
    assert "ended already" in again["explanation"]
    assert (error["code"], error["changed"]) == ("CANCELLED", "no")
    assert nothing_kept["code"] == "NOT_FOUND"
    assert (api.asked(REMOVE), await api.count()) == (1, 0)


async def test_whoever_waits_for_a_removal_that_is_cancelled_is_told(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(150))
    held = api.hold(LISTED)
    errors: list[dict[str, Any]] = []
    answer: dict[str, Any] = {}
    async with connect(era, effects=effects, answer=replying()) as client, anyio.create_task_group() as tasks:

        async def remove() -> None:
            errors.append(await refused(client, "remove_all_recontacts"))

        tasks.start_soon(remove)
        await held.arrive()
        running = await refused(client, "upload_recontacts", ids=identifiers(1))
        answer = await call(client, "cancel_recontact_job", job_id=running["job_id"])
    assert answer["cancelled"]
    assert [(error["code"], error["changed"]) for error in errors] == [("CANCELLED", "no")]
    assert (api.asked(REMOVE), await api.count()) == (0, 150)


async def test_what_is_just_being_sent_may_have_arrived(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    followed: "Call",
    api: "Api",
    identifiers: Identifiers,
) -> None:
    held = api.hold(UPLOADS, method="POST")
    jobs: list[dict[str, Any]] = []
    answer: dict[str, Any] = {}
    async with connect(era, effects=effects) as client:
        async with anyio.create_task_group() as tasks:

            async def upload() -> None:
                jobs.append(await call(client, "upload_recontacts", ids=identifiers(2)))

            tasks.start_soon(upload)
            await held.arrive()
            running = await refused(client, "upload_recontacts", ids=identifiers(1))
            answer = await call(client, "cancel_recontact_job", job_id=running["job_id"])
            held.release()
        job = await followed(client, jobs[0])
    assert not answer["cancelled"]
    assert "being sent" in answer["explanation"]
    assert "cannot cancel" in answer["explanation"]
    assert (job["status"], await api.stored()) == ("Completed", identifiers(2))


@pytest.mark.parametrize("kind", ["upload", "removal"])
async def test_what_runs_upstream_goes_on_and_what_has_ended_is_left(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    kind: str,
) -> None:
    starting: tuple[str, dict[str, Any]] = ("upload_recontacts", {"ids": identifiers(3)})
    if kind == "removal":
        await api.upload_elsewhere(identifiers(3))
        starting = ("remove_all_recontacts", {})
    async with connect(era, effects=effects, answer=replying(), pace=1.0) as client:
        started = await call(client, starting[0], **starting[1])
        running = await call(client, "cancel_recontact_job", job_id=started["job_id"])
        api.pass_time(hours=1)
        await call(client, f"get_{kind}_job", job_id=started["job_id"], wait_seconds=45)
        ended = running
        while "ended already" not in ended["explanation"]:  # the follower writes its end down a moment later
            ended = await call(client, "cancel_recontact_job", job_id=started["job_id"])
    assert (running["cancelled"], ended["cancelled"]) == (False, False)
    assert "cannot cancel a job" in running["explanation"]
    assert f"get_{kind}_job follows it" in running["explanation"]
    assert (api.asked(UPLOAD) + api.asked(REMOVE), await api.count()) == (1, 3 if kind == "upload" else 0)


async def test_what_nobody_knows_the_end_of_may_run_upstream(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(2))
    api.meet(REMOVE, FaultKind.LOST_REQUEST)
    async with connect(era, effects=effects, answer=replying()) as client:
        lost = await refused(client, "remove_all_recontacts")
        answer = await call(client, "cancel_recontact_job", job_id=lost["job_id"])
    assert lost["code"] == "OUTCOME_UNKNOWN"
    assert not answer["cancelled"]
    assert answer["explanation"].startswith("Nobody knows what became of it")


async def test_a_job_of_elsewhere_cannot_be_cancelled_here(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    job_id = await api.upload_elsewhere(identifiers(2), finished=False)
    async with connect(era, effects=effects, pace=1.0) as client:
        answer = await call(client, "cancel_recontact_job", job_id=job_id)
    assert (answer["cancelled"], "not started here" in answer["explanation"]) == (False, True)


async def test_a_job_is_cancelled_by_its_own_target_group_only(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    there = {"target_group_id": GROUP_ID.replace("FP1", "FP2"), "project_id": "01BTGNYV6HRNK8K8VKZASZCFP0"}
    await api.upload_elsewhere(identifiers(150))
    held = api.hold(LISTED)
    async with connect(era, effects=effects, answer=replying()) as client:
        replacing = await call(client, "replace_recontacts", ids=identifiers(1))
        await held.arrive()
        error = await refused(client, "cancel_recontact_job", job_id=replacing["job_id"], **there)
        stage = (await call(client, "get_upload_job", job_id=replacing["job_id"]))["replacement"]["stage"]
    assert (error["code"], stage) == ("NOT_FOUND", "removing")


@pytest.mark.parametrize("job_id", ["", "\x00", "../../etc/passwd", "01BTGNYV6HRNK8K8VKZASZCFZZ"])
async def test_what_is_no_job_is_not_said_to_run(
    era: str, connect: "Connect", effects: Effects, refused: "Call", job_id: str
) -> None:
    async with connect(era, effects=effects) as client:
        error = await refused(client, "cancel_recontact_job", job_id=job_id)
    assert error["code"] in {"NOT_FOUND", "INVALID_ARGUMENTS"}
    assert error["changed"] == "no"


async def test_a_replacement_is_cancelled_before_anything_is_removed(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(150))
    held = api.hold(LISTED, after=1)
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "replace_recontacts", ids=identifiers(3))
        await held.arrive()
        answer = await call(client, "cancel_recontact_job", job_id=started["job_id"])
        job = await followed(client, started)
        held.release()
        again = await call(client, "cancel_recontact_job", job_id=started["job_id"])
        nothing_kept = await refused(client, "restore_recontacts")
        uploaded = await call(client, "upload_recontacts", ids=identifiers(151))
        await followed(client, uploaded)
    assert (answer["cancelled"], again["cancelled"]) == (True, False)
    assert "nothing was changed" in answer["explanation"]
    assert "ended already" in again["explanation"]
    assert (job["status"], job["replacement"]["stage"]) == ("Failed", "refused")
    assert job["failure_reason"].startswith("CANCELLED: ")
    assert nothing_kept["code"] == "NOT_FOUND"
    assert (api.asked(REMOVE), await api.count()) == (0, 151)


async def test_a_replacement_is_not_stopped_while_a_part_of_it_runs_upstream(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    followed: "Call",
    read: "Read",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    answers: list[dict[str, Any]] = []
    await api.upload_elsewhere(identifiers(5))
    held = api.hold(LISTED, after=1)  # the first page is the snapshot's, the second one the proof's
    async with connect(era, effects=effects, answer=replying(), pace=1.0) as client:
        started = await call(client, "replace_recontacts", ids=identifiers(3))
        for stage, part in (("removing", "removal_job_id"), ("uploading", "upload_job_id")):
            standing = await until(read, client, started, stage, part)
            answers += [
                await call(client, "cancel_recontact_job", job_id=started["job_id"]),
                await call(client, "cancel_recontact_job", job_id=standing[part]),
            ]
            api.pass_time(hours=1)
        await held.arrive()
        answers.append(await call(client, "cancel_recontact_job", job_id=started["job_id"]))
        held.release()
        job = await followed(client, started)
    removing, removal, uploading, upload, verifying = (answer["explanation"] for answer in answers)
    assert not [answer for answer in answers if answer["cancelled"]]
    assert removing.startswith("The removal runs at Cint")
    assert uploading.startswith("The upload of the new list runs at Cint")
    assert verifying.startswith("The new list is stored already")
    assert removal == upload == "This job is a part of a replacement: cancel the replacement, by its own job_id."
    assert (job["status"], await api.stored()) == ("Completed", identifiers(3))


async def test_a_replacement_between_removal_and_upload_is_turned_back_to_the_old_list(
    era: str,
    connect: "Connect",
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    waiting, going_on, refusals = anyio.Event(), anyio.Event(), 0

    async def sleep(seconds: float) -> None:
        """Let whoever waits for another attempt wait until the test lets it go on."""
        if refusals and not going_on.is_set():
            waiting.set()
            await going_on.wait()
        await anyio.sleep(min(seconds, 0.01))

    async def busy(request: httpx.Request, forward: "Forward") -> httpx.Response:
        nonlocal refusals
        if request.method == "POST" and request.url.path.endswith(UPLOADS) and not refusals:
            refusals += 1
            return httpx.Response(409, json={"id": "E", "object": "conflict_error", "detail": "Not now."})
        return await forward(request)

    effects = Effects(
        clock=Clock(now=lambda: api.moment[0], sleep=sleep),
        gateway=lambda settings: api.gateway(settings, faults=api.faults),
    )
    await api.upload_elsewhere(identifiers(5))
    api.between.append(busy)
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "replace_recontacts", ids=identifiers(8)[5:])
        await waiting.wait()
        # One attempt is refused, the next one is not made yet: this is the moment.
        between = await call(client, "get_upload_job", job_id=started["job_id"])
        answer = await call(client, "cancel_recontact_job", job_id=started["job_id"])
        turned = await call(client, "get_upload_job", job_id=started["job_id"])
        restoring = await call(client, "cancel_recontact_job", job_id=started["job_id"])
        going_on.set()
        job = await followed(client, started)
    assert (between["replacement"]["stage"], turned["replacement"]["stage"]) == ("uploading", "restoring")
    assert (answer["cancelled"], restoring["cancelled"]) == (True, False)
    assert "uploaded again from its snapshot" in answer["explanation"]
    assert "would leave neither list" in restoring["explanation"]
    assert (job["status"], job["replacement"]["stage"], job["proof"]["equal"]) == ("Failed", "restored", True)
    assert "had been removed" in job["failure_reason"]
    assert "nothing was changed" not in job["failure_reason"]
    assert await api.stored() == identifiers(5)


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        pytest.param({"read_only": True}, "READ_ONLY", id="read-only"),
        pytest.param({"allowed_target_groups": frozenset[str]()}, "POLICY_DENIED", id="another target group"),
    ],
)
async def test_cancelling_keeps_to_the_policy(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    identifiers: Identifiers,
    setting: dict[str, Any],
    code: str,
) -> None:
    async with connect(era, effects=effects, pace=1.0) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(2))
    async with connect(era, effects=effects, pace=1.0, **setting) as client:
        error = await refused(client, "cancel_recontact_job", job_id=started["job_id"])
    assert (error["code"], error["changed"], api.asked(UPLOAD)) == (code, "no", 1)
