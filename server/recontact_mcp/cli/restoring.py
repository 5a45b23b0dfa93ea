"""The steps of a restore on the command line: a client in this process, and the tools as an assistant calls them."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anyio
from mcp import Client
from rich.console import Console

from recontact_mcp.app import build_server
from recontact_mcp.cli.bars import counting_bar
from recontact_mcp.settings import Settings
from recontact_tools.error_codes import EXPLANATIONS
from recontact_tools.errors import ErrorCode
from recontact_tools.ledger import Snapshot

# source: architecture.md, the longest wait a job tool takes
WAIT_SECONDS = 45
# ours: longer than any call of a tool takes.
CALL_SECONDS = 60.0
# ours: smooth to the eye where the service is in this process; Cint advises restraint, and a job there takes minutes.
LOOK_SECONDS, ASK_SECONDS = 0.25, 15.0
# ours: five minutes of an API that does not answer, and as long for a proof: the upload goes on meanwhile.
VAIN_MOST, PROOF_CALLS = 20, 5
HINDERED = frozenset({"UNREACHABLE", "UNAVAILABLE", "RATE_LIMITED", "OUTCOME_UNKNOWN"})
GOES_ON = "The upload goes on by itself; recontact-mcp jobs shows how it stands."


class Refusal(Exception):
    """A tool refused; the message says why, and *cure* what to do about it."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = str(error["code"])
        self.cure = EXPLANATIONS[ErrorCode(self.code)].cure


@dataclass(slots=True)
class Restoring:
    """One restore of *snapshot*; *agree* is shown the preview, and ends the command if it is not wanted."""

    settings: Settings
    snapshot: Snapshot
    console: Console
    agree: Callable[[Mapping[str, Any]], Awaitable[None]]
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    interrupted: str = "Nothing was done."

    async def run(self) -> bool:
        """Restore, and return whether exactly the snapshot is stored afterwards.

        Raises:
            Refusal: A tool refused.
        """
        async with Client(build_server(self.settings)) as client:
            preview = await self._call(client, "preview_upload", snapshot_id=self.snapshot.snapshot_id)
            _check(preview)
            await self.agree(preview)
            self.interrupted = f"Stopped watching. If the upload was started: {GOES_ON}"
            job = await self._call(client, "restore_recontacts", snapshot_id=self.snapshot.snapshot_id)
            self._tell_started(job)
            report = await self._followed(client, job)
            return self.tell_proof(report)

    async def _call(self, client: Client, tool: str, **arguments: object) -> dict[str, Any]:
        group = self.snapshot.group
        place = {
            "target_group_id": group.target_group_id,
            "project_id": group.project_id,
            "account_id": group.account_id,
        }
        result = await client.call_tool(tool, {**place, **arguments}, read_timeout_seconds=CALL_SECONDS)
        answer: dict[str, Any] = result.structured_content or {}
        if result.is_error:
            raise Refusal(answer["error"])
        return answer

    def _tell_started(self, job: Mapping[str, Any]) -> None:
        low, high = job["eta_seconds"]["low"], job["eta_seconds"]["high"]
        said = "was started before" if job["repeated"] else f"is started; estimate: {low} to {high} s"
        self.console.print(f"Upload job {job['job_id']} {said}.", markup=False)

    async def _followed(self, client: Client, job: Mapping[str, Any]) -> dict[str, Any]:
        """Follow the job to its end and its proof, showing the count of what is stored."""
        aim = self.snapshot.count + job["stored_before"]
        report: dict[str, Any] = {}
        with counting_bar(self.console, "stored", self.snapshot.count) as show:

            async def look() -> None:
                overview = await self._call(client, "get_recontact_overview")
                show(min(self.snapshot.count, self.snapshot.count - aim + overview["saved_respondent_ids_count"]))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._look_again_and_again, look)
                report = await self.ended(client, job["job_id"])
                tasks.cancel_scope.cancel()
            with suppress(Refusal):
                await look()
        return report

    async def _look_again_and_again(self, look: Callable[[], Awaitable[None]]) -> None:
        pause = LOOK_SECONDS if self.settings.embedded else ASK_SECONDS
        while True:
            with suppress(Refusal):  # a bar that stands still for a while
                await look()
            await self.sleep(pause)

    async def ended(self, client: Client, job_id: str) -> dict[str, Any]:
        """Return the report of the job once it has ended and was proved, or cannot be."""
        vain = proving = 0
        while True:
            try:
                report = await self._call(client, "get_upload_job", job_id=job_id, wait_seconds=WAIT_SECONDS)
            except Refusal as refusal:
                vain += 1
                if refusal.code not in HINDERED or vain > VAIN_MOST:
                    raise
                await self.sleep(ASK_SECONDS)
                continue
            vain, proving = 0, proving + (report["status"] == "Completed")
            if report["proof"] or report["status"] == "Failed" or proving == PROOF_CALLS:
                return report

    def tell_proof(self, report: Mapping[str, Any]) -> bool:
        """Say what came of it, and return whether exactly the snapshot is stored."""
        proof, count = report["proof"], f"{self.snapshot.count:,}"
        if report["status"] == "Failed":
            self.console.print(f"The upload failed: {report['failure_reason']}", style="bold red", markup=False)
        elif proof is None:
            self.console.print("The upload is done, but could not be proved: what is stored cannot be read now.")
        elif proof["equal"]:
            self.console.print(
                f"Restored and proved: the {count} IDs of the snapshot are stored, and no other. "
                "All of them were read again; their count and the hash of the set agree.",
                style="green",
            )
        else:
            self.console.print(
                f"The upload is done, but what is stored differs from the snapshot: of its {count} IDs "
                f"{proof['missing']:,} are not stored, and {proof['extra']:,} others are. Which ones, an assistant "
                f"reads at {report['differences_uri']}",
                style="yellow",
                markup=False,
            )
        return bool(proof and proof["equal"])


def _check(preview: Mapping[str, Any]) -> None:
    """Go on unless the preview says that the restore would be refused.

    Raises:
        Refusal: It would be.
    """
    code = preview["refusal"]
    if code is not None:
        raise Refusal({"code": code, "message": EXPLANATIONS[ErrorCode(code)].cause})
