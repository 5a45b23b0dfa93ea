"""Looking at a job that was started elsewhere; how it ended is remembered, and asked no more."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from recontact_tools.job_reads import read_job
from recontact_tools.ledger import JobKey
from recontact_tools.models import Job
from recontact_tools.runtime import Runtime
from recontact_tools.schedule import next_waiting_look
from recontact_tools.shared_looks import Look
from recontact_tools.uris import changed_uris


@dataclass(frozen=True, slots=True)
class Asked:
    """How a caller asks for a look: other than the one before, if any, after so many seconds of waiting."""

    after: Look | None = None
    waited: float = 0.0


def look_of(runtime: Runtime, job: Job, started: datetime | None, waited: float, *, stored: int | None = None) -> Look:
    """Return a look at *job* that is fresh until a caller who waits for it would look again."""
    now = runtime.clock.now()
    age = 0.0 if started is None else (now - started).total_seconds()
    fresh = next_waiting_look(max(age, waited, 0.0), pace=runtime.rules.pace)
    return Look(job, now + timedelta(seconds=fresh), stored)


async def look_elsewhere(runtime: Runtime, key: JobKey, asked: Asked) -> Look:
    """Look at a job that this ledger did not start, and tell whoever follows it when it has changed.

    Raises:
        NotFound: The API knows no such job on this target group.
    """

    async def look() -> Look:
        job = await read_job(runtime.gateway, key.group, key.kind, key.job_id)
        if await runtime.ledger.elsewhere.note(key, job):
            await runtime.publish(*changed_uris(key.group, key.kind, key.job_id))
        return look_of(runtime, job, job.created_at, asked.waited)

    known = await runtime.ledger.elsewhere.find(key)
    if known is not None and known.job is not None and known.job.is_finished:
        return Look(known.job, runtime.clock.now())
    return await runtime.looks.share(key, look, now=runtime.clock.now, after=asked.after)
