"""One of several processes that do the same thing with one ledger at once; it waits to be told to begin."""

import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import anyio
from ledger_places import Place, told

from recontact_tools.ledger import ActiveIntent, Intent, IntentState
from recontact_tools.ledger.entries import Event, about
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.models import JobKind, TargetGroup

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
ENTRIES = 25


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def open_intent(ledger: SqlLedger, name: str) -> str:
    intent = Intent(
        intent_id=name,
        kind=JobKind.UPLOAD,
        principal="ann",
        group=GROUP,
        ids=1,
        stored_before=0,
        state=IntentState.PLANNED,
        created_at=NOW,
        updated_at=NOW,
    )
    try:
        return (await ledger.open_intent(intent, payload=b"x")).intent_id
    except ActiveIntent as other:
        return other.intent.intent_id


async def send(ledger: SqlLedger, _name: str) -> str:
    return str(await ledger.mark_sending("INTENT1", now=NOW))


async def spend(ledger: SqlLedger, _name: str) -> str:
    return str(await ledger.spend_plan("PLAN1", principal="ann", now=NOW))


async def record(ledger: SqlLedger, name: str) -> str:
    for number in range(ENTRIES):
        entry = about(GROUP, Event.CANCELLATION_ASKED, "snapshot", at=NOW, principal=name, number=number)
        await ledger.audit.record(entry)
    return "done"


async def look(ledger: SqlLedger, _name: str) -> str:
    return str(await ledger.updates.latest())


DEEDS: Mapping[str, Callable[[SqlLedger, str], Awaitable[str]]] = {
    "open_intent": open_intent,
    "send": send,
    "spend": spend,
    "record": record,
    "look": look,
}


async def main(deed: str, name: str, place: Place) -> None:
    if deed == "look":  # the race is for making the ledger
        say("ready")
        sys.stdin.readline()
    ledger = await place.open()
    if deed != "look":
        say("ready")
        sys.stdin.readline()
    say(await DEEDS[deed](ledger, name))
    await ledger.aclose()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], told(sys.argv[3:]))
