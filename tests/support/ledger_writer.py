"""A process that is killed while it writes: it says what it begins and what it was told is durable."""

import sys
from datetime import UTC, datetime

import anyio
from ledger_places import Place, told

from recontact_tools.ledger import Intent, IntentState
from recontact_tools.models import Job, JobKind, TargetGroup

NOW = datetime(2026, 11, 23, tzinfo=UTC)
PAYLOAD = b"0b7f7e0c-7a3e-4b62-9c57-0f6a2f4f8f10\n" * 40_000


def say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


def planned(intent_id: str) -> Intent:
    return Intent(
        intent_id=intent_id,
        kind=JobKind.UPLOAD,
        principal="ann",
        group=TargetGroup(101, "P", "T"),
        ids=40_000,
        stored_before=0,
        state=IntentState.PLANNED,
        created_at=NOW,
        updated_at=NOW,
    )


async def main(place: Place) -> None:
    ledger = await place.open()
    for number in range(1_000):
        intent_id = f"I{number}"
        say("opening", intent_id)
        await ledger.open_intent(planned(intent_id), payload=PAYLOAD)
        say("planned", intent_id)
        await ledger.mark_sending(intent_id, now=NOW)
        say("sending", intent_id)
        await ledger.mark_started(intent_id, job_id=f"J{number}", now=NOW)
        say("started", intent_id)
        await ledger.mark_finished(intent_id, Job(f"J{number}", "Completed"), now=NOW, settled_by="job")
        say("finished", intent_id)


if __name__ == "__main__":
    anyio.run(main, told(sys.argv[1:]))
