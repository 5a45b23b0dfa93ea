"""Say how an upload job stands, waiting a little for its end, and what it came to once it has ended."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from recontact_tools.errors import RecontactError
from recontact_tools.growth import Growth, counts_of, settled
from recontact_tools.handles import HandleFields, handle, iso
from recontact_tools.injected import (
    AccountId,
    Injected,
    InjectedProgress,
    JobId,
    ProjectId,
    TargetGroupId,
    WaitSeconds,
)
from recontact_tools.locating import locate
from recontact_tools.looking import Seen, proved, wait_for
from recontact_tools.missing import missing_ids
from recontact_tools.models import IdType, JobKind, TargetGroup
from recontact_tools.plan_reports import plan_as_upload, plan_seen
from recontact_tools.replacement_reports import replacement_report, replacement_seen
from recontact_tools.results import UploadJobReport
from recontact_tools.runtime import Runtime
from recontact_tools.snapshot_reports import proof_report, restored_step
from recontact_tools.uris import differences_uri, missing_uri

# ours: with the end of a wait, less than the 60 s after which hosts give a call up.
CALL_SECONDS = 52.0
SETTLE_SECONDS = 10.0  # ours: reading one number takes well under a second; the rest is for one that is late

_LAUNCH = "check_recontact_readiness says what is missing before the launch."
_LATER = "Another job was started on this target group since: get_recontact_overview tells the present count."

Compare = Annotated[bool, Field(description="Once ended: also count the sent RSIDs that are not stored.")]


@dataclass(frozen=True, slots=True)
class _Comparison:
    """How many sent ids are not stored, or why nobody looked; both None when nobody asked."""

    not_stored: int | None = None
    because: str | None = None


async def get_upload_job(
    runtime: Injected,
    progress: InjectedProgress,
    target_group_id: TargetGroupId,
    job_id: JobId,
    wait_seconds: WaitSeconds = 0,
    compare: Compare = False,  # noqa: FBT002 - a tool's arguments have names
    project_id: ProjectId = None,
    account_id: AccountId = None,
) -> UploadJobReport:
    """Get an upload job: status is Processing, Completed or Failed.

    Uploads take 10 to 15 minutes per 10,000 IDs at Cint. With wait_seconds the call returns as soon as the job
    ends. Once it has: stored_before, stored_after, growth, and an explanation to tell the user.
    """
    begun = runtime.clock.now()

    def left() -> float:
        return CALL_SECONDS - (runtime.clock.now() - begun).total_seconds()

    group = await locate(runtime, target_group_id, project_id, account_id)
    asked = await plan_seen(runtime, progress, group, job_id, seconds=wait_seconds)
    if asked is not None and asked.work_id is None:
        return plan_as_upload(runtime, asked)
    job_id = job_id if asked is None or asked.work_id is None else asked.work_id
    replacement = await replacement_seen(runtime, progress, group, job_id, seconds=wait_seconds)
    if replacement is not None:
        return await replacement_report(runtime, replacement)
    seen = await wait_for(runtime, progress, group, JobKind.UPLOAD, job_id, seconds=wait_seconds)
    seen = await proved(runtime, seen, seconds=min(wait_seconds, left()))
    grown = None
    if seen.job.is_finished:
        grown = await settled(runtime, seen.intent, seen.job, seconds=min(left(), SETTLE_SECONDS))
    compared = await _compared(runtime, group, seen, seconds=left()) if compare else _Comparison()
    since = seen.intent is not None and await runtime.ledger.changed_since(seen.intent.intent_id)
    fields = await handle(
        runtime, group, JobKind.UPLOAD, job=seen.job, ids=seen.ids, started=seen.started, seen=seen.moved
    )
    return _report(group, seen, fields, grown=grown, compared=compared, since=since)


async def _compared(runtime: Runtime, group: TargetGroup, seen: Seen, *, seconds: float) -> _Comparison:
    try:
        return _Comparison(len(await missing_ids(runtime, group, seen, seconds=seconds)))
    except RecontactError as obstacle:  # the rest of the answer is worth having without it
        return _Comparison(because=obstacle.message)


def _report(
    group: TargetGroup, seen: Seen, fields: HandleFields, *, grown: Growth | None, compared: _Comparison, since: bool
) -> UploadJobReport:
    job, partial, counts = seen.job, seen.job.partial_success_reason, counts_of(seen.job)
    proof = seen.intent.proof if seen.intent else None
    restored = restored_step(seen.intent) if seen.intent and job.is_completed else None
    fields["next_step"] = restored or _next_step(seen, grown, compared, since=since) or fields["next_step"]
    return UploadJobReport(
        **fields,
        ids_done=seen.moved.done if seen.moved else None,
        ids_total=seen.moved.total if seen.moved else None,
        created_at=iso(job.created_at),
        completed_at=iso(job.completed_at),
        failure_reason=seen.failure_reason,
        partial_success_reason=partial.description if partial else None,
        file_name=seen.intent.file_name if seen.intent else None,
        ids_sent=seen.ids,
        stored_before=seen.intent.stored_before if seen.intent else None,
        stored_after=grown.stored_after if grown else None,
        growth=grown.by if grown else None,
        api_stored=counts.stored if counts else None,
        api_failed=counts.failed if counts else None,
        explanation=grown.explanation if grown else None,
        not_stored=compared.not_stored,
        not_compared_because=compared.because,
        missing_uri=missing_uri(group, job.job_id) if compared.not_stored else None,
        proof=proof_report(proof) if proof else None,
        differences_uri=differences_uri(group, job.job_id) if proof and not proof.is_equal else None,
        replacement=None,
    )


def _next_step(seen: Seen, grown: Growth | None, compared: _Comparison, *, since: bool) -> str | None:
    """Say what to do about a finished upload; None where its counts are not known.

    *since* is whether a later job may have changed what is stored.
    """
    if compared.not_stored:
        return (
            f"Tell the user that {compared.not_stored} of the RSIDs sent are not stored. missing_uri lists them: "
            "read it only when the user asks for IDs."
        )
    if grown is None or grown.stored_after is None or not seen.job.is_completed:
        return None
    said = seen.job.partial_success_reason
    if (grown.by == seen.ids and said is None) or compared.not_stored == 0:
        count = f"The upload is done; {grown.stored_after} IDs were stored once it had ended."
        return f"{count} {_LATER if since else _LAUNCH}"
    told = "partial_success_reason and explanation" if said else "explanation"
    step = f"The upload is done: tell the user {told}."
    if seen.intent is not None and seen.intent.id_type is IdType.RSID and compared.because is None:
        return f"{step} Call again with compare=true to count the RSIDs sent that are not stored."
    return step
