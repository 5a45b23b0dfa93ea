"""What a person does about a plan outside the client: find it by its code, approve it, or deny it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from recontact_tools.errors import ErrorCode, NotAllowed, NotFound, RateLimited, RecontactError, Unreachable
from recontact_tools.guardrails import check_phrase, code_read, may_decide
from recontact_tools.ledger import Approval, Evidence, Ledger, Standing
from recontact_tools.models import TargetGroup
from recontact_tools.receipts import Receipt, receipt_of
from recontact_tools.runtime import ApprovalRules, Clock
from recontact_tools.sealing import KeyUnusable, Seal
from recontact_tools.uris import plan_uri
from recontact_tools.watched import Publish, publish_nothing

# ours: enough for a person who mistypes; of 6.5e11 codes a guesser sees next to nothing.
ATTEMPTS_MOST = 20
ATTEMPTS_WITHIN = timedelta(minutes=10)
# ours: more than anybody reads; whoever has to decide about more begins with the oldest.
PENDING_MOST = 100
# How the name of a method ends that a passkey is a part of.
PASSKEY = "passkey"


def sees_everything(_who: str, _group: TargetGroup) -> bool:
    """Let whoever runs the server, on its own terminal, see every target group."""
    return True


@dataclass(frozen=True, slots=True)
class Decisions:
    """Where plans are decided about; whoever calls has made sure who *who* is.

    *sees* tells whether somebody may, by now, see what is of a target group; of all others they learn nothing.

    *pace* is how fast jobs run here, and *kept* how long snapshots are: what people are told before they decide.
    """

    ledger: Ledger
    seal: Seal
    clock: Clock
    rules: ApprovalRules
    pace: float
    kept: timedelta
    publish: Publish = publish_nothing
    sees: Callable[[str, TargetGroup], bool] = sees_everything

    async def find(self, text: str, *, who: str) -> Approval:
        """Return what is asked under the code that *who* wrote, if they may decide about it.

        Raises:
            RateLimited: They have tried too many codes.
            NotFound: There is no such code, or not for them; which, nobody is told.
            NotAllowed: They asked for it themselves, and somebody else decides.
        """
        await self.check_attempts(who)
        code = code_read(text)
        found = None if code is None else await self.ledger.approvals.by_code(code)
        if found is None or found.standing(self.clock.now()) is Standing.EXPIRED:
            raise no_such_code()
        if not self.may(found, who=who):
            own = found.plan.principal == who and self.sees(who, found.plan.group)
            raise approver_decides() if own else no_such_code()
        return found

    async def plan(self, plan_id: str, *, who: str) -> Approval:
        """Return what is asked about a plan that *who* has found before.

        Raises:
            NotFound: There is none, or not for them.
        """
        found = await self.ledger.approvals.of_plan(plan_id)
        if found is None or not self.may(found, who=who):
            raise no_such_code()
        return found

    async def pending(self, *, who: str) -> tuple[Approval, ...]:
        """Return what *who* asked for, or may decide about, and was not used yet, oldest first; at most a hundred."""
        asker = None if who in self.rules.approvers else who
        found = await self.ledger.approvals.pending(asker, now=self.clock.now(), limit=PENDING_MOST)
        seen = (one for one in found if self.sees(who, one.plan.group))
        return tuple(one for one in seen if one.plan.principal == who or self.may(one, who=who))

    async def approve(self, plan_id: str, *, who: str, typed: str, method: str) -> Approval:
        """Approve a plan with its phrase, once; *method* is by what *who* was known.

        Raises:
            NotFound: There is no such plan for them.
            RateLimited: Too many phrases were tried.
            NotAllowed: It is not the phrase, or there is nothing to decide any more.
        """
        approval = await self.plan(plan_id, who=who)
        self._check_undecided(approval)
        if self.rules.passkey and not method.endswith(PASSKEY):
            raise passkey_needed()
        await self.check_attempts(f"phrase {plan_id}")
        check_phrase(typed, approval.plan)
        now = self.clock.now()
        receipt = self._receipt(approval, who, method)
        written = await self.ledger.approvals.approve(
            plan_id, approver=who, evidence=Evidence.HUMAN_OOB, receipt=receipt.text, digest=receipt.digest, now=now
        )
        return await self._decided(plan_id, who, written=written)

    async def deny(self, plan_id: str, *, who: str) -> Approval:
        """Close a plan, once.

        Raises:
            NotFound: There is no such plan for them.
            NotAllowed: There is nothing to decide any more.
        """
        self._check_undecided(await self.plan(plan_id, who=who))
        written = await self.ledger.approvals.deny(plan_id, approver=who, now=self.clock.now())
        return await self._decided(plan_id, who, written=written)

    async def check_attempts(self, who: str) -> None:
        """Count one more attempt.

        Raises:
            RateLimited: There were too many.
        """
        now = self.clock.now()
        made = await self.ledger.approvals.attempts(who, now=now, since=now - ATTEMPTS_WITHIN, most=ATTEMPTS_MOST)
        if made > ATTEMPTS_MOST:
            raise RateLimited(
                "Too many attempts; nothing was decided.",
                next_step="Wait ten minutes.",
                details={"retry_after_seconds": int(ATTEMPTS_WITHIN.total_seconds())},
            )

    def may(self, approval: Approval, *, who: str) -> bool:
        """Tell whether *who* may decide about a plan, whatever its state: by the rules, and where they may look."""
        rules, plan = self.rules, approval.plan
        allowed = may_decide(who, asker=plan.principal, approvers=rules.approvers, two_person=rules.two_person)
        return allowed is not None and self.sees(who, plan.group)

    def _receipt(self, approval: Approval, who: str, method: str) -> Receipt:
        now = self.clock.now()
        try:
            return receipt_of(
                self.seal, approval.plan, approver=who, evidence=Evidence.HUMAN_OOB, method=method, now=now
            )
        except (KeyUnusable, OSError):
            raise Unreachable(
                "The key that receipts are signed with cannot be used; nothing was approved.",
                code=ErrorCode.UNAVAILABLE,
                next_step="Whoever runs the server has to look at the key of the snapshots.",
            ) from None

    def _check_undecided(self, approval: Approval) -> None:
        if approval.standing(self.clock.now()) is not Standing.AWAITING:
            raise _nothing_to_decide()

    async def _decided(self, plan_id: str, who: str, *, written: bool) -> Approval:
        if not written:  # somebody else decided in the meantime
            raise _nothing_to_decide()
        approval = await self.plan(plan_id, who=who)
        await self.publish(plan_uri(approval.plan.group, plan_id))
        return approval


def announcing(ledger: Ledger) -> Publish:
    """Return how a process without clients tells the servers of the same ledger that something changed."""

    async def announce(*uris: str) -> None:
        await ledger.updates.announce(uris, origin="a person")

    return announce


def no_such_code() -> NotFound:
    """Say that a code names nothing that this person may decide about: whose it is, is nobody else's affair."""
    return NotFound(
        "There is no such code for you to decide about, or it has expired.",
        next_step="Ask for the code again: the assistant's call, repeated, shows it or a new one.",
    )


def approver_decides() -> NotAllowed:
    """Say that whoever asked does not decide; nobody is told so about what others asked for."""
    return NotAllowed(
        "This is what you asked for, and an approver has to decide about it, not you.",
        next_step="Give them the code. What waits and runs shows how it stands.",
    )


def passkey_needed() -> NotAllowed:
    """Say that a passkey has to confirm it, and none did."""
    return NotAllowed(
        "This has to be confirmed with a registered passkey, and was not; nothing was approved.",
        next_step="Open the page again, and unlock the device that holds the passkey.",
    )


def _nothing_to_decide() -> RecontactError:
    return NotAllowed(
        "This was decided already, was replaced by a newer question, or has expired.",
        code=ErrorCode.PLAN_NOT_VALID,
        next_step="Ask the assistant how it stands.",
    )
