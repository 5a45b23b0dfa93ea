"""From an intent to a job: write it down, hand it to the engine, wait for what the API said.

One wish is one intent, however often it is called: the ledger finds the earlier one, and what became of it is answered.
"""

import logging
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Protocol

from recontact_tools.capping import cap_reached, check_left_today
from recontact_tools.comparing import check_room
from recontact_tools.conflicts import check_no_job_runs, in_the_way, with_running_job
from recontact_tools.errors import (
    AnswerAwaited,
    Detail,
    ErrorCode,
    JobRunning,
    RecontactError,
    Unreachable,
)
from recontact_tools.handles import GETTER, HandleFields, is_preparing
from recontact_tools.identifiers import RespondentFile
from recontact_tools.ledger import (
    ActiveIntent,
    ActiveReplacement,
    CapReached,
    Intent,
    IntentState,
    KeyTaken,
    Spending,
    TicketUsed,
)
from recontact_tools.ledger.usage import an_upload
from recontact_tools.lost_jobs import look_again
from recontact_tools.models import IdType
from recontact_tools.revived import revived
from recontact_tools.runtime import Runtime
from recontact_tools.staged import ticket_not_valid
from recontact_tools.wishes import asked_before, key_conflict

logger = logging.getLogger(__name__)


class Withdraw(Protocol):
    """Take work back and say why; False once somebody is at it."""

    async def __call__(self, error: dict[str, Detail], *, now: datetime) -> bool:
        """Take it back."""
        ...


# ours: a host gives a call up after about 60 s; the intent goes on without its caller.
ANSWER_WAITED_FOR_SECONDS = 45.0
# ours: the snapshot of 100,000 IDs of the embedded service takes a few seconds; at Cint the caller comes back.
PREPARING_WAITED_FOR_SECONDS = 15.0
_WAITING = frozenset({IntentState.PLANNED, IntentState.SENDING})


async def repeated(runtime: Runtime, intent: Intent) -> Intent | None:
    """Return the earlier intent that a planned one repeats, as its job stands; None when it repeats none.

    Raises:
        InvalidInput: Its idempotency key stands for something else.
        RecontactError: What `start` raised, or would have raised, for the earlier one.
    """
    earlier = await asked_before(runtime, intent)
    return None if earlier is None else await _outcome(runtime, earlier)


async def resumed(runtime: Runtime, intent_id: str) -> Intent:
    """Return an intent that an earlier call wrote down, as its job stands.

    Raises:
        RecontactError: What `start` raised, or would have raised, for it.
    """
    intent = await runtime.ledger.get(intent_id)
    if intent is None:
        raise AssertionError("only what was written down is resumed")
    return await _outcome(runtime, intent)


async def start_upload(
    runtime: Runtime, wanted: Intent, file: RespondentFile, *, id_type: IdType, spending: Spending | None = None
) -> Intent:
    """Start the upload of a list that fits where no job runs, or return the earlier intent that *wanted* repeats.

    *spending* is the ticket of the staged file that it is from.

    Raises:
        InvalidInput: It does not fit, or its idempotency key stands for something else.
        NotAllowed: It would be more than the day allows.
        JobRunning: A job runs on this target group.
        RecontactError: As `start`.
    """
    earlier = await repeated(runtime, wanted)
    if earlier is not None:
        return earlier
    await check_left_today(runtime, an_upload(file.ids))
    await check_no_job_runs(runtime, wanted.group)
    counted = await runtime.gateway.get_overview(wanted.group)
    stored = await check_room(runtime, wanted.group, file, id_type=id_type, stored=counted)
    return await start(runtime, replace(wanted, stored_before=stored), file.content, spending=spending)


async def start(runtime: Runtime, intent: Intent, payload: bytes | None, *, spending: Spending | None = None) -> Intent:
    """Start one job for *intent* and return it as the API accepted it, or the earlier intent that it repeats.

    Raises:
        InvalidInput: Its idempotency key stands for something else, or another call used its ticket.
        JobRunning: A job runs on this target group; the database decided, so two calls at once cannot both pass.
        Refused: The API refused it; nothing changed.
        Unreachable: No connection was made; nothing changed.
        OutcomeUnknown: It was sent and the answer is lost.
        AnswerAwaited: It was handed over and the answer is not here yet.
    """
    now = runtime.clock.now()
    try:
        planned = replace(intent, created_at=now, updated_at=now)
        opened = await runtime.ledger.open_intent(planned, payload=payload, spending=spending, caps=runtime.rules.caps)
    except CapReached as reached:
        raise cap_reached(reached, runtime.rules.policy, now) from None
    except KeyTaken as taken:
        raise key_conflict(taken.intent) from None
    except TicketUsed:
        raise ticket_not_valid() from None
    except (ActiveIntent, ActiveReplacement) as other:
        raise in_the_way(runtime, intent.group, other) from None
    return await _outcome(runtime, opened)


async def _outcome(runtime: Runtime, intent: Intent) -> Intent:
    """Return an intent once the API has accepted it, or raise what came of it instead."""
    if intent.state is IntentState.UNKNOWN:
        # What is found here is followed by the engine, which watches for unsettled intents.
        intent = await look_again(runtime.gateway, runtime.ledger, intent, now=runtime.clock.now())
    if intent.state in _WAITING:
        await submit(runtime, intent.intent_id, partial(runtime.ledger.withdraw, intent.intent_id))
        intent = await _answered(runtime, intent)
    if intent.error is None:
        return intent
    error = revived(intent.error)
    if isinstance(error, JobRunning):
        error = await with_running_job(runtime, intent.group, error)
    raise error


async def submit(runtime: Runtime, work_id: str, withdraw: Withdraw) -> None:
    """Hand work to the engine; where that fails it is taken back, unless somebody is at it already.

    Raises:
        Unreachable: The engine cannot be used; nothing was sent, and nothing will be.
    """
    try:
        await runtime.engine.submit(work_id)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the engine, nothing was handed over to it
        failure = error if isinstance(error, RecontactError) else _engine_unusable()
        if not await withdraw(failure.as_dict(), now=runtime.clock.now()):
            return
        logger.error("The durable engine cannot be used: %s", type(error).__name__)  # noqa: TRY400 - no paths
        raise failure from None


def _engine_unusable() -> Unreachable:
    return Unreachable(
        "The server's durable engine cannot be used; nothing was sent.",
        code=ErrorCode.UNAVAILABLE,
        next_step="Tell the user to run `recontact-mcp doctor` and to look at the server's log. Then repeat.",
    )


def told_again(fields: HandleFields, *, staged: bool = False) -> HandleFields:
    """Return a handle with the words for a call that repeated an earlier one, and whose file is *staged* and used."""
    again = "An earlier call with the same arguments started this job; this one sent nothing."
    anyway = (
        "To send it once more, stage the file again." if staged else "To send it once more, pass a new idempotency_key."
    )
    return {**fields, "next_step": f"{again} {fields['next_step']} {anyway}"}


async def _answered(runtime: Runtime, intent: Intent) -> Intent:
    waited, delay = 0.0, 0.001
    while waited < ANSWER_WAITED_FOR_SECONDS:
        await runtime.clock.sleep(delay)
        current = await runtime.ledger.get(intent.intent_id)
        if current is not None and (current.state not in _WAITING or is_prepared_long(current, waited)):
            return current
        waited, delay = waited + delay, min(delay * 1.5, 0.25)
    raise awaited(intent)


def is_prepared_long(intent: Intent, waited: float) -> bool:
    """Tell whether a removal is still being prepared: its snapshot takes minutes where many IDs are stored."""
    return is_preparing(intent) and waited >= PREPARING_WAITED_FOR_SECONDS


def awaited(intent: Intent) -> AnswerAwaited:
    """Say that the API's answer to an intent is still awaited."""
    return AnswerAwaited(
        "The request was handed over and the API's answer is still awaited or being looked for.",
        next_step=f"Call {GETTER[intent.kind]} with this job_id in a minute; do not start another job before.",
        details={"job_id": intent.intent_id, "kind": intent.kind.value},
    )
