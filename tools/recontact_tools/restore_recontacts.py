"""Upload a kept list again: what was stored before a removal, or what an earlier upload sent."""

from recontact_tools.handles import handle, job_of
from recontact_tools.injected import AccountId, IdempotencyKey, Injected, ProjectId, TargetGroupId
from recontact_tools.ledger import Intent
from recontact_tools.locating import locate
from recontact_tools.models import JobKind
from recontact_tools.policy import check_write
from recontact_tools.restoring import KeptList, SourceSnapshot, SourceUpload, kept_list_of
from recontact_tools.results import RestoreStarted
from recontact_tools.runtime import Runtime
from recontact_tools.starting import start_upload, told_again
from recontact_tools.wishes import planned


async def restore_recontacts(
    runtime: Injected,
    target_group_id: TargetGroupId,
    snapshot_id: SourceSnapshot = None,
    upload_job_id: SourceUpload = None,
    idempotency_key: IdempotencyKey = None,
    project_id: ProjectId = None,
    account_id: AccountId = None,
) -> RestoreStarted:
    """Undo a removal: upload the snapshot that was taken before it, then prove that exactly it is stored.

    Without snapshot_id the latest is taken. preview_upload with its id says first what this would do. It
    adds: what is stored meanwhile stays, and the proof says so. Follow the job with get_upload_job.
    """
    group = await locate(runtime, target_group_id, project_id, account_id)
    check_write(runtime.rules.policy, group)
    kept = await kept_list_of(runtime, group, snapshot_id=snapshot_id, upload_job_id=upload_job_id)
    wanted = await planned(
        runtime,
        JobKind.UPLOAD,
        group,
        ids=kept.file.ids,
        id_type=kept.id_type,
        content=kept.file.content,
        key=idempotency_key,
        restores=kept.source,
    )
    intent = await start_upload(runtime, wanted, kept.file, id_type=kept.id_type)
    return await _started(runtime, intent, kept, is_repeat=intent.intent_id != wanted.intent_id)


async def _started(runtime: Runtime, intent: Intent, kept: KeptList, *, is_repeat: bool) -> RestoreStarted:
    fields = await handle(
        runtime, intent.group, JobKind.UPLOAD, job=job_of(intent), ids=kept.file.ids, started=intent.created_at
    )
    return RestoreStarted(
        **(told_again(fields) if is_repeat else fields),
        repeated=is_repeat,
        restores=kept.source,
        ids_sent=kept.file.ids,
        stored_before=intent.stored_before or 0,
        file_name=intent.file_name or "",
    )
