"""`recontact-mcp doctor`: is everything set up, and if not, what to do."""

import json
import re
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import Popen
from urllib.request import Request, urlopen

import anyio
import pytest
from mcp import Client
from typer.testing import Result

from recontact_mcp.app import build_server
from recontact_mcp.cli.doctor import shown_settings
from recontact_mcp.cli.doctor_checks import SQLITE_MAGIC, changes, embedded
from recontact_mcp.cli.doctor_group import GROUP_STAGES
from recontact_mcp.settings import Settings
from recontact_tools.catalog import catalog

SECRET = "canary-secret"
PROJECT = "01BTGNYV6HRNK8K8VKZASZCFP0"
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
LAUNCHED = "01BTGNYV6HRNK8K8VKZASZCFPZ"
OTHER_PROJECT = "01BTGNYV6HRNK8K8VKZASZCFP7"
HERE = {"CINT_ACCOUNT_ID": "101", "CINT_PROJECT_ID": PROJECT}
STAGES = ["Name lookup", "Proxy", "Connection", "Credentials", "Clock", "API version", "Account"]


@pytest.fixture
def service(start: Callable[..., AbstractContextManager[Popen[str]]]) -> Generator[dict[str, str]]:
    """Run the real service on a free port, and return the settings that reach it."""
    with start("service", "--port", "0", "--faults", RECONTACT_SERVICE_SECRET=SECRET) as process:
        assert process.stdout is not None
        found: dict[str, str] = {}
        for line in process.stdout:
            if match := re.search(r"(CINT_\w+_URL)=(\S+)", line):
                found[match[1]] = match[2]
            if line.startswith("╰"):
                break
        yield {**found, "CINT_CLIENT_ID": "sandbox", "CINT_CLIENT_SECRET": SECRET}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


def checks(result: Result) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in json.loads(result.stdout)["checks"]}


def states(result: Result) -> dict[str, str]:
    return {name: check["state"] for name, check in checks(result).items()}


def launch(run: Callable[..., Result], tmp_path: Path) -> None:
    """Put a launched target group into the service."""
    database = str(tmp_path / "data" / "service.sqlite")
    run("service", "seed", LAUNCHED, "--state", "launched", "--database", database)


def overburden(service: Mapping[str, str], operation: str) -> None:
    """Let the next request of an operation be told to wait for a minute."""
    fault = {"operation": operation, "kind": "rate_limited", "seconds": 60}
    url = service["CINT_BASE_URL"].removesuffix("/v1") + "/_service/faults"
    request = Request(url, data=json.dumps(fault).encode(), headers={"Content-Type": "application/json"})  # noqa: S310 (our own loopback service)
    with urlopen(request, timeout=5):  # noqa: S310 (the same)
        pass


def test_a_fresh_machine_is_healthy_and_told_what_is_missing(run: Callable[..., Result]) -> None:
    result = run("doctor")
    assert result.exit_code == 0
    for said in ("RECONTACT_DATA_DIR", "remove_all_recontacts", "destroys", "reads only", "Embedded service"):
        assert said in result.output
    assert "warn" in result.output


def test_json_is_the_whole_of_stdout_and_lists_settings_checks_and_tools(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    result = run("doctor", "--json", RECONTACT_UPLOAD_ROOTS=str(tmp_path))
    answer = json.loads(result.stdout)
    assert answer["ok"] is True
    looked_at = {name: state for name, state in states(result).items() if name not in GROUP_STAGES}
    assert set(looked_at.values()) == {"ok"}
    assert answer["settings"]["RECONTACT_UPLOAD_ROOTS"] == str(tmp_path)
    assert {tool["name"]: tool["hints"]["destroys"] for tool in answer["tools"]}["remove_all_recontacts"] is True
    assert [tool["name"] for tool in answer["tools"]] == [operation.name for operation in catalog(local_files=True)]


def test_settings_that_do_not_fit_are_the_whole_report(run: Callable[..., Result]) -> None:
    result = run("doctor", "--json", CINT_CLIENT_SECRET=SECRET)
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["ok"], len(answer["checks"])) == (1, False, 1)
    assert SECRET not in result.output


def test_settings_that_do_not_fit_are_shown_to_a_person(run: Callable[..., Result]) -> None:
    result = run("doctor", RECONTACT_PACE="fast")
    assert result.exit_code == 1
    assert "RECONTACT_PACE" in result.output


def test_a_root_that_is_not_there_fails(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("doctor", "--json", RECONTACT_UPLOAD_ROOTS=str(tmp_path / "none"))
    assert (result.exit_code, states(result)["Upload root"]) == (1, "fail")


def test_a_name_with_brackets_is_shown_as_it_is(run: Callable[..., Result]) -> None:
    result = run("doctor", RECONTACT_UPLOAD_ROOTS="/[red]x")
    assert result.output.count("/[red]x") == 2


def test_a_data_directory_that_cannot_be_made_fails_and_nothing_else_is_tried_there(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    result = run("doctor", "--json", RECONTACT_DATA_DIR=str(tmp_path / "file" / "data"))
    assert (result.exit_code, states(result)["Data directory"]) == (1, "fail")
    assert states(result)["Embedded service"] == "skip"


@pytest.mark.parametrize("kind", ["garbage", "folder"])
def test_a_damaged_database_is_named_and_not_opened(run: Callable[..., Result], tmp_path: Path, kind: str) -> None:
    database = tmp_path / "data" / "service.sqlite"
    database.parent.mkdir()
    if kind == "garbage":
        database.write_bytes(b"not a database" * 100)
    else:
        database.mkdir()
    result = run("doctor", "--json")
    assert (result.exit_code, states(result)["Database"]) == (1, "fail")
    assert states(result)["Embedded service"] == "skip"


def test_a_target_group_with_the_id_that_nobody_has_is_no_problem(run: Callable[..., Result]) -> None:
    run("service", "seed", "0" * 26)
    assert states(run("doctor", "--json"))["Embedded service"] == "ok"


def test_an_embedded_service_that_refuses_the_version_fails(run: Callable[..., Result]) -> None:
    result = run("doctor", "--json", CINT_API_VERSION="1999-01-01")
    found = states(result)
    assert (result.exit_code, found["Embedded service"], found["Target group"]) == (1, "fail", "skip")


def test_what_the_policy_closes_is_said(run: Callable[..., Result]) -> None:
    result = run("doctor", "--json", RECONTACT_READ_ONLY="1", RECONTACT_ALLOWED_TARGET_GROUPS="")
    assert states(result)["Allowed"] == "warn"
    assert "read-only" in result.stdout


def test_the_engine_is_really_started_and_leaves_nothing_behind(run: Callable[..., Result], tmp_path: Path) -> None:
    found = checks(run("doctor", "--json"))["Changes"]
    assert (found["state"], found["seen"]) == ("ok", "uploads and removals: the durable engine starts")
    assert [path.name for path in (tmp_path / "data").iterdir() if "engine" in path.name or "doctor" in path.name] == []


@pytest.mark.anyio
async def test_an_engine_that_does_not_start_is_said_with_the_versions(tmp_path: Path) -> None:
    found = await changes(Settings(data_dir=tmp_path / "not there"), usable=True)
    assert (found.state, found.seen) == ("fail", "the durable engine does not start: FileNotFoundError")
    assert "SQLite 3." in (found.cure or "")


@pytest.mark.anyio
async def test_the_engine_is_not_tried_where_the_data_directory_is_not_usable(tmp_path: Path) -> None:
    assert (await changes(Settings(data_dir=tmp_path), usable=False)).state == "skip"


def test_a_data_directory_that_cannot_be_used_keeps_the_doctor_from_cint_as_well(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    cint = {"CINT_CLIENT_ID": "x", "CINT_CLIENT_SECRET": SECRET, "RECONTACT_DATA_DIR": str(tmp_path / "file" / "data")}
    assert states(run("doctor", "--json", **cint))["API"] == "skip"


def test_a_reachable_api_with_good_credentials_is_healthy_and_was_not_asked_for_more(
    run: Callable[..., Result], service: Mapping[str, str]
) -> None:
    result = run("doctor", "--json", **service, **HERE)
    found = states(result)
    assert {name: found[name] for name in STAGES} == dict.fromkeys(STAGES, "ok")
    assert [found[name] for name in GROUP_STAGES] == ["skip", "skip"]
    assert (result.exit_code, SECRET in result.output) == (0, False)


def test_a_wrong_secret_fails_with_what_to_check(run: Callable[..., Result], service: Mapping[str, str]) -> None:
    result = run("doctor", "--json", **{**service, **HERE, "CINT_CLIENT_SECRET": "other-canary"})
    found = checks(result)
    assert (result.exit_code, found["Credentials"]["state"]) == (1, "fail")
    assert "CINT_CLIENT_SECRET" in found["Credentials"]["cure"]
    assert found["Account"]["state"] == "skip"
    assert "canary" not in result.output


def test_a_base_url_without_its_path_is_not_taken_for_the_api(
    run: Callable[..., Result], service: Mapping[str, str]
) -> None:
    astray = {**service, **HERE, "CINT_BASE_URL": service["CINT_BASE_URL"].removesuffix("/v1")}
    result = run("doctor", "--json", "--target-group", GROUP, **astray)
    found = checks(result)
    assert (result.exit_code, found["API version"]["state"]) == (1, "fail")
    assert "is not the Cint API" in found["API version"]["seen"]
    assert "CINT_BASE_URL" in found["API version"]["cure"]
    assert {found[name]["state"] for name in ("Account", *GROUP_STAGES)} == {"skip"}


def test_a_version_that_the_api_does_not_know_is_told_from_a_missing_permission(
    run: Callable[..., Result], service: Mapping[str, str]
) -> None:
    found = checks(run("doctor", "--json", CINT_API_VERSION="1999-01-01", **service, **HERE))
    assert (found["API version"]["state"], found["Account"]["state"]) == ("fail", "skip")
    assert "Set CINT_API_VERSION=2025-12-18" in found["API version"]["cure"]


def test_a_variable_that_is_almost_one_of_cints_is_a_warning(run: Callable[..., Result]) -> None:
    result = run("doctor", "--json", CINT_PROJEKT_ID=PROJECT)
    found = checks(result)["Environment"]
    assert (result.exit_code, found["state"]) == (0, "warn")
    assert "CINT_PROJECT_ID" in found["seen"]


@pytest.mark.parametrize(
    "named",
    [GROUP, f"https://api.cint.com/v1/demand/accounts/101/projects/{PROJECT}/target-groups/{GROUP}/overview"],
    ids=["its id", "its URL"],
)
def test_a_target_group_that_is_named_shows_the_newer_operations(
    run: Callable[..., Result], service: Mapping[str, str], named: str
) -> None:
    where = HERE if named == GROUP else {}
    found = checks(run("doctor", "--json", "--target-group", named, **service, **where))
    assert [found[name]["state"] for name in GROUP_STAGES] == ["ok", "ok"]
    assert f"{GROUP} of account 101, project {PROJECT}: 0 IDs are stored" in found["Target group"]["seen"]


def test_what_the_older_version_lacks_is_said_with_what_still_works(
    run: Callable[..., Result], service: Mapping[str, str]
) -> None:
    older = {**service, **HERE, "CINT_API_VERSION": "2025-05-27"}
    result = run("doctor", "--json", "--target-group", GROUP, **older)
    found = checks(result)["Newer operations"]
    assert (result.exit_code, found["state"]) == (0, "warn")
    for said in ("the job list", "the download of uploaded files", "the upload of RIDs"):
        assert said in found["seen"]
    for said in ("RSIDs are uploaded all the same", "OUTCOME_UNKNOWN", "CINT_API_VERSION=2025-12-18"):
        assert said in found["cure"]


def test_a_launched_target_group_is_found_without_an_account_and_a_project(
    run: Callable[..., Result], service: Mapping[str, str], tmp_path: Path
) -> None:
    launch(run, tmp_path)
    found = checks(run("doctor", "--json", "--target-group", LAUNCHED, **service))
    assert found["Target group"]["state"] == "ok"
    assert PROJECT in found["Target group"]["seen"]


@pytest.mark.parametrize(
    ("astray", "said"),
    [
        pytest.param({"CINT_ACCOUNT_ID": "102"}, "in another account;", id="account"),
        pytest.param({"CINT_PROJECT_ID": OTHER_PROJECT}, "in another project;", id="project"),
    ],
)
def test_a_launched_target_group_of_another_account_or_project_is_told_with_what_to_set(
    run: Callable[..., Result], service: Mapping[str, str], tmp_path: Path, astray: dict[str, str], said: str
) -> None:
    launch(run, tmp_path)
    result = run("doctor", "--json", "--target-group", LAUNCHED, **{**service, **HERE, **astray})
    found = checks(result)["Target group"]
    assert (result.exit_code, found["state"]) == (1, "fail")
    assert said in found["seen"]
    assert f"It is in account 101, project {PROJECT}" in found["seen"]
    assert f"set CINT_ACCOUNT_ID=101 and CINT_PROJECT_ID={PROJECT}" in found["cure"]


def test_where_a_target_group_is_that_the_policy_hides_is_not_told(
    run: Callable[..., Result], service: Mapping[str, str], tmp_path: Path
) -> None:
    launch(run, tmp_path)
    astray = {"CINT_ACCOUNT_ID": "102", "RECONTACT_ALLOWED_ACCOUNTS": "102"}
    found = checks(run("doctor", "--json", "--target-group", LAUNCHED, **{**service, **HERE, **astray}))["Target group"]
    assert (found["state"], "101" in found["seen"] + found["cure"]) == ("fail", False)
    assert "CINT_ACCOUNT_ID" in found["cure"]


def test_a_draft_in_another_project_is_told_from_what_was_done_here_before(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    anyio.run(upload_one, Settings(data_dir=tmp_path / "data"))
    found = checks(run("doctor", "--json", "--target-group", GROUP, CINT_PROJECT_ID=OTHER_PROJECT))["Target group"]
    assert found["state"] == "fail"
    assert f"It is in account 101, project {PROJECT}" in found["seen"]


def test_a_target_group_of_which_no_look_tells_more_keeps_the_advice_to_check_the_ids(
    run: Callable[..., Result], service: Mapping[str, str]
) -> None:
    overburden(service, "get_target_group_overview_by_target_group_id")
    found = checks(run("doctor", "--json", "--target-group", "0" * 26, **service, **HERE))["Target group"]
    assert found["state"] == "fail"
    assert "CINT_PROJECT_ID" in found["cure"]


def test_a_target_group_that_is_not_there_fails(run: Callable[..., Result], service: Mapping[str, str]) -> None:
    result = run("doctor", "--json", "--target-group", "0" * 26, **service, **HERE)
    found = checks(result)
    assert (result.exit_code, found["Target group"]["state"]) == (1, "fail")
    assert "CINT_PROJECT_ID" in found["Target group"]["cure"]
    assert found["Newer operations"]["state"] == "skip"


def test_a_target_group_that_is_nowhere_is_looked_for_by_its_id_alone_and_fails(
    run: Callable[..., Result], service: Mapping[str, str]
) -> None:
    result = run("doctor", "--json", "--target-group", "0" * 26, **service)
    found = checks(result)
    assert (result.exit_code, found["Target group"]["state"]) == (1, "fail")
    assert found["Newer operations"]["state"] == "skip"


@pytest.mark.parametrize("as_json", [True, False])
def test_a_target_group_that_is_none_is_refused_without_being_repeated(
    run: Callable[..., Result],
    as_json: bool,  # noqa: FBT001 (a table's column)
) -> None:
    result = run("doctor", *(["--json"] if as_json else []), "--target-group", "canary/nothing")
    assert (result.exit_code, "canary" in result.output) == (1, False)
    assert "--target-group" in result.output


def test_a_job_list_that_cannot_be_read_now_is_no_missing_feature(
    run: Callable[..., Result], service: Mapping[str, str]
) -> None:
    overburden(service, "recontact_list_upload_respondents_by_file_jobs")
    result = run("doctor", "--json", "--target-group", GROUP, **service, **HERE)
    found = checks(result)
    assert (result.exit_code, found["Newer operations"]["state"]) == (1, "fail")
    assert "fewer requests" in found["Newer operations"]["seen"]


def test_the_target_group_of_the_last_job_is_looked_at_unless_another_one_is_named(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    anyio.run(upload_one, Settings(data_dir=tmp_path / "data"))
    found = checks(run("doctor", "--json"))
    assert [found[name]["state"] for name in GROUP_STAGES] == ["ok", "ok"]
    assert GROUP in found["Target group"]["seen"]
    (tmp_path / "data" / "ledger.sqlite").write_bytes(SQLITE_MAGIC + b"damaged" * 1_000)
    assert states(run("doctor", "--json"))["Target group"] == "skip"


def test_where_no_job_was_started_no_target_group_is_looked_at(run: Callable[..., Result], tmp_path: Path) -> None:
    anyio.run(only_count, Settings(data_dir=tmp_path / "data"))
    assert (tmp_path / "data" / "ledger.sqlite").exists()
    assert states(run("doctor", "--json"))["Target group"] == "skip"


async def only_count(settings: Settings) -> None:
    async with Client(build_server(settings)) as client:
        await client.call_tool("get_recontact_overview", {"target_group_id": GROUP})


async def upload_one(settings: Settings) -> None:
    async with Client(build_server(settings)) as client:
        ids = ["5a3b2ada-0000-0000-0000-000000000001"]
        started = await client.call_tool("upload_recontacts", {"target_group_id": GROUP, "ids": ids})
        assert not started.is_error
        assert started.structured_content is not None
        job = {"target_group_id": GROUP, "job_id": started.structured_content["job_id"], "wait_seconds": 10}
        await client.call_tool("get_upload_job", job)


@pytest.mark.anyio
async def test_an_api_that_answers_too_late_fails(tmp_path: Path) -> None:
    finding = await embedded(Settings(data_dir=tmp_path), seconds=0)
    assert (finding.state, "no answer" in finding.seen) == ("fail", True)


def test_secrets_are_only_said_to_be_set(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "cint_client_id": "x", "cint_client_secret": SECRET, "allowed_accounts": [2, 1]}
    )
    shown = shown_settings(settings)
    assert SECRET not in str(shown)
    assert shown["CINT_CLIENT_SECRET"] != "unset"
    assert (shown["RECONTACT_ALLOWED_ACCOUNTS"], shown["RECONTACT_UPLOAD_ROOTS"]) == ("1, 2", "none")
