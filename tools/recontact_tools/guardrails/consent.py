"""Checks that a person agreed to this removal, and that it still is the one they agreed to."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from recontact_tools.errors import ErrorCode, NotAllowed
from recontact_tools.guardrails.conditions import SomethingStored, check_something_stored
from recontact_tools.models import TargetGroup


class Planned(Protocol):
    """What the checks need to know of a removal plan; the ledger's `Plan` is one."""

    @property
    def principal(self) -> str:
        """Return who asked."""
        ...

    @property
    def group(self) -> TargetGroup:
        """Return which target group would be emptied."""
        ...

    @property
    def count(self) -> int:
        """Return how many IDs the person was told."""
        ...

    @property
    def new_ids(self) -> int | None:
        """Return how many IDs come instead; None for a removal."""
        ...

    @property
    def expires_at(self) -> datetime:
        """Return from when the plan is worth nothing; aware."""
        ...

    @property
    def is_open(self) -> bool:
        """Tell whether it was neither used nor closed."""
        ...


@dataclass(frozen=True, slots=True)
class PhraseTyped:
    """A person typed the phrase of the plan."""


@dataclass(frozen=True, slots=True)
class PlanHolds:
    """A plan may be spent now: *count* is what was agreed to and what is stored."""

    count: SomethingStored


def confirmation_phrase(count: int, target_group_id: str) -> str:
    """Return what a person types to agree to a removal; only the question that is put to a person may show it."""
    return f"REMOVE {count} FROM {target_group_id}"


def replacement_phrase(count: int, new_ids: int, target_group_id: str) -> str:
    """Return what a person types to agree to a replacement; only the question may show it."""
    return f"REPLACE {count} BY {new_ids} IN {target_group_id}"


def phrase_of(plan: Planned) -> str:
    """Return what a person types to agree to a plan."""
    if plan.new_ids is None:
        return confirmation_phrase(plan.count, plan.group.target_group_id)
    return replacement_phrase(plan.count, plan.new_ids, plan.group.target_group_id)


def check_phrase(typed: str, plan: Planned) -> PhraseTyped:
    """Accept exactly the plan's phrase, blanks around it apart.

    Raises:
        NotAllowed: it is anything else; the error repeats neither phrase, so that it teaches no way round.
    """
    if typed.strip() == phrase_of(plan):
        return PhraseTyped()
    raise NotAllowed(
        "What was typed does not confirm the removal; nothing was removed.",
        code=ErrorCode.CONFIRMATION_MISMATCH,
        next_step=(
            "Tell the user that nothing was removed. Only if they say that they still want it, "
            "call the tool again; they are asked anew and answer for themselves."
        ),
    )


def plan_not_valid() -> NotAllowed:
    """Say that a confirmation cannot be used (any more); whether an earlier call used it, only a look can tell."""
    return NotAllowed(
        "This confirmation was used, has expired or was replaced by a newer one; this call removed nothing.",
        code=ErrorCode.PLAN_NOT_VALID,
        next_step=(
            "Call get_recontact_overview: 0 means that an earlier call with the same confirmation removed the IDs. "
            "Otherwise, if the user still wants it, call the tool again; they are asked anew."
        ),
    )


def check_plan(plan: Planned | None, *, count_now: int | None, now: datetime, principal: str) -> PlanHolds:
    """Accept a plan that is open, unexpired, the principal's own, and still true of what is stored.

    One text for every way in which a plan is worth nothing: whose or how old it is, is nobody else's affair.

    Raises:
        NotAllowed: the plan cannot be used, or the count has changed since.
        Unreachable: how many IDs are stored now is not known.
        InvalidInput: nothing is stored any more.
    """
    if plan is None or not plan.is_open or plan.principal != principal or now >= plan.expires_at:
        raise plan_not_valid()
    return PlanHolds(check_count(planned=plan.count, stored=count_now))


def check_count(*, planned: int | None, stored: int | None) -> SomethingStored:
    """Accept a removal while as many IDs are stored as the user was asked about, and return how many.

    Raises:
        NotAllowed: the count has changed since.
        Unreachable: how many IDs are stored now is not known.
        InvalidInput: nothing is stored any more.
    """
    found = check_something_stored(stored)
    if found != planned:
        raise NotAllowed(
            f"The user was asked about {planned} IDs, but {found} are stored now; nothing was removed.",
            code=ErrorCode.PLAN_DRIFTED,
            next_step=(
                "Tell the user that the number has changed. If they still want it, "
                "call the tool again; they are asked about the new number."
            ),
            details={"planned": planned, "stored": found},
        )
    return found
