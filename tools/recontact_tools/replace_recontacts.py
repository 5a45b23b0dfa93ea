"""Replace every stored respondent ID of a target group by others, once a person has agreed."""

from dataclasses import replace

from recontact_tools.agreeing import agreed
from recontact_tools.identifiers import RespondentFile
from recontact_tools.injected import (
    AccountId,
    IdempotencyKey,
    Injected,
    InjectedReplacementConfirmation,
    ProjectId,
    TargetGroupId,
    answer_of,
)
from recontact_tools.ledger import Replacement
from recontact_tools.locating import locate
from recontact_tools.models import IdType
from recontact_tools.plans import NewList
from recontact_tools.policy import check_write
from recontact_tools.reading_source import SourceColumn, SourceIds, SourceIdType, SourcePath, read_source, source_fields
from recontact_tools.replacement_reports import replacement_handle, state_of
from recontact_tools.results import ReplacementStarted
from recontact_tools.runtime import Runtime
from recontact_tools.starting import told_again
from recontact_tools.starting_replacements import start_replacement
from recontact_tools.wishes import replaced_before, replacement_wished


async def replace_recontacts(
    runtime: Injected,
    confirmation: InjectedReplacementConfirmation,
    target_group_id: TargetGroupId,
    path: SourcePath = None,
    ids: SourceIds = None,
    id_type: SourceIdType = "RSID",
    column: SourceColumn = None,
    idempotency_key: IdempotencyKey = None,
    project_id: ProjectId = None,
    account_id: AccountId = None,
) -> ReplacementStarted:
    """Replace ALL stored respondent IDs of a target group by those given: snapshot, removal, upload, proof.

    Give either path or ids. The server itself asks the user, who must type a phrase. It goes on through restarts;
    if the new IDs cannot be uploaded, it puts the old ones back. Follow it with get_upload_job.
    """
    group = await locate(runtime, target_group_id, project_id, account_id)
    check_write(runtime.rules.policy, group)
    file = await read_source(runtime, path, ids, column=column, id_type=IdType(id_type))
    wanted = await replacement_wished(runtime, group, file, IdType(id_type), key=idempotency_key)
    replacement = await replaced_before(runtime, wanted)
    if replacement is None:
        plan = await agreed(runtime, group, answer_of(confirmation), NewList(wanted.ids, wanted.fingerprint))
        now = runtime.clock.now()
        confirmed = replace(wanted, stored_before=plan.count, plan_id=plan.plan_id, created_at=now, updated_at=now)
        replacement = await start_replacement(runtime, confirmed, file)
    is_repeat = replacement.replacement_id != wanted.replacement_id
    return await _started(runtime, replacement, file, is_repeat=is_repeat)


async def _started(
    runtime: Runtime, replacement: Replacement, file: RespondentFile, *, is_repeat: bool
) -> ReplacementStarted:
    fields = await replacement_handle(runtime, replacement)
    parts = await runtime.ledger.replacements.parts(replacement.replacement_id)
    return ReplacementStarted(
        **(told_again(fields) if is_repeat else fields),
        repeated=is_repeat,
        replacement=state_of(replacement, parts),
        **source_fields(file),
    )
