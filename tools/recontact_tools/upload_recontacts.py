"""Upload respondent IDs, so that these respondents may enter the target group's survey again."""

from recontact_tools.handles import handle, job_of
from recontact_tools.injected import AccountId, IdempotencyKey, Injected, ProjectId, TargetGroupId
from recontact_tools.ledger import Intent
from recontact_tools.locating import locate
from recontact_tools.models import IdType, JobKind
from recontact_tools.policy import check_write
from recontact_tools.reading_source import (
    Given,
    SourceColumn,
    SourceIds,
    SourceIdType,
    SourcePath,
    SourceTicket,
    read_source,
    source_fields,
    used_up,
)
from recontact_tools.results import UploadStarted
from recontact_tools.runtime import Runtime
from recontact_tools.staged import Source
from recontact_tools.starting import resumed, start_upload, told_again
from recontact_tools.wishes import planned


async def upload_recontacts(
    runtime: Injected,
    target_group_id: TargetGroupId,
    path: SourcePath = None,
    ticket: SourceTicket = None,
    ids: SourceIds = None,
    id_type: SourceIdType = "RSID",
    column: SourceColumn = None,
    idempotency_key: IdempotencyKey = None,
    project_id: ProjectId = None,
    account_id: AccountId = None,
) -> UploadStarted:
    """Add respondent IDs to a target group's recontacts; starts a job and returns at once.

    Give a file or ids. IDs are added to those stored; at most 100,000 in all. The file is cleaned first
    (header, duplicates, blank or malformed lines) and the answer counts what was dropped: tell the user.
    Prefer a file: it keeps personal data out of the chat. Follow the job with get_upload_job. Repeating a call
    soon is safe: it answers the same job (repeated).
    """
    group = await locate(runtime, target_group_id, project_id, account_id)
    check_write(runtime.rules.policy, group)
    kind = IdType(id_type)
    given = Given("upload", path, ids, ticket, kind, column, idempotency_key)
    source = await read_source(runtime, group, given)
    if source.used_by is not None:
        return await _started(runtime, await resumed(runtime, source.used_by), source, is_repeat=True)
    file = source.file
    wanted = await planned(
        runtime, JobKind.UPLOAD, group, ids=file.ids, id_type=kind, content=file.content, key=idempotency_key
    )
    intent = await start_upload(runtime, wanted, file, id_type=kind, spending=source.spending)
    await used_up(runtime, source)
    return await _started(runtime, intent, source, is_repeat=intent.intent_id != wanted.intent_id)


async def _started(runtime: Runtime, intent: Intent, source: Source, *, is_repeat: bool) -> UploadStarted:
    file = source.file
    fields = await handle(
        runtime, intent.group, JobKind.UPLOAD, job=job_of(intent), ids=file.ids, started=intent.created_at
    )
    return UploadStarted(
        **(told_again(fields, staged=source.used_by is not None) if is_repeat else fields),
        repeated=is_repeat,
        ids_sent=file.ids,
        stored_before=intent.stored_before or 0,
        file_name=intent.file_name or "",
        **source_fields(file),
    )
