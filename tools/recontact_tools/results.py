"""What the tools answer: flat, typed, and the same in text and in structured content."""

from pydantic import BaseModel, ConfigDict

from recontact_tools.kept_results import ProofReport, ReplacementReport, SnapshotReport


class Result(BaseModel):
    """What every answer of a tool has in common: it says what to do next."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    next_step: str


class EtaSeconds(BaseModel):
    """How long a job still needs, as an honest range in seconds."""

    model_config = ConfigDict(frozen=True)

    low: int
    high: int


class DroppedLines(BaseModel):
    """Lines of one class that were not sent: how many, and the first line numbers."""

    model_config = ConfigDict(frozen=True)

    kind: str
    count: int
    lines: list[int]


class CountRange(BaseModel):
    """Between *low* and *high* IDs, both included; the same number twice where it is certain."""

    model_config = ConfigDict(frozen=True)

    low: int
    high: int


class UploadPreview(Result):
    """What an upload would do, without doing it; *refusal* is the code it would be refused with now.

    *already_stored* and *new* are None where nothing was compared; *over_capacity* then counts every ID as new.
    *predicted_count* supposes that the API accepts every ID, *eta_seconds* is for the whole job. *job_id* is the job
    that runs, or that an earlier call for the same upload started.
    """

    ids_to_send: int
    stored_now: int
    already_stored: int | None
    new: int | None
    room_left: int
    over_capacity: int
    predicted_count: CountRange
    eta_seconds: EtaSeconds
    not_compared_because: str | None
    refusal: str | None
    job_id: str | None
    lines_read: int
    column: str | None
    dropped: list[DroppedLines]
    hints: list[str]


class UploadTicket(Result):
    """Where a person sends one file, and the *ticket* that stands for it in the next call; all of it for one use.

    *upload_url* takes a PUT, *page_url* is for a browser, *curl* for a terminal.
    """

    ticket: str
    upload_url: str
    page_url: str
    curl: str
    expires_at: str
    max_bytes: int


class JobHandle(Result):
    """A job to follow: *status* is the API's word, *poll_after_seconds* is 0 once it is finished."""

    job_id: str
    kind: str
    status: str
    target_group_id: str
    resource_uri: str
    poll_after_seconds: int
    eta_seconds: EtaSeconds


class UploadStarted(JobHandle):
    """An upload job that the API accepted, and what became of the lines of the source.

    *repeated* says that an earlier call started it, and that this one sent nothing.
    """

    repeated: bool
    ids_sent: int
    stored_before: int
    file_name: str
    lines_read: int
    column: str | None
    dropped: list[DroppedLines]
    hints: list[str]


class RemovalStarted(JobHandle):
    """A removal job that a person agreed to; *repeated* as in `UploadStarted`.

    While *status* is Preparing the snapshot is taken, and nothing is removed yet.
    """

    repeated: bool
    ids_to_remove: int
    snapshot: SnapshotReport | None


class RestoreStarted(JobHandle):
    """An upload job that sends a kept list again; its end is proved by reading all that is stored.

    *restores* is where the list is from, `snapshot:` or `upload:` and an id; *repeated* as in `UploadStarted`.
    """

    repeated: bool
    restores: str
    ids_sent: int
    stored_before: int
    file_name: str


class ReplacementStarted(JobHandle):
    """A replacement that a person agreed to; follow it with get_upload_job. *repeated* as in `UploadStarted`."""

    repeated: bool
    replacement: ReplacementReport
    lines_read: int
    column: str | None
    dropped: list[DroppedLines]
    hints: list[str]


class CancelAnswer(Result):
    """Whether work was stopped before it could change anything, and if not, why it goes on."""

    job_id: str
    cancelled: bool
    explanation: str


class JobReport(JobHandle):
    """How a job stands: times as ISO 8601, reasons in the API's words.

    *ids_done* of *ids_total* have shown in the stored count so far, at least; both are None unless it shows a running
    job at work.
    """

    ids_done: int | None
    ids_total: int | None
    created_at: str | None
    completed_at: str | None
    failure_reason: str | None


class UploadJobReport(JobReport):
    """How an upload job stands and, once it has ended, what it came to.

    *ids_sent* and the counts are known for uploads started here. *stored_after* is what the overview said after
    the end, the same in every later answer; *growth* is None where the two counts cannot be compared, and
    *explanation* says in our words what may account for it. *api_stored* and *api_failed* are the API's numbers,
    where its partial_success_reason has them. *not_stored* counts the sent RSIDs that are not stored now, if a
    comparison was asked for and made; *missing_uri* is where they are read. *proof* is there after a restore and a
    replacement; *differences_uri* lists what it found to differ.
    """

    partial_success_reason: str | None
    file_name: str | None
    ids_sent: int | None
    stored_before: int | None
    stored_after: int | None
    growth: int | None
    api_stored: int | None
    api_failed: int | None
    explanation: str | None
    not_stored: int | None
    not_compared_because: str | None
    missing_uri: str | None
    proof: ProofReport | None
    differences_uri: str | None
    replacement: ReplacementReport | None


class RemovalJobReport(JobReport):
    """How a removal job stands, and the snapshot that was taken before it."""

    ids_to_remove: int | None
    snapshot: SnapshotReport | None


class PlanReport(JobHandle):
    """What a person is asked outside the client: AwaitingApproval, Approved, Denied, Expired, Closed or Used.

    *used_for* is the id that the job it was used for is asked by.
    """

    ids_to_remove: int
    new_ids: int | None
    created_at: str
    expires_at: str
    decided_at: str | None
    used_for: str | None


class UploadJobLine(BaseModel):
    """One upload job of a target group's list."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    file_name: str
    status: str
    created_at: str | None
    resource_uri: str


class UploadJobList(Result):
    """One page of upload jobs, newest first."""

    target_group_id: str
    jobs: list[UploadJobLine]
    next_cursor: str | None


class RecontactOverview(Result):
    """How many RSIDs a target group holds, and how many more fit."""

    saved_respondent_ids_count: int
    room_left: int
    resource_uri: str


class RespondentList(Result):
    """One page of stored RSIDs; *resource_uri* is where all of them are read as CSV."""

    target_group_id: str
    respondent_ids: list[str]
    next_cursor: str | None
    resource_uri: str


class ReadinessFinding(BaseModel):
    """What one check found: *severity* is blocks, risk or info; *seen* begins "not verified" if nobody could look."""

    model_config = ConfigDict(frozen=True)

    check: str
    severity: str
    seen: str
    where: str
    mend: str


class Readiness(Result):
    """Whether respondents can come back: *ready* if nothing blocks, and all that could block was looked at.

    *state* is draft, launched or unknown, *status* the API's word; *passed* are the checks without a finding.
    """

    target_group_id: str
    ready: bool
    state: str
    status: str | None
    saved_respondent_ids_count: int | None
    completes_goal: int | None
    findings: list[ReadinessFinding]
    passed: list[str]
