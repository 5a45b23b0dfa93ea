"""A question that one server asked is answered on another: whoever shares a key with it takes the answer."""

from base64 import b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from mcp import Client, MCPError
from mcp_types import INVALID_PARAMS, CallToolResult, ElicitResult, InputRequiredResult
from pydantic import SecretStr

from recontact_mcp.opening import Effects
from recontact_mcp.settings import SettingsError, load_settings
from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
GROUP_ID = "01BTGNYV6HRNK8K8VKZASZCFP1"
OLD, NEW = (b64encode(bytes([number]) * 32).decode() for number in (1, 2))


async def asked(client: Client) -> InputRequiredResult:
    """Ask for the removal, and return the question that comes back."""
    result = await client.session.call_tool(
        "remove_all_recontacts", {"target_group_id": GROUP_ID}, allow_input_required=True
    )
    assert isinstance(result, InputRequiredResult)
    return result


async def answered(client: Client, question: InputRequiredResult) -> CallToolResult | InputRequiredResult:
    """Agree to a question."""
    [key] = question.input_requests or {}
    return await client.session.call_tool(
        "remove_all_recontacts",
        {"target_group_id": GROUP_ID},
        input_responses={key: ElicitResult(action="accept", content={"phrase": f"REMOVE 3 FROM {GROUP_ID}"})},
        request_state=question.request_state,
        allow_input_required=True,
    )


@pytest.mark.sqlite_only(reason="two servers in one process, which has one engine; see tests/replicas")
@pytest.mark.parametrize(
    ("asks", "answers"),
    [
        pytest.param(OLD, OLD, id="one key"),
        pytest.param(OLD, f"{NEW}, {OLD}", id="the answering server has a newer one as well"),
        pytest.param(f"{OLD},{NEW}", f"{NEW},{OLD}", id="both have both"),
    ],
)
async def test_an_answer_is_taken_by_another_server_with_the_same_key(
    connect: "Connect",
    effects: Effects,
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    asks: str,
    answers: str,
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with (
        connect("auto", effects=effects, answer=replying(), state_key=SecretStr(asks)) as first,
        connect("auto", effects=effects, answer=replying(), state_key=SecretStr(answers)) as second,
    ):
        result = await answered(second, await asked(first))

    assert isinstance(result, CallToolResult)
    assert not result.is_error
    assert api.asked(Operation.REMOVE_ALL) == 1


@pytest.mark.sqlite_only(reason="two servers in one process, which has one engine; see tests/replicas")
@pytest.mark.parametrize(
    ("asks", "answers"),
    [
        pytest.param(OLD, NEW, id="another key"),
        pytest.param(OLD, None, id="none"),
        pytest.param(None, None, id="both none"),
    ],
)
async def test_an_answer_is_refused_by_a_server_with_another_key(
    connect: "Connect",
    effects: Effects,
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
    asks: str | None,
    answers: str | None,
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with (
        connect("auto", effects=effects, answer=replying(), state_key=asks and SecretStr(asks)) as first,
        connect("auto", effects=effects, answer=replying(), state_key=answers and SecretStr(answers)) as second,
    ):
        question = await asked(first)
        with pytest.raises(MCPError) as caught:
            await answered(second, question)

    assert caught.value.error.code == INVALID_PARAMS
    assert api.asked(Operation.REMOVE_ALL) == 0


@pytest.mark.parametrize(
    ("written", "said"),
    [
        pytest.param("sesame", "openssl rand", id="no key"),
        pytest.param(f"{OLD},", "openssl rand", id="a comma too many"),
        pytest.param(f"{OLD},{OLD}", "once only", id="twice"),
    ],
)
def test_what_are_no_keys_stops_the_start_and_is_not_repeated(written: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"RECONTACT_STATE_KEY.*{said}") as refused:
        load_settings({"RECONTACT_STATE_KEY": written})

    assert OLD not in str(refused.value)
