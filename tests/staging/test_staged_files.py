"""A file goes from a person's machine to the target group, and the assistant only ever sees a ticket."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult

from recontact_mcp.app import build_server
from recontact_tools.errors import InvalidInput, NotAllowed
from recontact_tools.stage_upload import stage_upload
from recontact_tools.upload_recontacts import upload_recontacts

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.staging.conftest import Front, Fronted

    from recontact_mcp.settings import Settings

pytestmark = pytest.mark.anyio

GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
TAKERS = ("preview_upload", "upload_recontacts", "replace_recontacts")


async def ended(front: "Front", job: dict[str, str]) -> str:
    """Follow a job to its end."""
    while True:
        seen = await front.call("get_upload_job", job_id=job["job_id"], wait_seconds=45)
        if seen["status"] != "Processing":
            return str(seen["status"])


async def test_a_file_is_staged_previewed_and_uploaded_by_its_ticket(
    era: str, fronted: "Fronted", content: bytes
) -> None:
    async with fronted(era) as front:
        ticket = await front.call("stage_upload", file_name="wave 1.csv")
        empty = await front.refused("preview_upload", ticket=ticket["ticket"])
        sent = await front.send(ticket, content)
        preview = await front.call("preview_upload", ticket=ticket["ticket"])
        job = await front.call("upload_recontacts", ticket=ticket["ticket"])
        again = await front.call("upload_recontacts", ticket=ticket["ticket"])
        status = await ended(front, job)
        overview = await front.call("get_recontact_overview")
    secret = ticket["upload_url"].rpartition("/")[2]
    assert ticket["upload_url"] == f"http://127.0.0.1:8765/staged/{secret}"
    assert ticket["page_url"] == f"http://127.0.0.1:8765/staged#{secret}"
    assert ticket["curl"] == f"curl -gT 'wave 1.csv' http://127.0.0.1:8765/staged/{secret}"
    assert ticket["ticket"] not in secret
    assert (ticket["max_bytes"], ticket["expires_at"]) == (4_999_999, "2030-01-01T12:15:00+00:00")
    assert (empty["code"], empty["changed"], empty["safe_to_repeat"]) == ("TICKET_EMPTY", "no", True)
    assert sent.status_code == 201
    assert sent.text.startswith("3 identifiers received.\nLeft out: 1 line (given twice), in line 5.\n")
    assert (preview["ids_to_send"], preview["lines_read"], preview["refusal"]) == (3, 6, None)
    assert (job["ids_sent"], job["repeated"], job["column"]) == (3, False, "rsid")
    assert (again["job_id"], again["repeated"]) == (job["job_id"], True)
    assert (again["dropped"], again["lines_read"], again["column"]) == (job["dropped"], 6, "rsid")
    assert "stage the file again" in again["next_step"]
    assert (status, overview["saved_respondent_ids_count"]) == ("Completed", 3)


async def test_over_http_tools_take_a_ticket_and_no_path_and_elsewhere_a_path_and_no_ticket(
    era: str, fronted: "Fronted", connect: "Connect"
) -> None:
    async with fronted(era) as front:
        remote = {tool.name: tool.input_schema["properties"] for tool in (await front.client.list_tools()).tools}
        instructions = front.client.instructions
        prompt = await front.client.get_prompt("recontact_a_survey", {"target_group_id": GROUP})
        [listed] = (await front.client.list_prompts()).prompts
    async with connect(era) as client:
        local = {tool.name: tool.input_schema["properties"] for tool in (await client.list_tools()).tools}
        ours = client.instructions
    assert len(remote) == len(local) == 12
    assert (set(remote) - set(local), set(local) - set(remote)) == ({"stage_upload"}, {"cancel_recontact_job"})
    assert all("ticket" in remote[name] and "path" not in remote[name] for name in TAKERS)
    assert all("path" in local[name] and "ticket" not in local[name] for name in TAKERS)
    assert instructions is not None
    assert ours is not None
    assert "stage_upload" in instructions
    assert "stage_upload" not in ours
    assert "stage_upload" in prompt.model_dump_json()
    assert [argument.name for argument in listed.arguments or []] == ["target_group_id"]


async def test_what_only_the_other_kind_of_server_takes_is_refused_with_what_to_do(
    era: str, fronted: "Fronted", connect: "Connect"
) -> None:
    async with fronted(era) as front:
        errors = [await front.refused(name, path="wave1.csv") for name in TAKERS]
        both = await front.refused("preview_upload", ticket="x", ids=["y"])
        many = await front.refused("preview_upload", ids=["x"] * 1_001)
        none = await front.refused("upload_recontacts")
        strange = await front.refused("get_recontact_overview", path="x")
    async with connect(era) as client:
        result = await client.call_tool("preview_upload", {"target_group_id": GROUP, "ticket": "x"})
    assert {error["code"] for error in errors} == {"POLICY_DENIED"}
    assert all("stage_upload" in error["next_step"] for error in [*errors, many])
    assert "ticket" in both["message"]
    assert "path" not in both["message"] + none["message"]
    assert strange["code"] == "INVALID_ARGUMENTS"
    assert result.structured_content is not None
    assert result.structured_content["error"]["code"] == "INVALID_ARGUMENTS"


async def test_a_ticket_of_another_kind_of_server_says_nothing_there(
    era: str, connect: "Connect", settings: "Settings"
) -> None:
    server = build_server(settings)
    async with connect(era) as client:
        assert "stage_upload" not in {tool.name for tool in (await client.list_tools()).tools}
    async with server.opening.running() as opening:
        runtime = await opening.runtime()
        with pytest.raises(NotAllowed, match="own machine"):
            await stage_upload(runtime, GROUP)


async def test_a_server_that_does_not_know_its_address_stages_nothing(era: str, connect: "Connect") -> None:
    async with connect(era, local_files=False) as client:
        result = await client.call_tool("stage_upload", {"target_group_id": GROUP})
    assert result.structured_content is not None
    error = result.structured_content["error"]
    assert (error["code"], error["setting"]) == ("UNAVAILABLE", "RECONTACT_PUBLIC_URL")


async def test_a_replacement_uses_its_ticket_when_somebody_has_agreed_and_not_before(
    era: str, fronted: "Fronted", content: bytes, identifiers: Callable[[int], list[str]]
) -> None:
    asked: list[str] = []
    says = ["no", "yes"]

    async def reply(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context
        asked.append(params.message)
        phrase = params.message.partition("type: ")[2].partition("\n")[0]
        return ElicitResult(action="accept", content={"phrase": phrase if says.pop(0) == "yes" else "no"})

    async with fronted(era, answer=reply, approval_minimum="client-elicited") as front:
        await ended(front, await front.call("upload_recontacts", ids=identifiers(9)))
        ticket = await front.staged(content)
        declined = await front.refused("replace_recontacts", ticket=ticket)
        job = await front.call("replace_recontacts", ticket=ticket)
        again = await front.call("replace_recontacts", ticket=ticket)
        used = [await front.refused(name, ticket=ticket) for name in ("upload_recontacts", "preview_upload")]
        status = await ended(front, job)
        overview = await front.call("get_recontact_overview")
    assert declined["code"] == "CONFIRMATION_MISMATCH"
    assert (job["repeated"], job["lines_read"]) == (False, 6)
    assert (again["job_id"], again["repeated"], again["dropped"]) == (job["job_id"], True, job["dropped"])
    assert {error["code"] for error in used} == {"TICKET_NOT_VALID"}
    assert (status, overview["saved_respondent_ids_count"], len(asked)) == ("Completed", 3, 2)


async def test_a_file_is_kept_while_a_person_is_asked_and_no_longer_than_a_day(
    era: str, fronted: "Fronted", content: bytes, identifiers: Callable[[int], list[str]]
) -> None:
    async with fronted(era) as front:
        await ended(front, await front.call("upload_recontacts", ids=identifiers(9)))
        ticket = await front.staged(content)
        codes: list[str] = []
        for seconds in (0, *[1_799] * 48, 60):
            front.pass_time(seconds)
            codes.append((await front.refused("replace_recontacts", ticket=ticket))["code"])
    assert codes == ["APPROVAL_REQUIRED"] * 49 + ["TICKET_NOT_VALID"]


async def test_the_same_ticket_under_another_wish_is_not_valid(era: str, fronted: "Fronted", content: bytes) -> None:
    async with fronted(era) as front:
        ticket = await front.staged(content)
        await front.call("upload_recontacts", ticket=ticket, idempotency_key="a")
        again = await front.call("upload_recontacts", ticket=ticket, idempotency_key="a")
        errors = [
            await front.refused("upload_recontacts", ticket=ticket, **other)
            for other in ({}, {"idempotency_key": "b"}, {"idempotency_key": "a", "column": "1"}, {"id_type": "RID"})
        ]
    assert again["repeated"]
    assert {error["code"] for error in errors} == {"TICKET_NOT_VALID"}


async def test_a_column_is_chosen_by_the_upload_and_not_by_who_sends_the_file(
    era: str, fronted: "Fronted", identifiers: Callable[[int], list[str]]
) -> None:
    one, two, three, four = identifiers(4)
    columns = f"a,b\n{one},{two}\n{three},{four}\n".encode()
    async with fronted(era) as front:
        ticket = await front.call("stage_upload")
        sent = await front.send(ticket, columns)
        unsure = await front.refused("preview_upload", ticket=ticket["ticket"])
        chosen = await front.call("preview_upload", ticket=ticket["ticket"], column="b")
        others = await front.call("stage_upload")
        rids = await front.send(others, f"rid\n{one}\n".encode(), accept="application/json")
        wrong = await front.refused("preview_upload", ticket=others["ticket"])
        right = await front.call("preview_upload", ticket=others["ticket"], id_type="RID")
    assert sent.status_code == 201
    assert "which is meant" in sent.text
    assert (unsure["code"], unsure["columns"], chosen["ids_to_send"]) == ("INVALID_FILE", ["a", "b"], 2)
    assert rids.json() | {"message": ""} == {
        "ok": True,
        "code": None,
        "message": "",
        "ids": 1,
        "lines_read": 2,
        "dropped": [{"kind": "header", "count": 1, "lines": [1]}],
        "expires_at": "2030-01-01T12:15:00+00:00",
    }
    assert (wrong["code"], right["ids_to_send"]) == ("INVALID_FILE", 1)


@pytest.mark.parametrize(
    "denied",
    [
        pytest.param({"read_only": True}, id="read-only"),
        pytest.param({"allowed_target_groups": frozenset({"01BTGNYV6HRNK8K8VKZASZCFP9"})}, id="not on the list"),
    ],
)
async def test_a_target_group_that_may_not_be_changed_gets_no_ticket(
    era: str, fronted: "Fronted", denied: dict[str, object]
) -> None:
    async with fronted(era, **denied) as front:
        error = await front.refused("stage_upload")
    assert error["code"] in {"READ_ONLY", "POLICY_DENIED"}


async def test_nobody_is_given_tickets_without_end(era: str, fronted: "Fronted") -> None:
    async with fronted(era) as front:
        for _ in range(20):
            await front.call("stage_upload")
        error = await front.refused("stage_upload")
        front.pass_time(901)
        await front.call("stage_upload")
    assert (error["code"], error["changed"], error["safe_to_repeat"]) == ("RATE_LIMITED", "no", True)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param(None, "recontacts.csv", id="none"),
        pytest.param("", "recontacts.csv", id="empty"),
        pytest.param("w\u00e4ve (1).csv", "'w\u00e4ve (1).csv'", id="letters of all kinds"),
        pytest.param("C:\\data\\wave.csv", "wave.csv", id="a path of Windows"),
        pytest.param("/home/ann/wave.csv", "wave.csv", id="a path"),
        pytest.param(
            "it's; rm -rf $HOME `id`.csv", """'it'"'"'s; rm -rf $HOME `id`.csv'""", id="what a shell would run"
        ),
        pytest.param("-o.csv", "./-o.csv", id="what curl would take for an option"),
        pytest.param("..", "recontacts.csv", id="a folder"),
        pytest.param("a\nb", "recontacts.csv", id="two lines"),
        pytest.param("a" * 256, "recontacts.csv", id="too long"),
    ],
)
async def test_the_curl_line_names_the_file_and_nothing_else(fronted: "Fronted", name: str | None, shown: str) -> None:
    async with fronted("auto") as front:
        ticket = await front.call("stage_upload", file_name=name)
    assert ticket["curl"] == f"curl -gT {shown} {ticket['upload_url']}"


async def test_a_ticket_is_of_use_to_its_principal_only(era: str, fronted: "Fronted", content: bytes) -> None:
    async with fronted(era) as front:
        ticket = await front.staged(content)
        runtime = await front.runtime()
        with pytest.raises(InvalidInput, match="not valid"):
            await upload_recontacts(replace(runtime, principal="https://login.example#eve"), GROUP, ticket=ticket)
        assert (await front.call("upload_recontacts", ticket=ticket))["ids_sent"] == 3
