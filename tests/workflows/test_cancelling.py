"""Calling a job off: withdrawn while nothing of it was sent, explained afterwards."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from desk_setting import KEPT, SEAL

from recontact_tools.cancelling import cancel_job
from recontact_tools.errors import Detail, NotAllowed
from recontact_tools.ledger import Intent, IntentState
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.models import IdType, Job, JobKind, TargetGroup
from recontact_tools.policy import Policy
from recontact_tools.runtime import Clock, Rules, Runtime

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
PLANNED = Intent(
    intent_id="INTENT1",
    kind=JobKind.REMOVAL,
    principal="ann",
    group=GROUP,
    ids=3,
    stored_before=3,
    state=IntentState.PLANNED,
    created_at=NOW,
    updated_at=NOW,
)


class SentMeanwhile(SqlLedger):
    """A ledger in which somebody begins to send just before an intent would be withdrawn."""

    async def withdraw(self, intent_id: str, error: dict[str, Detail], *, now: datetime) -> bool:
        """Come too late."""
        await self.mark_sending(intent_id, now=now)
        return await super().withdraw(intent_id, error, now=now)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SentMeanwhile]:
    opened = SentMeanwhile.open(tmp_path / "ledger.sqlite")
    yield opened
    await opened.aclose()


def runtime(ledger: SqlLedger, *, read_only: bool = False) -> Runtime:
    """Return a runtime with a ledger and nothing else: no way down is needed to call a job off."""
    policy = Policy(read_only=read_only, accounts=None, projects=None, target_groups=None)
    rules = Rules(policy, None, None, (), False, 1.0, 600.0, 0, KEPT, "")  # noqa: FBT003 - no local files
    nothing = cast("Any", None)
    return Runtime(rules, nothing, ledger, nothing, Clock(now=lambda: NOW), str, "ann", SEAL)


async def test_a_job_that_waits_to_be_sent_is_withdrawn_with_the_reason(tmp_path: Path) -> None:
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite")
    await ledger.open_intent(PLANNED, payload=None)
    cancelled = await cancel_job(runtime(ledger), GROUP, "INTENT1")
    kept = await ledger.get("INTENT1")
    again = await cancel_job(runtime(ledger), GROUP, "INTENT1")
    await ledger.aclose()
    assert (cancelled.stopped, again.stopped) == (True, False)
    assert "has ended already" in again.explanation
    assert kept is not None
    assert kept.error is not None
    assert (kept.state, kept.error["code"], kept.error["changed"]) == (IntentState.REFUSED, "CANCELLED", "no")
    assert kept.error["message"] == cancelled.explanation


async def test_a_job_that_is_sent_while_it_is_called_off_goes_on(ledger: SentMeanwhile) -> None:
    await ledger.open_intent(PLANNED, payload=None)
    cancelled = await cancel_job(runtime(ledger), GROUP, "INTENT1")
    kept = await ledger.get("INTENT1")
    assert not cancelled.stopped
    assert "cannot cancel" in cancelled.explanation
    assert kept is not None
    assert kept.state is IntentState.SENDING


async def test_a_job_that_runs_goes_on(ledger: SentMeanwhile) -> None:
    await ledger.open_intent(replace(PLANNED, kind=JobKind.UPLOAD, id_type=IdType.RSID), payload=b"x")
    await ledger.mark_sending("INTENT1", now=NOW)
    await ledger.mark_started("INTENT1", job_id="JOB1", now=NOW)
    ours = await cancel_job(runtime(ledger), GROUP, "JOB1")
    await ledger.mark_finished("INTENT1", Job("JOB1", "Completed"), now=NOW, settled_by="job")
    ended = await cancel_job(runtime(ledger), GROUP, "JOB1")
    assert (ours.stopped, ended.stopped) == (False, False)
    assert "cannot cancel" in ours.explanation
    assert "has ended already" in ended.explanation


async def test_where_nothing_may_be_changed_nothing_is_called_off(ledger: SentMeanwhile) -> None:
    await ledger.open_intent(PLANNED, payload=None)
    with pytest.raises(NotAllowed):
        await cancel_job(runtime(ledger, read_only=True), GROUP, "INTENT1")
    kept = await ledger.get("INTENT1")
    assert kept is not None
    assert kept.state is IntentState.PLANNED
