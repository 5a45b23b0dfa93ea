"""The durable workflows: upload, removal and replacement, resumed by whichever process executes next."""

from dbos import DBOS

from recontact_tools import replacing, stages
from recontact_tools.desk import Desk
from recontact_tools.work import Workflow

# ours: every chat starts a server, so a job of hours may be resumed very often; it must not be given up.
RECOVERIES_AT_MOST = 1_000_000

# ours: every stage may be run again, and one that failed once a second until its disk, say, has room again is
# better than a target group that stays blocked by an intent nobody works on.
ATTEMPTS_AT_MOST = 1_000_000

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


@DBOS.step(name="prove", retries_allowed=True, max_attempts=ATTEMPTS_AT_MOST, backoff_rate=1.0)
async def _prove(intent_id: str) -> None:
    await stages.prove_restored(_desks[0], intent_id)


@DBOS.step(name="replace", retries_allowed=True, max_attempts=ATTEMPTS_AT_MOST, backoff_rate=1.0)
async def _replace(replacement_id: str) -> str:
    return await replacing.advance(_desks[0], replacement_id)


async def _run(intent_id: str) -> str:
    sent = await _send(intent_id)
    if sent == stages.Sent.LOST:
        sent = await _settle(intent_id)
    if sent == stages.Sent.STARTED:
        await _follow(intent_id)
        await _prove(intent_id)
    return sent


@DBOS.workflow(name=Workflow.UPLOAD.value, max_recovery_attempts=RECOVERIES_AT_MOST)
async def upload(work_id: str) -> str:
    """Send the file of an intent once, settle its outcome, follow its job to the end."""
    return await _run(work_id)


@DBOS.workflow(name=Workflow.REMOVE_ALL.value, max_recovery_attempts=RECOVERIES_AT_MOST)
async def remove_all(work_id: str) -> str:
    """Ask for the removal of an intent once, settle its outcome, follow its job to the end."""
    return await _run(work_id)


@DBOS.workflow(name=Workflow.REPLACE.value, max_recovery_attempts=RECOVERIES_AT_MOST)
async def replace_all(work_id: str) -> str:
    """Replace one list by another: what is left of it, until it ends."""
    return await _replace(work_id)


WORKFLOWS = {Workflow.UPLOAD: upload, Workflow.REMOVE_ALL: remove_all, Workflow.REPLACE: replace_all}
