"""Two people with different accounts: neither sees nor touches anything of the other, whatever they guess."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from authorization_server import READ, UPLOAD
from ears import Ears, subscribe
from mcp import Client, MCPError
from mcp.client.session import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult, PromptReference, ResourceTemplateReference
from pydantic import SecretStr
from tool_arguments import REMOTE_TOOLS, arguments_of
from two_tenants import GENERAL, OURS, THEIRS, Town

from recontact_mcp.legacy_subscriptions import SHARES, SUBSCRIPTIONS_MAX
from recontact_tools import uris
from recontact_tools.ledger.trail import Wanted
from recontact_tools.models import JobKind, TargetGroup
from recontact_tools.uris import job_uri, overview_uri

if TYPE_CHECKING:
    from tests.authorization.conftest import Serving

pytestmark = pytest.mark.anyio

ACCESS = """
[[principals]]
subject = "ann"
accounts = [101]
credentials = "ours"

[[principals]]
subject = "bob"
accounts = [202]
credentials = "theirs"

[[credentials]]
name = "ours"
client_id = "ours"
client_secret_file = "/nowhere"

[[credentials]]
name = "theirs"
client_id = "theirs"
client_secret_file = "/nowhere"
"""
UNUSED = "01BTGNYV6HRNK8K8VKZASZCFX9"

Tenants = Callable[[], AbstractAsyncContextManager[Town]]


@pytest.fixture
def tenants(serving: "Serving", tmp_path: Path) -> Tenants:
    @asynccontextmanager
    async def served() -> AsyncGenerator[Town]:
        path = tmp_path / "access.toml"
        path.write_text(ACCESS, encoding="utf-8")
        path.chmod(0o600)
        configured = {"cint_client_id": GENERAL, "cint_client_secret": SecretStr("x"), "access_file": path}
        async with serving(**configured) as place:
            yield place

    return served


async def agree(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    del context
    return ElicitResult(action="accept", content={"phrase": params.message.partition("type: ")[2].partition("\n")[0]})


def named(group: TargetGroup, *, by_id_alone: bool = False) -> dict[str, Any]:
    if by_id_alone:
        return {"target_group_id": group.target_group_id}
    return {
        "target_group_id": group.target_group_id,
        "project_id": group.project_id,
        "account_id": group.account_id,
    }


async def tool(client: Client, name: str, group: TargetGroup, **arguments: object) -> dict[str, Any]:
    result = await client.call_tool(name, {**named(group), **arguments})
    found: dict[str, Any] = result.structured_content or {}
    return found


async def uploaded(client: Client, group: TargetGroup, ids: list[str]) -> str:
    started = await tool(client, "upload_recontacts", group, ids=ids)
    job_id: str = started["job_id"]
    while (await tool(client, "get_upload_job", group, job_id=job_id, wait_seconds=10))["status"] == "Processing":
        pass
    return job_id


IDS = ["5a3b2ada-0000-4000-8000-000000000001", "5a3b2ada-0000-4000-8000-000000000002"]


async def test_each_reaches_the_api_with_their_own_credentials_also_in_workflows(tenants: Tenants, era: str) -> None:
    async with tenants() as place:
        async with place.client(place.token("ann"), era, answer=agree) as ann:
            await uploaded(ann, OURS, IDS)
            removal = await tool(ann, "remove_all_recontacts", OURS)
            await tool(ann, "get_removal_job", OURS, job_id=removal["job_id"], wait_seconds=45)
        async with place.client(place.token("bob"), era, answer=agree) as bob:
            await uploaded(bob, THEIRS, IDS)
        used = {
            (
                one.client_id,
                str(OURS.account_id) in one.request.url.path,
                str(THEIRS.account_id) in one.request.url.path,
            )
            for one in place.requests
            if "oauth" not in one.request.url.path
        }
        assert len(place.posted()) == 3
    assert used == {("ours", True, False), ("theirs", False, True)}


async def test_what_is_of_the_other_is_refused_like_what_does_not_exist(tenants: Tenants, era: str) -> None:
    guesses: dict[str, dict[str, Any]] = {
        "with its whole address": {"account_id": OURS.account_id, "project_id": OURS.project_id},
        "by its id alone": {},
        "as if it were one's own": {"account_id": THEIRS.account_id, "project_id": THEIRS.project_id},
    }
    async with tenants() as place:
        async with place.client(place.token("ann"), era, answer=agree) as ann:
            job_id = await uploaded(ann, OURS, IDS)
        place.requests.clear()
        async with place.client(place.token("bob"), era, answer=agree) as bob:
            for name in REMOTE_TOOLS:
                arguments = {key: job_id if "job_id" in key else value for key, value in arguments_of(name).items()}
                for words, guess in guesses.items():
                    if name == "stage_upload" and guess.get("account_id") == THEIRS.account_id:
                        continue  # it looks at nothing, and lets the file be sent only to where one may work
                    texts = [
                        json.dumps(
                            (
                                await bob.call_tool(name, {**guess, "target_group_id": one, **arguments})
                            ).structured_content
                        )
                        for one in (OURS.target_group_id, UNUSED)
                    ]
                    assert texts[0].replace(OURS.target_group_id, UNUSED) == texts[1], (name, words)
                    assert texts[0].startswith('{"error"'), (name, words)
                    assert OURS.project_id not in texts[0], (name, words)
        assert {one.client_id for one in place.requests} <= {"theirs"}
        assert not place.posted()


async def test_jobs_of_the_other_are_not_found_under_ones_own_target_group(tenants: Tenants, era: str) -> None:
    async with tenants() as place:
        async with place.client(place.token("ann"), era, answer=agree) as ann:
            job_id = await uploaded(ann, OURS, IDS)
        async with place.client(place.token("bob"), era) as bob:
            found = [
                await tool(bob, name, THEIRS, **{key: value})
                for name in ("get_upload_job", "get_removal_job")
                for key, value in (("job_id", job_id), ("job_id", UNUSED))
            ]
            restored = [
                await tool(bob, "restore_recontacts", THEIRS, **{key: value})
                for key in ("upload_job_id", "snapshot_id")
                for value in (job_id, UNUSED)
            ]
    for theirs, nobodys in zip((*found[::2], *restored[::2]), (*found[1::2], *restored[1::2]), strict=True):
        assert theirs == nobodys
        assert theirs["error"]["code"] in {"NOT_FOUND", "INVALID_ARGUMENTS", "SNAPSHOT_UNREADABLE"}


async def test_no_resource_of_the_other_can_be_read_or_watched(tenants: Tenants, era: str) -> None:
    async with tenants() as place:
        async with place.client(place.token("ann"), era, answer=agree) as ann:
            job_id = await uploaded(ann, OURS, IDS)
            removal = await tool(ann, "remove_all_recontacts", OURS)
            snapshots = [removal["snapshot_id"]] if "snapshot_id" in removal else [removal["job_id"]]
            whole = json.loads((await ann.read_resource(uris.WHOLE_AUDIT)).contents[0].model_dump()["text"])
        assert whole["entries"]
        names = {
            "account_id": str(OURS.account_id),
            "project_id": OURS.project_id,
            "target_group_id": OURS.target_group_id,
            "job_id": job_id,
            "replacement_id": job_id,
            "snapshot_id": snapshots[0],
            "plan_id": next(entry["plan_id"] for entry in whole["entries"] if entry["plan_id"]),
        }
        async with place.client(place.token("bob"), era) as bob:
            templates = (await bob.list_resource_templates()).resource_templates
            found = [template.uri_template.format(**names) for template in templates]
            for uri in found:
                with pytest.raises(MCPError) as refused:
                    await bob.read_resource(uri)
                assert refused.value.error.data["error"]["code"] == "POLICY_DENIED"
            own = json.loads((await bob.read_resource(uris.WHOLE_AUDIT)).contents[0].model_dump()["text"])
            for uri in found:
                with pytest.raises(MCPError) as refused:
                    async with Ears().watching(bob, uri):
                        pass
                assert refused.value.error.data["error"]["code"] == "POLICY_DENIED"
    assert len(found) > 8
    assert [entry for entry in own["entries"] if entry["account_id"] == OURS.account_id] == []
    assert [entry for entry in own["entries"] if entry["principal"].endswith("#ann")] == []


async def test_completions_and_prompts_tell_nothing_of_the_other(tenants: Tenants, era: str) -> None:
    async with tenants() as place:
        async with place.client(place.token("ann"), era) as ann:
            job_id = await uploaded(ann, OURS, IDS)
            reference = ResourceTemplateReference(uri=uris.UPLOAD_JOB)
            own = await ann.complete(reference, {"name": "target_group_id", "value": ""})
        async with place.client(place.token("bob"), era) as bob:
            context = {"target_group_id": OURS.target_group_id}
            found = [
                await bob.complete(reference, {"name": name, "value": value}, context_arguments=context)
                for name, value in (
                    ("target_group_id", ""),
                    ("target_group_id", OURS.target_group_id[:20]),
                    ("job_id", ""),
                    ("job_id", job_id[:8]),
                    ("account_id", ""),
                    ("project_id", ""),
                )
            ]
            prompts = (await bob.list_prompts()).prompts
            for prompt in prompts:
                completed = await bob.complete(
                    PromptReference(name=prompt.name), {"name": "target_group_id", "value": ""}
                )
                assert completed.completion.values == []
    assert own.completion.values == [OURS.target_group_id]
    shown = json.dumps([one.completion.values for one in found])
    assert OURS.target_group_id not in shown
    assert job_id not in shown
    assert str(OURS.account_id) not in shown
    assert OURS.project_id not in shown


async def test_somebody_without_an_entry_is_refused_and_told_who_can_add_one(tenants: Tenants, era: str) -> None:
    async with tenants() as place, place.client(place.token("eve"), era) as eve:
        refused = await tool(eve, "get_recontact_overview", OURS)
        with pytest.raises(MCPError):
            await eve.read_resource(overview_uri(OURS))
        assert not place.requests
    assert refused["error"]["code"] == "POLICY_DENIED"
    assert refused["error"]["rule"] == "no entry of the access file"
    assert "access file" in refused["error"]["lifted_by"]


async def test_an_entry_that_goes_away_while_a_removal_waits_has_nothing_sent(tenants: Tenants, era: str) -> None:
    async with tenants() as place:
        await place.stored(OURS, 3)
        path = place.parts.settings.access_file
        assert path is not None
        looked: list[str] = []

        def dismissed(request: httpx.Request) -> None:
            """Take the entry away once the snapshot is read: the call and its first checks are over by then."""
            if request.method == "GET" and "page_size" in request.url.params:
                looked.append(request.url.path)
                path.write_text(ACCESS.replace('subject = "ann"', 'subject = "anna"'), encoding="utf-8")

        place.before.append(dismissed)
        async with place.client(place.token("ann"), era, answer=agree) as ann:
            refused = await tool(ann, "remove_all_recontacts", OURS)
        assert looked
        assert not place.posted()
    assert refused["error"]["changed"] == "no"
    assert refused["error"]["rule"] == "no entry of the access file"


BY_CLAIM = ACCESS.replace('subject = "ann"', 'claim = "groups"\nvalue = "A"').replace(
    'subject = "bob"', 'claim = "groups"\nvalue = "B"'
)


async def test_workflows_act_for_those_whom_a_claim_admits(serving: "Serving", tmp_path: Path, era: str) -> None:
    path = tmp_path / "access.toml"
    path.write_text(BY_CLAIM, encoding="utf-8")
    path.chmod(0o600)
    configured = {"cint_client_id": GENERAL, "cint_client_secret": SecretStr("x"), "access_file": path}
    async with serving(**configured) as place:
        async with place.client(place.token("ann", groups=["A", "C"]), era) as ann:
            await uploaded(ann, OURS, IDS)
            denied = await tool(ann, "get_recontact_overview", THEIRS)
        async with place.client(place.token("ann", groups=["B"]), era) as moved:
            await uploaded(moved, THEIRS, IDS)
        used = [(one.client_id, str(THEIRS.account_id) in one.request.url.path) for one in place.posted()]
    assert used == [("ours", False), ("theirs", True)]
    assert denied["error"]["rule"] == "principals[0].accounts"


async def test_work_is_done_with_the_claims_it_was_asked_for_with_whatever_is_claimed_meanwhile(
    serving: "Serving", tmp_path: Path, era: str
) -> None:
    path = tmp_path / "access.toml"
    path.write_text(BY_CLAIM, encoding="utf-8")
    path.chmod(0o600)
    configured = {"cint_client_id": GENERAL, "cint_client_secret": SecretStr("x"), "access_file": path}
    async with serving(**configured) as place:
        async with place.client(place.token("ann", groups=["A"]), era, answer=agree) as ann:
            await uploaded(ann, OURS, IDS)
            meanwhile: list[dict[str, Any]] = []

            async def moved(request: httpx.Request) -> None:
                """Come back as somebody of another group while the snapshot of the removal is taken."""
                if "respondents" in request.url.path and request.method == "GET" and not meanwhile:
                    meanwhile.append({})
                    async with place.client(place.token("ann", groups=["B"]), era) as other:
                        meanwhile.append(await tool(other, "get_recontact_overview", THEIRS))

            place.before.append(moved)
            removal = await tool(ann, "remove_all_recontacts", OURS)
            removed = await tool(ann, "get_removal_job", OURS, job_id=removal["job_id"], wait_seconds=45)
        used = [(one.client_id, str(THEIRS.account_id) in one.request.url.path) for one in place.posted()]
        ledger = (await place.parts.opening.decisions()).ledger
        kept = [intent.claims for intent in await ledger.recent(limit=10)]
    assert "saved_respondent_ids_count" in meanwhile[1]
    assert removed["status"] == "Completed"
    assert used == [("ours", False), ("ours", False)]
    assert kept == ['{"groups": ["A"]}'] * 2


async def test_who_comes_back_with_the_claims_of_before_is_acted_for_by_those(
    serving: "Serving", tmp_path: Path, era: str
) -> None:
    path = tmp_path / "access.toml"
    path.write_text(BY_CLAIM, encoding="utf-8")
    path.chmod(0o600)
    configured = {"cint_client_id": GENERAL, "cint_client_secret": SecretStr("x"), "access_file": path}
    async with serving(**configured) as place:
        for groups, group in (["A"], OURS), (["B"], THEIRS), (["A"], OURS):
            async with place.client(place.token("ann", groups=groups), era) as ann:
                await uploaded(ann, group, IDS[: 1 + len(place.posted()) // 2])
        used = [(one.client_id, str(THEIRS.account_id) in one.request.url.path) for one in place.posted()]
    assert used == [("ours", False), ("theirs", True), ("ours", False)]


async def test_who_claims_nothing_any_more_is_acted_for_like_everybody(
    serving: "Serving", tmp_path: Path, era: str
) -> None:
    path = tmp_path / "access.toml"
    path.write_text(f'{BY_CLAIM}[default]\naccounts = [202]\ncredentials = "theirs"\n', encoding="utf-8")
    path.chmod(0o600)
    configured = {"cint_client_id": GENERAL, "cint_client_secret": SecretStr("x"), "access_file": path}
    async with serving(**configured) as place:
        async with place.client(place.token("ann", groups=["A"]), era) as ann:
            await uploaded(ann, OURS, IDS)
        async with place.client(place.token("ann"), era) as ann:
            await uploaded(ann, THEIRS, IDS)
        used = [(one.client_id, str(THEIRS.account_id) in one.request.url.path) for one in place.posted()]
    assert used == [("ours", False), ("theirs", True)]


async def test_one_caller_does_not_take_the_subscriptions_of_all(serving: "Serving") -> None:
    share = SUBSCRIPTIONS_MAX // SHARES
    async with serving(calls_per_second=0.0) as place, place.client(place.token("ann"), "legacy") as ann:
        plans = [uris.plan_uri(OURS, f"{OURS.target_group_id[:22]}{number:04}") for number in range(share + 1)]
        for uri in plans[:share]:
            await subscribe(ann, uri)
        with pytest.raises(MCPError) as refused:
            await subscribe(ann, plans[share])
        async with place.client(place.token("bob"), "legacy") as bob:
            await subscribe(bob, overview_uri(OURS))
    assert refused.value.error.data["error"]["code"] == "UNAVAILABLE"


async def test_a_job_of_elsewhere_is_watched_with_the_credentials_of_its_account(tenants: Tenants, era: str) -> None:
    async with tenants() as place:
        await place.stored(THEIRS, 3)
        async with place.gateway(place.settings) as gateway:
            [job, *_] = (await gateway.list_upload_jobs(THEIRS, page_size=1, cursor=None)).jobs
        place.requests.clear()
        ears = Ears()
        async with (
            place.client(place.token("bob"), era, hear=ears) as bob,
            ears.watching(bob, job_uri(THEIRS, JobKind.UPLOAD, job.job_id)),
        ):
            pass
        looked = {one.client_id for one in place.requests}
    assert looked == {"theirs"}


async def own_trail(place: Town, era: str, subject: str) -> dict[str, Any]:
    async with place.client(place.token(subject), era) as client:
        [content] = (await client.read_resource(uris.WHOLE_AUDIT)).contents
    trail: dict[str, Any] = json.loads(content.model_dump()["text"])
    return trail


async def test_what_a_challenge_refuses_is_recorded_if_it_would_have_changed_something(
    serving: "Serving", era: str
) -> None:
    async def refused_at_the_edge(tool_name: str) -> None:
        arguments = {**named(OURS), **arguments_of(tool_name)}
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": tool_name, "arguments": arguments},
        }
        headers = {"accept": "application/json, text/event-stream"}
        if era != "legacy":
            headers["mcp-protocol-version"] = "2026-07-28"
        scope = UPLOAD if tool_name == "list_recontacts" else READ
        async with place.http(place.token("ann", scope)) as http:
            assert (await http.post("/mcp", json=body, headers=headers)).status_code == 403

    async with serving() as place:
        await refused_at_the_edge("list_recontacts")
        for _ in range(7):
            await refused_at_the_edge("upload_recontacts")
        place.moment += timedelta(hours=2)
        await refused_at_the_edge("upload_recontacts")
        await refused_at_the_edge("remove_all_recontacts")
        found = list(reversed((await own_trail(place, era, "ann"))["entries"]))
        others = (await own_trail(place, era, "bob"))["entries"]
    events = [(entry["event"], entry["subject"], entry["detail"]["code"]) for entry in found]
    once = ("call_refused", "upload_recontacts", "INSUFFICIENT_SCOPE")
    counted = ("calls_refused", *once[1:])
    assert events == [*[once] * 5, counted, once, ("call_refused", "remove_all_recontacts", "INSUFFICIENT_SCOPE")]
    assert found[5]["detail"]["further"] == 2
    assert {(one["account_id"], one["target_group_id"]) for one in (*found[:5], *found[6:])} == {
        (OURS.account_id, OURS.target_group_id)
    }
    assert others == []


async def test_what_a_challenge_refuses_is_recorded_as_often_as_one_may_call(serving: "Serving") -> None:
    call = {"method": "tools/call", "params": {"name": "upload_recontacts", "arguments": "none"}}
    body = [{"jsonrpc": "2.0", "id": number, **call} for number in range(3)]
    async with serving(calls_per_second=0.5) as place:
        async with place.http(place.token("ann", READ)) as http:
            statuses = [(await http.post("/mcp", json=body)).status_code for _ in range(2)]
        runtime = await place.parts.opening.receiving()
        found = await runtime.ledger.audit.newest(10, Wanted())
    assert statuses == [403, 429]
    assert [(one.event, one.subject, one.target_group_id) for one in found] == [
        ("call_refused", "upload_recontacts", None)
    ]


async def test_the_trail_tells_nobody_how_much_others_do(tenants: Tenants, era: str) -> None:
    async with tenants() as place:
        async with place.client(place.token("ann"), era) as client:
            await uploaded(client, OURS, IDS)
        anns = await own_trail(place, era, "ann")
        before = await own_trail(place, era, "bob")
        async with place.client(place.token("ann"), era) as client:
            await uploaded(client, OURS, IDS[:1])
        after = await own_trail(place, era, "bob")
        whole = await (await place.parts.opening.receiving()).ledger.audit.verify()
    assert before == after == {"verified": True, "entries": []}
    assert anns["verified"]
    assert {entry["principal"].rpartition("#")[2] for entry in anns["entries"]} == {"ann"}
    assert not {"seq", "hash", "previous"} & {name for entry in anns["entries"] for name in entry}
    assert whole.count > len(anns["entries"]) > 0
