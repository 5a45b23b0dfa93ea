"""Identifiers stay between the caller and the API: not in any log line, error or place where nobody looks for them."""

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Replying

pytestmark = pytest.mark.anyio

CANARIES = [str(UUID(int=0xCA7A_0000_0000_4000_8000_0000_0000_0000 + number)) for number in range(3)]


def shapes(canary: str) -> set[str]:
    """Return the ways in which an identifier might be written."""
    return {canary, canary.upper(), canary.replace("-", ""), repr(UUID(canary).bytes)[2:-1]}


async def test_no_log_line_of_a_whole_run_holds_an_identifier_a_secret_or_a_path(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    replying: "Replying",
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "dbos", "mcp", "sqlalchemy", "aiosqlite", "asyncio"):
        caplog.set_level(logging.INFO, logger=name)
    file = settings.upload_roots[0] / "canary-file.csv"
    file.write_text("\n".join(CANARIES))
    api.meet(Operation.OVERVIEW, FaultKind.ERROR)
    errors: list[dict[str, object]] = []
    async with connect(era, effects=effects, answer=replying()) as client:
        errors.append(await refused(client, "upload_recontacts", ids=CANARIES, path=str(file)))
        errors.append(await refused(client, "list_recontacts", cursor=CANARIES[0], page_size=CANARIES[1]))
        errors.append(await refused(client, "get_upload_job", job_id=CANARIES[2]))
        api.meet(Operation.UPLOAD_RSIDS, FaultKind.LOST_ANSWER)
        started = await call(client, "upload_recontacts", path=str(file))
        await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
        page = await call(client, "list_recontacts", page_size=1)
        await call(client, "list_recontacts", page_size=1, cursor=page["next_cursor"])
        await call(client, "remove_all_recontacts")
    assert page["respondent_ids"] == CANARIES[:1]
    told = json.dumps(errors) + caplog.text
    for canary in CANARIES:
        assert not [shape for shape in shapes(canary) if shape in told]
    assert "canary-file" not in told
    assert "open sesame" not in told
    assert "Bearer" not in told


@pytest.mark.sqlite_only(reason="looks into the files; tests/ledger looks into the pages of both databases")
async def test_what_stays_on_disk_of_a_finished_run_holds_ids_in_the_service_only(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    replying: "Replying",
    settings: Settings,
) -> None:
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "upload_recontacts", ids=CANARIES)
        await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
        removal = await call(client, "remove_all_recontacts")
        await call(client, "get_removal_job", job_id=removal["job_id"], wait_seconds=45)
    ours = [path for path in settings.data_dir.iterdir() if path.is_file() and not path.name.startswith("service.")]
    assert {"ledger.sqlite", "engine.sqlite"} <= {path.name for path in ours}
    for path in ours:
        content = path.read_bytes()
        for canary in CANARIES:
            wanted = {shape.encode() for shape in shapes(canary)} | {UUID(canary).bytes}
            assert not [shape for shape in wanted if shape in content], path.name


@pytest.mark.sqlite_only(reason="it is about the mode of the data directory")
async def test_the_data_directory_is_for_its_owner_alone(
    era: str, connect: "Connect", call: "Call", settings: Settings
) -> None:
    async with connect(era) as client:
        await call(client, "get_recontact_overview")
    assert settings.data_dir.stat().st_mode & 0o077 == 0


async def test_a_cursor_that_comes_back_is_the_only_identifier_in_a_page_besides_its_lines(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Callable[[int], list[str]]
) -> None:
    await api.upload_elsewhere(identifiers(2))
    async with connect(era, effects=effects) as client:
        page = await call(client, "list_recontacts", page_size=1)
        overview = await call(client, "get_recontact_overview")
        jobs = await call(client, "list_upload_jobs")
    assert identifiers(1)[0] not in page["next_step"]
    assert identifiers(1)[0] not in json.dumps([overview, jobs])
