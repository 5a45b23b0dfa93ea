"""What any ledger does with approvals: each is decided once, used once, and worth nothing for anything else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import anyio
import pytest

from recontact_tools.deciding import Decisions
from recontact_tools.errors import ErrorCode, NotAllowed
from recontact_tools.ledger import Approval, Decision, Evidence, Ledger, Passkey, Plan, PlanState, Standing
from recontact_tools.models import TargetGroup
from recontact_tools.runtime import ApprovalRules, Clock
from recontact_tools.sealing import Seal

pytestmark = pytest.mark.anyio
MakePlan = Callable[..., Plan]
OOB = Evidence.HUMAN_OOB


async def approved(ledger: Ledger, now: datetime, plan_id: str = "PLAN1") -> bool:
    """Approve a plan in the name of Bob."""
    return await ledger.approvals.approve(
        plan_id, approver="bob", evidence=OOB, receipt="{}", digest="sha256-x", now=now
    )


async def spent(ledger: Ledger, now: datetime, principal: str = "ann", evidence: Evidence = OOB) -> bool:
    """Use the first plan up."""
    return await ledger.spend_plan("PLAN1", principal=principal, now=now, evidence=evidence)


async def test_a_plan_that_nobody_approved_cannot_be_used_as_approved(
    ledger: Ledger, plan: MakePlan, now: datetime
) -> None:
    await ledger.record_plan(plan())
    assert not await spent(ledger, now)
    await ledger.approvals.ask(plan(), "CODE")
    assert not await spent(ledger, now)
    assert await approved(ledger, now)
    assert [await spent(ledger, now, "bob"), await spent(ledger, now), await spent(ledger, now)] == [False, True, False]
    found = await ledger.approvals.of_plan("PLAN1")
    assert found is not None
    assert (found.standing(now), found.approver, found.decided_at) == (Standing.USED, "bob", now)


async def test_a_decision_is_made_once(ledger: Ledger, plan: MakePlan, now: datetime) -> None:
    await ledger.approvals.ask(plan(), "CODE")
    assert [await approved(ledger, now) for _ in range(2)] == [True, False]
    assert not await ledger.approvals.deny("PLAN1", approver="bob", now=now)
    await ledger.approvals.ask(plan("PLAN2", principal="bob"), "CODE2")
    assert [await ledger.approvals.deny("PLAN2", approver="bob", now=now) for _ in range(2)] == [True, False]
    assert not await approved(ledger, now, "PLAN2")
    denied = await ledger.approvals.by_code("CODE2")
    assert denied is not None
    assert (denied.decision, denied.plan.state, denied.standing(now)) == (
        Decision.DENIED,
        PlanState.CLOSED,
        Standing.DENIED,
    )


async def test_nothing_is_decided_about_what_is_closed_expired_or_unknown(
    ledger: Ledger, plan: MakePlan, now: datetime
) -> None:
    await ledger.approvals.ask(plan(), "CODE")
    late = now + timedelta(minutes=10)
    assert not await approved(ledger, late)
    assert not await ledger.approvals.deny("PLAN1", approver="bob", now=late)
    await ledger.close_plan("PLAN1", now=now, code=ErrorCode.PLAN_DRIFTED)
    assert not await approved(ledger, now)
    assert not await approved(ledger, now, "NONE")
    found = await ledger.approvals.of_plan("PLAN1")
    assert found is not None
    assert found.standing(now) is Standing.CLOSED
    assert await ledger.approvals.of_plan("NONE") is None
    assert await ledger.approvals.by_code("NONE") is None


async def test_the_same_wish_is_one_question_and_another_count_another(
    ledger: Ledger, plan: MakePlan, group: TargetGroup, now: datetime
) -> None:
    first = await ledger.approvals.ask(plan(), "CODE")
    assert await ledger.approvals.ask(plan("PLAN2"), "CODE2") == first == Approval(plan=plan(), code="CODE")
    assert await ledger.approvals.awaited("ann", now=now) == (first,)
    assert await ledger.approvals.awaited("bob", now=now) == ()
    other = await ledger.approvals.ask(plan("PLAN3", count=7), "CODE3")
    assert await ledger.approvals.awaited("ann", now=now) == (other,)
    assert await ledger.open_plan("ann", group, now=now) == plan("PLAN3", count=7)
    assert await ledger.approvals.awaited("ann", now=now + timedelta(minutes=10)) == ()


async def test_a_question_that_a_client_was_asked_may_be_asked_elsewhere(
    ledger: Ledger, plan: MakePlan, now: datetime
) -> None:
    await ledger.record_plan(plan())
    asked = await ledger.approvals.ask(plan("PLAN2"), "CODE")
    assert (asked.plan.plan_id, asked.code, asked.standing(now)) == ("PLAN1", "CODE", Standing.AWAITING)
    assert asked.standing(now + timedelta(minutes=10)) is Standing.EXPIRED


async def test_attempts_are_counted_for_each_and_forgotten(ledger: Ledger, now: datetime) -> None:
    since, later = now - timedelta(minutes=1), now + timedelta(minutes=2)
    attempts = ledger.approvals.attempts
    assert [await attempts("ann", now=now, since=since, most=5) for _ in range(3)] == [1, 2, 3]
    assert await attempts("bob", now=now, since=since, most=5) == 1
    assert await attempts("ann", now=later, since=later - timedelta(minutes=1), most=5) == 1


async def test_attempts_beyond_the_most_are_not_written_down(ledger: Ledger, now: datetime) -> None:
    since, attempts = now - timedelta(minutes=1), ledger.approvals.attempts
    assert [await attempts("ann", now=now, since=since, most=2) for _ in range(9)] == [1, 2, *[3] * 7]
    assert await attempts("ann", now=now, since=since, most=99) == 3  # of the nine, two are kept
    assert await attempts("bob", now=now, since=since, most=2) == 1


async def test_what_may_be_used_once_is_used_once_for_its_purpose_and_in_time(ledger: Ledger, now: datetime) -> None:
    end = now + timedelta(minutes=1)
    for digest in ("a", "b", "c"):
        await ledger.approvals.issue(digest, "link", "ann", now=now, expires_at=end)
    assert await ledger.approvals.redeem("a", "enrol", now=now) is None
    assert [await ledger.approvals.redeem("a", "link", now=now) for _ in range(2)] == ["ann", None]
    assert await ledger.approvals.redeem("b", "link", now=end) is None
    await ledger.approvals.issue("d", "link", "ann", now=end, expires_at=end)
    assert await ledger.approvals.redeem("c", "link", now=now) is None  # forgotten, for it has expired


async def test_passkeys_belong_to_whoever_registered_them(ledger: Ledger, now: datetime) -> None:
    key = Passkey(credential_id="id", principal="ann", public_key=b"\x00key", signed=0, created_at=now)
    assert await ledger.approvals.add_passkey(key)
    assert not await ledger.approvals.add_passkey(replace(key, principal="bob"))
    await ledger.approvals.note_signed("id", 7)
    assert await ledger.approvals.passkeys("ann") == (replace(key, signed=7),)
    assert await ledger.approvals.passkeys("bob") == ()


async def test_of_two_decisions_at_once_one_counts_and_the_other_is_told(
    ledger: Ledger, plan: MakePlan, now: datetime
) -> None:
    rules = ApprovalRules(OOB, 600.0, None, two_person=False, approvers=frozenset(), passkey=False)
    clock, seal, day = Clock(now=lambda: now), Seal(lambda: bytes(32)), timedelta(days=1)
    decisions = Decisions(ledger, seal, clock, rules, pace=0.0, kept=day)
    decided: list[Approval] = []
    refused: list[NotAllowed] = []

    async def deny() -> None:
        try:
            decided.append(await decisions.deny("PLAN1", who="ann"))
        except NotAllowed as refusal:
            refused.append(refusal)

    await ledger.approvals.ask(plan(), "CODE")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(deny)
        tasks.start_soon(deny)
    assert [(one.approver, one.decision) for one in decided] == [("ann", Decision.DENIED)]
    assert [refusal.code for refusal in refused] == [ErrorCode.PLAN_NOT_VALID]


async def test_what_was_neither_used_closed_nor_has_expired_is_pending_for_its_asker_and_for_all(
    ledger: Ledger, plan: MakePlan, now: datetime
) -> None:
    for number, who in enumerate(("ann", "ann", "ann", "bob", "ann"), start=1):
        group = TargetGroup(101, "P", f"G{number}")
        created = now + timedelta(seconds=number)
        asked = plan(f"PLAN{number}", principal=who, group=group, created_at=created)
        await ledger.approvals.ask(replace(asked, expires_at=now + timedelta(minutes=number)), f"CODE{number}")
    assert await approved(ledger, now, "PLAN2")
    await ledger.approvals.deny("PLAN3", approver="ann", now=now)

    async def pending(who: str | None, *, minutes: int = 0, limit: int = 9) -> list[str]:
        found = await ledger.approvals.pending(who, now=now + timedelta(minutes=minutes), limit=limit)
        return [one.plan.plan_id for one in found]

    assert await pending("ann") == ["PLAN1", "PLAN2", "PLAN5"]
    assert await pending(None) == ["PLAN1", "PLAN2", "PLAN4", "PLAN5"]
    assert await pending(None, minutes=1, limit=2) == ["PLAN2", "PLAN4"]


async def test_a_value_is_seen_without_being_used_up_for_its_purpose_until_it_expires(
    ledger: Ledger, now: datetime
) -> None:
    later = now + timedelta(minutes=1)
    for _ in range(2):  # written twice, it is one
        await ledger.approvals.issue("digest", "purpose", "ann", now=now, expires_at=later)
    seen = [
        await ledger.approvals.issued(digest, purpose, now=moment)
        for digest, purpose, moment in (
            ("digest", "purpose", now),
            ("digest", "purpose", now),
            ("digest", "another", now),
            ("another", "purpose", now),
            ("digest", "purpose", later),
        )
    ]
    assert seen == [True, True, False, False, False]
