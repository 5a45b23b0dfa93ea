"""A preview says what an upload would do, sends nothing, and names no respondent."""

import json
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_service.faults import FaultKind
from recontact_service.operations import Operation
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.runtime import Clock

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
# A server of an account at Cint's: the embedded service has no limit to comparisons.
AT_CINT = {"cint_client_id": "robot", "cint_account_id": 101, "cint_project_id": "01BTGNYV6HRNK8K8VKZASZCFP0"}
STARTERS = (Operation.UPLOAD_RSIDS, Operation.UPLOAD_RESPONDENTS, Operation.REMOVE_ALL)


def starts(api: "Api") -> int:
    """Count the requests that may have started a job."""
    return sum(api.asked(operation) for operation in STARTERS)


async def test_a_preview_counts_new_stored_and_dropped_ids_and_predicts_the_exact_count(
    era: str,
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    settings: Settings,
    identifiers: Identifiers,
) -> None:
    ids = identifiers(250)
    await api.upload_elsewhere(ids[:150])
    lines = ["RSID", *(one.upper() for one in ids[100:]), ids[100], "not-an-id"]
    (settings.upload_roots[0] / "wave1.csv").write_text("\n".join(lines))
    async with connect(era, effects=effects) as client:
        before = Counter(api.faults.requests)
        preview = await call(client, "preview_upload", path="wave1.csv")
        asked = api.faults.requests - before
        started = await call(client, "upload_recontacts", path="wave1.csv")
        await call(client, "get_upload_job", job_id=started["job_id"], wait_seconds=45)
    assert {key: value for key, value in preview.items() if key not in {"hints", "next_step"}} == {
        "ids_to_send": 150,
        "stored_now": 150,
        "already_stored": 50,
        "new": 100,
        "room_left": 99_850,
        "over_capacity": 0,
        "predicted_count": {"low": 250, "high": 250},
        "eta_seconds": {"low": 0, "high": 2},
        "not_compared_because": None,
        "refusal": None,
        "job_id": None,
        "lines_read": 153,
        "column": "RSID",
        "dropped": [
            {"kind": "duplicate", "count": 1, "lines": [152]},
            {"kind": "malformed", "count": 1, "lines": [153]},
            {"kind": "header", "count": 1, "lines": [1]},
        ],
    }
    assert "call upload_recontacts with the same arguments" in preview["next_step"]
    assert asked[Operation.LIST_RSIDS] == 2
    assert not asked.keys() & set(STARTERS)
    assert {key: started[key] for key in ("lines_read", "column", "dropped", "hints")} == {
        key: preview[key] for key in ("lines_read", "column", "dropped", "hints")
    }
    assert started["ids_sent"] == preview["ids_to_send"]
    assert await api.count() == preview["predicted_count"]["high"]


async def test_no_id_of_the_list_or_of_the_target_group_is_in_a_preview(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(3)[:2])
    async with connect(era, effects=effects) as client:
        preview = json.dumps(await call(client, "preview_upload", ids=identifiers(3)[1:]))
    assert not [one for one in identifiers(3) if one in preview]


async def test_a_list_that_is_stored_already_needs_no_upload(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect(era, effects=effects) as client:
        preview = await call(client, "preview_upload", ids=identifiers(2))
    assert (preview["new"], preview["already_stored"], preview["predicted_count"]) == (0, 2, {"low": 3, "high": 3})
    assert "nothing to upload" in preview["next_step"]


async def test_an_empty_target_group_is_compared_without_reading_its_list(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects, data_dir=api.settings.data_dir) as client:
        preview = await call(client, "preview_upload", ids=identifiers(2))
    assert (preview["new"], preview["already_stored"], preview["not_compared_because"]) == (2, 0, None)
    assert api.asked(Operation.LIST_RSIDS) == 0


async def test_response_ids_are_not_compared_and_the_count_is_a_range(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect(era, effects=effects) as client:
        preview = await call(client, "preview_upload", ids=identifiers(2), id_type="RID")
    assert (preview["new"], preview["already_stored"]) == (None, None)
    assert preview["predicted_count"] == {"low": 3, "high": 5}
    assert "RIDs cannot be compared" in preview["not_compared_because"]
    assert any(hint.startswith("RIDs:") for hint in preview["hints"])
    assert api.asked(Operation.LIST_RSIDS) == 0


@pytest.mark.parametrize(("pages", "affordable"), [(2, True), (1, False), (0, False)])
async def test_a_comparison_is_made_only_as_far_as_the_operator_allows(
    connect: "Connect",
    effects: Effects,
    call: "Call",
    api: "Api",
    identifiers: Identifiers,
    *,
    pages: int,
    affordable: bool,
) -> None:
    await api.upload_elsewhere(identifiers(150))
    async with connect(effects=effects, **AT_CINT, compare_pages=pages) as client:
        preview = await call(client, "preview_upload", ids=identifiers(152)[149:])
    assert (preview["new"], api.asked(Operation.LIST_RSIDS)) == ((2, 2) if affordable else (None, 0))
    if not affordable:
        assert preview["predicted_count"] == {"low": 150, "high": 153}
        assert "150 stored IDs are 2 pages" in preview["not_compared_because"]
        assert f"may read {pages} (RECONTACT_COMPARE_PAGES)" in preview["not_compared_because"]


async def test_a_list_that_cannot_be_read_spoils_the_comparison_and_nothing_else(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(3))
    async with connect(era, effects=effects) as client:
        api.meet(Operation.LIST_RSIDS, FaultKind.ERROR, times=4)
        preview = await call(client, "preview_upload", ids=identifiers(4))
    assert (preview["new"], preview["refusal"]) == (None, None)
    assert preview["predicted_count"] == {"low": 4, "high": 7}
    assert preview["not_compared_because"] == "The API gave no usable answer to a read."


async def test_a_comparison_gets_only_the_time_that_the_call_has_left(
    connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    await api.upload_elsewhere(identifiers(150))

    def now() -> datetime:
        return api.moment[0] + timedelta(minutes=1 if api.asked(Operation.OVERVIEW) else 0)

    late = replace(effects, clock=Clock(now=now, sleep=effects.clock.sleep))
    async with connect(effects=late) as client:
        preview = await call(client, "preview_upload", ids=identifiers(4))
    assert (preview["new"], preview["not_compared_because"]) == (None, "Reading all stored IDs took too long.")


async def test_a_running_job_is_named_for_an_upload_would_be_refused_now(
    era: str, connect: "Connect", effects: Effects, call: "Call", refused: "Call", api: "Api", identifiers: Identifiers
) -> None:
    job_id = await api.upload_elsewhere(identifiers(2), finished=False)
    async with connect(era, effects=effects, pace=1.0) as client:
        preview = await call(client, "preview_upload", ids=identifiers(3))
        error = await refused(client, "upload_recontacts", ids=identifiers(3))
    assert (preview["refusal"], preview["job_id"]) == (error["code"], job_id) == ("JOB_RUNNING", error["job_id"])
    assert error["next_step"] in preview["next_step"]
    assert preview["new"] is None
    assert "A job runs" in preview["not_compared_because"]
    assert preview["eta_seconds"] == {"low": 0, "high": 900}
    assert api.asked(Operation.LIST_RSIDS) == 0


async def test_a_list_that_was_just_uploaded_is_recognised(
    era: str, connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects, pace=1.0) as client:
        started = await call(client, "upload_recontacts", ids=identifiers(3))
        preview = await call(client, "preview_upload", ids=identifiers(3))
        again = await call(client, "upload_recontacts", ids=identifiers(3))
    assert (preview["refusal"], preview["job_id"]) == (None, started["job_id"])
    assert "would answer its job" in preview["next_step"]
    assert again["job_id"] == started["job_id"]
    assert starts(api) == 1


async def test_a_list_whose_upload_got_lost_is_recognised_with_what_an_upload_would_answer(
    era: str, connect: "Connect", effects: Effects, call: "Call", refused: "Call", api: "Api", identifiers: Identifiers
) -> None:
    api.meet(Operation.UPLOAD_RSIDS, FaultKind.LOST_REQUEST)
    async with connect(era, effects=effects) as client:
        error = await refused(client, "upload_recontacts", ids=identifiers(2))
        preview = await call(client, "preview_upload", ids=identifiers(2))
        other = await call(client, "preview_upload", ids=identifiers(3))
    assert preview["refusal"] == error["code"] == "OUTCOME_UNKNOWN"
    assert (preview["job_id"], other["refusal"]) == (error["job_id"], None)
    assert error["next_step"] in preview["next_step"]
    assert starts(api) == 1


async def test_a_read_only_server_may_preview_and_says_that_it_would_not_upload(
    era: str, connect: "Connect", effects: Effects, call: "Call", refused: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects, read_only=True) as client:
        preview = await call(client, "preview_upload", ids=identifiers(3))
        error = await refused(client, "upload_recontacts", ids=identifiers(3))
    assert preview["refusal"] == error["code"] == "READ_ONLY"
    assert (preview["new"], preview["predicted_count"]) == (3, {"low": 3, "high": 3})
    assert error["next_step"] in preview["next_step"]
    assert starts(api) == 0


async def test_a_preview_follows_the_policy_of_reading(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", identifiers: Identifiers
) -> None:
    async with connect(era, effects=effects, allowed_target_groups=frozenset()) as client:
        error = await refused(client, "preview_upload", ids=identifiers(3))
    assert error["code"] == "POLICY_DENIED"
    assert sum(api.faults.requests.values()) == 0


async def test_what_an_upload_refuses_of_a_source_a_preview_refuses_in_the_same_words(
    era: str, connect: "Connect", effects: Effects, refused: "Call", settings: Settings, identifiers: Identifiers
) -> None:
    (settings.upload_roots[0] / "empty.csv").write_text("name\n\n")
    sources: list[dict[str, object]] = [
        {},
        {"path": "empty.csv"},
        {"path": "nowhere.csv"},
        {"ids": identifiers(1_001)},
        {"ids": identifiers(1), "path": "empty.csv"},
    ]
    async with connect(era, effects=effects) as client:
        for source in sources:
            error = await refused(client, "preview_upload", **source)
            assert error == await refused(client, "upload_recontacts", **source)


async def test_files_of_the_server_are_not_previewed_for_a_client_elsewhere(
    era: str, connect: "Connect", effects: Effects, refused: "Call"
) -> None:
    async with connect(era, effects=effects, local_files=False) as client:
        error = await refused(client, "preview_upload", path="wave1.csv")
    assert error["code"] == "POLICY_DENIED"


async def test_an_overlap_that_was_not_looked_for_rescues_no_upload_and_says_that_it_might(
    connect: "Connect",
    effects: Effects,
    call: "Call",
    refused: "Call",
    api: "Api",
    settings: Settings,
    identifiers: Identifiers,
) -> None:
    ids = identifiers(99_990)
    await api.upload_elsewhere(ids)
    (settings.upload_roots[0] / "wave2.csv").write_text("\n".join(ids[:11]))
    async with connect(effects=effects, **AT_CINT, compare_pages=10) as client:
        preview = await call(client, "preview_upload", path="wave2.csv")
        rsids = await refused(client, "upload_recontacts", path="wave2.csv")
        rids = await refused(client, "upload_recontacts", path="wave2.csv", id_type="RID")
    assert (preview["refusal"], preview["over_capacity"]) == ("CAPACITY_EXCEEDED", 1)
    assert preview["predicted_count"] == {"low": 99_990, "high": 100_000}
    assert "would fit if enough of the IDs are stored already" in preview["next_step"]
    assert (rsids["code"], rids["code"]) == ("CAPACITY_EXCEEDED", "CAPACITY_EXCEEDED")
    assert api.asked(Operation.LIST_RSIDS) == 0
    assert starts(api) == 0


async def test_an_upload_of_response_ids_that_the_account_lacks_is_foreseen(
    era: str, connect: "Connect", effects: Effects, call: "Call", refused: "Call", api: "Api", identifiers: Identifiers
) -> None:
    arguments = {"ids": identifiers(2), "id_type": "RID"}
    async with connect(era, effects=effects, cint_api_version="2025-05-27") as client:
        preview = await call(client, "preview_upload", **arguments)
        error = await refused(client, "upload_recontacts", **arguments)
        looks = api.asked(Operation.LIST_UPLOADS)
        again = await call(client, "preview_upload", **arguments)
        respondents = await call(client, "preview_upload", ids=identifiers(2))
    assert preview["refusal"] == error["code"] == again["refusal"] == "FEATURE_MISSING"
    assert error["next_step"] in preview["next_step"]
    assert (respondents["refusal"], api.asked(Operation.LIST_UPLOADS), starts(api)) == (None, looks, 0)


@pytest.mark.parametrize("kind", [FaultKind.ERROR, FaultKind.NO_PERMISSION, FaultKind.RATE_LIMITED])
async def test_a_look_for_the_upload_of_response_ids_that_tells_nothing_foresees_nothing(
    connect: "Connect", effects: Effects, call: "Call", api: "Api", identifiers: Identifiers, kind: FaultKind
) -> None:
    api.meet(Operation.LIST_UPLOADS, kind, times=20, seconds=60)
    async with connect("auto", effects=effects) as client:
        preview = await call(client, "preview_upload", ids=identifiers(2), id_type="RID")
    assert preview["refusal"] is None


async def test_that_there_is_no_room_is_said_before_what_only_the_api_would_refuse(
    connect: "Connect", effects: Effects, call: "Call", identifiers: Identifiers
) -> None:
    async with connect("auto", effects=Effects(clock=effects.clock, gateway=WithoutRids(100_000).gateway)) as client:
        preview = await call(client, "preview_upload", ids=identifiers(2), id_type="RID")
    assert preview["refusal"] == "CAPACITY_EXCEEDED"


async def test_an_upload_of_response_ids_that_was_refused_is_foreseen_from_then_on(
    era: str, connect: "Connect", effects: Effects, call: "Call", refused: "Call", identifiers: Identifiers
) -> None:
    arguments = {"ids": identifiers(2), "id_type": "RID"}
    effects = Effects(clock=effects.clock, gateway=WithoutRids(0, job_list=True).gateway)
    async with connect(era, effects=effects) as client:
        hopeful = await call(client, "preview_upload", **arguments)
        error = await refused(client, "upload_recontacts", **arguments)
        warned = await call(client, "preview_upload", **arguments)
    assert (hopeful["refusal"], error["code"], warned["refusal"]) == (None, "FEATURE_MISSING", "FEATURE_MISSING")


@dataclass(frozen=True, slots=True)
class WithoutRids:
    """An API that stores *stored* IDs and has no upload of RIDs, nor a list of jobs unless there is a *job_list*."""

    stored: int
    job_list: bool = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a request as the API would."""
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        if request.url.path.endswith("/recontacts/overview"):
            return httpx.Response(200, json={"saved_respondent_ids_count": self.stored})
        if self.job_list and request.method == "GET":
            return httpx.Response(200, json={"data": []})
        return httpx.Response(404, json={"object": "not_found_error", "detail": "resource not found"})

    @asynccontextmanager
    async def gateway(self, _settings: Settings) -> AsyncGenerator[Gateway]:
        """Open a way to this API."""
        connection = Connection("https://api.example/v1", "https://api.example/oauth/token", "robot", "open sesame")
        async with Gateway(connection, transport=httpx.MockTransport(self.answer)) as gateway:
            yield gateway
