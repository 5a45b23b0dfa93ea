"""What a client might try with a question: answer late, twice, in another's place, or not at all."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import anyio
import pytest
from mcp import Client, MCPError
from mcp.client.session import ClientRequestContext
from mcp_types import (
    INVALID_PARAMS,
    CallToolResult,
    ElicitRequestParams,
    ElicitResult,
    ErrorData,
    InputRequiredResult,
    ListRootsResult,
)

from recontact_mcp.opening import Effects
from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Content, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
GROUP_ID = "01BTGNYV6HRNK8K8VKZASZCFP1"
PHRASE = f"REMOVE 3 FROM {GROUP_ID}"


async def ask(client: Client) -> InputRequiredResult:
    """Ask for the removal, and return the question that comes back."""
    result = await client.session.call_tool(
        "remove_all_recontacts", {"target_group_id": GROUP_ID}, allow_input_required=True
    )
    assert isinstance(result, InputRequiredResult)
    return result


async def answer(
    client: Client,
    question: InputRequiredResult,
    content: "Content | None" = None,
    *,
    action: Literal["accept", "decline", "cancel"] = "accept",
    group_id: str = GROUP_ID,
) -> CallToolResult | InputRequiredResult:
    """Send an answer to a question, as often as a test likes."""
    [key] = question.input_requests or {}
    return await client.session.call_tool(
        "remove_all_recontacts",
        {"target_group_id": group_id},
        input_responses={key: ElicitResult(action=action, content=content)},
        request_state=question.request_state,
        allow_input_required=True,
    )


def error_of(result: CallToolResult | InputRequiredResult) -> dict[str, Any]:
    """Return the error of a call that must have been refused."""
    assert isinstance(result, CallToolResult)
    assert result.is_error
    assert result.structured_content is not None
    error: dict[str, Any] = result.structured_content["error"]
    assert PHRASE not in json.dumps(error)
    return error


@pytest.mark.parametrize(
    ("action", "content"),
    [
        pytest.param("accept", {"phrase": "wrong"}, id="wrong phrase"),
        pytest.param("accept", {}, id="empty form"),
        pytest.param("accept", None, id="no form"),
        pytest.param("decline", None, id="declined"),
        pytest.param("cancel", None, id="closed"),
    ],
)
async def test_a_question_that_was_answered_otherwise_cannot_be_answered_again(
    connect: "Connect",
    effects: Effects,
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    action: Literal["accept", "decline", "cancel"],
    content: "Content | None",
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect("auto", effects=effects, answer=replying()) as client:
        question = await ask(client)
        error_of(await answer(client, question, content, action=action))
        error = error_of(await answer(client, question, {"phrase": PHRASE}))
    assert (error["code"], error["changed"]) == ("PLAN_NOT_VALID", "no")
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 3)


async def test_an_answer_of_another_kind_removes_nothing_and_ends_the_question(
    connect: "Connect", effects: Effects, api: "Api", replying: "Replying", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect("auto", effects=effects, answer=replying()) as client:
        question = await ask(client)
        [key] = question.input_requests or {}
        result = await client.session.call_tool(
            "remove_all_recontacts",
            {"target_group_id": GROUP_ID},
            input_responses={key: ListRootsResult(roots=[])},
            request_state=question.request_state,
            allow_input_required=True,
        )
        again = error_of(await answer(client, question, {"phrase": PHRASE}))
    assert (error_of(result)["code"], again["code"]) == ("CONFIRMATION_MISMATCH", "PLAN_NOT_VALID")
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 3)


async def test_an_answer_counts_once_however_often_it_is_sent(
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect("auto", effects=effects, answer=replying()) as client:
        question = await ask(client)
        first = await answer(client, question, {"phrase": PHRASE})
        assert isinstance(first, CallToolResult)
        assert first.structured_content is not None
        await call(client, "get_removal_job", job_id=first.structured_content["job_id"], wait_seconds=45)
        await api.upload_elsewhere(identifiers(3))
        error = error_of(await answer(client, question, {"phrase": PHRASE}))
    assert (error["code"], error["changed"]) == ("PLAN_NOT_VALID", "no")
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (1, 3)


async def test_of_one_answer_sent_twice_at_once_one_counts(
    connect: "Connect", effects: Effects, api: "Api", replying: "Replying", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(3))
    results: list[CallToolResult | InputRequiredResult] = []

    async def send(client: Client, question: InputRequiredResult) -> None:
        results.append(await answer(client, question, {"phrase": PHRASE}))

    async with connect("auto", effects=effects, answer=replying(), pace=1.0) as client:
        question = await ask(client)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, client, question)
            tasks.start_soon(send, client, question)
    sent = [result for result in results if isinstance(result, CallToolResult) and not result.is_error]
    assert (len(sent), api.asked(Operation.REMOVE_ALL)) == (1, 1)


async def test_an_answer_to_a_question_that_a_newer_one_replaced_is_asked_again(
    connect: "Connect", effects: Effects, api: "Api", replying: "Replying", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect("auto", effects=effects, answer=replying()) as client:
        older, _newer = await ask(client), await ask(client)
        result = await answer(client, older, {"phrase": PHRASE})
    assert isinstance(result, InputRequiredResult)
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 3)


async def test_an_answer_to_a_question_that_a_replacement_has_overtaken_is_told_of_the_replacement(
    connect: "Connect", effects: Effects, call: "Call", api: "Api", replying: "Replying", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect("auto", effects=effects, answer=replying(), pace=1.0) as client:
        question = await ask(client)
        replacement = await call(client, "replace_recontacts", ids=identifiers(5)[3:])
        error = error_of(await answer(client, question, {"phrase": PHRASE}))
    assert (error["code"], error["changed"], error["job_id"]) == ("JOB_RUNNING", "no", replacement["job_id"])


async def test_an_answer_after_the_plan_has_expired_removes_nothing(
    connect: "Connect", effects: Effects, api: "Api", replying: "Replying", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect("auto", effects=effects, answer=replying(), plan_seconds=60.0) as client:
        question = await ask(client)
        api.pass_time(seconds=60)
        error = error_of(await answer(client, question, {"phrase": PHRASE}))
    assert (error["code"], error["changed"]) == ("PLAN_NOT_VALID", "no")
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 3)


async def test_an_answer_made_up_without_a_question_removes_nothing(
    connect: "Connect", effects: Effects, api: "Api", replying: "Replying", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect("auto", effects=effects, answer=replying()) as client:
        question = await ask(client)
        stateless = await answer(client, question.model_copy(update={"request_state": None}), {"phrase": PHRASE})
    async with connect("auto", effects=effects, answer=replying()) as restarted:
        with pytest.raises(MCPError) as caught:
            await answer(restarted, question, {"phrase": PHRASE})
    assert isinstance(stateless, InputRequiredResult)
    assert caught.value.error.code == INVALID_PARAMS
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 3)


@pytest.mark.parametrize(
    ("tail", "group_id"),
    [
        pytest.param("x", GROUP_ID, id="another state"),
        pytest.param("", "01BTGNYV6HRNK8K8VKZASZCFP2", id="another target group"),
    ],
)
async def test_a_state_that_was_not_made_for_this_call_is_an_invalid_parameter(
    connect: "Connect",
    effects: Effects,
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    tail: str,
    group_id: str,
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect("auto", effects=effects, answer=replying()) as client:
        question = await ask(client)
        forged = question.model_copy(update={"request_state": f"{question.request_state}{tail}"})
        with pytest.raises(MCPError) as caught:
            await answer(client, forged, {"phrase": PHRASE}, group_id=group_id)
    assert caught.value.error.code == INVALID_PARAMS
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 3)


async def test_a_question_that_is_never_answered_removes_nothing(
    connect: "Connect", effects: Effects, api: "Api", replying: "Replying", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect("auto", effects=effects, answer=replying()) as client:
        await ask(client)
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 3)


async def test_a_question_that_a_legacy_client_drops_times_out_and_a_late_answer_does_nothing(
    connect: "Connect", effects: Effects, refused: "Call", api: "Api", identifiers: Identifiers
) -> None:
    refusal = anyio.Event()

    async def reply(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context, params
        await refusal.wait()
        return ElicitResult(action="accept", content={"phrase": PHRASE})

    await api.upload_elsewhere(identifiers(3))
    async with connect("legacy", effects=effects, answer=reply, confirm_seconds=0.05) as client:
        error = await refused(client, "remove_all_recontacts")
        refusal.set()
        await client.list_tools()
    assert (error["code"], error["changed"]) == ("CONFIRMATION_TIMED_OUT", "no")
    assert PHRASE not in json.dumps(error)
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 3)


async def test_a_legacy_client_that_fails_to_ask_is_sent_to_where_a_person_can_agree(
    connect: "Connect", effects: Effects, refused: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async def reply(context: ClientRequestContext, params: ElicitRequestParams) -> ErrorData:
        del context, params
        return ErrorData(code=-32603, message="the window could not be opened")

    await api.upload_elsewhere(identifiers(3))
    async with connect("legacy", effects=effects, answer=reply) as client:
        error = await refused(client, "remove_all_recontacts")
    assert (error["code"], error["changed"]) == ("APPROVAL_REQUIRED", "no")
    assert "the window" not in json.dumps(error)
    assert (api.asked(Operation.REMOVE_ALL), await api.count()) == (0, 3)
