"""Replace every stored respondent ID of a target group by others, once a person has agreed."""

# What the call says besides is read where it is resolved, once for the question and the deed.
# ruff: noqa: ARG001

from dataclasses import replace

from recontact_tools.agreeing import agreed
from recontact_tools.injected import (
    AccountId,
    IdempotencyKey,
    Injected,
    InjectedReplacement,
    InjectedReplacementConfirmation,
    ProjectId,
    TargetGroupId,
    answer_of,
)
from recontact_tools.ledger import Replacement
from recontact_tools.plans import NewList
from recontact_tools.reading_source import (
    SourceColumn,
    SourceIds,
    SourceIdType,
    SourcePath,
    SourceTicket,
    source_fields,
    used_up,
)
from recontact_tools.replacement_reports import replacement_handle, state_of
from recontact_tools.results import ReplacementStarted
from recontact_tools.runtime import Runtime
from recontact_tools.staged import Source
from recontact_tools.starting import told_again
from recontact_tools.starting_replacements import start_replacement


async def replace_recontacts(
    runtime: Injected,
    wished: InjectedReplacement,
    confirmation: InjectedReplacementConfirmation,
    target_group_id: TargetGroupId,
    path: SourcePath = None,
    ticket: SourceTicket = None,
    ids: SourceIds = None,
    id_type: SourceIdType = "RSID",
    column: SourceColumn = None,
    idempotency_key: IdempotencyKey = None,
    project_id: ProjectId = None,
    account_id: AccountId = None,
) -> ReplacementStarted:
    """Replace ALL stored respondent IDs of a target group by those given: snapshot, removal, upload, proof.

    Give a file or ids. The server itself asks the user, who must type a phrase. It goes on through restarts;
    if the new IDs cannot be uploaded, it puts the old ones back. Follow it with get_upload_job.
    """
    wanted, source = wished.replacement, wished.source
    replacement = wished.earlier
    if replacement is None:
        new = NewList(wanted.ids, wanted.fingerprint)
        plan = await agreed(runtime, wanted.group, answer_of(confirmation), new)
        now = runtime.clock.now()
        confirmed = replace(wanted, stored_before=plan.count, plan_id=plan.plan_id, created_at=now, updated_at=now)
        replacement = await start_replacement(runtime, confirmed, source.file, spending=source.spending)
        await used_up(runtime, source)
    is_repeat = wished.earlier is not None or replacement.replacement_id != wanted.replacement_id
    return await _started(runtime, replacement, source, is_repeat=is_repeat)


async def _started(
    runtime: Runtime, replacement: Replacement, source: Source, *, is_repeat: bool
) -> ReplacementStarted:
    fields = await replacement_handle(runtime, replacement)
    parts = await runtime.ledger.replacements.parts(replacement.replacement_id)
    return ReplacementStarted(
        **(told_again(fields, staged=source.used_by is not None) if is_repeat else fields),
        repeated=is_repeat,
        replacement=state_of(replacement, parts),
        **source_fields(source.file),
    )
