"""What is read at once and within the time of one call, and what the ledger knows of running jobs."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import httpx
import pytest
from scripted_api import ACCOUNT, CONNECTION, GROUP, GROUP_PATH, PROJECT, TEMPLATE, ScriptedApi

from recontact_tools.errors import Unreachable
from recontact_tools.gateway import Gateway
from recontact_tools.ledger import Intent, IntentState
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.models import IdType, JobKind, TargetGroup
from recontact_tools.policy import Policy
from recontact_tools.readiness.checks import judge
from recontact_tools.readiness.facts import TOO_SLOW, NotRead, Running, Seen, State
from recontact_tools.readiness.reading import read_facts
from recontact_tools.runtime import Clock, Rules, Runtime
from recontact_tools.sealing import Seal

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
WHERE = TargetGroup(ACCOUNT, PROJECT, GROUP)
RULES = Rules(
    snapshots_kept=timedelta(days=30),
    policy=Policy(read_only=True, accounts=None, projects=None, target_groups=None),
    account_id=ACCOUNT,
    project_id=PROJECT,
    upload_roots=(),
    local_files=False,
    pace=1.0,
    plan_seconds=60.0,
    compare_pages=10,
    template_id=TEMPLATE,
)
INTENT = Intent(
    intent_id="INTENT1",
    kind=JobKind.UPLOAD,
    principal="local",
    group=WHERE,
    ids=1,
    stored_before=0,
    state=IntentState.PLANNED,
    created_at=NOW,
    updated_at=NOW,
    id_type=IdType.RSID,
    file_name="a.csv",
)
JOB_PATH = f"{GROUP_PATH}/recontacts/jobs/upload-rsids-by-file/job-1"

Open = Callable[..., AbstractAsyncContextManager[Runtime]]

pytestmark = pytest.mark.anyio


class NoEngine:
    """Runs nothing: a check starts no job."""

    async def submit(self, intent_id: str) -> None:
        raise AssertionError(intent_id)


@pytest.fixture
def opened(tmp_path: Path, api: ScriptedApi) -> Open:
    """Open what an operation works with; reads of *hanging* paths are never answered."""

    @asynccontextmanager
    async def runtime(*hanging: str) -> AsyncGenerator[Runtime]:
        async def handle(request: httpx.Request) -> httpx.Response:
            if any(request.url.path.endswith(path) for path in hanging):
                await anyio.sleep_forever()
            return api.handle(request)

        async def nap(_seconds: float) -> None:
            await anyio.lowlevel.checkpoint()

        ledger = SqlLedger.open(tmp_path / "ledger.sqlite")
        clock = Clock(now=lambda: NOW)
        async with Gateway(CONNECTION, transport=httpx.MockTransport(handle), sleep=nap) as gateway:
            yield Runtime(RULES, gateway, ledger, NoEngine(), clock, lambda: "NEW", "local", Seal(lambda: bytes(32)))
        await ledger.aclose()

    return runtime


async def started(runtime: Runtime) -> None:
    """Write down an upload that the API accepted as job-1."""
    await runtime.ledger.open_intent(INTENT, payload=b"x\n")
    await runtime.ledger.mark_sending("INTENT1", now=NOW)
    await runtime.ledger.mark_started("INTENT1", job_id="job-1", now=NOW)


async def test_a_read_without_an_answer_is_left_out_and_the_others_are_told(api: ScriptedApi, opened: Open) -> None:
    api.be_launched()
    with anyio.fail_after(30):
        async with opened("/profiles") as runtime:
            facts = await read_facts(runtime, WHERE, seconds=2.0)
    assert isinstance(facts.profiles, NotRead)
    assert facts.profiles.why == TOO_SLOW
    assert isinstance(facts.described, Seen)
    assert isinstance(facts.activity, Seen)


async def test_without_any_answer_in_time_the_api_is_unavailable(opened: Open) -> None:
    with anyio.fail_after(30):
        async with opened(GROUP, "/overview") as runtime:
            with pytest.raises(Unreachable) as failure:
                await read_facts(runtime, WHERE, seconds=0.05)
    assert failure.value.code == "UNAVAILABLE"


async def test_reads_are_made_at_once(api: ScriptedApi, opened: Open) -> None:
    api.be_launched()
    waiting, most = 0, 0
    answer = api.handle

    async def slowly(request: httpx.Request) -> httpx.Response:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        waiting -= 1
        return answer(request)

    async with opened() as runtime, Gateway(CONNECTION, transport=httpx.MockTransport(slowly)) as gateway:
        facts = await read_facts(replace(runtime, gateway=gateway), WHERE)
    assert facts.state is State.LAUNCHED
    assert most >= 4


async def test_a_start_that_was_not_answered_yet_runs(api: ScriptedApi, opened: Open) -> None:
    api.be_draft()
    async with opened() as runtime:
        await runtime.ledger.open_intent(INTENT, payload=b"x\n")
        facts = await read_facts(runtime, WHERE)
    assert facts.running == Running(JobKind.UPLOAD, "INTENT1")
    verdict = judge(facts, now=NOW, template_id=TEMPLATE)
    [found] = [finding for finding in verdict.findings if finding.check == "running_job"]
    assert found.severity == "blocks"
    assert "get_upload_job, INTENT1" in found.mend
    assert not verdict.ready


@pytest.mark.parametrize(
    ("body", "status", "runs"),
    [({"status": "Processing"}, 200, True), ({"status": "Completed"}, 200, False), (b"<html>", 500, True)],
    ids=["running", "ended", "unseen"],
)
async def test_a_job_that_was_started_here_is_looked_at(
    api: ScriptedApi, opened: Open, body: object, status: int, *, runs: bool
) -> None:
    api.be_draft()
    api.say_at(JOB_PATH, body, status)
    async with opened() as runtime:
        await started(runtime)
        facts = await read_facts(runtime, WHERE)
    assert facts.running == (Running(JobKind.UPLOAD, "job-1") if runs else None)


async def test_a_job_that_nobody_answers_about_runs_as_far_as_anybody_knows(api: ScriptedApi, opened: Open) -> None:
    api.be_draft()
    with anyio.fail_after(30):
        async with opened("job-1") as runtime:
            await started(runtime)
            facts = await read_facts(runtime, WHERE, seconds=2.0)
    assert facts.running == Running(JobKind.UPLOAD, "job-1")
