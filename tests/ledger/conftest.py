"""What the ledger's tests stand on: every test of behaviour sees the protocol only."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ledger_places import DATABASES, Place, place_of

from recontact_tools.ledger import Intent, IntentState, Plan, PlanState, Replacement, Stage
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.models import IdType, JobKind, TargetGroup

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def group() -> TargetGroup:
    return GROUP


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.sqlite"


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, path: Path) -> Place:
    """An empty place for a ledger, on each database."""
    return place_of(request.param, request, path)


@pytest.fixture
async def ledger(place: Place) -> AsyncIterator[SqlLedger]:
    opened = await place.open()
    yield opened
    await opened.aclose()


@pytest.fixture
def upload() -> Callable[..., Intent]:
    """Make a planned upload; fields can be given."""

    def make(intent_id: str = "INTENT1", **fields: Any) -> Intent:
        intent = Intent(
            intent_id=intent_id,
            kind=JobKind.UPLOAD,
            principal="ann",
            group=GROUP,
            ids=3,
            stored_before=0,
            state=IntentState.PLANNED,
            created_at=NOW,
            updated_at=NOW,
            id_type=IdType.RSID,
            file_name=f"recontacts-{intent_id}.csv",
        )
        return replace(intent, **fields)

    return make


@pytest.fixture
def plan() -> Callable[..., Plan]:
    """Make an open plan of 500 IDs, valid for ten minutes; fields can be given."""

    def make(plan_id: str = "PLAN1", **fields: Any) -> Plan:
        made = Plan(
            plan_id=plan_id,
            principal="ann",
            group=GROUP,
            count=500,
            created_at=NOW,
            expires_at=NOW + timedelta(minutes=10),
            state=PlanState.OPEN,
        )
        return replace(made, **fields)

    return make


@pytest.fixture
def replacement(now: datetime, group: TargetGroup) -> Callable[..., Replacement]:
    """Make a replacement that has just been agreed to; fields can be given."""

    def make(replacement_id: str = "R1", **fields: Any) -> Replacement:
        made = Replacement(
            replacement_id=replacement_id,
            removal_id=f"OLD-{replacement_id}",
            principal="ann",
            group=group,
            id_type=IdType.RID,
            ids=2,
            stored_before=3,
            stage=Stage.REMOVING,
            fingerprint="print",
            created_at=now,
            updated_at=now,
            plan_id="PLAN1",
        )
        return replace(made, **fields)

    return make
