"""What can be written into the audit trail: a fixed vocabulary, ids of ours, and words and numbers of ours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from recontact_tools.ledger.records import Intent, Plan
from recontact_tools.ledger.states import Evidence
from recontact_tools.models import TargetGroup

__all__ = ["RESPONDENT_ID", "Entry", "Event", "Evidence", "Word", "about", "about_intent", "about_plan"]

Word: TypeAlias = str | int | bool | None

# ours: longer than every word of ours, shorter than a sentence.
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
RESPONDENT_ID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


class Event(StrEnum):
    """What happened. Never rename or reuse one: a trail is read for years, also by other programs."""

    # A tool that can change something was not done: nothing changed, or nobody knows.
    CALL_REFUSED = "call_refused"
    CALLS_REFUSED = "calls_refused"  # how many more of a kind were, after the first ones within an hour
    CALL_UNSETTLED = "call_unsettled"
    # A person is asked about a removal, and what came of it.
    PLAN_MADE = "plan_made"
    PLAN_CLOSED = "plan_closed"
    CONFIRMATION_AGREED = "confirmation_agreed"
    CONFIRMATION_DECLINED = "confirmation_declined"
    CONFIRMATION_MISMATCHED = "confirmation_mismatched"
    CONFIRMATION_TIMED_OUT = "confirmation_timed_out"
    CONFIRMATION_UNAVAILABLE = "confirmation_unavailable"  # no version writes it any more
    # A person is asked outside the client; the entry of an answer is of whoever gave it.
    APPROVAL_ASKED = "approval_asked"
    APPROVAL_GIVEN = "approval_given"
    APPROVAL_DENIED = "approval_denied"
    PASSKEY_REGISTERED = "passkey_registered"
    # An upload or a removal: written down, sent to the API once, answered, followed to its end.
    INTENT_PLANNED = "intent_planned"
    INTENT_WITHDRAWN = "intent_withdrawn"
    REQUEST_SENDING = "request_sending"
    REQUEST_ACCEPTED = "request_accepted"
    REQUEST_REFUSED = "request_refused"
    REQUEST_UNANSWERED = "request_unanswered"
    JOB_FOUND = "job_found"
    JOB_COMPLETED = "job_completed"
    JOB_FAILED = "job_failed"
    OUTCOME_UNKNOWN = "outcome_unknown"
    # A file that a person sends for an upload: its ticket, its arrival, its end.
    TICKET_ISSUED = "ticket_issued"
    TICKET_FILLED = "ticket_filled"
    TICKET_USED = "ticket_used"
    TICKET_GIVEN_BACK = "ticket_given_back"  # what used it was refused before anything was sent
    TICKET_EXPIRED = "ticket_expired"
    # Copies of what is stored, and putting them back.
    SNAPSHOT_BEGUN = "snapshot_begun"
    SNAPSHOT_COMPLETED = "snapshot_completed"
    SNAPSHOT_FAILED = "snapshot_failed"
    SNAPSHOT_DELETED = "snapshot_deleted"
    SNAPSHOT_EXPORTED = "snapshot_exported"
    RESTORE_BEGUN = "restore_begun"
    RESTORE_PROVED = "restore_proved"
    RESTORE_DIFFERED = "restore_differed"
    RESTORE_FAILED = "restore_failed"
    REPLACEMENT_BEGUN = "replacement_begun"
    REPLACEMENT_STAGE = "replacement_stage"
    REPLACEMENT_COMPLETED = "replacement_completed"
    REPLACEMENT_FAILED = "replacement_failed"
    CANCELLATION_ASKED = "cancellation_asked"
    CANCELLATION_DONE = "cancellation_done"
    CANCELLATION_REFUSED = "cancellation_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened, before it has its place in the chain.

    *subject* is the tool or the kind of job. *detail* holds our own words and numbers: a code, a stage, a count.

    Raises:
        ValueError: *detail* holds what might be a sentence, a path or a respondent id, or *at* is naive.
    """

    at: datetime
    principal: str
    event: Event
    subject: str
    account_id: int | None = None
    project_id: str | None = None
    target_group_id: str | None = None
    intent_id: str | None = None
    plan_id: str | None = None
    job_id: str | None = None
    detail: Mapping[str, Word] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        strange = [key for key, value in self.detail.items() if not (_is_word(key) and _is_word(value))]
        if strange:
            raise ValueError("the audit trail keeps words and numbers of ours only")
        if self.at.tzinfo is None:
            raise ValueError("the audit trail keeps aware times only")


def _is_word(value: Word) -> bool:
    if not isinstance(value, str):
        return True
    return _WORD.fullmatch(value) is not None and RESPONDENT_ID.search(value) is None


def about(group: TargetGroup, event: Event, subject: str, *, at: datetime, principal: str, **detail: Word) -> Entry:
    """Return the entry for something that happened to a target group; `dataclasses.replace` adds further ids."""
    return Entry(
        at=at,
        principal=principal,
        event=event,
        subject=subject,
        account_id=group.account_id,
        project_id=group.project_id,
        target_group_id=group.target_group_id,
        detail=detail,
    )


def about_intent(
    intent: Intent, event: Event, at: datetime, *, job_id: str | None = None, detail: Mapping[str, Word] | None = None
) -> Entry:
    """Return the entry for something that happened to an upload or a removal."""
    entry = about(intent.group, event, intent.kind.value, at=at, principal=intent.principal, **(detail or {}))
    return replace(entry, intent_id=intent.intent_id, plan_id=intent.plan_id, job_id=job_id or intent.job_id)


def about_plan(plan: Plan, event: Event, at: datetime, **detail: Word) -> Entry:
    """Return the entry for something that happened to the plan of a removal or a replacement."""
    entry = about(plan.group, event, plan.purpose.value, at=at, principal=plan.principal, **detail)
    return replace(entry, plan_id=plan.plan_id)
