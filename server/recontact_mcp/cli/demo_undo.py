"""The demo's second story: everything is removed by mistake, and brought back although the server is killed."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
from mcp import MCPError
from mcp_types import TextResourceContents

from recontact_mcp.cli.demo_client import Session, expect
from recontact_mcp.cli.demo_file import MessyFile
from recontact_mcp.cli.demo_screen import Screen
from recontact_mcp.cli.demo_steps import LOOK_SECONDS, WAIT_SECONDS, Typing, followed, removal, stored
from recontact_mcp.cli.demo_workshop import Workshop
from recontact_tools.identifiers import read_identifiers

# ours: of 10,000 IDs; that none of these can be read in a file says enough, and takes a moment.
SEARCHED_FOR = 100
HASH_SHOWN = 16
# ours: the middle, with room for a slow machine to reach it before the end.
KILLED_FROM = 0.2


@dataclass(frozen=True, slots=True)
class Undo:
    """One run: *first* is the server that is killed, *second* the one beside it on the same data directory."""

    first: Session
    second: Session
    screen: Screen
    file: MessyFile
    workshop: Workshop
    typing: Typing

    async def tell(self) -> None:
        """Run every step.

        Raises:
            Surprise: A step did not go as it must.
        """
        await self.connect()
        await self.upload()
        removed = await self.remove_by_mistake()
        snapshot = self.see_snapshot(removed)
        await self.preview(snapshot)
        job = await self.restore_and_kill(snapshot)
        await self.prove(await self.follow_by_second(job))

    async def connect(self) -> None:
        """Meet both servers."""
        with self.screen.step("Two servers on one data directory, as two assistants have them"):
            info = self.first.client.server_info
            self.screen.facts(
                {
                    "server": f"{info.name} {info.version}" if info else "(no name)",
                    "protocol": self.first.client.protocol_version,
                    "processes": f"{self.first.process_id} and {self.second.process_id}",
                }
            )
            for session in (self.first, self.second):
                expect(await stored(session) == 0, "The new target group is not empty.")

    async def upload(self) -> None:
        """Upload the file, and watch the job."""
        with self.screen.step(f"Upload {self.file.ids:,} identifiers, and watch"):
            self.screen.call("upload_recontacts", f'path="{self.file.path.name}"')
            job = await self.first.call("upload_recontacts", path=str(self.file.path))
            self.screen.call("get_upload_job", f"wait_seconds={WAIT_SECONDS}")
            with self.screen.bar("stored", self.file.ids) as show:
                report = await followed(self.first, "get_upload_job", job, show)
            self.screen.good(f"{report['status']}: {report['stored_after']:,} stored")

    async def remove_by_mistake(self) -> dict[str, Any]:
        """Remove everything, as a person does who is at the wrong target group."""
        with self.screen.step("Remove everything: the phrase is typed, but it is the wrong target group"):
            job = await removal(self.first, self.screen, self.typing, ids=self.file.ids)
            with self.screen.bar("removed", self.file.ids) as show:
                report = await followed(self.first, "get_removal_job", job, lambda left: show(self.file.ids - left))
            expect(await stored(self.first) == 0, "The overview still counts respondent IDs after the removal.")
            self.screen.say("[red]0 stored: nobody can enter the survey any more[/]")
            return report

    def see_snapshot(self, removed: dict[str, Any]) -> dict[str, Any]:
        """Look at what was kept before anything was removed."""
        with self.screen.step("What was kept before the first ID was removed"):
            snapshot: dict[str, Any] = removed["snapshot"]
            self.screen.facts(
                {
                    "snapshot": snapshot["snapshot_id"],
                    "holds": f"{snapshot['ids']:,} IDs, {'complete' if snapshot['complete'] else 'incomplete'}",
                    "kept until": snapshot["expires_at"],
                }
            )
            expect(snapshot["complete"] and snapshot["ids"] == self.file.ids, "The snapshot does not hold every ID.")
            expect(not self._readable_on_disk(), "An ID can be read in the ledger's files.")
            self.screen.good("sealed: none of these IDs can be read in the ledger's files")
            return snapshot

    def _readable_on_disk(self) -> bool:
        content = b"".join(path.read_bytes() for path in sorted(self.workshop.data.glob("ledger.sqlite*")))
        lines = self._sent()[:SEARCHED_FOR]
        return any(line.encode() in content or bytes.fromhex(line.replace("-", "")) in content for line in lines)

    def _sent(self) -> list[str]:
        return read_identifiers(self.file.path.read_bytes()).content.decode().split()

    async def preview(self, snapshot: dict[str, Any]) -> None:
        """Ask what a restore would do."""
        with self.screen.step("What a restore would do"):
            self.screen.call("preview_upload", f"snapshot_id={snapshot['snapshot_id']}")
            told = await self.first.call("preview_upload", snapshot_id=snapshot["snapshot_id"])
            self.screen.facts(
                {
                    "new": f"{told['new']:,}",
                    "already stored": f"{told['already_stored']:,}",
                    "stored then": f"{told['predicted_count']['high']:,}",
                }
            )
            expect(told["refusal"] is None, f"The restore would be refused: {told['refusal']}.")
            expect(told["new"] == self.file.ids, "The preview does not count every ID as new.")

    async def restore_and_kill(self, snapshot: dict[str, Any]) -> dict[str, Any]:
        """Start the restore, and kill the server that started it while IDs are being stored."""
        with self.screen.step("Restore, and kill -9 the server in the middle of it"):
            self.screen.call("restore_recontacts", f"snapshot_id={snapshot['snapshot_id']}")
            job = await self.first.call("restore_recontacts", snapshot_id=snapshot["snapshot_id"])
            self.screen.good(f"job {job['job_id']}, {job['status']}")
            async with anyio.create_task_group() as tasks:
                broken = anyio.Event()
                tasks.start_soon(self._wait_in_vain, job, broken.set)
                count = await self._some_stored()
                os.kill(self.first.process_id, signal.SIGKILL)
                self.screen.say(f"[red]kill -9 {self.first.process_id}[/]  at {count:,} of {self.file.ids:,} stored")
                await broken.wait()
            self.screen.say("the first assistant has lost its server, and the call with which it waited")
            return job

    async def _wait_in_vain(self, job: dict[str, Any], tell: Callable[[], None]) -> None:
        broken = False
        try:
            await self.first.call("get_upload_job", job_id=job["job_id"], wait_seconds=WAIT_SECONDS)
        except MCPError:
            broken = True
        expect(broken, "The restore ended before the server was killed.")
        tell()

    async def _some_stored(self) -> int:
        """Return the count once it shows that the restore is in its middle."""
        count = await stored(self.second)
        while count < self.file.ids * KILLED_FROM:
            await anyio.sleep(LOOK_SECONDS)
            count = await stored(self.second)
        expect(count < self.file.ids, "The restore ended before the server could be killed.")
        return count

    async def follow_by_second(self, job: dict[str, Any]) -> dict[str, Any]:
        """Follow the job from the other server, until it is done and proved."""
        with self.screen.step("The second server takes over"):
            self.screen.call("get_upload_job", f"wait_seconds={WAIT_SECONDS}, from process {self.second.process_id}")
            with self.screen.bar("stored", self.file.ids) as show:
                await followed(self.second, "get_upload_job", job, show)
            # Once more: the proof is made when the job has ended, and this waits for it.
            report = await self.second.call("get_upload_job", job_id=job["job_id"], wait_seconds=WAIT_SECONDS)
            self.screen.good(f"{report['status']}; {report['next_step']}")
            return report

    async def prove(self, report: dict[str, Any]) -> None:
        """See that exactly what was removed is stored again, and that nothing was sent twice."""
        with self.screen.step("Exactly the same IDs are stored as before"):
            proof: dict[str, Any] = report["proof"] or {"equal": False}
            expect(proof["equal"], "The restore was not proved.")
            jobs = (await self.second.call("list_upload_jobs"))["jobs"]
            expect(len(jobs) == len(("upload", "restore")), f"The API counts {len(jobs)} upload jobs.")
            differing = await self._read(f"{report['resource_uri']}/differences.csv")
            listed = await self._read(report["resource_uri"].partition("upload-jobs/")[0] + "respondents.csv")
            expect(not differing, "There are differences.")
            expect(sorted(listed) == sorted(self._sent()), "The list of stored IDs is not that of the file.")
            self.screen.facts(
                {
                    "stored, expected": f"{proof['stored']:,}, {proof['expected']:,}",
                    "missing, extra": f"{proof['missing']}, {proof['extra']}",
                    "differences": "none",
                    "hash of the set": f"{proof['set_hash'][:HASH_SHOWN]}...",
                    "upload jobs": f"{len(jobs)}: the upload and the restore, neither sent twice",
                }
            )
            self.screen.good(f"all {len(listed):,} stored IDs were read again: they are those of the file")

    async def _read(self, uri: str) -> list[str]:
        """Return the lines of a resource."""
        contents = (await self.second.client.read_resource(uri)).contents
        return "".join(one.text for one in contents if isinstance(one, TextResourceContents)).split()
