"""No sequence of events uses a plan up without evidence that is valid, unspent, and of at least the minimum grade."""

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from anyio.from_thread import start_blocking_portal
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from recontact_tools.agreeing import evidence_of
from recontact_tools.deciding import Decisions
from recontact_tools.errors import RecontactError
from recontact_tools.guardrails import phrase_of
from recontact_tools.injected import ApprovedElsewhere, Confirmation, Unanswered
from recontact_tools.ledger import Evidence, Plan, PlanPurpose, PlanState
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.models import TargetGroup
from recontact_tools.runtime import ApprovalRules, Clock
from recontact_tools.sealing import Seal

GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
BOSS = "boss"
PEOPLE = ("ann", "bob", BOSS)
LASTS = timedelta(minutes=10)
Answer: TypeAlias = Confirmation | ApprovedElsewhere | Unanswered


@dataclass
class Known:
    """What the model knows of one plan."""

    plan: Plan
    open: bool = True
    asked_elsewhere: bool = False
    approved: bool = False


class Approving(RuleBasedStateMachine):
    """Two people's assistants, the people, a named approver, and time."""

    plans = Bundle("plans")

    def __init__(self) -> None:
        super().__init__()
        self.resources = ExitStack()
        folder = Path(self.resources.enter_context(tempfile.TemporaryDirectory()))
        self.portal = self.resources.enter_context(start_blocking_portal())
        self.ledger = SqlLedger.open(folder / "ledger.sqlite")
        self.moment = datetime(2030, 1, 1, tzinfo=UTC)
        self.known: dict[str, Known] = {}
        self.numbers = iter(range(10**7))
        self.two_person = False

    def teardown(self) -> None:
        """Let go of everything."""
        self.portal.call(self.ledger.aclose)
        self.resources.close()

    def decisions(self) -> Decisions:
        """Return where people decide, by the rules of this moment."""
        rules = ApprovalRules(
            Evidence.HUMAN_OOB, 600.0, None, two_person=self.two_person, approvers=frozenset({BOSS}), passkey=False
        )
        clock = Clock(now=lambda: self.moment)
        return Decisions(self.ledger, Seal(lambda: bytes(32)), clock, rules, 0.0, LASTS)

    def is_usable(self, known: Known) -> bool:
        """Tell whether a plan is open and unexpired by the model."""
        return known.open and self.moment < known.plan.expires_at

    def done(self, work: Any, *arguments: Any, **named: Any) -> bool:
        """Tell whether something was done, and not refused."""
        try:
            self.portal.call(lambda: work(*arguments, **named))
        except RecontactError:
            return False
        return True

    @rule(
        target=plans,
        principal=st.sampled_from(PEOPLE[:2]),
        count=st.integers(5, 6),
        elsewhere=st.booleans(),
        replacing=st.booleans(),
    )
    def ask(self, principal: str, count: int, elsewhere: bool, replacing: bool) -> str:  # noqa: FBT001 - hypothesis names them
        """Let an assistant ask, through its client or outside it."""
        number = next(self.numbers)
        plan = Plan(
            plan_id=f"PLAN{number}",
            principal=principal,
            group=GROUP,
            count=count,
            created_at=self.moment,
            expires_at=self.moment + LASTS,
            state=PlanState.OPEN,
            purpose=PlanPurpose.REPLACEMENT if replacing else PlanPurpose.REMOVAL,
            new_ids=3 if replacing else None,
            fingerprint="f" if replacing else None,
        )
        if elsewhere:
            code = f"{number:08}".translate(str.maketrans("01", "YZ"))
            plan = self.portal.call(lambda: self.ledger.approvals.ask(plan, code)).plan
        else:
            self.portal.call(self.ledger.record_plan, plan)
        for other in self.known.values():
            if other.plan.principal == principal and other.plan.plan_id != plan.plan_id:
                other.open = False
        known = self.known.setdefault(plan.plan_id, Known(plan))
        known.asked_elsewhere = known.asked_elsewhere or elsewhere
        return plan.plan_id

    @rule(plan_id=plans, who=st.sampled_from(PEOPLE), right=st.booleans())
    def approve(self, plan_id: str, who: str, right: bool) -> None:  # noqa: FBT001 - as above
        """Let somebody approve, with the phrase or with another one."""
        known, asker = self.known[plan_id], self.known[plan_id].plan.principal
        typed = phrase_of(known.plan) if right else "REMOVE 1"
        done = self.done(self.decisions().approve, plan_id, who=who, typed=typed, method="test")
        may = (who == asker and not self.two_person) or (who == BOSS != asker)
        expected = self.is_usable(known) and known.asked_elsewhere and not known.approved and may and right
        assert not done or expected
        if expected and not done:  # nothing but too many attempts may hinder it
            assert known.plan.plan_id == plan_id
        known.approved = known.approved or done

    @rule(plan_id=plans, who=st.sampled_from(PEOPLE))
    def deny(self, plan_id: str, who: str) -> None:
        """Let somebody deny."""
        known = self.known[plan_id]
        if self.done(self.decisions().deny, plan_id, who=who):
            assert self.is_usable(known)
            assert not known.approved
            known.open = False

    @rule(plan_id=plans)
    def drift(self, plan_id: str) -> None:
        """Let a check find that something else is stored."""
        self.portal.call(lambda: self.ledger.close_plan(plan_id, now=self.moment))
        self.known[plan_id].open = False

    @rule(minutes=st.integers(1, 6))
    def wait(self, minutes: int) -> None:
        """Let time pass."""
        self.moment += timedelta(minutes=minutes)

    @rule(two_person=st.booleans())
    def decide_who_decides(self, two_person: bool) -> None:  # noqa: FBT001 - as above
        """Let the operator change the rules."""
        self.two_person = two_person

    @rule(
        plan_id=plans,
        principal=st.sampled_from(PEOPLE),
        minimum=st.sampled_from(list(Evidence)),
        said=st.sampled_from(["phrase", "another phrase", "approved", "another plan", "nothing"]),
    )
    def use(self, plan_id: str, principal: str, minimum: Evidence, said: str) -> None:
        """Let a call use the plan up, as `agreed` does, with whatever its client or the ledger says."""
        known = self.known[plan_id]
        answers: dict[str, Answer] = {
            "phrase": Confirmation(phrase=phrase_of(known.plan)),
            "another phrase": Confirmation(phrase="REMOVE 1"),
            "approved": ApprovedElsewhere(plan_id=plan_id),
            "another plan": ApprovedElsewhere(plan_id="PLAN"),
            "nothing": Unanswered(reason="empty"),
        }
        try:
            evidence = evidence_of(known.plan, answers[said], rules=replace(self.decisions().rules, minimum=minimum))
        except RecontactError:
            spent = False
        else:
            spent = self.portal.call(
                lambda: self.ledger.spend_plan(plan_id, principal=principal, now=self.moment, evidence=evidence)
            )
        believed = minimum is Evidence.CLIENT_ELICITED and not self.two_person
        enough = (said == "phrase" and believed) or (said == "approved" and known.approved)
        assert spent == (enough and self.is_usable(known) and principal == known.plan.principal)
        known.open = known.open and not spent

    @invariant()
    def the_trail_holds(self) -> None:
        """Every step is in a chain that holds."""
        assert self.portal.call(self.ledger.audit.verify).holds


Approving.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestApproving = Approving.TestCase
