"""What any ledger does with intents."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import anyio
import pytest

from recontact_tools.ledger import (
    ACTIVE_STATES,
    ActiveIntent,
    IllegalTransition,
    Intent,
    IntentIdTaken,
    IntentState,
    Ledger,
    UnknownIntent,
)
from recontact_tools.models import Job, JobKind, TargetGroup

pytestmark = pytest.mark.anyio
PAYLOAD = b"0b7f7e0c-7a3e-4b62-9c57-0f6a2f4f8f10\n"
Upload = Callable[..., Intent]


async def test_an_intent_comes_back_as_it_was_written(ledger: Ledger, upload: Upload) -> None:
    await ledger.open_intent(upload(), payload=PAYLOAD)
    assert await ledger.get("INTENT1") == upload()
    assert await ledger.payload("INTENT1") == PAYLOAD


async def test_an_intent_that_was_never_written_is_not_found(ledger: Ledger, group: TargetGroup) -> None:
    assert await ledger.get("NONE") is None
    assert await ledger.active(group) is None
    assert await ledger.find_job(JobKind.UPLOAD, "NONE", group) is None
    assert await ledger.unsettled() == ()
    with pytest.raises(UnknownIntent):
        await ledger.payload("NONE")


async def test_the_latest_of_a_principal_are_found_among_the_latest_of_all(
    ledger: Ledger, upload: Upload, group: TargetGroup
) -> None:
    for number, who in enumerate(("ann", "bob", "ann"), start=1):
        place = replace(group, target_group_id=f"G{number}")
        await ledger.open_intent(upload(f"INTENT{number}", principal=who, group=place), payload=PAYLOAD)

    async def recent(limit: int = 9) -> list[str]:
        return [one.intent_id for one in await ledger.recent(principal="ann", limit=limit)]

    assert (await recent(), await recent(1)) == (["INTENT3", "INTENT1"], ["INTENT3"])
    assert await ledger.recent("G2", principal="ann", limit=9) == ()


async def test_times_come_back_as_the_same_instants(ledger: Ledger, upload: Upload, now: datetime) -> None:
    elsewhere = now.astimezone(timezone(timedelta(hours=5, minutes=30)))
    await ledger.open_intent(upload(created_at=elsewhere), payload=None)
    intent = await ledger.get("INTENT1")
    assert intent is not None
    assert intent.created_at == now
    assert intent.created_at.tzinfo is not None


async def test_a_naive_time_is_refused(ledger: Ledger, upload: Upload, now: datetime) -> None:
    with pytest.raises(ValueError, match="aware"):
        await ledger.open_intent(upload(created_at=now.replace(tzinfo=None)), payload=None)


async def test_only_a_planned_intent_is_opened(ledger: Ledger, upload: Upload) -> None:
    with pytest.raises(ValueError, match="before anything"):
        await ledger.open_intent(upload(state=IntentState.STARTED), payload=None)


async def test_a_second_active_intent_is_refused_with_the_first(ledger: Ledger, upload: Upload) -> None:
    await ledger.open_intent(upload(), payload=PAYLOAD)
    with pytest.raises(ActiveIntent) as refused:
        await ledger.open_intent(upload("INTENT2"), payload=PAYLOAD)
    assert refused.value.intent == upload()
    assert refused.value.intent.state in ACTIVE_STATES
    assert await ledger.get("INTENT2") is None
    with pytest.raises(UnknownIntent):
        await ledger.payload("INTENT2")


async def test_other_target_groups_are_not_kept_waiting(ledger: Ledger, upload: Upload, group: TargetGroup) -> None:
    await ledger.open_intent(upload(), payload=None)
    for number, other in enumerate(
        (replace(group, account_id=102), replace(group, project_id="P"), replace(group, target_group_id="T"))
    ):
        await ledger.open_intent(upload(f"OTHER{number}", group=other), payload=None)
    assert [intent.intent_id for intent in await ledger.unsettled()] == ["INTENT1", "OTHER0", "OTHER1", "OTHER2"]


async def test_opening_the_same_intent_again_changes_nothing(ledger: Ledger, upload: Upload, now: datetime) -> None:
    await ledger.open_intent(upload(), payload=PAYLOAD)
    await ledger.mark_sending("INTENT1", now=now)
    await ledger.open_intent(upload(), payload=b"other")
    assert await ledger.payload("INTENT1") == PAYLOAD
    assert (await state(ledger)) is IntentState.SENDING


async def test_an_id_names_one_intent_only(ledger: Ledger, upload: Upload) -> None:
    await ledger.open_intent(upload(), payload=None)
    with pytest.raises(IntentIdTaken):
        await ledger.open_intent(upload(principal="bob"), payload=None)


async def test_an_intent_may_be_sent_exactly_once(ledger: Ledger, upload: Upload, now: datetime) -> None:
    await ledger.open_intent(upload(), payload=PAYLOAD)
    assert [await ledger.mark_sending("INTENT1", now=now) for _ in range(3)] == [True, False, False]
    with pytest.raises(UnknownIntent):
        await ledger.mark_sending("NONE", now=now)


@pytest.mark.parametrize("outcome", [IntentState.REFUSED, IntentState.UNKNOWN])
async def test_what_did_not_start_says_why_and_frees_the_target_group(
    ledger: Ledger, upload: Upload, now: datetime, outcome: IntentState
) -> None:
    await ledger.open_intent(upload(), payload=PAYLOAD)
    await ledger.mark_sending("INTENT1", now=now)
    mark = ledger.mark_refused if outcome is IntentState.REFUSED else ledger.mark_unknown
    await mark("INTENT1", {"code": "X", "details": [1, None]}, now=now)
    await mark("INTENT1", {"code": "later"}, now=now)
    assert await ledger.get("INTENT1") == upload(state=outcome, error={"code": "X", "details": [1, None]})
    with pytest.raises(UnknownIntent):
        await ledger.payload("INTENT1")
    await ledger.open_intent(upload("INTENT2"), payload=PAYLOAD)


async def test_a_lost_removal_may_be_settled_by_the_overview(ledger: Ledger, upload: Upload, now: datetime) -> None:
    removal = upload(kind=JobKind.REMOVAL, id_type=None, file_name=None, plan_id="PLAN1")
    await ledger.open_intent(removal, payload=None)
    await ledger.mark_sending("INTENT1", now=now)
    done = Job("INTENT1", "Completed")
    await ledger.mark_finished("INTENT1", done, now=now, settled_by="overview")
    assert await ledger.get("INTENT1") == replace(removal, state=IntentState.FINISHED, job=done, settled_by="overview")


async def test_a_lost_intent_that_is_found_later_must_not_run_beside_another(
    ledger: Ledger, upload: Upload, now: datetime
) -> None:
    await ledger.open_intent(upload(), payload=None)
    await ledger.mark_sending("INTENT1", now=now)
    await ledger.mark_unknown("INTENT1", {}, now=now)
    await ledger.open_intent(upload("INTENT2"), payload=None)
    with pytest.raises(ActiveIntent):
        await ledger.mark_started("INTENT1", job_id="JOB1", now=now)
    await ledger.mark_refused("INTENT2", {}, now=now)
    await ledger.mark_started("INTENT1", job_id="JOB1", now=now)
    intent = await ledger.get("INTENT1")
    assert intent is not None
    assert (intent.state, intent.job_id, intent.error) == (IntentState.STARTED, "JOB1", None)
    assert intent.adoptions == 1


async def test_an_illegal_move_is_refused_and_changes_nothing(ledger: Ledger, upload: Upload, now: datetime) -> None:
    await ledger.open_intent(upload(), payload=PAYLOAD)
    with pytest.raises(IllegalTransition, match="planned cannot become started"):
        await ledger.mark_started("INTENT1", job_id="JOB1", now=now)
    with pytest.raises(UnknownIntent):
        await ledger.mark_refused("NONE", {}, now=now)
    assert await ledger.get("INTENT1") == upload()
    assert await ledger.payload("INTENT1") == PAYLOAD


async def test_many_callers_of_one_ledger_get_one_intent(ledger: Ledger, upload: Upload) -> None:
    won: list[str] = []

    async def ask(intent_id: str) -> None:
        try:
            await ledger.open_intent(upload(intent_id), payload=PAYLOAD)
        except ActiveIntent:
            return
        won.append(intent_id)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(ask, f"INTENT{number}")
    assert [intent.intent_id for intent in await ledger.unsettled()] == won


async def state(ledger: Ledger) -> IntentState:
    intent = await ledger.get("INTENT1")
    assert intent is not None
    return intent.state
