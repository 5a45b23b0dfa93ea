"""The values the ledger keeps."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from recontact_tools.errors import Detail
from recontact_tools.ledger.states import ENDS, IntentState, PlanPurpose, PlanState, SettledBy, Stage
from recontact_tools.models import IdType, Job, JobKind, TargetGroup

# ours: a list that could not be read by then is not read any more; `get_upload_job` compares it when asked.
PROVED_WITHIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Proof:
    """How what was stored compared with the list that should be: counts, and whether the two sets are the same.

    *missing* IDs should be stored and are not, *extra* ones are stored and should not be. *set_hash* stands for the
    set that is stored: the same set has the same hash, in this ledger only.
    """

    stored: int
    expected: int
    missing: int
    extra: int
    set_hash: str

    @property
    def is_equal(self) -> bool:
        """Whether exactly the list is stored."""
        return self.missing == self.extra == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One upload or removal that somebody asked for, written down before anything is sent.

    *ids* is how many identifiers an upload sends, *stored_before* how many the target group held, *stored_after*
    how many once the job had ended. *job* is the job as it was last seen, *error* what a refused or lost intent was
    answered with. Times are aware. *settled_by* says what told us the end: the job itself, or the overview.

    *fingerprint* is a digest of everything that was asked for, and None where a repeated call is another intent;
    *idempotency_key* a digest of the caller's own name for it. *adoptions* counts how often its job was found
    after it had been given up as unknown. *parent_id* is the replacement that it is a part of, *restores* the snapshot
    or the upload whose list it sends again, *proof* how the stored list compared with the sent one afterwards.
    *claims* is what the token of whoever asked for it said of them, as the server writes it; None where none was asked
    for, and in what was written before it was kept.
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
    parent_id: str | None = None
    restores: str | None = None
    proof: Proof | None = None
    claims: str | None = None

    @property
    def has_completed(self) -> bool:
        """Whether its job is known to have ended as it should."""
        return self.state is IntentState.FINISHED and self.job is not None and self.job.is_completed

    @property
    def is_unproved(self) -> bool:
        """Whether it is a restore that nobody compared yet; RIDs never are: the API does not tell whose they are."""
        return self.restores is not None and self.id_type is IdType.RSID and self.proof is None


@dataclass(frozen=True, slots=True)
class Plan:
    """What was shown to a person: whose, where, how many, and until when it may be used once.

    A replacement also names how many IDs come instead, and by its *fingerprint* which.
    """

    plan_id: str
    principal: str
    group: TargetGroup
    count: int
    created_at: datetime
    expires_at: datetime
    state: PlanState
    purpose: PlanPurpose = PlanPurpose.REMOVAL
    new_ids: int | None = None
    fingerprint: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether the plan was neither used nor closed; it may still have expired."""
        return self.state is PlanState.OPEN


@dataclass(frozen=True, slots=True)
class Duration:
    """How long a completed job of so many IDs took, by the API's own times."""

    ids: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """One replacement: *ids* new IDs for *stored_before* old ones, whose snapshot is that of the removal *removal_id*.

    The new list is sealed under *replacement_id*. *attempts* counts the stages and the uploads so far. *proof* compares
    what is stored at the end with what should be: the new list, or the old one where it had to be restored. *claims*
    are as in an intent.
    """

    replacement_id: str
    removal_id: str
    principal: str
    group: TargetGroup
    id_type: IdType
    ids: int
    stored_before: int
    stage: Stage
    fingerprint: str
    created_at: datetime
    updated_at: datetime
    attempts: int = 0
    plan_id: str | None = None
    idempotency_key: str | None = None
    error: dict[str, Detail] | None = None
    proof: Proof | None = None
    claims: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will be done about it."""
        return self.stage in ENDS

    @property
    def upload_id(self) -> str:
        """The id of the intent of the present attempt to upload: the new list, or the old one again."""
        return f"{self.replacement_id}-{self.attempts}"
