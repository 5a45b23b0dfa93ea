"""Nothing is removed unless a person types the phrase; every other answer says so and teaches no way round."""

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import anyio
import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp_types import ClientCapabilities, ElicitRequestParams, ElicitResult

from recontact_mcp.consent import can_ask
from recontact_mcp.opening import Effects
from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Content, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
PHRASE = "REMOVE 1000 FROM 01BTGNYV6HRNK8K8VKZASZCFP1"
# What would help a model to answer in a person's place, or to do without one.
WAYS_ROUND = (
    "remove 1",
    "from 01b",
    "requeststate",
    "request_state",
    "inputresponses",
    "plan ",
    "accept",
)


def check_refusal(error: dict[str, Any], code: str) -> None:
    """Check that an answer says that nothing happened, and nothing that helps to get round the question."""
    assert (error["code"], error["changed"], error["safe_to_repeat"]) == (code, "no", False)
    assert (
        "removed nothing" in error["message"] if code == "PLAN_NOT_VALID" else "nothing was removed" in error["message"]
    )
    text = json.dumps(error)
    assert "RECONTACT_" not in text  # no setting opens this door
    assert not [way for way in WAYS_ROUND if way in text.casefold()]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"phrase": "yes"}, id="yes"),
        pytest.param({"phrase": PHRASE.lower()}, id="lower case"),
        pytest.param({"phrase": PHRASE.replace("1000", "1,000")}, id="thousands separator"),
        pytest.param({"phrase": PHRASE.replace("1000", "999")}, id="another count"),
        pytest.param({"phrase": PHRASE.replace("FP1", "FP2")}, id="another target group"),
        pytest.param({"phrase": PHRASE.replace(" ", "  ")}, id="wide blanks"),
        pytest.param({"phrase": f"{PHRASE}."}, id="full stop"),
        pytest.param({"phrase": f'"{PHRASE}"'}, id="quotes"),
        pytest.param({"phrase": PHRASE.replace("O", "\N{CYRILLIC CAPITAL LETTER O}")}, id="letters that look alike"),
        pytest.param({"phrase": " "}, id="blank"),
        pytest.param({"phrase": ""}, id="empty phrase"),
        pytest.param({"phrase": None}, id="null phrase"),
        pytest.param({"phrase": True}, id="ticked box"),
        pytest.param({"phrase": [PHRASE]}, id="list"),
        pytest.param({"Phrase": PHRASE}, id="another field"),
        pytest.param({"confirm": True}, id="made-up field"),
        pytest.param({}, id="empty form"),
        pytest.param(None, id="no form"),
    ],
)
async def test_an_answer_that_is_not_the_phrase_removes_nothing(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    content: "Content | None",
) -> None:
    await api.upload_elsewhere(identifiers(1_000))
    async with connect(era, effects=effects, answer=replying(lambda _question: content)) as client:
        error = await refused(client, "remove_all_recontacts")
    check_refusal(error, "CONFIRMATION_MISMATCH")
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 1_000)


@pytest.mark.parametrize("action", ["decline", "cancel"])
@pytest.mark.parametrize("content", [None, {"phrase": PHRASE}], ids=["bare", "with the phrase"])
async def test_a_question_that_is_declined_or_closed_removes_nothing(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    api: "Api",
    identifiers: Identifiers,
    action: Literal["decline", "cancel"],
    content: "Content | None",
) -> None:
    async def reply(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context, params
        return ElicitResult(action=action, content=content)

    await api.upload_elsewhere(identifiers(1_000))
    async with connect(era, effects=effects, answer=reply) as client:
        error = await refused(client, "remove_all_recontacts")
    check_refusal(error, "CONFIRMATION_DECLINED")
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 1_000)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"phrase": PHRASE}, id="as it is"),
        pytest.param({"phrase": f"  {PHRASE}\n"}, id="with blanks around it"),
        pytest.param({"phrase": PHRASE, "remember": True}, id="with further fields"),
    ],
)
async def test_the_phrase_removes_everything_once(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    content: "Content",
) -> None:
    await api.upload_elsewhere(identifiers(1_000))
    async with connect(era, effects=effects, answer=replying(lambda _question: content)) as client:
        started = await call(client, "remove_all_recontacts")
        job = await call(client, "get_removal_job", job_id=started["job_id"], wait_seconds=45)
    assert (started["ids_to_remove"], job["status"]) == (1_000, "Completed")
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (1, 0)


async def test_the_question_says_what_would_happen_to_what(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", identifiers: Identifiers
) -> None:
    questions: list[ElicitRequestParams] = []

    async def reply(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context
        questions.append(params)
        return ElicitResult(action="decline")

    await api.upload_elsewhere(identifiers(1_000))
    async with connect(era, effects=effects, answer=reply) as client:
        await refused(client, "remove_all_recontacts")
    [question] = questions
    assert re.sub(r"Plan \w{6}", "Plan ......", question.message) == (
        "Remove ALL 1000 respondent IDs stored for recontact in target group 01BTGNYV6HRNK8K8VKZASZCFP1 "
        "(account 101, project 01BTGNYV6HRNK8K8VKZASZCFP0)? While none are stored nobody can enter the survey and "
        "it cannot be launched. A snapshot is taken first and kept for 30 days: from it they can be uploaded again.\n"
        f"To agree, type: {PHRASE}\n"
        "(Plan ......, valid until 12:10 UTC.)"
    )
    schema: dict[str, Any] = getattr(question, "requested_schema")  # noqa: B009 (only a form's question has one)
    assert (list(schema["properties"]), schema["required"]) == (["phrase"], ["phrase"])
    assert "default" not in schema["properties"]["phrase"]


@pytest.mark.parametrize(
    ("declared", "can"),
    [
        pytest.param(None, False, id="nothing"),
        pytest.param({}, False, id="other capabilities"),
        pytest.param({"elicitation": {}}, True, id="bare elicitation"),
        pytest.param({"elicitation": {"form": {}}}, True, id="forms"),
        pytest.param({"elicitation": {"form": {}, "url": {}}}, True, id="forms and pages"),
        pytest.param({"elicitation": {"url": {}}}, False, id="pages only"),
    ],
)
def test_only_a_client_that_shows_forms_can_ask(declared: dict[str, object] | None, *, can: bool) -> None:
    assert can_ask(None if declared is None else ClientCapabilities.model_validate(declared)) is can


async def test_a_count_that_changes_between_question_and_answer_removes_nothing(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async def reply(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context, params
        await api.upload_elsewhere(identifiers(1_001))
        return ElicitResult(action="accept", content={"phrase": PHRASE})

    await api.upload_elsewhere(identifiers(1_000))
    async with connect(era, effects=effects, answer=reply) as client:
        error = await refused(client, "remove_all_recontacts")
    check_refusal(error, "PLAN_DRIFTED")
    assert (error["planned"], error["stored"]) == (1_000, 1_001)
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 1_001)


async def test_a_plan_that_expires_before_the_answer_removes_nothing(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async def reply(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context, params
        api.pass_time(seconds=600)
        return ElicitResult(action="accept", content={"phrase": PHRASE})

    await api.upload_elsewhere(identifiers(1_000))
    async with connect(era, effects=effects, answer=reply) as client:
        error = await refused(client, "remove_all_recontacts")
    check_refusal(error, "PLAN_NOT_VALID")
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 1_000)


async def test_an_empty_target_group_is_not_asked_about(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", replying: "Replying"
) -> None:
    async with connect(era, effects=effects, answer=replying()) as client:
        error = await refused(client, "remove_all_recontacts")
    assert (error["code"], error["changed"]) == ("NOTHING_TO_REMOVE", "no")
    assert api.asked(Operation.REMOVE_ALL) == 0


async def test_of_two_removals_at_once_one_is_sent(
    era: str, connect: "Connect", effects: Effects, api: "Api", replying: "Replying", identifiers: Identifiers
) -> None:
    answers: list[dict[str, Any]] = []

    async def remove(client: Client) -> None:
        arguments = {"target_group_id": "01BTGNYV6HRNK8K8VKZASZCFP1"}
        answers.append((await client.call_tool("remove_all_recontacts", arguments)).structured_content or {})

    await api.upload_elsewhere(identifiers(10))
    connected = connect(era, effects=effects, answer=replying(), pace=1.0)
    async with connected as client, anyio.create_task_group() as tasks:
        tasks.start_soon(remove, client)
        tasks.start_soon(remove, client)
    [sent] = [answer for answer in answers if "error" not in answer]
    [error] = [answer["error"] for answer in answers if "error" in answer]
    assert sent["ids_to_remove"] == 10
    assert (error["code"] in {"PLAN_NOT_VALID", "JOB_RUNNING"}, error["changed"]) == (True, "no")
    assert api.asked(Operation.REMOVE_ALL) == 1
