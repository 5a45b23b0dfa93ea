"""What an undo costs: the snapshot before a removal, and the proof after a restore, of a full target group."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median

from bench.figures import Figure, as_time
from bench.filling import FULL, fill, group, now
from bench.timing import seconds, undisturbed

from recontact_mcp.embedded import embedded_gateway
from recontact_tools.comparing import PAGE_IDS
from recontact_tools.desk import Desk
from recontact_tools.ledger import Intent, IntentState
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.models import IdType, Job, JobKind
from recontact_tools.policy import Policy
from recontact_tools.proving import FROM_SNAPSHOT, prove
from recontact_tools.runtime import Clock
from recontact_tools.sealing import Seal
from recontact_tools.snapshotting import take_snapshot
from recontact_tools.versions import VERSIONS

ROUNDS = 3
# source: the issue "Long jobs an agent can trust", numbers
SNAPSHOT_GOAL, PROOF_GOAL = 15.0, 1.0
GROUP = group(0)


@asynccontextmanager
async def desk_in(folder: Path) -> AsyncGenerator[Desk]:
    """Work as the server does: the embedded service, the ledger's file, and a key."""
    async with embedded_gateway(folder, pace=0.0, api_version=VERSIONS[0].name) as gateway:
        ledger = SqlLedger.open(folder / "ledger.sqlite")
        anything = Policy(read_only=False, accounts=None, projects=None, target_groups=None)
        seal = Seal(lambda: bytes(32))
        yield Desk(gateway, ledger, Clock(), 0.0, anything, seal, timedelta(days=30))
        await ledger.aclose()


def removal(number: int) -> Intent:
    return Intent(
        intent_id=f"REMOVAL{number}",
        kind=JobKind.REMOVAL,
        principal="bench",
        group=GROUP,
        ids=FULL,
        stored_before=FULL,
        state=IntentState.PLANNED,
        created_at=now(),
        updated_at=now(),
    )


def restore(number: int) -> Intent:
    """Return a restore of that removal's snapshot as it is when its job has just ended."""
    return replace(
        removal(number),
        intent_id=f"RESTORE{number}",
        kind=JobKind.UPLOAD,
        id_type=IdType.RSID,
        state=IntentState.FINISHED,
        job=Job("JOB", "Completed"),
        restores=f"{FROM_SNAPSHOT}REMOVAL{number}",
    )


async def read_pages(desk: Desk) -> None:
    """Read all that is stored and do nothing with it: the transfer that no proof can do without."""
    cursor: str | None = None
    read = 0
    while cursor is not None or not read:
        page = await desk.gateway.list_respondents(GROUP, page_size=PAGE_IDS, cursor=cursor)
        read += len(page.respondent_ids)
        cursor = page.next_cursor
    assert read == FULL


async def proved(desk: Desk, number: int) -> None:
    intent = restore(number)
    written = replace(intent, state=IntentState.PLANNED, job=None)
    await desk.ledger.open_intent(written, payload=b"")
    await desk.ledger.withdraw(intent.intent_id, {"code": "CANCELLED", "message": "", "next_step": ""}, now=now())
    await prove(desk, intent)


async def snapshot(desk: Desk, number: int) -> None:
    await desk.ledger.open_intent(removal(number), payload=None)
    taken = await take_snapshot(desk, removal(number))
    assert taken.is_complete
    assert taken.count == FULL
    await desk.ledger.withdraw(taken.snapshot_id, {"code": "CANCELLED", "message": "", "next_step": ""}, now=now())


async def measure(folder: Path) -> list[Figure]:
    fill(folder / "service.sqlite", groups=1, spares=())
    snapshots: list[float] = []
    proofs: list[float] = []
    pages: list[float] = []
    async with desk_in(folder) as desk:
        await read_pages(desk)
        with undisturbed():
            for number in range(ROUNDS):
                snapshots.append(await seconds(partial(snapshot, desk, number)))
                pages.append(await seconds(lambda: read_pages(desk)))
                proofs.append(await seconds(partial(proved, desk, number)))
        for number in range(ROUNDS):
            found = await desk.ledger.get(f"RESTORE{number}")
            assert found
            assert found.proof
            assert found.proof.is_equal
    beyond = median(proof - page for proof, page in zip(proofs, pages, strict=True))
    reading = f"reading alone {as_time(median(pages))}"
    return [
        Figure(f"Snapshot of {FULL:,} IDs, pages of {PAGE_IDS}", median(snapshots), "s", SNAPSHOT_GOAL, reading),
        Figure(f"Restore of {FULL:,} IDs: its proof, beyond reading them", beyond, "s", PROOF_GOAL, reading),
    ]
