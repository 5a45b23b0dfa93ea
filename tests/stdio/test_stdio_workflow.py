"""Every tool, and what else hosts use, over the pipes of a real process, in both protocol eras."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mcp import Client
from mcp.client.session import ElicitationFnT
from mcp_types import PromptReference, TextResourceContents

if TYPE_CHECKING:
    from tests.stdio.conftest import Call, Connecting

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
HERE = f"recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/{GROUP}/"


async def read(client: Client, uri: str) -> str:
    """Read a resource of text."""
    [contents] = (await client.read_resource(uri)).contents
    assert isinstance(contents, TextResourceContents)
    return contents.text


async def test_every_tool_does_its_part_of_a_whole_recontact(
    era: str,
    connected: "Connecting",
    call: "Call",
    agreeing: ElicitationFnT,
    tmp_path: Path,
    identifiers: Identifiers,
) -> None:
    ids = identifiers(5)
    (tmp_path / "files" / "wave1.csv").write_text("RSID\n" + "\n".join(ids[:3]))
    async with connected(era, answer=agreeing) as client:
        by_path = await call(client, "upload_recontacts", path="wave1.csv")
        first = await call(client, "get_upload_job", job_id=by_path["job_id"], wait_seconds=45)
        by_ids = await call(client, "upload_recontacts", ids=ids[3:])
        second = await call(client, "get_upload_job", job_id=by_ids["job_id"], wait_seconds=45)
        jobs = await call(client, "list_upload_jobs")
        page = await call(client, "list_recontacts", page_size=3)
        rest = await call(client, "list_recontacts", page_size=3, cursor=page["next_cursor"])
        stored = await call(client, "get_recontact_overview")
        removal = await call(client, "remove_all_recontacts")
        removed = await call(client, "get_removal_job", job_id=removal["job_id"], wait_seconds=45)
        left = await call(client, "get_recontact_overview")
    assert [job["status"] for job in (first, second, removed)] == ["Completed"] * 3
    assert (by_path["ids_sent"], by_ids["ids_sent"], removal["ids_to_remove"]) == (3, 2, 5)
    assert {job["job_id"] for job in jobs["jobs"]} == {by_path["job_id"], by_ids["job_id"]}
    assert page["respondent_ids"] + rest["respondent_ids"] == ids
    assert (stored["saved_respondent_ids_count"], left["saved_respondent_ids_count"]) == (5, 0)


async def test_what_the_tools_point_at_can_be_read(
    era: str, connected: "Connecting", call: "Call", identifiers: Identifiers
) -> None:
    ids = identifiers(2)
    async with connected(era) as client:
        started = await call(client, "upload_recontacts", ids=ids)
        job = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
        overview = json.loads(await read(client, f"{HERE}overview"))
        same_job = json.loads(await read(client, started["resource_uri"]))
        sent = await read(client, f"{started['resource_uri']}/file")
        stored = await read(client, f"{HERE}respondents.csv")
        templates = (await client.list_resource_templates()).resource_templates
    assert overview["saved_respondent_ids_count"] == 2
    assert same_job == job
    assert sent.split() == stored.split() == ids
    assert {template.uri_template.rpartition("}/")[2] for template in templates} >= {"overview", "respondents.csv"}


async def test_a_job_that_is_waited_for_reports_its_progress(
    era: str, connected: "Connecting", call: "Call", identifiers: Identifiers
) -> None:
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        del total  # the client passes it by position
        heard.append((progress, message))

    async with connected(era, RECONTACT_PACE="1000") as client:
        started = await call(client, "upload_recontacts", ids=identifiers(2))
        waiting = {"target_group_id": GROUP, "job_id": started["job_id"], "wait_seconds": 2}
        result = await client.call_tool("get_upload_job", waiting, progress_callback=hear)
    assert result.structured_content is not None
    assert result.structured_content["status"] == "Processing"
    assert heard
    assert heard == sorted(heard, key=lambda one: one[0])


async def test_the_prompt_and_its_completions_are_served(
    era: str, connected: "Connecting", call: "Call", identifiers: Identifiers
) -> None:
    ref = PromptReference(name="recontact_a_survey")
    async with connected(era) as client:
        await call(client, "upload_recontacts", ids=identifiers(1))
        offered = await client.complete(ref, {"name": "target_group_id", "value": "01b"})
        prompt = await client.get_prompt("recontact_a_survey", {"target_group_id": GROUP})
        listed = (await client.list_prompts()).prompts
    assert offered.completion.values == [GROUP]
    assert GROUP in str(prompt.messages[0].content)
    assert [one.name for one in listed] == ["recontact_a_survey"]
