"""Which earlier intent a call repeats: by its key for ever, by what it asks for only for a while."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import anyio
import pytest

from recontact_tools.ledger import ActiveIntent, Intent, IntentState, KeyTaken, Ledger, Proof, UnknownIntent
from recontact_tools.ledger.repeats import SAME_CALL_WITHIN, UNKNOWN_FOR
from recontact_tools.models import Job, JobKind, TargetGroup

pytestmark = pytest.mark.anyio
Upload = Callable[..., Intent]
MINUTE = timedelta(minutes=1)


async def ended(ledger: Ledger, intent: Intent, how: str) -> None:
    """Open an intent and bring it to its end at the time it was opened."""
    await ledger.open_intent(intent, payload=None)
    await ledger.mark_sending(intent.intent_id, now=intent.created_at)
    await bring_to_its_end(ledger, intent, how)


async def bring_to_its_end(ledger: Ledger, intent: Intent, how: str) -> None:
    """End an intent that is being sent."""
    if how == "refused":
        await ledger.mark_refused(intent.intent_id, {}, now=intent.created_at)
    elif how == "unknown":
        await ledger.mark_unknown(intent.intent_id, {}, now=intent.created_at)
    else:
        job_id = f"JOB-{intent.intent_id}"
        await ledger.mark_started(intent.intent_id, job_id=job_id, now=intent.created_at)
        await ledger.mark_finished(intent.intent_id, Job(job_id, how), now=intent.created_at, settled_by="job")


def at(intent: Intent, moment: datetime) -> Intent:
    """Ask at that time."""
    return replace(intent, created_at=moment, updated_at=moment)


async def test_a_digest_is_the_same_for_the_same_parts_and_for_no_others(ledger: Ledger) -> None:
    parts = [(b"ab", b"c"), (b"a", b"bc"), (b"abc",), (b"", b"abc"), (b"abc", b"")]
    digests = [await ledger.digest(*each) for each in parts]
    assert len(set(digests)) == len(parts)
    assert digests == [await ledger.digest(*each) for each in parts]
    assert all(len(digest) == 64 for digest in digests)


@pytest.mark.parametrize("state", ["planned", "sending", "started"])
async def test_the_same_wish_while_it_runs_is_the_same_intent(ledger: Ledger, upload: Upload, state: str) -> None:
    first, again = upload(fingerprint="f"), upload("AGAIN", fingerprint="f")
    await ledger.open_intent(first, payload=b"x")
    if state != "planned":
        await ledger.mark_sending("INTENT1", now=first.created_at)
    if state == "started":
        await ledger.mark_started("INTENT1", job_id="JOB1", now=first.created_at)

    stands = await ledger.open_intent(again, payload=b"y")

    assert (stands.intent_id, stands.state.value) == ("INTENT1", state)
    assert await ledger.standing(again) == stands
    assert await ledger.get("AGAIN") is None


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"fingerprint": "g"}, id="another content"),
        pytest.param({"fingerprint": None}, id="no fingerprint"),
        pytest.param({"fingerprint": "f", "principal": "bob"}, id="another principal"),
        pytest.param({"fingerprint": "f", "idempotency_key": "k"}, id="a key of its own"),
    ],
)
async def test_another_wish_while_one_runs_is_refused(
    ledger: Ledger, upload: Upload, other: dict[str, str | None]
) -> None:
    await ledger.open_intent(upload(fingerprint="f"), payload=None)
    asked = upload("OTHER", **other)
    assert await ledger.standing(asked) is None
    with pytest.raises(ActiveIntent):
        await ledger.open_intent(asked, payload=None)


@pytest.mark.parametrize(
    ("how", "later", "same"),
    [
        pytest.param("Completed", SAME_CALL_WITHIN, True, id="just completed"),
        pytest.param("Completed", SAME_CALL_WITHIN + MINUTE, False, id="completed a while ago"),
        pytest.param("Failed", MINUTE, False, id="failed"),
        pytest.param("refused", MINUTE, False, id="refused"),
        pytest.param("unknown", UNKNOWN_FOR, True, id="unknown since today"),
        pytest.param("unknown", UNKNOWN_FOR + MINUTE, False, id="unknown for long"),
    ],
)
async def test_the_same_wish_after_the_end_is_the_same_intent_for_a_while(
    ledger: Ledger, upload: Upload, now: datetime, how: str, later: timedelta, *, same: bool
) -> None:
    await ended(ledger, upload(fingerprint="f"), how)
    again = at(upload("AGAIN", fingerprint="f"), now + later)
    stands = await ledger.standing(again)
    opened = await ledger.open_intent(again, payload=None)
    assert (opened.intent_id, stands and stands.intent_id) == (("INTENT1", "INTENT1") if same else ("AGAIN", None))


@pytest.mark.parametrize(
    ("removal", "same"),
    [
        pytest.param({"how": "Completed"}, False, id="done"),
        pytest.param({"how": "unknown"}, False, id="of unknown outcome"),
        pytest.param({"how": "refused"}, True, id="refused"),
        pytest.param({"how": "Completed", "project_id": "P"}, True, id="of another target group"),
    ],
)
async def test_a_removal_in_between_makes_the_same_list_a_new_wish(
    ledger: Ledger, upload: Upload, group: TargetGroup, removal: dict[str, str], *, same: bool
) -> None:
    await ended(ledger, upload(fingerprint="f"), "Completed")
    emptied = replace(group, project_id=removal.get("project_id", group.project_id))
    await ended(ledger, upload("R", kind=JobKind.REMOVAL, group=emptied, fingerprint="r"), removal["how"])
    opened = await ledger.open_intent(upload("AGAIN", fingerprint="f"), payload=None)
    assert opened.intent_id == ("INTENT1" if same else "AGAIN")


@pytest.mark.parametrize("how", ["Completed", "Failed", "unknown"])
async def test_a_key_names_its_intent_for_ever(ledger: Ledger, upload: Upload, now: datetime, how: str) -> None:
    await ended(ledger, upload(fingerprint="f", idempotency_key="k"), how)
    await ended(ledger, upload("R", kind=JobKind.REMOVAL, fingerprint="r"), "Completed")
    again = at(upload("AGAIN", fingerprint="f", idempotency_key="k"), now + timedelta(days=400))
    assert (await ledger.open_intent(again, payload=None)).intent_id == "INTENT1"


async def test_a_refused_intent_lets_go_of_its_key(ledger: Ledger, upload: Upload) -> None:
    await ended(ledger, upload(fingerprint="f", idempotency_key="k"), "refused")
    for number in range(2):  # the second attempt is what the key stands for from now on
        opened = await ledger.open_intent(upload(f"AGAIN{number}", fingerprint="f", idempotency_key="k"), payload=None)
        assert opened.intent_id == "AGAIN0"


@pytest.mark.parametrize("how", ["running", "Completed", "unknown"])
async def test_a_key_that_stands_for_something_else_is_refused_with_it(
    ledger: Ledger, upload: Upload, how: str
) -> None:
    first = upload(fingerprint="f", idempotency_key="k")
    if how == "running":
        await ledger.open_intent(first, payload=None)
    else:
        await ended(ledger, first, how)
    other = upload("OTHER", fingerprint="g", idempotency_key="k")
    with pytest.raises(KeyTaken) as seen:
        await ledger.standing(other)
    with pytest.raises(KeyTaken) as taken:
        await ledger.open_intent(other, payload=None)
    assert [error.value.intent.intent_id for error in (seen, taken)] == ["INTENT1"] * 2
    assert await ledger.get("OTHER") is None


async def test_principals_do_not_share_keys(ledger: Ledger, upload: Upload) -> None:
    await ended(ledger, upload(fingerprint="f", idempotency_key="k"), "Completed")
    opened = await ledger.open_intent(
        upload("BOBS", principal="bob", fingerprint="g", idempotency_key="k"), payload=None
    )
    assert opened.intent_id == "BOBS"


@pytest.mark.parametrize("key", [None, "k"])
async def test_many_same_calls_at_once_are_one_intent(ledger: Ledger, upload: Upload, key: str | None) -> None:
    opened: list[str] = []

    async def ask(intent_id: str) -> None:
        intent = upload(intent_id, fingerprint="f", idempotency_key=key)
        opened.append((await ledger.open_intent(intent, payload=None)).intent_id)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(ask, f"INTENT{number}")
    assert (len(opened), len(set(opened)), len(await ledger.unsettled())) == (20, 1, 1)


async def test_a_lost_job_that_is_found_with_its_end_is_known_by_the_apis_id(
    ledger: Ledger, upload: Upload, now: datetime
) -> None:
    await ended(ledger, upload(), "unknown")
    await ledger.mark_finished("INTENT1", Job("JOB1", "Completed"), now=now, settled_by="job")
    found = await ledger.find_job(JobKind.UPLOAD, "JOB1", None)
    assert found is not None
    assert (found.state, found.job_id, found.error) == (IntentState.FINISHED, "JOB1", None)


async def test_the_first_count_after_a_job_stays(ledger: Ledger, upload: Upload) -> None:
    await ended(ledger, upload(), "Completed")
    for count in (7, 9):
        await ledger.note_stored_after("INTENT1", count)
    intent = await ledger.get("INTENT1")
    assert intent is not None
    assert intent.stored_after == 7
    with pytest.raises(UnknownIntent):
        await ledger.note_stored_after("NONE", 1)


async def test_the_first_proof_of_a_restore_stays(ledger: Ledger, upload: Upload, now: datetime) -> None:
    await ended(ledger, upload(restores="snapshot:S"), "Completed")
    first = Proof(stored=3, expected=3, missing=0, extra=0, set_hash="h")
    for proof in (first, replace(first, stored=4, extra=1, set_hash="i")):
        await ledger.note_proof("INTENT1", proof, now=now)
    intent = await ledger.get("INTENT1")
    assert intent is not None
    assert intent.proof == first
