"""What any ledger does with removal plans."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from recontact_tools.ledger import Ledger, Plan
from recontact_tools.models import TargetGroup

pytestmark = pytest.mark.anyio
MakePlan = Callable[..., Plan]


async def test_a_plan_comes_back_until_it_expires(
    ledger: Ledger, plan: MakePlan, group: TargetGroup, now: datetime
) -> None:
    assert plan().is_open
    await ledger.record_plan(plan())
    last = now + timedelta(minutes=10)
    assert await ledger.open_plan("ann", group, now=last - timedelta(microseconds=1)) == plan()
    assert await ledger.open_plan("ann", group, now=last) is None


async def test_a_plan_is_its_principals_and_its_target_groups(
    ledger: Ledger, plan: MakePlan, group: TargetGroup, now: datetime
) -> None:
    await ledger.record_plan(plan())
    assert await ledger.open_plan("bob", group, now=now) is None
    assert await ledger.open_plan("ann", replace(group, account_id=7), now=now) is None
    assert not await ledger.spend_plan("PLAN1", principal="bob", now=now)
    assert await ledger.open_plan("ann", group, now=now) == plan()


async def test_a_newer_plan_closes_the_older_one(
    ledger: Ledger, plan: MakePlan, group: TargetGroup, now: datetime
) -> None:
    await ledger.record_plan(plan())
    await ledger.record_plan(plan("PLAN2", principal="bob"))
    await ledger.record_plan(plan("PLAN3", count=7))
    await ledger.record_plan(plan("PLAN3", count=7))
    assert await ledger.open_plan("ann", group, now=now) == plan("PLAN3", count=7)
    assert await ledger.open_plan("bob", group, now=now) == plan("PLAN2", principal="bob")
    assert not await ledger.spend_plan("PLAN1", principal="ann", now=now)


async def test_a_plan_is_spent_exactly_once(ledger: Ledger, plan: MakePlan, group: TargetGroup, now: datetime) -> None:
    await ledger.record_plan(plan())
    spent = [await ledger.spend_plan("PLAN1", principal="ann", now=now) for _ in range(3)]
    assert spent == [True, False, False]
    assert await ledger.open_plan("ann", group, now=now) is None


async def test_an_expired_plan_cannot_be_spent(ledger: Ledger, plan: MakePlan, now: datetime) -> None:
    await ledger.record_plan(plan())
    assert not await ledger.spend_plan("PLAN1", principal="ann", now=now + timedelta(minutes=10))


async def test_a_closed_plan_cannot_be_spent(ledger: Ledger, plan: MakePlan, group: TargetGroup, now: datetime) -> None:
    await ledger.record_plan(plan())
    await ledger.close_plan("PLAN1", now=now)
    await ledger.close_plan("NONE", now=now)
    assert not await ledger.spend_plan("PLAN1", principal="ann", now=now)
    assert await ledger.open_plan("ann", group, now=now) is None
