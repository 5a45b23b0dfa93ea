"""The durable workflows: upload and removal, resumed by whichever process executes next."""

from dbos import DBOS

from recontact_tools import stages
from recontact_tools.desk import Desk
from recontact_tools.models import JobKind

# ours: every chat starts a server, so a job of hours may be resumed very often; it must not be given up.
RECOVERIES_AT_MOST = 1_000_000

# ours: every stage may be run again, and one that failed once a second until its disk, say, has room again is
# better than a target group that stays blocked by an intent nobody works on.
ATTEMPTS_AT_MOST = 1_000_000

UPLOAD = "upload"
REMOVE_ALL = "remove_all"
NAMES = {JobKind.UPLOAD: UPLOAD, JobKind.REMOVAL: REMOVE_ALL}

# DBOS finds workflows by name in one registry per process, so what they work with is bound there too.
_desks: list[Desk] = []


def bind(desk: Desk) -> None:
    """Give the workflows of this process the desk they work at."""
    _desks[:] = [desk]


@DBOS.step(name="send", retries_allowed=True, max_attempts=ATTEMPTS_AT_MOST, backoff_rate=1.0)
async def _send(intent_id: str) -> str:
    return await stages.send(_desks[0], intent_id)


@DBOS.step(name="settle", retries_allowed=True, max_attempts=ATTEMPTS_AT_MOST, backoff_rate=1.0)
async def _settle(intent_id: str) -> str:
    return await stages.settle(_desks[0], intent_id)


@DBOS.step(name="follow", retries_allowed=True, max_attempts=ATTEMPTS_AT_MOST, backoff_rate=1.0)
async def _follow(intent_id: str) -> None:
    await stages.follow(_desks[0], intent_id)


async def _run(intent_id: str) -> str:
    sent = await _send(intent_id)
    if sent == stages.Sent.LOST:
        sent = await _settle(intent_id)
    if sent == stages.Sent.STARTED:
        await _follow(intent_id)
    return sent


@DBOS.workflow(name=UPLOAD, max_recovery_attempts=RECOVERIES_AT_MOST)
async def upload(intent_id: str) -> str:
    """Send the file of an intent once, settle its outcome, follow its job to the end."""
    return await _run(intent_id)


@DBOS.workflow(name=REMOVE_ALL, max_recovery_attempts=RECOVERIES_AT_MOST)
async def remove_all(intent_id: str) -> str:
    """Ask for the removal of an intent once, settle its outcome, follow its job to the end."""
    return await _run(intent_id)


WORKFLOWS = {JobKind.UPLOAD: upload, JobKind.REMOVAL: remove_all}
