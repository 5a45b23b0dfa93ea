"""Two calls with one ticket: whatever they read before, one of them uses it."""

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest
from ledger_places import kept_by

from recontact_mcp.app import build_server
from recontact_tools.errors import ErrorCode, InvalidInput, NotAllowed
from recontact_tools.models import IdType, JobKind, TargetGroup
from recontact_tools.reading_source import Given, read_source
from recontact_tools.starting import start
from recontact_tools.starting_replacements import start_replacement
from recontact_tools.upload_recontacts import upload_recontacts
from recontact_tools.wishes import planned, replacement_wished

if TYPE_CHECKING:
    from tests.staging.conftest import Front, Fronted

    from recontact_mcp.settings import Settings

pytestmark = pytest.mark.anyio

GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")


async def test_what_was_read_before_another_call_used_the_ticket_starts_nothing(
    era: str, fronted: "Fronted", content: bytes
) -> None:
    async with fronted(era) as front:
        ticket = await front.staged(content)
        runtime = await front.runtime()
        given = Given("upload", None, None, ticket, IdType.RSID, None)
        late = await read_source(runtime, GROUP, given)
        job = await front.call("upload_recontacts", ticket=ticket)
        await front.call("get_upload_job", job_id=job["job_id"], wait_seconds=45)
        wanted = await planned(runtime, JobKind.UPLOAD, GROUP, ids=3, id_type=IdType.RID, content=b"other")
        wished = await replacement_wished(runtime, GROUP, late.file, IdType.RSID, key=None)
        with pytest.raises(InvalidInput) as upload:
            await start(runtime, wanted, late.file.content, spending=late.spending)
        with pytest.raises(InvalidInput) as replacement:
            await start_replacement(runtime, wished, late.file, spending=late.spending)
        jobs = await front.call("list_upload_jobs")
        kept = await runtime.ledger.snapshots.get(wished.replacement_id)
    assert upload.value.code is replacement.value.code is ErrorCode.TICKET_NOT_VALID
    assert len(jobs["jobs"]) == 1
    assert kept is None


async def test_of_many_calls_with_one_ticket_one_starts_a_job(era: str, fronted: "Fronted", content: bytes) -> None:
    answers: list[dict[str, object]] = []

    async def upload(front: "Front", ticket: str, column: str | None) -> None:
        answers.append(await front.ask("upload_recontacts", ticket=ticket, column=column))

    async with fronted(era) as front:
        ticket = await front.staged(content)
        async with anyio.create_task_group() as calling:
            for column in (None, "rsid", "1", None, "rsid", "1"):
                calling.start_soon(upload, front, ticket, column)
        jobs = await front.call("list_upload_jobs")
    started = [answer for answer in answers if "error" not in answer]
    assert len(jobs["jobs"]) == 1
    assert len({answer["job_id"] for answer in started}) == 1
    assert [answer["repeated"] for answer in started].count(False) == 1


async def test_a_file_that_is_deleted_while_it_is_asked_for_makes_its_ticket_invalid(
    era: str, fronted: "Fronted", content: bytes, settings: "Settings"
) -> None:
    async with fronted(era) as front:
        ticket = await front.staged(content)
        kept_by(settings).change("DELETE FROM ticket_pieces")
        error = await front.refused("preview_upload", ticket=ticket)
    assert error["code"] == "TICKET_NOT_VALID"


async def test_where_files_are_read_from_this_machine_no_ticket_is_valid(settings: "Settings") -> None:
    server = build_server(settings)
    async with server.opening.running() as opening:
        runtime = await opening.runtime()
        with pytest.raises(InvalidInput) as caught:
            await upload_recontacts(replace(runtime), GROUP.target_group_id, ticket="A" * 22)
    assert caught.value.code is ErrorCode.TICKET_NOT_VALID


@pytest.mark.parametrize("given_path", ["wave1.csv", "/etc/passwd"])
async def test_no_operation_reads_a_file_of_a_machine_that_is_not_its_callers(
    era: str, fronted: "Fronted", given_path: str
) -> None:
    async with fronted(era) as front:
        given = Given("upload", given_path, None, None, IdType.RSID, None)
        with pytest.raises(NotAllowed) as refused:
            await read_source(await front.runtime(), GROUP, given)
    assert (refused.value.code, "stage_upload" in refused.value.next_step) == (ErrorCode.POLICY_DENIED, True)
