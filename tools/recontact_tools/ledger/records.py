"""The values the ledger keeps."""

from dataclasses import dataclass
from datetime import datetime

from recontact_tools.errors import Detail
from recontact_tools.ledger.states import IntentState, PlanState, SettledBy
from recontact_tools.models import IdType, Job, JobKind, TargetGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One upload or removal that somebody asked for, written down before anything is sent.

    *ids* is how many identifiers an upload sends, *stored_before* how many the target group held, *stored_after*
    how many once the job had ended. *job* is the job as it was last seen, *error* what a refused or lost intent was
    answered with. Times are aware. *settled_by* says what told us the end: the job itself, or the overview.

    *fingerprint* is a digest of everything that was asked for, and None where a repeated call is another intent;
    *idempotency_key* a digest of the caller's own name for it. *adoptions* counts how often its job was found
    after it had been given up as unknown.
    """

    intent_id: str
    kind: JobKind
    principal: str
    group: TargetGroup
    ids: int | None
    stored_before: int | None
    state: IntentState
    created_at: datetime
    updated_at: datetime
    id_type: IdType | None = None
    file_name: str | None = None
    job_id: str | None = None
    job: Job | None = None
    error: dict[str, Detail] | None = None
    plan_id: str | None = None
    settled_by: SettledBy | None = None
    fingerprint: str | None = None
    idempotency_key: str | None = None
    stored_after: int | None = None
    adoptions: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """A removal that was shown to a person: whose, where, how many, and until when it may be used once."""

    plan_id: str
    principal: str
    group: TargetGroup
    count: int
    created_at: datetime
    expires_at: datetime
    state: PlanState

    @property
    def is_open(self) -> bool:
        """Whether the plan was neither used nor closed; it may still have expired."""
        return self.state is PlanState.OPEN


@dataclass(frozen=True, slots=True)
class Duration:
    """How long a completed job of so many IDs took, by the API's own times."""

    ids: int
    seconds: float
