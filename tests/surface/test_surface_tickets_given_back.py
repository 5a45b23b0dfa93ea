"""A ticket whose use is refused: where nothing was sent it is good for another call, and otherwise for none."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from mcp import Client
from mcp.client.session import ElicitationFnT
from replacing import REMOVALS, REMOVE, UPLOAD, UPLOADS, unconnected, uploads

from recontact_mcp.remote.app import build_app
from recontact_mcp.remote.parts import parts_for
from recontact_service.faults import FaultKind

if TYPE_CHECKING:
    from tests.surface.conftest import Api, Call, Forward, Replying

    from recontact_mcp.opening import Effects
    from recontact_mcp.settings import Settings

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True)
class Front:
    """A server as an assistant and a person reach it: *client* speaks MCP, *web* sends files."""

    client: Client
    web: httpx.AsyncClient
    call: "Call"

    async def staged(self, ids: list[str]) -> str:
        """Stage a file, and return its ticket."""
        ticket = await self.call(self.client, "stage_upload")
        sent = await self.web.put(ticket["upload_url"], content="\n".join(ids).encode())
        assert sent.status_code == 201
        name: str = ticket["ticket"]
        return name


Fronted = Callable[..., AbstractAsyncContextManager[Front]]


@pytest.fixture
def fronted(settings: "Settings", effects: "Effects", call: "Call", era: str) -> Fronted:
    """Serve over HTTP before the API of the test, and connect a client of an era; overrides go to the settings."""

    @asynccontextmanager
    async def front(answer: ElicitationFnT | None = None, **overrides: object) -> AsyncGenerator[Front]:
        told = {"approval_minimum": "client-elicited", **overrides}
        parts = parts_for(settings.model_copy(update=told), effects=effects)
        with anyio.fail_after(60):
            async with (
                httpx.AsyncClient(transport=httpx.ASGITransport(build_app(parts)), base_url=parts.base_url) as web,
                Client(parts.server, mode=era, elicitation_callback=answer) as client,
            ):
                yield Front(client, web, call)

    return front


@pytest.mark.parametrize("kind", [FaultKind.CONFLICT, FaultKind.RATE_LIMITED, FaultKind.NO_PERMISSION])
async def test_an_upload_that_the_api_refuses_can_be_made_again_with_the_same_ticket(
    fronted: Fronted, call: "Call", refused: "Call", followed: "Call", api: "Api", new: list[str], kind: FaultKind
) -> None:
    api.meet(UPLOAD, kind, times=2, seconds=0)  # a lack of permission is asked about twice, with a fresh token
    async with fronted() as front:
        ticket = await front.staged(new)
        while (await front.client.call_tool("upload_recontacts", _of(ticket))).is_error:
            pass
        again = await call(front.client, "upload_recontacts", ticket=ticket)
        job = await followed(front.client, again)
        used = await refused(front.client, "upload_recontacts", ticket=ticket, column="1")
        jobs = await uploads(call, front.client)
    assert (again["repeated"], job["status"], used["code"]) == (True, "Completed", "TICKET_NOT_VALID")
    assert (jobs, await api.stored()) == (["Completed"], new)


async def test_an_upload_that_found_no_connection_can_be_made_again_with_the_same_ticket_as_another_wish(
    fronted: Fronted, call: "Call", refused: "Call", followed: "Call", api: "Api", new: list[str]
) -> None:
    api.between.append(unconnected(UPLOADS, 20))
    async with fronted() as front:
        ticket = await front.staged(new)
        error = await refused(front.client, "upload_recontacts", ticket=ticket)
        api.between.clear()
        job = await followed(front.client, await call(front.client, "upload_recontacts", ticket=ticket, column="1"))
    assert (error["code"], error["changed"], job["status"]) == ("UNREACHABLE", "no", "Completed")


@pytest.mark.parametrize("tool", ["upload_recontacts", "replace_recontacts"])
async def test_what_a_guardrail_refuses_leaves_the_ticket_as_it_was(
    fronted: Fronted,
    refused: "Call",
    call: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
    tool: str,
) -> None:
    await api.upload_elsewhere(old)
    running = await api.upload_elsewhere(old, finished=False)
    async with fronted(replying(), pace=1.0, staged_seconds=7_200) as front:
        ticket = await front.staged(new)
        errors = [await refused(front.client, tool, ticket=ticket) for _ in range(2)]
        seen = await call(front.client, "preview_upload", ticket=ticket)
        api.pass_time(hours=1)
        await call(front.client, "get_upload_job", job_id=running, wait_seconds=45)
        started = await call(front.client, tool, ticket=ticket)
    assert {error["code"] for error in errors} == {"JOB_RUNNING"}
    assert (seen["refusal"], seen["ids_to_send"]) == ("JOB_RUNNING", 3)
    assert started["repeated"] is False


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_person_who_declines_leaves_the_ticket_as_it_was(
    fronted: Fronted,
    refused: "Call",
    call: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
    action: str,
) -> None:
    await api.upload_elsewhere(old)
    async with fronted(replying(action="decline" if action == "decline" else "cancel")) as front:
        ticket = await front.staged(new)
        errors = [await refused(front.client, "replace_recontacts", ticket=ticket) for _ in range(2)]
        seen = await call(front.client, "preview_upload", ticket=ticket)
        started = await call(front.client, "upload_recontacts", ticket=ticket)
    assert errors[0]["code"] == errors[1]["code"] != "TICKET_NOT_VALID"
    assert (seen["ids_to_send"], started["repeated"]) == (3, False)


async def test_a_replacement_whose_removal_was_refused_gives_its_ticket_back(
    fronted: Fronted,
    call: "Call",
    refused: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    await api.upload_elsewhere(old)
    api.refuse(REMOVALS, 422)
    async with fronted(replying()) as front:
        ticket = await front.staged(new)
        failed = await followed(front.client, await call(front.client, "replace_recontacts", ticket=ticket))
        job = await followed(front.client, await call(front.client, "replace_recontacts", ticket=ticket))
        used = [await refused(front.client, tool, ticket=ticket) for tool in ("upload_recontacts", "preview_upload")]
    assert (failed["status"], failed["replacement"]["stage"]) == ("Failed", "refused")
    assert (job["status"], job["replacement"]["stage"]) == ("Completed", "done")
    assert {error["code"] for error in used} == {"TICKET_NOT_VALID"}
    assert (api.asked(REMOVE), await api.stored()) == (1, new)


async def test_a_replacement_whose_removal_ran_keeps_its_ticket_though_it_failed(
    fronted: Fronted,
    call: "Call",
    followed: "Call",
    api: "Api",
    replying: "Replying",
    old: list[str],
    new: list[str],
) -> None:
    await api.upload_elsewhere(old)
    api.refuse(UPLOADS, 422)
    async with fronted(replying()) as front:
        ticket = await front.staged(new)
        started = await call(front.client, "replace_recontacts", ticket=ticket)
        failed = await followed(front.client, started)
        again = await call(front.client, "replace_recontacts", ticket=ticket)
    assert (failed["status"], failed["replacement"]["stage"]) == ("Failed", "restored")
    assert (again["job_id"], again["repeated"], api.asked(REMOVE)) == (started["job_id"], True, 1)


async def test_a_lost_answer_does_not_give_the_ticket_back(
    fronted: Fronted, refused: "Call", api: "Api", new: list[str]
) -> None:
    async def lost(request: httpx.Request, forward: "Forward") -> httpx.Response:
        if request.method == "POST" and request.url.path.endswith(UPLOADS):
            raise httpx.ReadError("lost", request=request)
        if request.method == "GET" and request.url.path.endswith("/upload-respondents-by-file"):
            return httpx.Response(403, json={"id": "E", "object": "some_error", "detail": "No."})
        return await forward(request)

    api.between.append(lost)
    async with fronted() as front:
        ticket = await front.staged(new)
        errors = [await refused(front.client, "upload_recontacts", ticket=ticket) for _ in range(2)]
        other = await refused(front.client, "upload_recontacts", ticket=ticket, column="1")
    assert [error["code"] for error in errors] == ["OUTCOME_UNKNOWN"] * 2
    assert other["code"] == "TICKET_NOT_VALID"


def _of(ticket: str) -> dict[str, str]:
    return {"target_group_id": "01BTGNYV6HRNK8K8VKZASZCFP1", "ticket": ticket}
