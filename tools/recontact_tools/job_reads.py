"""Read one job, whichever kind it is, and keep what was learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recontact_tools.ledger import Intent, IntentState
from recontact_tools.models import IdType, Job, JobKind, TargetGroup
from recontact_tools.uris import changed_uris, job_uri

if TYPE_CHECKING:
    from datetime import datetime

    from recontact_tools.gateway import Gateway
    from recontact_tools.ledger import Ledger


async def read_job(
    gateway: Gateway, group: TargetGroup, kind: JobKind, job_id: str, *, id_type: IdType | None = None
) -> Job:
    """Read a job by the API's id; *id_type* saves a second request for an upload of response ids."""
    if kind is JobKind.REMOVAL:
        return await gateway.get_removal_job(group, job_id)
    return await gateway.get_upload_job(group, job_id, id_type=id_type)


async def read_started(gateway: Gateway, ledger: Ledger, intent: Intent, *, now: datetime) -> Job:
    """Read the job of an intent that the API accepted; its end is written to the ledger."""
    job = await read_job(gateway, intent.group, intent.kind, intent.job_id or "", id_type=intent.id_type)
    if job.is_finished and intent.state is IntentState.STARTED:
        await ledger.mark_finished(intent.intent_id, job, now=now, settled_by="job")
    return job


def changed_by(intent: Intent) -> tuple[str, ...]:
    """Return what reads otherwise once the job of an intent has changed.

    Whoever watches a removal since its snapshot was taken knows it by the id that it had then.
    """
    changed = changed_uris(intent.group, intent.kind, intent.job_id or intent.intent_id)
    if intent.kind is JobKind.UPLOAD or intent.job_id is None:
        return changed
    return (*changed, job_uri(intent.group, intent.kind, intent.intent_id))
