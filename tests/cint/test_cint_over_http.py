"""The whole workflow against an API in another process, over HTTP, while tokens expire and much goes wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mcp import Client
    from tests.cint.conftest import Api, Call, Connecting, Json, Serving

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
NEWEST, OLDER = "2025-12-18", "2025-05-27"
UPLOAD = "recontact_create_upload_rsids_by_file_job"
LOOK = "get_recontacts_rsids_upload_file_job_status"
LIST = "recontact_list_upload_respondents_by_file_jobs"
OVERVIEW = "get_recontacts_overview"
PAGE = "get_target_group_rsid_recontact_list"
REMOVE = "create_all_recontact_rsids_removal_job"
REMOVAL = "recontacts_remove_all_rsids_job_status"
GROUP = "get_target_group"


@pytest.fixture
def wave(tmp_path: Path, identifiers: Identifiers) -> list[str]:
    """Write a file as people have them, a header and one line twice; return its IDs."""
    ids = identifiers(60)
    (tmp_path / "wave1.csv").write_text("RSID\n" + "\n".join([*ids, ids[0]]))
    return ids


async def script(api: "Api", *, lost: bool) -> None:
    """Let something go wrong at every step; with *lost*, also the answer to the upload."""
    await api.meet(GROUP, "error")
    await api.meet(OVERVIEW, "rate_limited", seconds=1)
    await api.meet(OVERVIEW, "error")
    await api.meet(OVERVIEW, "expired_token")
    await api.meet(UPLOAD, "expired_token")
    if lost:
        await api.meet(UPLOAD, "lost_answer")
        await api.meet(LIST, "error")
    await api.meet(LOOK, "slow", seconds=1)
    await api.meet(LOOK, "proxy_html")
    await api.meet(PAGE, "lost_answer")
    await api.meet(REMOVE, "expired_token")
    await api.meet(REMOVAL, "error")


async def until_it_ends(call: "Call", client: "Client", tool: str, job_id: str) -> "Json":
    """Follow a job as an agent does that waits."""
    while (job := await call(client, tool, job_id=job_id, wait_seconds=45))["poll_after_seconds"]:
        pass
    return job


@pytest.mark.parametrize(
    ("version", "lost"),
    [
        pytest.param(NEWEST, True, id="2025-12-18, the answer to the upload lost"),
        pytest.param(OLDER, False, id="2025-05-27"),
    ],
)
async def test_the_whole_workflow_survives_what_goes_wrong_on_the_way(
    era: str,
    serving: "Serving",
    connecting: "Connecting",
    call: "Call",
    wave: list[str],
    *,
    version: str,
    lost: bool,
) -> None:
    async with serving() as api, connecting(api, era=era, version=version) as client:
        await script(api, lost=lost)
        before = await call(client, "check_recontact_readiness")
        preview = await call(client, "preview_upload", path="wave1.csv")
        upload = await call(client, "upload_recontacts", path="wave1.csv")
        uploaded = await until_it_ends(call, client, "get_upload_job", upload["job_id"])
        after = await call(client, "check_recontact_readiness")
        listed = await call(client, "list_recontacts", page_size=100)
        removal = await call(client, "remove_all_recontacts")
        removed = await until_it_ends(call, client, "get_removal_job", removal["job_id"])
        left = await call(client, "get_recontact_overview")
        requests, jobs = await api.counts()
    assert "stored_ids" in [finding["check"] for finding in before["findings"] if finding["severity"] == "blocks"]
    assert "stored_ids" not in [finding["check"] for finding in after["findings"]]
    assert (preview["new"], preview["already_stored"]) == (60, 0)
    assert (upload["ids_sent"], removal["ids_to_remove"], left["saved_respondent_ids_count"]) == (60, 60, 0)
    assert (uploaded["status"], removed["status"]) == ("Completed", "Completed")
    assert listed["respondent_ids"] == wave
    # One job of each kind, whatever was lost: a request that may have started one is never sent again.
    assert jobs == {"upload-rsids-by-file": 1, "remove-all-rsids": 1}
    # Only the one that was refused for its token was.
    assert (requests[UPLOAD], requests[REMOVE]) == (2, 2)
    # One token at first, three for those that were refused, and as many more as really expired meanwhile.
    assert requests["issue_token"] >= 4


async def test_without_a_job_list_a_lost_answer_ends_as_unknown_and_says_where_to_look(
    serving: "Serving", connecting: "Connecting", call: "Call", wave: list[str]
) -> None:
    async with serving() as api, connecting(api, era="auto", version=OLDER) as client:
        await api.meet(UPLOAD, "lost_answer")
        error = await call(client, "upload_recontacts", refused=True, path="wave1.csv")
        requests, jobs = await api.counts()
        count = (await call(client, "get_recontact_overview"))["saved_respondent_ids_count"]
    assert (error["code"], error["changed"]) == ("OUTCOME_UNKNOWN", "unknown")
    assert (requests[UPLOAD], jobs, count) == (1, {"upload-rsids-by-file": 1}, len(wave))
