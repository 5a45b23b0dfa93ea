"""Completion offers the ids that were used here, and those that the operator configured."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mcp import Client
from mcp_types import PromptReference, ResourceTemplateReference

from recontact_mcp.opening import Effects
from recontact_tools import uris

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
GROUP_ID = "01BTGNYV6HRNK8K8VKZASZCFP1"
PROMPT = PromptReference(name="recontact_a_survey")


async def offered(
    client: Client, template: str | None, name: str, value: str, **chosen: str
) -> tuple[list[str], int | None, bool | None]:
    """Complete an argument of a template, or of the prompt, and return what is offered."""
    ref = ResourceTemplateReference(uri=template) if template else PROMPT
    completion = (await client.complete(ref, {"name": name, "value": value}, chosen or None)).completion
    return completion.values, completion.total, completion.has_more


async def test_target_groups_are_offered_once_something_was_done_with_them(
    era: str, connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects) as client:
        before = await offered(client, uris.OVERVIEW, "target_group_id", "")
        await call(client, "upload_recontacts", ids=identifiers(1))
        after = [await offered(client, template, "target_group_id", "01btg") for template in (None, uris.RESPONDENTS)]
        other = await offered(client, uris.OVERVIEW, "target_group_id", "02")
    assert after == [([GROUP_ID], 1, False)] * 2
    assert before == other == ([], 0, False)


async def test_jobs_are_offered_by_kind_and_by_what_was_chosen_before(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    async with connect(era, effects=effects, answer=replying()) as client:
        upload = (await call(client, "upload_recontacts", ids=identifiers(1)))["job_id"]
        await call(client, "get_upload_job", job_id=upload, wait_seconds=45)
        removal = (await call(client, "remove_all_recontacts"))["job_id"]
        uploads = await offered(client, uris.UPLOAD_JOB, "job_id", "")
        files = await offered(client, uris.UPLOAD_FILE, "job_id", upload[:5], target_group_id=GROUP_ID)
        removals = await offered(client, uris.REMOVAL_JOB, "job_id", "", target_group_id=GROUP_ID, account_id="101")
        elsewhere = [
            await offered(client, uris.UPLOAD_JOB, "job_id", "", target_group_id="01BTGNYV6HRNK8K8VKZASZCFP2"),
            await offered(client, uris.UPLOAD_JOB, "job_id", "", target_group_id=GROUP_ID, account_id="7"),
            await offered(client, uris.UPLOAD_JOB, "job_id", "x"),
        ]
        nothing_chosen = await offered(client, uris.UPLOAD_JOB, "job_id", "", target_group_id="no such id")
    assert uploads == files == nothing_chosen == ([upload], 1, False)
    assert removals == ([removal], 1, False)
    assert elsewhere == [([], 0, False)] * 3


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("account_id", "1", ["101"], id="account"),
        pytest.param("account_id", "2", [], id="another account"),
        pytest.param("project_id", "", ["01BTGNYV6HRNK8K8VKZASZCFP0"], id="project"),
        pytest.param("path", "/", [], id="never a path"),
    ],
)
async def test_the_configured_account_and_project_are_offered(
    era: str, connect: "Connect", effects: Effects, name: str, value: str, expected: list[str]
) -> None:
    async with connect(era, effects=effects) as client:
        values, _total, _more = await offered(client, uris.OVERVIEW, name, value)
    assert values == expected


async def test_what_is_not_configured_is_not_offered(era: str, connect: "Connect", effects: Effects) -> None:
    async with connect(era, effects=effects, cint_client_id="somebody") as client:
        assert await offered(client, uris.OVERVIEW, "account_id", "") == ([], 0, False)


async def test_completion_never_asks_the_api(
    era: str, connect: "Connect", effects: Effects, api: "Api", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(1))
    async with connect(era, effects=effects) as client:
        await offered(client, uris.UPLOAD_JOB, "job_id", "")
        await offered(client, uris.UPLOAD_JOB, "target_group_id", "")
    assert not api.faults.requests


@pytest.mark.sqlite_only(reason="what cannot be used is the data directory")
async def test_nothing_is_offered_where_the_data_directory_cannot_be_used(
    era: str, connect: "Connect", tmp_path: Path
) -> None:
    (in_the_way := tmp_path / "in the way").write_text("a file", "utf-8")
    async with connect(era, data_dir=in_the_way) as client:
        assert await offered(client, uris.OVERVIEW, "target_group_id", "") == ([], None, None)


async def test_what_the_allow_lists_hide_is_not_offered(
    era: str, connect: "Connect", effects: Effects, call: "Call", identifiers: Callable[[int], list[str]]
) -> None:
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(3))
    everywhere, hidden, shown = (uris.UPLOAD_JOB, frozenset({"0" * 26}), frozenset({GROUP_ID}))
    async with connect(era, effects=effects, allowed_target_groups=hidden) as client:
        assert (await offered(client, everywhere, "target_group_id", ""))[0] == []
        assert (await offered(client, everywhere, "job_id", ""))[0] == []
        assert (await offered(client, everywhere, "job_id", "", target_group_id=GROUP_ID))[0] == []
    async with connect(era, effects=effects, allowed_target_groups=shown) as client:
        assert (await offered(client, everywhere, "target_group_id", ""))[0] == [GROUP_ID]
        assert (await offered(client, everywhere, "job_id", ""))[0] == []
        assert (await offered(client, everywhere, "job_id", "", target_group_id=GROUP_ID))[0] == [started["job_id"]]
    async with connect(era, effects=effects, allowed_accounts=frozenset({102})) as client:
        assert (await offered(client, everywhere, "target_group_id", ""))[0] == []


async def test_the_place_of_a_chosen_target_group_is_offered_without_any_setting(
    era: str, connect: "Connect", effects: Effects, api: "Api", call: "Call", identifiers: Identifiers
) -> None:
    unconfigured, there = (
        {"cint_client_id": "somebody"},
        {"account_id": 101, "project_id": "01BTGNYV6HRNK8K8VKZASZCFP0"},
    )
    async with connect(era, effects=effects, **unconfigured) as client:
        job_id = (await call(client, "upload_recontacts", ids=identifiers(1), **there))["job_id"]
    asked = dict(api.faults.requests)
    async with connect(era, effects=effects, **unconfigured, allowed_accounts=frozenset({101})) as client:
        chosen = {"target_group_id": GROUP_ID.lower()}
        known = [await offered(client, uris.UPLOAD_JOB, name, "", **chosen) for name in ("account_id", "project_id")]
        jobs = await offered(client, uris.UPLOAD_JOB, "job_id", "", **chosen)
        groups = await offered(client, uris.UPLOAD_JOB, "target_group_id", "")
        unknown = await offered(client, uris.UPLOAD_JOB, "project_id", "", target_group_id="0" * 26)
    async with connect(era, effects=effects, **unconfigured, allowed_accounts=frozenset({102})) as client:
        hidden = [await offered(client, uris.UPLOAD_JOB, name, "", **chosen) for name in ("account_id", "project_id")]
    assert [values for values, _, _ in known] == [["101"], [there["project_id"]]]
    assert (jobs[0], groups[0]) == ([job_id], [GROUP_ID])
    assert (unknown[0], [values for values, _, _ in hidden]) == ([], [[], []])
    assert dict(api.faults.requests) == asked
