"""Where a replacement stands, what a restart would do, and what it came to: in counts, never in ids."""

from recontact_tools.handles import HandleFields, iso
from recontact_tools.injected import Progress
from recontact_tools.kept_results import ReplacementReport
from recontact_tools.ledger import Intent, Replacement, Stage
from recontact_tools.looking import paused
from recontact_tools.models import JobKind, TargetGroup
from recontact_tools.policy import check_read
from recontact_tools.replacement_parts import time_of
from recontact_tools.results import EtaSeconds, UploadJobReport
from recontact_tools.runtime import Runtime
from recontact_tools.schedule import Eta, poll_after, remaining
from recontact_tools.snapshot_reports import proof_report
from recontact_tools.uris import differences_uri, replacement_uri

KIND = "replacement"
_STATUS = {Stage.DONE: "Completed", Stage.REFUSED: "Failed", Stage.RESTORED: "Failed", Stage.STUCK: "Failed"}
_STANDING = {
    Stage.REMOVING: "The old list is kept as a snapshot and then removed; it is stored until that job has run.",
    Stage.UPLOADING: "The old list is removed and kept as a snapshot; the new one is being uploaded.",
    Stage.VERIFYING: "The new list is uploaded; all that is stored is being read and compared with it.",
    Stage.RESTORING: "The new list could not be uploaded; the old one is being uploaded again.",
    Stage.DONE: "The new list is stored in place of the old one.",
    Stage.REFUSED: "Nothing was removed: the old list is stored as it was.",
    Stage.RESTORED: "The new list could not be uploaded; the old one is stored again.",
    Stage.STUCK: "It stopped before either list was known to be stored; the old one is kept as a snapshot.",
}
_ON_RESTART = {
    Stage.REMOVING: "It goes on with the snapshot, or follows the removal; if nothing was sent and nobody worked on it "
    "for a minute, it ends and nothing is removed.",
    Stage.UPLOADING: "It follows the upload that was sent, or sends it if none was; never a second one beside it.",
    Stage.VERIFYING: "It reads and compares again.",
    Stage.RESTORING: "It follows the upload of the old list that was sent, or sends it if none was.",
}


async def replacement_seen(
    runtime: Runtime, progress: Progress, group: TargetGroup, replacement_id: str, *, seconds: int
) -> Replacement | None:
    """Return a replacement once its stage changes or *seconds* have passed; None if the id is of something else."""
    check_read(runtime.rules.policy, group)
    first = await _of(runtime, group, replacement_id)
    current, waited = first, 0.0
    while _may_change(first, current) and waited < seconds:
        await progress(waited, float(seconds), f"replacement: {current.stage.value if current else ''}")
        waited = await paused(runtime, waited, seconds=seconds)
        current = await _of(runtime, group, replacement_id)
    return current


def _may_change(first: Replacement | None, current: Replacement | None) -> bool:
    """Tell whether a replacement is still in the stage it was in, and not at its end."""
    return first is not None and current is not None and first.stage is current.stage and not current.has_ended


async def _of(runtime: Runtime, group: TargetGroup, replacement_id: str) -> Replacement | None:
    replacement = await runtime.ledger.replacements.get(replacement_id)
    return replacement if replacement is not None and replacement.group == group else None


async def replacement_handle(runtime: Runtime, replacement: Replacement) -> HandleFields:
    """Describe a replacement as a job to follow."""
    left, poll = await _left(runtime, replacement)
    return HandleFields(
        job_id=replacement.replacement_id,
        kind=KIND,
        status=_STATUS.get(replacement.stage, "Processing"),
        target_group_id=replacement.group.target_group_id,
        resource_uri=replacement_uri(replacement.group, replacement.replacement_id),
        poll_after_seconds=poll,
        eta_seconds=EtaSeconds(low=left.low, high=left.high),
        next_step=next_step(replacement, poll),
    )


async def replacement_report(runtime: Runtime, replacement: Replacement) -> UploadJobReport:
    """Describe a replacement as the job tool answers it."""
    parts = await runtime.ledger.replacements.parts(replacement.replacement_id)
    upload = next((part for part in reversed(parts) if part.kind is JobKind.UPLOAD), None)
    proof, error = replacement.proof, replacement.error
    partial = upload.job.partial_success_reason if upload and upload.job else None
    return UploadJobReport(
        **await replacement_handle(runtime, replacement),
        created_at=iso(replacement.created_at),
        completed_at=iso(replacement.updated_at) if replacement.has_ended else None,
        failure_reason=f"{error['code']}: {error['message']}" if error else None,
        partial_success_reason=partial.description if partial else None,
        file_name=upload.file_name if upload else None,
        ids_sent=replacement.ids,
        ids_done=None,
        ids_total=None,
        stored_before=replacement.stored_before,
        stored_after=proof.stored if proof else None,
        growth=None,
        api_stored=None,
        api_failed=None,
        explanation=None,
        not_stored=proof.missing if proof else None,
        not_compared_because=None,
        missing_uri=None,
        proof=proof_report(proof) if proof else None,
        differences_uri=_differences(replacement, upload),
        replacement=state_of(replacement, parts),
    )


def _differences(replacement: Replacement, upload: Intent | None) -> str | None:
    if upload is None or upload.job_id is None or replacement.proof is None or replacement.proof.is_equal:
        return None
    return differences_uri(replacement.group, upload.job_id)


def state_of(replacement: Replacement, parts: tuple[Intent, ...]) -> ReplacementReport:
    """Describe where a replacement stands."""
    removal = next((part for part in parts if part.kind is JobKind.REMOVAL), None)
    uploads = [part.job_id for part in parts if part.kind is JobKind.UPLOAD and part.job_id]
    return ReplacementReport(
        stage=replacement.stage.value,
        standing=_STANDING[replacement.stage],
        on_restart=_ON_RESTART.get(replacement.stage, "Nothing: it has ended."),
        ids_before=replacement.stored_before,
        ids_after=replacement.ids,
        snapshot_id=replacement.removal_id,
        removal_job_id=removal.job_id if removal else None,
        upload_job_id=uploads[-1] if uploads else None,
    )


def next_step(replacement: Replacement, poll: int) -> str:
    """Say what to do about a replacement in its stage."""
    if replacement.stage is Stage.DONE:
        return _done_step(replacement)
    if replacement.stage is Stage.RESTORED:
        return "Tell the user failure_reason, and that the old list is stored again. Ask anew if they still want it."
    if replacement.error is not None and replacement.stage is not Stage.RESTORING:
        return f"Tell the user. {replacement.error['next_step']}"
    return f"Call get_upload_job with this job_id after {poll} s, or with wait_seconds=45."


def _done_step(replacement: Replacement) -> str:
    proof = replacement.proof
    if proof is None:
        return "The new list is uploaded, but was not proved: compare get_recontact_overview with ids_sent."
    if proof.is_equal:
        return f"Replaced and proved: exactly the {proof.stored} new RSIDs are stored."
    return (
        f"Replaced, but the stored list differs from the new one: {proof.missing} RSIDs are missing and "
        f"{proof.extra} others are stored. Tell the user; differences_uri lists them, if they ask for IDs."
    )


async def _left(runtime: Runtime, replacement: Replacement) -> tuple[Eta, int]:
    """Estimate what is left, and in how many seconds to look."""
    if replacement.has_ended:
        return Eta(0, 0), 0
    pace = runtime.rules.pace
    estimate, elapsed = await time_of(runtime.ledger, replacement, now=runtime.clock.now(), pace=pace)
    return remaining(estimate, elapsed), poll_after(estimate, elapsed, pace=pace)
