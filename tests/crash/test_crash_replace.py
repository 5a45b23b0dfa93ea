"""kill -9 of the server anywhere in a replacement, a second server standing by: the same list is stored at the end."""

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio
import pytest

if TYPE_CHECKING:
    from tests.crash.conftest import Host, Hosting, Place

pytestmark = pytest.mark.anyio

# The old list makes three pieces of a snapshot, the new one two; they share some IDs.
NEW = tuple(str(UUID(int=number * 0x1234567890ABCDEF1234567)) for number in range(2_500, 4_500))
PATIENCE = 60.0

# Everything that the server writes or sends for one replacement, from the plan on: each is a moment before and after.
WRITES = [
    "begin 1",  # the new list is kept
    "add 1",
    "complete 1",
    "open 1",  # the replacement is written
    "open_intent 1",  # its removal is
    "begin 2",  # the snapshot of the old list
    "add 2",
    "add 3",
    "complete 2",
    "mark_sending 1",
    "mark_started 1",
    "mark_finished 1",
    "move 1",  # to uploading
    "open_intent 2",
    "mark_sending 2",
    "mark_started 2",
    "mark_finished 2",
    "move 2",  # to verifying
    "move 3",  # done
    "delete 1",  # the kept new list
]
REQUESTS = ["page 1", "page 15", "removal 1", "upload 1", "poll 1", "poll 2"]
MOMENTS = [f"{when} {moment}" for moment in WRITES for when in ("before", "after")] + [
    f"{when} {moment}" for moment in REQUESTS for when in ("before", "after")
]
# Until the replacement is written, nobody but the process that was asked knows of it: nothing is changed.
NOT_YET = {f"{when} {moment}" for moment in WRITES[:3] for when in ("before", "after")} | {"before open 1"}


def replacements(place: "Place") -> list[str]:
    """Read the stages of all replacements."""
    return [row["stage"] for row in place.ledger_rows("SELECT stage FROM replacements ORDER BY position")]


async def replace(host: "Host", path: str) -> None:
    """Replace the list and follow that to its end."""
    started = await host.call("replace_recontacts", path=path)
    report: dict[str, Any] = started
    while report["status"] == "Processing":
        report = await host.call("get_upload_job", job_id=started["job_id"], wait_seconds=20)
    assert (report["status"], report["proof"]["equal"]) == ("Completed", True)


async def replace_and_stay(host: "Host", path: str) -> None:
    """Replace the list, and keep the conversation up until the process ends."""
    await replace(host, path)
    while True:
        await host.ask("ping", {})
        await anyio.sleep(0.02)


async def ended(place: "Place", host: "Host") -> None:
    """Wait until no replacement is under way, with a server that is alive."""
    with anyio.fail_after(PATIENCE):
        while any(stage in {"removing", "uploading", "verifying", "restoring"} for stage in replacements(place)):
            await host.ask("ping", {})
            await anyio.sleep(0.05)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_replacement_killed_anywhere_is_finished_by_the_server_that_stands_by(
    moment: str, hosting: "Hosting", place: "Place"
) -> None:
    await place.store()
    path = place.write_file(NEW, "new.csv")
    async with hosting(CRASH_AT=moment) as victim:
        await place.open_first(victim)
        async with hosting() as sibling:
            async with anyio.create_task_group() as tasks:
                await place.stand_by(victim, sibling, tasks)
                await victim.death(partial(replace_and_stay, victim, path))
            await ended(place, sibling)
            stored = place.seen("upload-rsids-by-file").stored
            if moment in NOT_YET:
                assert (replacements(place), stored) == ([], place.ids)
                await replace(sibling, path)
                stored = place.seen("upload-rsids-by-file").stored
            assert (replacements(place), stored) == (["done"], frozenset(NEW))
            assert place.seen("upload-rsids-by-file").jobs[1:] == ("Completed",)
            assert place.seen("remove-all-rsids").jobs == ("Completed",)
            await sibling.kill()


RESTORING = [
    "after open_intent 1",
    "before mark_sending 1",
    "after upload 1",
    "before mark_started 1",
    "after mark_finished 1",
    "before page 1",
    "after page 15",
    "before note_proof 1",
    "after note_proof 1",
]


async def restore_and_stay(host: "Host") -> None:
    """Restore what was removed, see the proof, and keep the conversation up until the process ends."""
    started = await host.call("restore_recontacts")
    report = await host.call("get_upload_job", job_id=started["job_id"], wait_seconds=20)
    assert (report["status"], report["proof"]["equal"]) == ("Completed", True)
    while True:
        await host.ask("ping", {})
        await anyio.sleep(0.02)


@pytest.mark.parametrize("moment", RESTORING)
async def test_a_restore_killed_anywhere_is_finished_and_proved_by_the_server_that_stands_by(
    moment: str, hosting: "Hosting", place: "Place"
) -> None:
    await place.store()
    async with hosting() as remover:
        removal = await remover.call("remove_all_recontacts")
        await remover.call("get_removal_job", job_id=removal["job_id"], wait_seconds=20)
        await remover.kill()
    assert place.seen("remove-all-rsids").stored == frozenset()
    async with hosting(CRASH_AT=moment) as victim:
        await place.open_first(victim)
        async with hosting() as sibling:
            async with anyio.create_task_group() as tasks:
                await place.stand_by(victim, sibling, tasks)
                await victim.death(partial(restore_and_stay, victim))
            await place.settle(sibling)
            job_id = place.intents()[-1]["job_id"]
            report = await sibling.call("get_upload_job", job_id=job_id, wait_seconds=20)
            assert report["proof"] == {**report["proof"], "equal": True, "missing": 0, "extra": 0}
            assert place.seen("upload-rsids-by-file").stored == place.ids
            assert place.seen("upload-rsids-by-file").jobs[1:] == ("Completed",)
            await sibling.kill()
