"""Kill replicas every few seconds under load, for as long as one likes, and look whether anything was lost.

    .venv/bin/python tests/support/chaos.py [SECONDS] [REPLICAS] [TARGET GROUPS]

Two replicas on PostgreSQL, before `recontact-mcp service` in a process of its own. Real MCP clients of both eras, one
for each target group, upload, upload again and remove, each call on whichever replica is next. Every few seconds a
replica gets kill -9, and a new one is started. In the end every job must have ended once, as the API itself counts,
and every list must hold what its client was told. The short version of this is in tests/replicas.
"""

import logging
import random
import sys
import tempfile
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from statistics import median

import anyio
import postgres_server
from replicas import Fleet, Json, Refused, Replica, fleet_on, outcome

# 20 IDs in half a second, a removal likewise: most replicas are killed while they are at something.
PACE = "0.3"
KILL_EVERY_SECONDS = (2.0, 5.0)
CALL_SECONDS = 60.0
LOOKS = 150
PATIENCE = 90.0  # for the last jobs to end
UPLOADS_EACH = 2
IDS_EACH = 20
# Refusals after which the same call is repeated: nothing was changed, or the earlier call's job is answered.
REPEATED = {"JOB_RUNNING", "UNAVAILABLE", "UNREACHABLE", "RATE_LIMITED"}
# One address is the whole load; and its people agree in their clients.
UNLIMITED = {"RECONTACT_CALLS_PER_SECOND": "0", "RECONTACT_APPROVAL_MINIMUM": "client-elicited"}


@dataclass
class Chaos:
    """The replicas that are there, and what came of it so far."""

    fleet: Fleet
    there: list[Replica] = field(default_factory=list[Replica])
    done: Counter[str] = field(default_factory=Counter[str])
    unknown: Counter[str] = field(default_factory=Counter[str])
    repeated: Counter[str] = field(default_factory=Counter[str])
    takeovers: list[float] = field(default_factory=list[float])
    kills: int = 0
    over: bool = False
    turns: "count[int]" = field(default_factory=count)

    async def ask(self, era: str, tool: str, /, **arguments: object) -> Json:
        """Call a tool on the next replica until one answers; the call is the same each time.

        Raises:
            Refused: It answered with an error that stays.
        """
        while True:
            replica, answer = self.there[next(self.turns) % len(self.there)], None
            try:
                with anyio.fail_after(CALL_SECONDS):
                    async with replica.client(era) as client:
                        answer = await outcome(client, tool, **arguments)
            except Exception as broken:  # noqa: BLE001 - a replica that dies breaks calls in many ways
                if answer is None:
                    self.repeated[type(broken).__name__] += 1
            if answer is not None:
                if answer.get("code") not in REPEATED:
                    return _granted(answer)
                self.repeated[answer["code"]] += 1
            await anyio.sleep(0.1)

    async def work(self, group: str, era: str) -> None:
        """Upload and remove over and over, and compare what is stored with what was told."""
        for turn in count():
            held = 0
            for number in range(UPLOADS_EACH):
                ids = [f"5a3b2ada-{turn % 0xFFFF:04x}-4000-8{number:03x}-{at:012x}" for at in range(IDS_EACH)]
                ended = await self._job(era, "upload", group, f"{group}-{turn}-{number}", ids=ids)
                held += IDS_EACH if ended else 0
                await self._stored(era, group, held)
                if self.over:
                    return
            removed = await self._job(era, "removal", group, f"{group}-{turn}-removal")
            await self._stored(era, group, 0 if removed else held)
            if not removed:
                await self._emptied(era, group, f"{group}-{turn}-again")

    async def _job(self, era: str, kind: str, group: str, key: str, **arguments: object) -> bool:
        """Start a job and follow it to its end; say whether it ran."""
        tool = "upload_recontacts" if kind == "upload" else "remove_all_recontacts"
        try:
            started = await self.ask(era, tool, target_group_id=group, idempotency_key=key, **arguments)
        except Refused as refused:
            if refused.error["code"] != "OUTCOME_UNKNOWN":
                raise
            self.unknown[kind] += 1  # killed between its mark and its POST: it is told, and never sent again by itself
            return False
        while True:
            report = await self.ask(
                era, f"get_{kind}_job", target_group_id=group, job_id=started["job_id"], wait_seconds=2
            )
            if not report["poll_after_seconds"]:
                assert report["status"] == "Completed", report
                self.done[kind] += 1
                return True

    async def _emptied(self, era: str, group: str, key: str) -> None:
        for number in count():
            if await self._job(era, "removal", group, f"{key}-{number}"):
                return

    async def _stored(self, era: str, group: str, expected: int) -> None:
        found = await self.ask(era, "get_recontact_overview", target_group_id=group)
        assert found["saved_respondent_ids_count"] == expected, (group, found, expected)

    async def kill_one(self, stack: AsyncExitStack) -> None:
        """Kill a replica that has something in hand, time how soon it is in other hands, and start a new one."""
        before = await self._all_busy()
        dying = self.there.pop(random.randrange(len(self.there)))  # noqa: S311 - any will do
        await dying.kill()
        self.kills += 1
        killed = anyio.current_time()
        if len(before) > len(self.there):  # the one that died had something, too
            now = before
            while len(now & before) > len(self.there):
                await anyio.sleep(0.01)
                now = await anyio.to_thread.run_sync(self.fleet.executors)
            self.takeovers.append(anyio.current_time() - killed)
        self.there.append(await stack.enter_async_context(self.fleet.replica(**UNLIMITED)))

    async def _all_busy(self) -> set[str]:
        """Wait a little for a moment when every replica has something in hand; return which ones have."""
        found: set[str] = set()
        for _ in range(LOOKS):
            found = await anyio.to_thread.run_sync(self.fleet.executors)
            if len(found) >= len(self.there):
                break
            await anyio.sleep(0.02)
        return found

    async def judge(self) -> None:
        """Compare what the clients were told, what the ledger holds and what the API did."""
        await self.fleet.settled()
        states = Counter(state for [state] in self.fleet.rows("SELECT state FROM intents"))
        jobs = [job for [job] in self.fleet.rows("SELECT job_id FROM intents WHERE state = 'finished'")]
        _requests, made = await self.fleet.api.counts()
        uploads, removals = made.get("upload-rsids-by-file", 0), made.get("remove-all-rsids", 0)
        sys.stdout.write(f"told {dict(self.done)}, the API made {made}, the ledger holds {dict(states)}\n")
        assert len(set(jobs)) == len(jobs) == sum(self.done.values())
        assert (uploads, removals) == (self.done["upload"], self.done["removal"])
        assert states["unknown"] == sum(self.unknown.values())

    def unended(self) -> str:
        """Say what is still under way, and which replicas are there."""
        left = self.fleet.rows("SELECT intent_id, kind, target_group_id, state, job_id FROM intents")
        return f"{[row for row in left if row[3] not in {'finished', 'refused'}]}; repeated: {self.repeated}"

    def told(self) -> str:
        """Say in a few lines what came of it."""
        times = sorted(self.takeovers)
        took = f"{median(times):.2f} s in the median, {times[-1]:.2f} s at most" if times else "none was measured"
        return (
            f"{self.kills} kills, {sum(self.done.values())} jobs ended once each, {sum(self.unknown.values())} told as"
            f" unknown, calls repeated: {dict(self.repeated)}\ntakeovers: {len(times)}, {took}\n"
        )


def _granted(answer: Json) -> Json:
    if "changed" in answer and "code" in answer:
        raise Refused(answer)
    return answer


async def chaos(url: str, folder: Path, *, seconds: float, replicas: int, groups: int) -> Chaos:
    """Run it; return what came of it."""
    async with fleet_on(url, folder, pace=PACE) as fleet, AsyncExitStack() as stack:
        run, eras = Chaos(fleet), cycle(("auto", "legacy"))
        for _ in range(replicas):
            run.there.append(await stack.enter_async_context(fleet.replica(**UNLIMITED)))
        names = fleet.api.groups(groups)
        async with anyio.create_task_group() as tasks:
            for group, era in zip(names, eras, strict=False):
                tasks.start_soon(run.work, group, era)
            end = anyio.current_time() + seconds
            while anyio.current_time() < end:
                await anyio.sleep(random.uniform(*KILL_EVERY_SECONDS))  # noqa: S311 - any moment will do
                await run.kill_one(stack)
                sys.stdout.write(f"{run.told()}")
                sys.stdout.flush()
            run.over = True
            tasks.cancel_scope.deadline = anyio.current_time() + PATIENCE
        if tasks.cancel_scope.cancelled_caught:
            sys.exit(f"some never ended: {await anyio.to_thread.run_sync(run.unended)}")
        await run.judge()
    return run


def main(words: list[str]) -> None:
    """Read the numbers of the command line, and run."""
    logging.disable(logging.CRITICAL)  # the SDK's client logs each replica that it loses
    seconds, replicas, groups = [float(word) for word in [*words, *("60", "2", "8")[len(words) :]]]
    with (
        postgres_server.server() as server,
        postgres_server.database(server) as url,
        tempfile.TemporaryDirectory() as folder,
    ):
        run = anyio.run(lambda: chaos(url, Path(folder), seconds=seconds, replicas=int(replicas), groups=int(groups)))
    sys.stdout.write(f"nothing was lost or done twice: {run.told()}")


if __name__ == "__main__":
    main(sys.argv[1:])
