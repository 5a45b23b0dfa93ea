"""Where a job shows whose answer was lost, or which was lost sight of: read only, and the same whoever looks."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from recontact_tools.errors import InvalidInput, Refused, Unreachable
from recontact_tools.job_reads import read_job
from recontact_tools.ledger import ActiveIntent, IllegalTransition, Intent
from recontact_tools.models import Job, JobKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from recontact_tools.gateway import Gateway
    from recontact_tools.ledger import Ledger
    from recontact_tools.models import ListedJob

# ours: the list is newest first, so our job is near its head even after a long outage.
PAGES_LOOKED_AT = 5
# ours: the clocks of two machines may differ by this much without a job counting as an older one.
CLOCK_TOLERANCE = timedelta(hours=1)


async def job_named(gateway: Gateway, intent: Intent) -> str | None:
    """Return the id of the listed job that carries an upload's unique file name.

    Raises:
        FeatureMissing: The account or the API version has no list of jobs.
        RecontactError: What a read raises.
    """
    async for job in _listed(gateway, intent):
        if job.file_name == intent.file_name:
            return job.job_id
        if job.created_at is not None and job.created_at < intent.created_at - CLOCK_TOLERANCE:
            return None
    return None


async def _listed(gateway: Gateway, intent: Intent) -> AsyncIterator[ListedJob]:
    cursor = None
    for _ in range(PAGES_LOOKED_AT):
        page = await gateway.list_upload_jobs(intent.group, page_size=100, cursor=cursor)
        for job in page.jobs:
            yield job
        cursor = page.next_cursor
        if cursor is None:
            return


def emptied(intent: Intent, *, now: datetime) -> Job:
    """Return the job of a removal of which only its effect, an empty target group, is known."""
    return Job(intent.intent_id, "Completed", created_at=intent.created_at, completed_at=now)


async def look_again(gateway: Gateway, ledger: Ledger, intent: Intent, *, now: datetime) -> Intent:
    """Look once more for the job of an intent whose outcome is unknown; return the intent as it stands after that.

    What is found is adopted: the intent is started, or finished. A look that fails tells nothing, and changes nothing.
    """
    # The last two: somebody else settled it meanwhile, or another job of ours runs and this one cannot run beside it.
    with suppress(Refused, Unreachable, InvalidInput, IllegalTransition, ActiveIntent):
        if intent.kind is JobKind.REMOVAL and intent.job_id is None:
            await _adopt_if_emptied(gateway, ledger, intent, now=now)
        else:
            await _adopt_if_shown(gateway, ledger, intent, now=now)
    return await ledger.get(intent.intent_id) or intent


async def _adopt_if_shown(gateway: Gateway, ledger: Ledger, intent: Intent, *, now: datetime) -> None:
    job_id = intent.job_id or await job_named(gateway, intent)
    if job_id is None:
        return
    job = await _readable(gateway, intent, job_id)
    if job is not None and job.is_finished:
        await ledger.mark_finished(intent.intent_id, job, now=now, settled_by="job")
    elif job is not None or intent.job_id is None:  # listed under our name: it is there, whatever a read of it says
        await ledger.mark_started(intent.intent_id, job_id=job_id, now=now, found=True)


async def _readable(gateway: Gateway, intent: Intent, job_id: str) -> Job | None:
    with suppress(Refused, Unreachable):
        return await read_job(gateway, intent.group, intent.kind, job_id, id_type=intent.id_type)
    return None


async def _adopt_if_emptied(gateway: Gateway, ledger: Ledger, intent: Intent, *, now: datetime) -> None:
    # A later job of ours may be what emptied the target group.
    if await gateway.get_overview(intent.group) == 0 and not await ledger.changed_since(intent.intent_id):
        await ledger.mark_finished(intent.intent_id, emptied(intent, now=now), now=now, settled_by="overview")
