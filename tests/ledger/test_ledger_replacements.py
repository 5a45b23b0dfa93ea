"""What any ledger does with replacements: one at a time for a target group, moved on by one hand only."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from recontact_tools.errors import Detail
from recontact_tools.ledger import (
    ActiveIntent,
    ActiveReplacement,
    Intent,
    IntentState,
    Ledger,
    Proof,
    Replacement,
    ReplacementEnded,
    ReplacementKeyTaken,
    Stage,
)
from recontact_tools.models import Job, JobKind, TargetGroup

pytestmark = pytest.mark.anyio

Upload = Callable[..., Intent]
Made = Callable[..., Replacement]
PROOF = Proof(stored=2, expected=2, missing=0, extra=0, set_hash="hash")
ERROR: dict[str, Detail] = {"code": "CANCELLED", "message": "why"}
ENDS = [Stage.DONE, Stage.REFUSED, Stage.RESTORED, Stage.STUCK]


@pytest.fixture
def removal(upload: Upload) -> Upload:
    """Make the removal of a replacement."""

    def make(intent_id: str = "OLD-R1", parent_id: str = "R1") -> Intent:
        return upload(intent_id, kind=JobKind.REMOVAL, id_type=None, file_name=None, parent_id=parent_id)

    return make


async def ended(ledger: Ledger, stage: Stage, now: datetime, replacement_id: str = "R1") -> None:
    """Let a replacement end."""
    assert await ledger.replacements.move(replacement_id, Stage.REMOVING, stage, now=now)


async def test_a_replacement_comes_back_as_it_was_written(
    ledger: Ledger, replacement: Made, group: TargetGroup
) -> None:
    wanted = replacement(idempotency_key="key")
    assert await ledger.replacements.open(wanted) == wanted
    assert await ledger.replacements.get("R1") == wanted
    assert await ledger.replacements.active(group) == wanted
    assert await ledger.replacements.unsettled() == (wanted,)
    assert await ledger.replacements.open(wanted) == wanted


async def test_a_replacement_that_was_never_written_is_not_found(
    ledger: Ledger, replacement: Made, group: TargetGroup
) -> None:
    assert await ledger.replacements.get("NONE") is None
    assert await ledger.replacements.active(group) is None
    assert await ledger.replacements.unsettled() == ()
    assert await ledger.replacements.recent(group.target_group_id, limit=9) == ()
    assert await ledger.replacements.parts("NONE") == ()
    assert await ledger.replacements.standing(replacement()) is None


async def test_each_move_is_made_once_and_counted_and_keeps_what_was_told_before(
    ledger: Ledger, replacement: Made, now: datetime
) -> None:
    later = now + timedelta(minutes=1)
    await ledger.replacements.open(replacement())
    moved = await ledger.replacements.move("R1", Stage.REMOVING, Stage.RESTORING, now=later, error=ERROR)
    again = await ledger.replacements.move("R1", Stage.REMOVING, Stage.UPLOADING, now=later)
    assert (moved, again) == (True, False)
    assert await ledger.replacements.move("R1", Stage.RESTORING, Stage.RESTORED, now=later, proof=PROOF)
    assert await ledger.replacements.get("R1") == replacement(
        stage=Stage.RESTORED, attempts=2, updated_at=later, error=ERROR, proof=PROOF
    )


async def test_an_attempt_is_counted_once_and_the_stage_is_as_old_as_it_was(ledger: Ledger, replacement: Made) -> None:
    await ledger.replacements.open(replacement())
    for _ in range(2):
        await ledger.replacements.try_again("R1", 0)
    assert await ledger.replacements.get("R1") == replacement(attempts=1)
    assert replacement(attempts=1).upload_id == "R1-1"


@pytest.mark.parametrize("stage", ENDS)
async def test_a_replacement_that_has_ended_is_in_nobodys_way(
    ledger: Ledger, replacement: Made, upload: Upload, group: TargetGroup, now: datetime, stage: Stage
) -> None:
    await ledger.replacements.open(replacement())
    await ended(ledger, stage, now)
    assert replacement(stage=stage).has_ended
    assert await ledger.replacements.active(group) is None
    assert await ledger.replacements.unsettled() == ()
    assert await ledger.open_intent(upload(), payload=None) == upload()


@pytest.mark.parametrize("stage", [Stage.REMOVING, Stage.UPLOADING, Stage.VERIFYING, Stage.RESTORING])
async def test_a_running_replacement_lets_nothing_else_begin_on_its_target_group(
    ledger: Ledger, replacement: Made, upload: Upload, group: TargetGroup, now: datetime, stage: Stage
) -> None:
    await ledger.replacements.open(replacement())
    await ledger.replacements.move("R1", Stage.REMOVING, stage, now=now)
    with pytest.raises(ActiveReplacement) as job:
        await ledger.open_intent(upload(), payload=None)
    with pytest.raises(ActiveReplacement) as other:
        await ledger.replacements.open(replacement("R2", fingerprint="another"))
    assert (job.value.replacement_id, other.value.replacement_id) == ("R1", "R1")
    elsewhere = replace(group, account_id=102)
    await ledger.open_intent(upload("INTENT2", group=elsewhere), payload=None)
    assert await ledger.get("INTENT1") is None


async def test_a_running_job_lets_no_replacement_begin(ledger: Ledger, replacement: Made, upload: Upload) -> None:
    await ledger.open_intent(upload(), payload=None)
    with pytest.raises(ActiveIntent) as other:
        await ledger.replacements.open(replacement())
    assert other.value.intent == upload()
    assert await ledger.replacements.get("R1") is None


async def test_its_parts_belong_to_a_replacement_and_are_nobody_elses_to_resume(
    ledger: Ledger, replacement: Made, removal: Upload, upload: Upload, now: datetime
) -> None:
    await ledger.replacements.open(replacement())
    await ledger.open_intent(removal(), payload=None)
    assert await ledger.unsettled() == ()
    await ledger.mark_sending("OLD-R1", now=now)
    await ledger.mark_started("OLD-R1", job_id="J1", now=now)
    await ledger.mark_finished("OLD-R1", Job("J1", "Completed"), now=now, settled_by="job")
    await ledger.replacements.move("R1", Stage.REMOVING, Stage.UPLOADING, now=now)
    await ledger.open_intent(upload("R1-1", parent_id="R1"), payload=b"x")
    parts = await ledger.replacements.parts("R1")
    assert [(part.intent_id, part.state) for part in parts] == [
        ("OLD-R1", IntentState.FINISHED),
        ("R1-1", IntentState.PLANNED),
    ]


@pytest.mark.parametrize("stage", ENDS)
async def test_no_part_is_written_for_a_replacement_that_has_ended(
    ledger: Ledger, replacement: Made, removal: Upload, now: datetime, stage: Stage
) -> None:
    await ledger.replacements.open(replacement())
    await ended(ledger, stage, now)
    with pytest.raises(ReplacementEnded):
        await ledger.open_intent(removal(), payload=None)


async def test_an_upload_of_an_attempt_that_is_over_is_not_written(
    ledger: Ledger, replacement: Made, upload: Upload, now: datetime
) -> None:
    """Whoever was about to upload the new list must not, once the old one is to be put back."""
    await ledger.replacements.open(replacement())
    await ledger.replacements.move("R1", Stage.REMOVING, Stage.UPLOADING, now=now)
    assert await ledger.replacements.turn_back("R1", ERROR, now=now)
    with pytest.raises(ReplacementEnded):
        await ledger.open_intent(upload("R1-1", parent_id="R1"), payload=b"x")
    assert await ledger.replacements.parts("R1") == ()
    await ledger.open_intent(upload("R1-2", parent_id="R1"), payload=b"x")


async def test_replacements_are_listed_latest_first(
    ledger: Ledger, replacement: Made, group: TargetGroup, now: datetime
) -> None:
    elsewhere = replace(group, account_id=102)
    await ledger.replacements.open(replacement("R1"))
    await ended(ledger, Stage.DONE, now)
    await ledger.replacements.open(replacement("R2", group=elsewhere, fingerprint="there"))
    await ledger.replacements.open(replacement("R3", fingerprint="another"))
    assert [one.replacement_id for one in await ledger.replacements.recent(limit=9)] == ["R3", "R2", "R1"]
    assert [one.replacement_id for one in await ledger.replacements.recent(group.target_group_id, limit=2)] == [
        "R3",
        "R2",
    ]
    assert [one.replacement_id for one in await ledger.replacements.recent(limit=1)] == ["R3"]
    assert await ledger.replacements.recent(principal="bob", limit=9) == ()
    assert len(await ledger.replacements.recent(principal=replacement().principal, limit=9)) == 3
    assert [one.replacement_id for one in await ledger.replacements.unsettled()] == ["R2", "R3"]


async def test_the_same_call_repeats_the_one_that_runs(ledger: Ledger, replacement: Made, now: datetime) -> None:
    await ledger.replacements.open(replacement())
    later = replacement("R2", created_at=now + timedelta(hours=20))
    assert await ledger.replacements.standing(later) == replacement()
    assert await ledger.replacements.open(later) == replacement()
    assert await ledger.replacements.standing(replacement("R2", principal="bob")) is None


@pytest.mark.parametrize(
    ("stage", "minutes", "repeats"),
    [
        (Stage.DONE, 10, True),
        (Stage.DONE, 11, False),
        (Stage.REFUSED, 0, False),
        (Stage.RESTORED, 0, False),
        (Stage.STUCK, 0, False),
    ],
)
async def test_the_same_call_repeats_one_that_was_done_just_now_and_none_that_failed(
    ledger: Ledger, replacement: Made, now: datetime, stage: Stage, minutes: int, *, repeats: bool
) -> None:
    await ledger.replacements.open(replacement())
    await ended(ledger, stage, now)
    again = await ledger.replacements.open(replacement("R2", created_at=now + timedelta(minutes=minutes)))
    assert again.replacement_id == ("R1" if repeats else "R2")


@pytest.mark.parametrize("stage", [Stage.DONE, Stage.RESTORED, Stage.STUCK])
async def test_a_key_stands_for_one_replacement_whenever_it_is_used(
    ledger: Ledger, replacement: Made, now: datetime, stage: Stage
) -> None:
    await ledger.replacements.open(replacement(idempotency_key="key"))
    await ended(ledger, stage, now)
    later = replacement("R2", idempotency_key="key", created_at=now + timedelta(days=400))
    found = await ledger.replacements.standing(later)
    assert found is not None
    assert found.replacement_id == "R1"
    with pytest.raises(ReplacementKeyTaken) as taken:
        await ledger.replacements.open(replace(later, fingerprint="another"))
    assert taken.value.replacement_id == "R1"


async def test_a_key_of_a_refused_replacement_can_be_used_again(
    ledger: Ledger, replacement: Made, now: datetime
) -> None:
    await ledger.replacements.open(replacement(idempotency_key="key"))
    await ended(ledger, Stage.REFUSED, now)
    again = replacement("R2", idempotency_key="key", fingerprint="another")
    assert await ledger.replacements.open(again) == again


async def test_a_replacement_is_withdrawn_with_its_planned_removal(
    ledger: Ledger, replacement: Made, removal: Upload, now: datetime
) -> None:
    await ledger.replacements.open(replacement())
    await ledger.open_intent(removal(), payload=None)
    assert await ledger.replacements.withdraw("R1", ERROR, now=now)
    assert not await ledger.replacements.withdraw("R1", ERROR, now=now)
    [part] = await ledger.replacements.parts("R1")
    assert (part.state, part.error) == (IntentState.REFUSED, ERROR)
    found = await ledger.replacements.get("R1")
    assert found is not None
    assert (found.stage, found.error) == (Stage.REFUSED, ERROR)


async def test_a_replacement_whose_removal_is_not_written_yet_is_withdrawn_too(
    ledger: Ledger, replacement: Made, removal: Upload, now: datetime
) -> None:
    await ledger.replacements.open(replacement())
    assert await ledger.replacements.withdraw("R1", ERROR, now=now)
    with pytest.raises(ReplacementEnded):
        await ledger.open_intent(removal(), payload=None)


async def test_a_replacement_whose_removal_may_be_on_its_way_is_not_withdrawn(
    ledger: Ledger, replacement: Made, removal: Upload, now: datetime
) -> None:
    await ledger.replacements.open(replacement())
    await ledger.open_intent(removal(), payload=None)
    await ledger.mark_sending("OLD-R1", now=now)
    assert not await ledger.replacements.withdraw("R1", ERROR, now=now)
    assert await ledger.replacements.get("R1") == replacement()


async def test_a_replacement_is_turned_back_only_between_two_attempts_to_upload(
    ledger: Ledger, replacement: Made, upload: Upload, now: datetime
) -> None:
    await ledger.replacements.open(replacement())
    too_early = await ledger.replacements.turn_back("R1", ERROR, now=now)
    await ledger.replacements.move("R1", Stage.REMOVING, Stage.UPLOADING, now=now)
    await ledger.open_intent(upload("R1-1", parent_id="R1"), payload=b"x")
    under_way = await ledger.replacements.turn_back("R1", ERROR, now=now)
    await ledger.withdraw("R1-1", ERROR, now=now)
    turned = await ledger.replacements.turn_back("R1", ERROR, now=now)
    again = await ledger.replacements.turn_back("R1", ERROR, now=now)
    assert (too_early, under_way, turned, again) == (False, False, True, False)
    found = await ledger.replacements.get("R1")
    assert found is not None
    assert (found.stage, found.error) == (Stage.RESTORING, ERROR)
