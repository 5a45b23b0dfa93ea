"""Every tool on its way to a good end, in both protocol eras."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_service.operations import Operation

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
HERE = "recontact://accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/"


async def test_a_list_of_ids_is_uploaded_followed_and_counted(
    era: str, connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers
) -> None:
    ids = identifiers(3)
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", ids=[*ids, ids[0].upper()])
        job = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
        overview = await call(client, "get_recontact_overview")
    assert {key: started[key] for key in ("kind", "status", "ids_sent", "stored_before", "lines_read", "dropped")} == {
        "kind": "upload",
        "status": "Processing",
        "ids_sent": 3,
        "stored_before": 0,
        "lines_read": 4,
        "dropped": [{"kind": "duplicate", "count": 1, "lines": [4]}],
    }
    assert started["resource_uri"] == f"{HERE}upload-jobs/{started['job_id']}"
    assert job == {
        "next_step": "The upload is done; 3 IDs were stored once it had ended. "
        "check_recontact_readiness says what is missing before the launch.",
        "job_id": started["job_id"],
        "kind": "upload",
        "status": "Completed",
        "target_group_id": "01BTGNYV6HRNK8K8VKZASZCFP1",
        "resource_uri": started["resource_uri"],
        "poll_after_seconds": 0,
        "eta_seconds": {"low": 0, "high": 0},
        "ids_done": None,
        "ids_total": None,
        "created_at": "2030-01-01T12:00:00+00:00",
        "completed_at": "2030-01-01T12:00:00+00:00",
        "failure_reason": None,
        "partial_success_reason": None,
        "file_name": started["file_name"],
        "ids_sent": 3,
        "stored_before": 0,
        "stored_after": 3,
        "growth": 3,
        "api_stored": None,
        "api_failed": None,
        "explanation": "The count grew by exactly the 3 IDs sent.",
        "not_stored": None,
        "not_compared_because": None,
        "missing_uri": None,
        "proof": None,
        "differences_uri": None,
        "replacement": None,
    }
    assert (overview["saved_respondent_ids_count"], overview["room_left"]) == (3, 99_997)
    assert overview["resource_uri"] == f"{HERE}overview"


async def test_a_file_is_uploaded_by_its_named_column(
    era: str, connect: "Connect", effects: Effects, call: "Call", settings: Settings, identifiers: Identifiers
) -> None:
    lines = [f"{first},{second}" for first, second in zip(identifiers(4)[:2], identifiers(4)[2:], strict=True)]
    (settings.upload_roots[0] / "wave1.csv").write_text("\n".join(["one,two", *lines]))
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", path="wave1.csv", column="two")
    assert (started["column"], started["ids_sent"], started["lines_read"]) == ("two", 2, 3)


async def test_response_ids_that_nobody_knows_make_a_partial_success_that_is_told(
    era: str, connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(2), id_type="RID")
        job = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
    assert job["status"] == "Completed"
    assert "0 respondent IDs uploaded successfully, 2 failed" in job["partial_success_reason"]


async def test_upload_jobs_are_listed_newest_first_and_page_by_page(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    older = await api.upload_elsewhere(identifiers(1))
    api.pass_time(minutes=1)
    newer = await api.upload_elsewhere(identifiers(2))
    async with connect(era, effects=effects) as client:
        first = await call(client, "list_upload_jobs", page_size=1)
        second = await call(client, "list_upload_jobs", page_size=1, cursor=first["next_cursor"])
    assert first["jobs"] == [
        {
            "job_id": newer,
            "file_name": "elsewhere.csv",
            "status": "Completed",
            "created_at": "2030-01-01T12:01:00+00:00",
            "resource_uri": f"{HERE}upload-jobs/{newer}",
        }
    ]
    assert [job["job_id"] for job in second["jobs"]] == [older]


async def test_stored_ids_are_listed_until_the_last_page(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect(era, effects=effects) as client:
        first = await call(client, "list_recontacts", page_size=2)
        second = await call(client, "list_recontacts", page_size=2, cursor=first["next_cursor"])
    assert first["respondent_ids"] + second["respondent_ids"] == identifiers(3)
    assert second["next_cursor"] is None


async def test_everything_is_removed_once_a_person_types_the_phrase(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    replying: "Replying",
    identifiers: Identifiers,
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect(era, effects=effects, answer=replying()) as client:
        started = await call(client, "remove_all_recontacts")
        job = await call(client, "get_removal_job", job_id=started["job_id"], wait_seconds=45)
        overview = await call(client, "get_recontact_overview")
    assert (started["kind"], started["status"], started["ids_to_remove"]) == ("removal", "Processing", 3)
    assert started["resource_uri"] == f"{HERE}removal-jobs/{started['job_id']}"
    assert (job["status"], job["ids_to_remove"], job["failure_reason"]) == ("Completed", 3, None)
    assert overview["saved_respondent_ids_count"] == 0
    assert api.asked(Operation.REMOVE_ALL) == 1


async def test_a_job_of_somebody_else_is_read_without_knowing_its_size(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    job_id = await api.upload_elsewhere(identifiers(2), finished=False)
    async with connect(era, effects=effects, pace=1.0) as client:
        job = await call(client, "get_upload_job", job_id=job_id)
    assert (job["status"], job["ids_sent"], job["file_name"]) == ("Processing", None, None)
    assert job["next_step"] == "Call get_upload_job with this job_id after 15 s, or with wait_seconds=45."


async def test_ids_are_taken_in_lower_case_and_with_the_account_and_project_given(
    era: str, connect: "Connect", effects: Effects, call: "Call"
) -> None:
    async with connect(era, effects=effects) as client:
        overview = await call(
            client,
            "get_recontact_overview",
            target_group_id="01btgnyv6hrnk8k8vkzaszcfp1",
            project_id="01btgnyv6hrnk8k8vkzaszcfp0",
            account_id=101,
        )
    assert "/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1/" in overview["resource_uri"]


async def test_the_embedded_service_stores_something_for_response_ids_too(
    era: str, connect: "Connect", call: "Call", identifiers: "Callable[[int], list[str]]"
) -> None:
    async with connect(era) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(5), id_type="RID")
        job = await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=30)
        overview = await call(client, "get_recontact_overview")
    assert (job["status"], job["partial_success_reason"]) == ("Completed", None)
    assert overview["saved_respondent_ids_count"] == 5
