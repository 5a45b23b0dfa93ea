"""A removal that a person agrees to outside the client: asked for, decided, used once, and told to the agent."""

import json
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from ears import Ears
from mcp import Client
from person import Person, person_at

from recontact_mcp.opening import Effects
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation
from recontact_tools.errors import NotAllowed, NotFound, RateLimited
from recontact_tools.ledger import Evidence

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Content, Read, Replying

    from recontact_mcp.settings import Settings

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
URL = "https://recontact.example/approve"
HERE = "recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/"
PHRASE = "REMOVE 5 FROM 01BTGNYV6HRNK8K8VKZASZCFP1"


@pytest.fixture
async def person(settings: "Settings", effects: Effects) -> AsyncIterator[Person]:
    """The user of the client."""
    async with person_at(settings, effects) as somebody:
        yield somebody


async def test_a_client_that_cannot_ask_is_told_that_a_person_has_to_agree_elsewhere(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", old: list[str]
) -> None:
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, approve_url=URL) as client:
        error = await refused(client, "remove_all_recontacts")
        again = await refused(client, "remove_all_recontacts")
    assert (error["code"], error["changed"], error["safe_to_repeat"]) == ("APPROVAL_REQUIRED", "no", True)
    assert error["approve_url"] == URL
    assert error["resource_uri"] == f"{HERE}plans/{error['plan_id']}"
    assert error["expires_at"] == "2030-01-01T12:30:00+00:00"
    assert f"job_id={error['plan_id']} and wait_seconds=45" in error["next_step"]
    assert f"code {error['approval_code']} and the page {URL}" in error["next_step"]
    assert again == error  # asking again is no new question
    text = json.dumps(error)
    assert "REMOVE 5" not in text  # what a person types is shown to a person only
    assert "RECONTACT_" not in text
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 5)


async def test_over_http_a_clients_word_is_not_enough_and_it_is_not_even_asked(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", replying: "Replying", old: list[str]
) -> None:
    questions: list[str] = []
    await api.upload_elsewhere(old)

    def typed(question: str) -> "Content":
        questions.append(question)
        return {"phrase": PHRASE}

    answer = replying(typed)
    async with connect(era, effects=effects, answer=answer, approve_url=URL, local_files=False) as client:
        error = await refused(client, "remove_all_recontacts")
    assert (error["code"], questions) == ("APPROVAL_REQUIRED", [])
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 5)


@pytest.mark.parametrize(
    ("minimum", "url", "code"),
    [
        ("human-oob", None, "APPROVAL_REQUIRED"),
        ("client-elicited", URL, None),
        (None, None, None),
    ],
)
async def test_the_operator_says_how_sure_it_must_be(
    era: str,
    connect: "Connect",
    effects: Effects,
    api: "Api",
    replying: "Replying",
    old: list[str],
    minimum: str | None,
    url: str | None,
    code: str | None,
) -> None:
    await api.upload_elsewhere(old)
    told = {"approve_url": url, "approval_minimum": minimum}
    async with connect(era, effects=effects, answer=replying(), **told) as client:
        result = await client.call_tool("remove_all_recontacts", {"target_group_id": "01BTGNYV6HRNK8K8VKZASZCFP1"})
    answer: dict[str, Any] = result.structured_content or {}
    assert (answer["error"]["code"] if result.is_error else None) == code


@pytest.mark.parametrize("url", [None, URL])
@pytest.mark.parametrize("minimum", ["client-elicited", None])
@pytest.mark.parametrize(
    "more",
    [
        {"approval_two_person": True, "approval_approvers": frozenset({"https://issuer#boss"})},
        {"approval_passkey": "required"},
    ],
)
async def test_no_client_answers_for_a_second_person_or_a_passkey(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
    more: dict[str, Any],
    minimum: str | None,
    url: str | None,
) -> None:
    questions: list[str] = []
    await api.upload_elsewhere(old)

    def typed(question: str) -> "Content":
        questions.append(question)
        return {"phrase": PHRASE}

    told = {"approve_url": url, "approval_minimum": minimum, **more}
    async with connect(era, effects=effects, answer=replying(typed), **told) as client:
        error = await refused(client, "remove_all_recontacts")
        other = await refused(client, "replace_recontacts", ids=new)
    assert (error["code"], other["code"], questions) == ("APPROVAL_REQUIRED", "APPROVAL_REQUIRED", [])
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 5)


async def test_what_a_person_has_approved_is_removed_once_and_then_asked_anew(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    old: list[str],
    person: Person,
) -> None:
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects) as client:
        error = await refused(client, "remove_all_recontacts")
        approval = await person.approves(error["approval_code"].lower().replace("-", " "))
        started = await call(client, "remove_all_recontacts")
        job = await call(client, "get_removal_job", job_id=started["job_id"], wait_seconds=45)
        same = await call(client, "get_removal_job", job_id=error["plan_id"])
        await api.upload_elsewhere(old)
        anew = await refused(client, "remove_all_recontacts")
        trail = json.loads((await client.read_resource(f"{HERE}audit", cache_mode="bypass")).contents[0].text)  # type: ignore[union-attr]
    assert (started["ids_to_remove"], job["status"], same["job_id"]) == (5, "Completed", job["job_id"])
    assert anew["code"] == "APPROVAL_REQUIRED"
    assert anew["plan_id"] != error["plan_id"]
    assert approval.receipt is not None
    told = {entry["event"]: entry["detail"] for entry in trail["entries"] if entry["plan_id"] == error["plan_id"]}
    assert told["confirmation_agreed"] == {"evidence": "human-oob", "ids": 5}
    assert told["approval_given"]["receipt"].startswith("sha256-")
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (1, 5)


async def test_a_replacement_is_approved_for_its_list_and_no_other(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    followed: "Call",
    api: "Api",
    old: list[str],
    new: list[str],
    person: Person,
) -> None:
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects) as client:
        error = await refused(client, "replace_recontacts", ids=new)
        waiting = await call(client, "get_upload_job", job_id=error["plan_id"])
        await person.approves(error["approval_code"])
        other = await refused(client, "replace_recontacts", ids=new[:2])
        gone = await call(client, "get_upload_job", job_id=error["plan_id"])
        error = await refused(client, "replace_recontacts", ids=new)
        await person.approves(error["approval_code"])
        done = await followed(client, await call(client, "replace_recontacts", ids=new))
        same = await call(client, "get_upload_job", job_id=error["plan_id"])
    assert (waiting["status"], waiting["kind"], waiting["stored_before"]) == ("AwaitingApproval", "replacement", 5)
    assert (other["code"], gone["status"]) == ("APPROVAL_REQUIRED", "Closed")
    assert (done["status"], same["job_id"]) == ("Completed", done["job_id"])
    assert await api.stored() == sorted(new)


async def test_the_agent_waits_for_the_decision_and_learns_it(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    old: list[str],
    person: Person,
) -> None:
    reports: list[dict[str, Any]] = []
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects) as client:
        error = await refused(client, "remove_all_recontacts")

        async def wait() -> None:
            reports.append(await call(client, "get_removal_job", job_id=error["plan_id"], wait_seconds=45))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await person.approves(error["approval_code"])
    [report] = reports
    assert (report["status"], report["ids_to_remove"], report["job_id"]) == ("Approved", 5, error["plan_id"])
    assert "call remove_all_recontacts again" in report["next_step"].lower()


async def test_a_denial_and_an_expiry_are_told_and_remove_nothing(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    old: list[str],
    person: Person,
) -> None:
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects) as client:
        first = await refused(client, "remove_all_recontacts")
        await person.denies(first["approval_code"])
        denied = await call(client, "get_removal_job", job_id=first["plan_id"], wait_seconds=45)
        second = await refused(client, "remove_all_recontacts")
        await person.approves(second["approval_code"])
        api.pass_time(minutes=30)
        expired = await call(client, "get_removal_job", job_id=second["plan_id"])
        third = await refused(client, "remove_all_recontacts")
    assert (denied["status"], denied["poll_after_seconds"]) == ("Denied", 0)
    assert (expired["status"], third["code"]) == ("Expired", "APPROVAL_REQUIRED")
    assert len({first["plan_id"], second["plan_id"], third["plan_id"]}) == 3
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 5)


async def test_the_plan_is_a_resource_that_can_be_watched(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    read: "Read",
    unread: "Call",
    api: "Api",
    old: list[str],
    settings: "Settings",
) -> None:
    await api.upload_elsewhere(old)
    ears = Ears()
    async with connect(era, effects=effects, hear=ears) as client:
        error = await refused(client, "remove_all_recontacts")
        uri = error["resource_uri"]
        before = json.loads(await read(client, uri))
        async with ears.watching(client, uri), person_at(settings, effects) as person:
            await person.approves(error["approval_code"])
            await ears.until(uri)
        after = json.loads(await read(client, uri))
        unknown = await unread(client, uri[:-1] + ("0" if uri[-1] != "0" else "1"))
    assert (before["status"], after["status"]) == ("AwaitingApproval", "Approved")
    assert (before["poll_after_seconds"], before["decided_at"]) == (5, None)
    assert after["decided_at"] is not None
    assert unknown["code"] == "NOT_FOUND"


async def test_what_was_approved_is_checked_again_before_it_is_used(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    identifiers: Identifiers,
    person: Person,
) -> None:
    await api.upload_elsewhere(identifiers(5))
    async with connect(era, effects=effects) as client:
        error = await refused(client, "remove_all_recontacts")
        await person.approves(error["approval_code"])
        await api.upload_elsewhere(identifiers(6))
        drifted = await refused(client, "remove_all_recontacts")
        plan = await call(client, "get_removal_job", job_id=error["plan_id"])
        anew = await refused(client, "remove_all_recontacts")
    assert (drifted["code"], drifted["planned"], drifted["stored"]) == ("PLAN_DRIFTED", 5, 6)
    assert (plan["status"], anew["code"]) == ("Closed", "APPROVAL_REQUIRED")
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 6)


async def test_an_api_that_does_not_answer_uses_no_approval_up(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    old: list[str],
    person: Person,
) -> None:
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects) as client:
        error = await refused(client, "remove_all_recontacts")
        await person.approves(error["approval_code"])
        api.meet(Operation.OVERVIEW, FaultKind.ERROR, times=20)
        away = await refused(client, "remove_all_recontacts")
        api.faults.clear()
        started = await call(client, "remove_all_recontacts")
    assert (away["code"], started["ids_to_remove"]) == ("UNAVAILABLE", 5)


async def test_of_two_calls_at_once_one_uses_the_approval(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", old: list[str], person: Person
) -> None:
    answers: list[dict[str, Any]] = []

    async def remove(client: Client) -> None:
        arguments = {"target_group_id": "01BTGNYV6HRNK8K8VKZASZCFP1"}
        answers.append((await client.call_tool("remove_all_recontacts", arguments)).structured_content or {})

    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, pace=1.0) as client:
        error = await refused(client, "remove_all_recontacts")
        await person.approves(error["approval_code"])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(remove, client)
            tasks.start_soon(remove, client)
    assert len([answer for answer in answers if "error" not in answer]) == 1
    assert api.asked(Operation.REMOVE_ALL) == 1


async def test_codes_cannot_be_guessed_and_a_wrong_one_reads_like_one_of_somebody_else(
    connect: "Connect", effects: Effects, refused: "Call", api: "Api", old: list[str], settings: "Settings"
) -> None:
    await api.upload_elsewhere(old)
    async with connect("auto", effects=effects) as client:
        error = await refused(client, "remove_all_recontacts")
    async with person_at(settings, effects, "https://issuer#mallory") as mallory:
        said: list[tuple[str, str]] = []
        for code in (error["approval_code"], "2222-2222", "not a code", ""):
            with pytest.raises(NotFound) as caught:
                await mallory.denies(code)
            said.append((caught.value.message, caught.value.next_step))
        with pytest.raises(NotFound):
            await mallory.decisions.approve(error["plan_id"], who=mallory.name, typed=PHRASE, method="test")
        for _ in range(16):
            with pytest.raises(NotFound):
                await mallory.denies("2222-2222")
        with pytest.raises(RateLimited):
            await mallory.denies(error["approval_code"])
    assert len(set(said)) == 1
    async with person_at(settings, effects) as user:  # whom the guesses of another one do not hinder
        assert (await user.approves(error["approval_code"])).approver == "local"


async def test_the_one_who_asks_is_not_the_second_person(
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    call: "Call",
    api: "Api",
    old: list[str],
    settings: "Settings",
) -> None:
    told = settings.model_copy(
        update={"approval_two_person": True, "approval_approvers": frozenset({"https://issuer#boss"})}
    )
    await api.upload_elsewhere(old)
    async with connect(
        "auto", effects=effects, **told.model_dump(include={"approval_two_person", "approval_approvers"})
    ) as client:
        error = await refused(client, "remove_all_recontacts")
        assert f"give the code {error['approval_code']}" in error["next_step"]
        assert "to an approver" in error["next_step"]
        async with person_at(told, effects) as asker, person_at(told, effects, "https://issuer#boss") as boss:
            with pytest.raises(NotAllowed):
                await asker.approves(error["approval_code"])
            assert (await boss.approves(error["approval_code"])).approver == "https://issuer#boss"
        assert (await call(client, "remove_all_recontacts"))["ids_to_remove"] == 5


@pytest.mark.parametrize(
    "since",
    [
        {"approval_approvers": frozenset({"https://issuer#other"})},
        {"approval_two_person": True, "approval_approvers": frozenset({"https://issuer#other"})},
    ],
)
async def test_what_somebody_approved_who_may_not_any_more_is_not_removed(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    old: list[str],
    settings: "Settings",
    since: dict[str, Any],
) -> None:
    boss = "https://issuer#boss"
    told = settings.model_copy(update={"approval_approvers": frozenset({boss})})
    await api.upload_elsewhere(old)
    async with connect(era, effects=effects, approval_approvers=frozenset({boss})) as client:
        error = await refused(client, "remove_all_recontacts")
    async with person_at(told, effects, boss) as person:
        await person.approves(error["approval_code"])
    async with connect(era, effects=effects, **since) as client:
        late = await refused(client, "remove_all_recontacts")
        anew = await refused(client, "remove_all_recontacts")
    assert (late["code"], anew["code"]) == ("PLAN_NOT_VALID", "APPROVAL_REQUIRED")
    assert anew["plan_id"] != error["plan_id"]
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 5)


async def test_a_decision_is_made_once_and_only_with_the_phrase(
    connect: "Connect", effects: Effects, refused: "Call", api: "Api", old: list[str], person: Person
) -> None:
    await api.upload_elsewhere(old)
    async with connect("auto", effects=effects) as client:
        error = await refused(client, "remove_all_recontacts")
    with pytest.raises(NotAllowed, match="nothing was removed"):
        await person.approves(error["approval_code"], "REMOVE 4 FROM 01BTGNYV6HRNK8K8VKZASZCFP1")
    await person.approves(error["approval_code"])
    for again in (person.approves, person.denies):
        with pytest.raises(NotAllowed, match="decided already"):
            await again(error["approval_code"])


def test_evidence_is_graded() -> None:
    assert Evidence.HUMAN_OOB.suffices(Evidence.CLIENT_ELICITED)
    assert not Evidence.CLIENT_ELICITED.suffices(Evidence.HUMAN_OOB)
