"""Say what an upload would do before it is started: a wrong file costs hours."""

from dataclasses import dataclass
from typing import Literal

import anyio

from recontact_tools.comparing import COMPARE_SECONDS, RIDS_NOT_COMPARABLE, count_new, stored_ids
from recontact_tools.conflicts import COURTESY_SECONDS, check_no_job_runs
from recontact_tools.errors import (
    FeatureMissing,
    InvalidInput,
    JobRunning,
    NotAllowed,
    OutcomeUnknown,
    RecontactError,
    Refused,
    Unreachable,
)
from recontact_tools.forecast import RID_HINT, Forecast, Overlap, next_step, refusal
from recontact_tools.identifiers import RespondentFile
from recontact_tools.injected import AccountId, Injected, ProjectId, TargetGroupId
from recontact_tools.ledger import Intent, IntentState
from recontact_tools.locating import locate
from recontact_tools.models import IdType, JobKind, TargetGroup
from recontact_tools.policy import check_read, check_write
from recontact_tools.rates import estimated
from recontact_tools.reading_source import Given, read_source, source_fields
from recontact_tools.restoring import kept_list_of
from recontact_tools.results import CountRange, EtaSeconds, UploadPreview
from recontact_tools.runtime import Runtime
from recontact_tools.schedule import Eta
from recontact_tools.versions import Feature
from recontact_tools.wishes import planned


async def preview_upload(
    runtime: Injected,
    target_group_id: TargetGroupId,
    path: str | None = None,
    ticket: str | None = None,
    ids: list[str] | None = None,
    id_type: Literal["RSID", "RID"] = "RSID",
    column: str | None = None,
    snapshot_id: str | None = None,
    upload_job_id: str | None = None,
    project_id: ProjectId = None,
    account_id: AccountId = None,
) -> UploadPreview:
    """Say what upload_recontacts (or restore_recontacts) would do with the same arguments; sends nothing. Call first.

    Counts new, already stored and dropped IDs, the room and the time. refusal is the error that an upload would
    end with now.
    """
    begun = runtime.clock.now()
    group = await locate(runtime, target_group_id, project_id, account_id)
    check_read(runtime.rules.policy, group)
    kind, restores = IdType(id_type), None
    if snapshot_id or upload_job_id:
        _check_nothing_else(path or ticket, ids)
        kept = await kept_list_of(runtime, group, snapshot_id=snapshot_id, upload_job_id=upload_job_id)
        kind, file, restores = kept.id_type, kept.file, kept.source
    else:
        # A staged file stays; and no preview ever used one up, so the wish of this one is never that of a used ticket.
        file = (await read_source(runtime, group, Given("preview", path, ids, ticket, kind, column))).file
    standing = await _standing(runtime, group, file, kind, restores)
    stored = await runtime.gateway.get_overview(group)
    seconds = COMPARE_SECONDS - (runtime.clock.now() - begun).total_seconds()
    overlap = _not_looked_for(kind, standing) or await _overlap(runtime, group, file, stored, seconds=seconds)
    jobs = {JobKind.UPLOAD: file.ids}
    estimate = await estimated(runtime.ledger, jobs, group.account_id, pace=runtime.rules.pace)
    return _preview(file, Forecast(file.ids, stored, kind, overlap), standing, estimate)


def _check_nothing_else(file: str | None, ids: list[str] | None) -> None:
    """Refuse numbers for one list where another one was meant as well.

    Raises:
        InvalidInput: There is a file or a list beside what is to be restored.
    """
    if file or ids:
        raise InvalidInput(
            "A list to restore and other IDs were given; nothing was sent.",
            next_step="Repeat the call with one of them.",
            safe_to_repeat=True,
        )


@dataclass(frozen=True, slots=True)
class _Standing:
    """What an upload would meet apart from its numbers.

    The rule that forbids it, the same upload whose outcome nobody knows, the job that runs,
    the id of the job that an earlier call for the same upload started, the tool that would upload, and the operation
    that the account lacks.
    """

    denied: NotAllowed | None
    lost: OutcomeUnknown | None
    running: JobRunning | None
    again: str | None
    tool: str
    lacking: FeatureMissing | None

    @property
    def job_id(self) -> str | None:
        """Return the job to look at first."""
        return self.again or (str(self.running.details["job_id"]) if self.running else None)


async def _standing(
    runtime: Runtime, group: TargetGroup, file: RespondentFile, kind: IdType, restores: str | None
) -> _Standing:
    wanted = await planned(
        runtime, JobKind.UPLOAD, group, ids=file.ids, id_type=kind, content=file.content, restores=restores
    )
    earlier = await runtime.ledger.standing(wanted)
    lost = _lost(earlier) if earlier and earlier.state is IntentState.UNKNOWN else None
    again = (earlier.job_id or earlier.intent_id) if earlier else None
    tool = "restore_recontacts" if restores else "upload_recontacts"
    running = await _running(runtime, group)
    return _Standing(_denied(runtime, group), lost, running, again, tool, await _lacking(runtime, group, kind))


def _lost(earlier: Intent) -> OutcomeUnknown:
    """Return what an upload of the same would answer, unless it finds by then what became of the earlier one."""
    told = earlier.error or {}
    return OutcomeUnknown(str(told.get("message", "")), next_step=str(told.get("next_step", "")))


async def _running(runtime: Runtime, group: TargetGroup) -> JobRunning | None:
    try:
        await check_no_job_runs(runtime, group)
    except JobRunning as running:
        return running
    return None


async def _lacking(runtime: Runtime, group: TargetGroup, kind: IdType) -> FeatureMissing | None:
    """Look whether the account has the upload of RIDs; None as well when the API does not say so soon."""
    if kind is IdType.RID:
        try:
            with anyio.move_on_after(COURTESY_SECONDS):
                await runtime.gateway.check_feature(group, Feature.RID_UPLOAD)
        except FeatureMissing as missing:
            return missing
        except (Refused, Unreachable):  # the upload itself will say
            return None
    return None


def _denied(runtime: Runtime, group: TargetGroup) -> NotAllowed | None:
    try:
        check_write(runtime.rules.policy, group)
    except NotAllowed as denied:
        return denied
    return None


def _not_looked_for(kind: IdType, standing: _Standing) -> Overlap | None:
    if kind is IdType.RID:
        return Overlap(None, RIDS_NOT_COMPARABLE)
    if standing.running is not None:
        return Overlap(None, "A job runs on this target group, so what is stored may be changing.")
    return None


async def _overlap(
    runtime: Runtime, group: TargetGroup, file: RespondentFile, stored: int, *, seconds: float
) -> Overlap:
    try:
        return Overlap(count_new(file, await stored_ids(runtime, group, stored, seconds=seconds)))
    except RecontactError as obstacle:  # the rest of the preview is worth having without it
        return Overlap(None, obstacle.message)


def _preview(file: RespondentFile, forecast: Forecast, standing: _Standing, estimate: Eta) -> UploadPreview:
    low, high = forecast.predicted
    refused = refusal(forecast, standing.denied, standing.lost, standing.running, lacking=standing.lacking)
    if standing.again is not None and standing.denied is None and standing.lost is None:
        refused = None
    source = source_fields(file)
    if forecast.id_type is IdType.RID:
        source["hints"].append(RID_HINT)
    return UploadPreview(
        ids_to_send=forecast.ids,
        stored_now=forecast.stored,
        already_stored=forecast.already_stored,
        new=forecast.overlap.new,
        room_left=forecast.room_left,
        over_capacity=forecast.over_capacity,
        predicted_count=CountRange(low=low, high=high),
        eta_seconds=EtaSeconds(low=estimate.low, high=estimate.high),
        not_compared_because=forecast.overlap.unknown_because,
        refusal=refused.code.value if refused else None,
        job_id=standing.job_id,
        **source,
        next_step=next_step(forecast, refused, again=standing.again, tool=standing.tool),
    )
