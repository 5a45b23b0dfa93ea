"""What one person may do, seen from a client: scopes, caps by the day, and a freeze that stops all changes at once."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from person import person_at
from pydantic import SecretStr
from tool_arguments import arguments_of

from recontact_mcp.app import build_server
from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_mcp.tenants import RUNTIMES_KEPT
from recontact_service.operations import Operation
from recontact_tools.catalog import catalog

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Api, Call, Content, Replying

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
Write = Callable[[str], Path]
ISSUER = "https://issuer.example"
PLACE = {"account_id": 101, "project_id": "01BTGNYV6HRNK8K8VKZASZCFP0"}
EVERY_SCOPE = ["recontacts:read", "recontacts:upload", "recontacts:remove"]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the access file, privately."""

    def written(text: str) -> Path:
        path = tmp_path / "access.toml"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    return written


def come_as(subject: str, scopes: list[str] | None = None, **claims: object) -> dict[str, Any]:
    """Make the rest of a test the request of somebody, and return what the server is to be built with."""
    token = AccessToken(
        token="t", client_id="c", scopes=scopes or EVERY_SCOPE, subject=subject, claims={"iss": ISSUER, **claims}
    )
    auth_context_var.set(AuthenticatedUser(token))
    return {"auth_issuer": ISSUER, "local_files": False}


async def test_a_token_with_too_little_is_told_what_is_needed(
    era: str, connect: "Connect", effects: Effects, refused: "Call", call: "Call", api: "Api"
) -> None:
    async with connect(era, effects=effects, **come_as("ann", ["recontacts:read", "else"])) as client:
        error = await refused(client, "upload_recontacts", ids=["x"])
        overview = await call(client, "get_recontact_overview")
    assert (error["code"], error["changed"]) == ("INSUFFICIENT_SCOPE", "no")
    assert error["required_scopes"] == ["recontacts:read", "recontacts:upload"]
    assert overview["saved_respondent_ids_count"] == 0
    assert not api.asked(Operation.UPLOAD_RSIDS)


async def test_where_nobody_can_sign_in_to_decide_the_caller_is_told_who_must_set_what(
    era: str, connect: "Connect", effects: Effects, refused: "Call", api: "Api", old: list[str]
) -> None:
    await api.upload_elsewhere(old)
    url, errors = "https://recontact.example/approve", list[dict[str, Any]]()
    for client_id, secret in ((None, None), ("me", None), ("me", SecretStr("s"))):
        told = {**come_as("ann"), "approval_client_id": client_id, "approval_client_secret": secret}
        async with connect(era, effects=effects, approve_url=url, **told) as client:
            errors.append(await refused(client, "remove_all_recontacts"))
    *closed, opened = errors
    assert {error["code"] for error in errors} == {"APPROVAL_REQUIRED"}
    for error in closed:
        assert "Nobody can decide yet" in error["next_step"]
        assert "RECONTACT_APPROVAL_CLIENT_ID and RECONTACT_APPROVAL_CLIENT_SECRET_FILE" in error["next_step"]
        assert (error["setting"], error["lifted_by"]) == ("RECONTACT_APPROVAL_CLIENT_ID", "whoever runs the server")
    assert "where they sign in and decide" in opened["next_step"]
    assert "setting" not in opened


@pytest.mark.parametrize(
    ("cap", "words"), [("uploads = 1", "uploads"), ("ids = 3", "ids"), ("ids = 2, uploads = 5", "ids")]
)
async def test_more_than_a_day_allows_is_refused_until_the_day_is_over(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    call: "Call",
    followed: "Call",
    api: "Api",
    identifiers: Identifiers,
    write: Write,
    cap: str,
    words: str,
) -> None:
    access = write(f'[[principals]]\nsubject = "ann"\ncaps_per_day = {{ {cap} }}\n[default]\n')
    ids = identifiers(9)
    async with connect(era, effects=effects, access_file=access, **come_as("ann")) as client:
        await followed(client, await call(client, "upload_recontacts", ids=ids[:2]))
        repeated = await call(client, "upload_recontacts", ids=ids[:2])
        error = await refused(client, "upload_recontacts", ids=ids[2:4])
        come_as("bob")
        await followed(client, await call(client, "upload_recontacts", ids=ids[4:6]))
        come_as("ann")
        api.pass_time(days=1)
        await followed(client, await call(client, "upload_recontacts", ids=ids[6:8]))
    assert repeated["repeated"]
    assert (error["code"], error["changed"]) == ("CAP_REACHED", "no")
    assert error["rule"] == f"principals[0].caps_per_day.{words}"
    assert error["renews_at"] == "2030-01-02T00:00:00+00:00"
    assert "access file" in error["lifted_by"]
    assert await api.count() == 6


async def test_a_replacement_counts_as_an_upload_and_a_removal(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    call: "Call",
    followed: "Call",
    replying: "Replying",
    api: "Api",
    identifiers: Identifiers,
    write: Write,
) -> None:
    access = write("[default]\ncaps_per_day = { removals = 1, uploads = 2, ids = 5 }\n")
    ids = identifiers(9)
    await api.upload_elsewhere(ids[:2])
    come = come_as("ann")
    async with connect(era, effects=effects, answer=replying(), access_file=access, **come) as client:
        await followed(client, await call(client, "replace_recontacts", ids=ids[:3]))
        removal = await refused(client, "remove_all_recontacts")
        upload = await refused(client, "upload_recontacts", ids=ids[3:6])
        again = await refused(client, "replace_recontacts", ids=ids[4:6])
        await followed(client, await call(client, "upload_recontacts", ids=ids[7:]))
    assert removal["rule"] == again["rule"] == "default.caps_per_day.removals"
    assert upload["rule"] == "default.caps_per_day.ids"
    assert upload["left_today"] == 2
    assert await api.count() == 5


async def test_nobody_is_asked_about_more_than_the_day_allows(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    call: "Call",
    followed: "Call",
    replying: "Replying",
    api: "Api",
    identifiers: Identifiers,
    write: Write,
) -> None:
    access, asked = write("[default]\ncaps_per_day = { removals = 1, uploads = 1 }\n"), list[str]()

    def typed(question: str) -> "Content":
        asked.append(question)
        return {"phrase": "REMOVE 2 FROM 01BTGNYV6HRNK8K8VKZASZCFP1"}

    come, ids = come_as("ann"), identifiers(6)
    await api.upload_elsewhere(ids[:2])
    async with connect(era, effects=effects, answer=replying(typed), access_file=access, **come) as client:
        removal = await call(client, "remove_all_recontacts")
        await call(client, "get_removal_job", job_id=removal["job_id"], wait_seconds=45)
        await followed(client, await call(client, "upload_recontacts", ids=ids[:2]))
        looks = api.asked(Operation.OVERVIEW)
        errors = [await refused(client, "remove_all_recontacts")]
        errors += [await refused(client, name, ids=ids[3:]) for name in ("replace_recontacts", "upload_recontacts")]
    async with connect(era, effects=effects, approve_url="https://here.example", access_file=access, **come) as client:
        errors += [await refused(client, "remove_all_recontacts")]
    assert [error["code"] for error in errors] == ["CAP_REACHED"] * 4
    assert [error["rule"].rpartition(".")[2] for error in errors] == ["removals", "uploads", "uploads", "removals"]
    assert (len(asked), api.asked(Operation.OVERVIEW)) == (1, looks)


async def test_what_was_approved_is_not_used_up_by_a_call_that_the_day_does_not_allow(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    call: "Call",
    api: "Api",
    settings: Settings,
    identifiers: Identifiers,
    write: Write,
) -> None:
    path, come = write("[default]\ncaps_per_day = { removals = 1 }\n"), come_as("ann")
    told = {"effects": effects, "approve_url": "https://here.example", "access_file": path, **come}
    await api.upload_elsewhere(identifiers(2))
    async with connect(era, **told) as client, person_at(settings, effects, f"{ISSUER}#ann") as ann:
        asked = await refused(client, "remove_all_recontacts")
        await ann.approves(asked["approval_code"])
        write("[default]\ncaps_per_day = { removals = 0 }\n")
        over = await refused(client, "remove_all_recontacts")
        write("[default]\ncaps_per_day = { removals = 1 }\n")
        started = await call(client, "remove_all_recontacts")
    assert (asked["code"], over["code"], started["ids_to_remove"]) == ("APPROVAL_REQUIRED", "CAP_REACHED", 2)


WRITERS = [operation.name for operation in catalog(local_files=True) if not operation.read_only]
ARGUMENTS: dict[str, dict[str, Any]] = {
    "upload_recontacts": {"ids": ["5a3b2ada-0000-4000-8000-000000000001"]},
    "replace_recontacts": {"ids": ["5a3b2ada-0000-4000-8000-000000000001"]},
    "cancel_recontact_job": {"job_id": "01BTGNYV6HRNK8K8VKZASZCFZZ"},
    "restore_recontacts": {"upload_job_id": "01BTGNYV6HRNK8K8VKZASZCFZZ"},
}


async def test_while_frozen_every_change_is_refused_and_reading_goes_on(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    call: "Call",
    followed: "Call",
    replying: "Replying",
    api: "Api",
    identifiers: Identifiers,
    tmp_path: Path,
) -> None:
    await api.upload_elsewhere(identifiers(2))
    freeze = tmp_path / "freeze"
    freeze.touch()
    async with connect(era, effects=effects, answer=replying(), freeze_file=freeze) as client:
        errors = [await refused(client, name, **ARGUMENTS.get(name, {})) for name in WRITERS]
        overview = await call(client, "get_recontact_overview")
        assert not api.asked(Operation.UPLOAD_RSIDS) + api.asked(Operation.REMOVE_ALL)
        freeze.unlink()
        await followed(client, await call(client, "upload_recontacts", ids=identifiers(3)))
    assert {(error["code"], error["changed"]) for error in errors} == {("FROZEN", "no")}
    assert {error["rule"] for error in errors} == {"RECONTACT_FREEZE_FILE"}
    assert all("freeze file" in error["lifted_by"] for error in errors)
    assert overview["saved_respondent_ids_count"] == 2
    assert await api.count() == 3


async def test_a_freeze_that_names_somebody_stops_only_them(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    call: "Call",
    identifiers: Identifiers,
    tmp_path: Path,
) -> None:
    freeze = tmp_path / "freeze"
    freeze.write_text(f"{ISSUER}#bob\n", encoding="utf-8")
    async with connect(era, effects=effects, freeze_file=freeze, **come_as("bob")) as client:
        error = await refused(client, "upload_recontacts", ids=identifiers(1))
        come_as("ann")
        await call(client, "upload_recontacts", ids=identifiers(1))
    assert error["code"] == "FROZEN"


async def test_a_freeze_that_comes_while_a_removal_is_prepared_keeps_it_from_being_sent(
    era: str,
    connect: "Connect",
    effects: Effects,
    refused: "Call",
    replying: "Replying",
    api: "Api",
    identifiers: Identifiers,
    tmp_path: Path,
) -> None:
    await api.upload_elsewhere(identifiers(2))
    freeze = tmp_path / "freeze"

    async def freezing(request: Any, forward: Any) -> Any:
        if "page_size" in request.url.params:
            freeze.touch()
        return await forward(request)

    api.between.append(freezing)
    async with connect(era, effects=effects, answer=replying(), freeze_file=freeze) as client:
        error = await refused(client, "remove_all_recontacts")
    assert (error["code"], error["changed"]) == ("FROZEN", "no")
    assert not api.asked(Operation.REMOVE_ALL)
    assert await api.count() == 2


async def test_an_entry_binds_besides_the_settings_and_the_one_that_refuses_is_named(
    era: str, connect: "Connect", effects: Effects, refused: "Call", call: "Call", write: Write
) -> None:
    access = write('[[principals]]\nclaim = "groups"\nvalue = "readers"\nread_only = true\n[default]\naccounts = []\n')
    async with connect(era, effects=effects, access_file=access, **come_as("ann", groups=["readers"])) as client:
        reader = await refused(client, "upload_recontacts", ids=["5a3b2ada-0000-4000-8000-000000000001"])
        await call(client, "get_recontact_overview")
        come_as("bob")
        nobody = await refused(client, "get_recontact_overview", **PLACE)
    assert (reader["code"], reader["rule"]) == ("READ_ONLY", "principals[0].read_only")
    assert (nobody["code"], nobody["rule"]) == ("POLICY_DENIED", "default.accounts")
    come = come_as("ann", groups=["readers"])
    async with connect(era, effects=effects, access_file=access, allowed_accounts=frozenset({7}), **come) as client:
        general = await refused(client, "get_recontact_overview", **PLACE)
    assert general["rule"] == "RECONTACT_ALLOWED_ACCOUNTS"
    assert general["lifted_by"] == "the operator of this server"


async def test_whoever_is_allowed_nowhere_is_told_so_and_not_asked_for_more(
    era: str, connect: "Connect", effects: Effects, refused: "Call", write: Write
) -> None:
    for rule in ("accounts", "projects", "target_groups"):
        access = write(f"[default]\n{rule} = []\n")
        nowhere = {"access_file": access, **come_as("nobody")}
        async with connect(era, effects=effects, **nowhere) as client:
            names = [operation.name for operation in catalog(local_files=False)]
            errors = [await refused(client, name, **arguments_of(name)) for name in names]
        assert {(error["code"], error["rule"]) for error in errors} == {("POLICY_DENIED", f"default.{rule}")}
        assert all("access file" in error["lifted_by"] for error in errors)


async def test_with_credentials_whose_secret_cannot_be_read_nothing_is_sent_and_the_operator_is_named(
    era: str, connect: "Connect", refused: "Call", write: Write
) -> None:
    access = write(
        '[[principals]]\nsubject = "ann"\naccounts = [101]\ncredentials = "ours"\n'
        '[[credentials]]\nname = "ours"\nclient_id = "ours"\nclient_secret_file = "/nowhere/canary"\n'
    )
    nowhere = "http://127.0.0.1:1"  # nothing listens there: whoever sent something would say so
    api = {"cint_client_id": "general", "cint_client_secret": SecretStr("general"), "cint_base_url": nowhere}
    async with connect(era, access_file=access, cint_auth_url=nowhere, **api, **come_as("ann")) as client:
        error = await refused(client, "get_recontact_overview", **PLACE)
    assert (error["code"], error["changed"]) == ("UNAVAILABLE", "no")
    assert "credentials for your accounts cannot be read" in error["message"]
    assert "operator" in error["next_step"]
    assert "canary" not in str(error)


async def test_whoever_was_forgotten_among_very_many_callers_is_served_like_at_first(
    settings: Settings, effects: Effects
) -> None:
    server = build_server(settings.model_copy(update=come_as("first")), effects=effects, local_files=False)
    async with Client(server):
        first = await server.opening.runtime()
        assert await server.opening.runtime() is first
        for number in range(RUNTIMES_KEPT):
            come_as(f"caller {number}")
            await server.opening.runtime()
        assert await server.opening.runtime() is await server.opening.runtime()
        come_as("first")
        again = await server.opening.runtime()
    assert again is not first
    assert (again.principal, again.rules) == (first.principal, first.rules)
