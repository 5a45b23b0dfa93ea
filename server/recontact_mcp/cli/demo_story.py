"""The demo's story, step by step; each step checks the server's answer before it goes on."""

import json
import re
from dataclasses import dataclass
from typing import Any

from recontact_mcp.cli.demo_client import Session, expect
from recontact_mcp.cli.demo_file import MessyFile
from recontact_mcp.cli.demo_screen import Screen
from recontact_mcp.cli.demo_steps import WAIT_SECONDS, Typing, followed, removal, stored

PAGE_SIZE = 5
IDENTIFIER = re.compile(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
WRONG_PHRASE = "yes, remove everything"


@dataclass(frozen=True, slots=True)
class Story:
    """One run of the demo; *typing* asks a person to type, and is None where the demo does it for them."""

    session: Session
    screen: Screen
    file: MessyFile
    typing: Typing

    async def tell(self) -> None:
        """Run every step.

        Raises:
            Surprise: A step did not go as it must.
        """
        await self.connect()
        job = await self.upload()
        await self.second_upload_is_refused(job)
        await self.follow_upload(job)
        await self.count_and_page()
        await self.wrong_phrase_changes_nothing()
        with self.screen.step("Remove everything: the phrase is typed"):
            job = await removal(self.session, self.screen, self.typing, ids=self.file.ids)
        await self.follow_removal(job)
        with self.screen.step("Nothing is left"):
            expect(await stored(self.session) == 0, "The overview still counts respondent IDs after the removal.")
            self.screen.good("0 stored")

    async def connect(self) -> None:
        """Ask the server who it is and what it can do."""
        # Imported here: other commands do not pay for the tools.
        from recontact_tools.catalog import catalog  # noqa: PLC0415 (the reason is the line above)

        with self.screen.step("Connect"):
            client = self.session.client
            tools = (await client.list_tools()).tools
            info = client.server_info
            self.screen.facts(
                {
                    "server": f"{info.name} {info.version}" if info else "(no name)",
                    "protocol": client.protocol_version,
                    "tools": ", ".join(tool.name for tool in tools),
                }
            )
            wanted = len(catalog(local_files=True))
            expect(len(tools) == wanted, f"{wanted} tools were expected, {len(tools)} are there.")
            expect(await stored(self.session) == 0, "The new target group is not empty.")

    async def upload(self) -> dict[str, Any]:
        """Upload the messy file by path, and compare the report with what was planted."""
        with self.screen.step(f"Upload {self.file.ids:,} identifiers from a spreadsheet export"):
            self.screen.call("upload_recontacts", f'path="{self.file.path.name}"')
            job = await self.session.call("upload_recontacts", path=str(self.file.path))
            eta = job["eta_seconds"]
            self.screen.facts(
                {
                    "sent": f"{job['ids_sent']:,} of {job['lines_read']:,} lines, column {job['column']}",
                    "job": f"{job['job_id']}, {job['status']}, about {eta['low']} to {eta['high']} s",
                    "resource": job["resource_uri"],
                    "next": job["next_step"],
                }
            )
            self.screen.left_out(job["dropped"])
            counts = {line["kind"]: line["count"] for line in job["dropped"]}
            expect(job["ids_sent"] == self.file.ids, "Not every identifier of the file was sent.")
            for kind, planted in self.file.planted.items():
                expect(counts.get(kind) == planted, f"The report does not count {planted} {kind} lines.")
            expect(not IDENTIFIER.search(json.dumps(job)), "The report shows an identifier.")
            self.screen.good("the report counts exactly the mistakes in the file, and shows no identifier")
            return job

    async def second_upload_is_refused(self, job: dict[str, Any]) -> None:
        """Try a second job while the first runs."""
        with self.screen.step("A second upload while the first one runs"):
            self.screen.call("upload_recontacts", "ids=[1 identifier]")
            error = await self.session.call_refused("upload_recontacts", ids=["00000000-0000-4000-8000-000000000001"])
            self.screen.refusal(error)
            expect(error["code"] == "JOB_RUNNING", f"JOB_RUNNING was expected, not {error['code']}.")
            expect(error.get("job_id") == job["job_id"], "The refusal does not name the running job.")
            self.screen.good(f"refused, with the handle of the running job {error['job_id']}")

    async def follow_upload(self, job: dict[str, Any]) -> None:
        """Follow the upload to its end."""
        with self.screen.step("Follow the upload"):
            self.screen.call("get_upload_job", f"wait_seconds={WAIT_SECONDS}")
            self.screen.call("get_recontact_overview", "meanwhile")
            with self.screen.bar("stored", self.file.ids) as show:
                report = await followed(self.session, "get_upload_job", job, show)
            self.screen.good(f"{report['status']} at {report['completed_at']}")

    async def count_and_page(self) -> None:
        """Read the count and one page of IDs."""
        with self.screen.step("Read the count and a page"):
            overview = await self.session.call("get_recontact_overview")
            self.screen.call("get_recontact_overview", "")
            self.screen.facts(
                {"stored": f"{overview['saved_respondent_ids_count']:,}", "room left": f"{overview['room_left']:,}"}
            )
            expect(overview["saved_respondent_ids_count"] == self.file.ids, "The count is not what was sent.")
            page = await self.session.call("list_recontacts", page_size=PAGE_SIZE)
            self.screen.call("list_recontacts", f"page_size={PAGE_SIZE}")
            for respondent_id in page["respondent_ids"]:
                self.screen.say(respondent_id)
            size = min(PAGE_SIZE, self.file.ids)
            expect(len(page["respondent_ids"]) == size, "The page does not hold what was asked for.")
            self.screen.good("listed because they were asked for; no other tool shows an identifier")

    async def wrong_phrase_changes_nothing(self) -> None:
        """Let the wrong words be typed, and see that nothing happens."""
        with self.screen.step("Remove everything: the wrong words change nothing"):

            async def reply(message: str) -> str:
                self.screen.question(message)
                self.screen.say(f'the demo types  [bold]"{WRONG_PHRASE}"[/]')
                return WRONG_PHRASE

            self.session.person.reply = reply
            self.screen.call("remove_all_recontacts", "")
            error = await self.session.call_refused("remove_all_recontacts")
            self.screen.refusal(error)
            expect(error["code"] == "CONFIRMATION_MISMATCH", f"A mismatch was expected, not {error['code']}.")
            expect(await stored(self.session) == self.file.ids, "Something was removed without the right phrase.")
            self.screen.good(f"still {self.file.ids:,} stored")

    async def follow_removal(self, job: dict[str, Any]) -> None:
        """Follow the removal to its end."""
        with self.screen.step("Follow the removal"):
            self.screen.call("get_removal_job", f"wait_seconds={WAIT_SECONDS}")
            self.screen.call("get_recontact_overview", "meanwhile")
            with self.screen.bar("removed", self.file.ids) as show:
                report = await followed(self.session, "get_removal_job", job, lambda left: show(self.file.ids - left))
            self.screen.good(f"{report['status']} at {report['completed_at']}")
