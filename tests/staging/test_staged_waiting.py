"""A staged file lives as long as a person may agree to what needs it, to the last moment, and not for ever."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult
from person import Person

from recontact_tools.approving import awaited_approval
from recontact_tools.errors import InvalidInput
from recontact_tools.ledger.trail import Wanted
from recontact_tools.models import TargetGroup
from recontact_tools.plans import NewList
from recontact_tools.staged import Staged

if TYPE_CHECKING:
    from tests.staging.conftest import Answer, Front, Fronted

pytestmark = pytest.mark.anyio
GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
Identifiers = Callable[[int], list[str]]


async def filled(front: "Front", ids: list[str]) -> None:
    """Let some IDs be stored, to be replaced."""
    job = await front.call("upload_recontacts", ids=ids)
    await front.call("get_upload_job", job_id=job["job_id"], wait_seconds=45)


async def forget(front: "Front") -> None:
    """Delete every file whose time has come, as the server does in the background."""
    await (await front.runtime()).ledger.tickets.expire(now=front.moment[0])


async def pass_to(front: "Front", error: "Answer", **before: float) -> None:
    """Let the time come to a moment before the end of an approval."""
    ends = datetime.fromisoformat(str(error["expires_at"]))
    front.moment[0] = ends - timedelta(**before)
    await forget(front)


@pytest.mark.parametrize(
    ("waits_for", "staged_for", "asked_after", "at"),
    [
        pytest.param(1_800, 900, 899, "12:44:59", id="asked as the file would be deleted"),
        pytest.param(86_400, 900, 600, "12:00:00", id="longer than a file is kept: asked for as long as it is"),
        pytest.param(86_400, 86_400, 86_399, "12:00:00", id="of a second"),
    ],
)
async def test_what_is_approved_in_the_last_moment_still_finds_its_file(
    era: str,
    fronted: "Fronted",
    content: bytes,
    identifiers: Identifiers,
    waits_for: int,
    staged_for: int,
    asked_after: int,
    at: str,
) -> None:
    async with fronted(era, approval_seconds=waits_for, staged_seconds=staged_for) as front:
        await filled(front, identifiers(9))
        ticket = await front.staged(content)
        front.pass_time(asked_after)
        error = await front.refused("replace_recontacts", ticket=ticket)
        await pass_to(front, error, milliseconds=2)
        person = Person(await front.parts.opening.decisions())
        await person.approves(str(error["approval_code"]))
        await pass_to(front, error, milliseconds=1)
        job = await front.call("replace_recontacts", ticket=ticket)
    assert (error["code"], str(error["expires_at"])[11:19]) == ("APPROVAL_REQUIRED", at)
    assert (job["kind"], job["lines_read"]) == ("replacement", 6)


async def test_a_file_that_nobody_agreed_to_is_deleted_with_the_approval(
    era: str, fronted: "Fronted", content: bytes, identifiers: Identifiers
) -> None:
    async with fronted(era) as front:
        await filled(front, identifiers(9))
        ticket = await front.staged(content)
        error = await front.refused("replace_recontacts", ticket=ticket)
        await pass_to(front, error, seconds=0)
        late = await front.refused("replace_recontacts", ticket=ticket)
    assert (error["code"], late["code"]) == ("APPROVAL_REQUIRED", "TICKET_NOT_VALID")


async def test_a_question_of_the_client_may_take_longer_than_a_file_is_kept_by_itself(
    era: str, fronted: "Fronted", content: bytes, identifiers: Identifiers
) -> None:
    fronts: list[Front] = []

    async def reply(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context
        fronts[0].pass_time(3_599)
        await forget(fronts[0])
        phrase = params.message.partition("type: ")[2].partition("\n")[0]
        return ElicitResult(action="accept", content={"phrase": phrase})

    told = {"approval_seconds": 60, "staged_seconds": 60, "plan_seconds": 3_600}
    async with fronted(era, answer=reply, **told) as front:
        fronts.append(front)
        await filled(front, identifiers(9))
        job = await front.call("replace_recontacts", ticket=await front.staged(content))
    assert (job["kind"], job["lines_read"]) == ("replacement", 6)


async def test_nobody_is_asked_about_a_file_that_has_just_been_deleted(
    era: str, fronted: "Fronted", identifiers: Identifiers
) -> None:
    async with fronted(era) as front:
        await filled(front, identifiers(9))
        runtime = await front.runtime()
        gone = NewList(3, "fingerprint", Staged("a ticket of which nothing is left", front.moment[0]))
        with pytest.raises(InvalidInput) as refused:
            await awaited_approval(runtime, GROUP, gone)
        pending = await runtime.ledger.approvals.pending(None, now=front.moment[0], limit=9)
        entries = await runtime.ledger.audit.newest(1, Wanted())
    assert (refused.value.code, pending, entries[0].detail) == ("TICKET_NOT_VALID", (), {"code": "TICKET_NOT_VALID"})
