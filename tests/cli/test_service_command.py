"""`recontact-mcp service`: the API standing alone, and its target groups."""

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from subprocess import Popen
from uuid import UUID

import httpx
import pytest
from mcp import Client
from typer.testing import Result

from recontact_mcp.app import build_server
from recontact_mcp.settings import load_settings
from recontact_service.sqlite_store import SqliteStore

Start = Callable[..., AbstractContextManager[Popen[str]]]
GROUP = "01BTGNYV6HRNK8K8VKZASZCFP9"


def announced(process: Popen[str]) -> dict[str, str]:
    """Return the settings that the panel shows."""
    assert process.stdout is not None
    found: dict[str, str] = {}
    for line in process.stdout:
        name, _, value = line.strip("│ \n").partition("=")
        if value:
            found[name] = value.strip()
        if line.startswith("╰"):
            break
    return found


@pytest.mark.anyio
async def test_the_settings_it_shows_connect_a_server_to_it(start: Start, tmp_path: Path) -> None:
    with start("service", "--port", "0") as process:
        settings = load_settings(
            {
                **announced(process),
                "RECONTACT_DATA_DIR": str(tmp_path / "client"),
                "CINT_ACCOUNT_ID": "101",
                "CINT_PROJECT_ID": "01BTGNYV6HRNK8K8VKZASZCFP0",
            }
        )
        async with Client(build_server(settings)) as client:
            result = await client.call_tool("get_recontact_overview", {"target_group_id": "01BTGNYV6HRNK8K8VKZASZCFP1"})
    assert not result.is_error
    assert process.returncode == 0


def test_a_secret_that_was_given_is_not_shown(start: Start) -> None:
    with start("service", "--port", "0", RECONTACT_SERVICE_SECRET="canary") as process:
        shown = announced(process)
    assert "canary" not in str(shown)
    assert set(shown) == {"CINT_BASE_URL", "CINT_AUTH_URL", "CINT_CLIENT_ID", "CINT_CLIENT_SECRET"}


def test_an_address_of_version_six_is_shown_in_brackets(start: Start) -> None:
    with start("service", "--host", "::1", "--port", "0") as process:
        assert announced(process)["CINT_BASE_URL"].startswith("http://[::1]:")


def test_only_this_machine_is_served(run: Callable[..., Result]) -> None:
    result = run("service", "--host", "0.0.0.0")  # noqa: S104 (a host that must be refused)
    assert result.exit_code == 2


def test_a_port_in_use_is_said_so(start: Start) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        start("service", "--port", str(taken.getsockname()[1])) as process,
    ):
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "cannot be used" in err


@pytest.mark.anyio
async def test_a_seeded_target_group_is_there_without_any_setting(
    run: Callable[..., Result], environment: dict[str, str]
) -> None:
    result = run("service", "seed", GROUP, "--fields", '{"completes_goal": 200}')
    assert result.exit_code == 0
    assert GROUP in result.stdout
    async with Client(build_server(load_settings(environment))) as client:
        answer = await client.call_tool("get_recontact_overview", {"target_group_id": GROUP})
    assert not answer.is_error


def test_a_database_can_be_named(run: Callable[..., Result], tmp_path: Path) -> None:
    database = tmp_path / "elsewhere" / "api.sqlite"
    assert run("service", "seed", GROUP, "--database", str(database), "--state", "launched").exit_code == 0
    assert database.exists()


async def overview_of(announcement: dict[str, str], seconds: list[int]) -> httpx.Response:
    """Get a token as a client does, note how long it lasts, and read an overview with it."""
    base = announcement["CINT_BASE_URL"]
    credentials = {
        "client_id": announcement["CINT_CLIENT_ID"],
        "client_secret": announcement["CINT_CLIENT_SECRET"],
        "grant_type": "client_credentials",
        "audience": "https://api.luc.id",
    }
    path = "/demand/accounts/101/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/01BTGNYV6HRNK8K8VKZASZCFP1"
    async with httpx.AsyncClient() as client:
        token = (await client.post(announcement["CINT_AUTH_URL"], json=credentials)).json()
        seconds.append(token["expires_in"])
        headers = {"Authorization": f"Bearer {token['access_token']}", "Cint-API-Version": "2025-12-18"}
        return await client.get(f"{base}{path}/recontacts/overview", headers=headers)


@pytest.mark.anyio
@pytest.mark.parametrize(("options", "lasts"), [([], 86_400), (["--token-seconds", "600"], 600)])
async def test_tokens_last_as_long_as_was_asked(start: Start, options: list[str], lasts: int) -> None:
    seconds: list[int] = []
    with start("service", "--port", "0", *options) as process:
        answer = await overview_of(announced(process), seconds)

    assert answer.status_code == 200
    assert seconds == [lasts]


def test_a_target_group_changes_its_account_only_when_that_is_asked_for(run: Callable[..., Result]) -> None:
    assert run("service", "seed", GROUP).exit_code == 0
    refused = run("service", "seed", GROUP, "--account-id", "102")
    moved = run("service", "seed", GROUP, "--account-id", "102", "--move")

    assert refused.exit_code == 2
    assert "another account or project" in " ".join(refused.stderr.split())
    assert moved.exit_code == 0
    assert "account 102" in " ".join(moved.stdout.split())


def test_respondents_that_may_not_enter_come_from_a_file(run: Callable[..., Result], tmp_path: Path) -> None:
    database, file = tmp_path / "api.sqlite", tmp_path / "excluded.txt"
    file.write_text(f"{UUID(int=1)}\n{UUID(int=2)}\n")
    named = ("--database", str(database))
    seeded = run("service", "seed", GROUP, *named, "--excluded-file", str(file))
    file.write_text("none\n")
    refused = run("service", "seed", GROUP, *named, "--excluded-file", str(file))

    assert (seeded.exit_code, refused.exit_code) == (0, 2)
    with closing(SqliteStore(database)) as store:
        group = store.find_group(GROUP, account_id=101, project_id="01BTGNYV6HRNK8K8VKZASZCFP0")
        assert group is not None
        assert store.count_excluded(group.number) == 2


def test_a_table_of_rids_is_loaded_or_refused_with_its_line(run: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "rids.csv"
    file.write_text(f"RID,RSID\n{UUID(int=1)},{UUID(int=2)}\n")
    loaded = run("service", "rids", str(file))
    file.write_text(f"{UUID(int=1)};{UUID(int=2)}\n")
    refused = run("service", "rids", str(file))
    absent = run("service", "rids", str(tmp_path / "absent.csv"))

    assert (loaded.exit_code, refused.exit_code, absent.exit_code) == (0, 2, 2)
    assert "1 RIDs" in loaded.stdout
    assert "line 1" in refused.stderr
    assert "cannot be read" in absent.stderr
    assert str(UUID(int=1)) not in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([GROUP.lower()], id="not a ULID"),
        pytest.param([GROUP, "--fields", "{"], id="not JSON"),
        pytest.param([GROUP, "--fields", "[]"], id="not an object"),
        pytest.param([GROUP, "--fields", '{"completes_gaol": 7}'], id="not a field"),
    ],
)
def test_what_cannot_be_seeded_is_refused(run: Callable[..., Result], arguments: list[str]) -> None:
    result = run("service", "seed", *arguments)
    assert result.exit_code == 2
    assert "Nothing was seeded" in result.stderr


def test_a_database_that_is_none_is_said_so(start: Start, run: Callable[..., Result], tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"this is no database, but it is long enough to be looked at" * 20)

    seeded = run("service", "seed", GROUP, "--database", str(damaged))
    with start("service", "--port", "0", "--database", str(damaged)) as process:
        _, err = process.communicate(timeout=30)

    assert (seeded.exit_code, process.returncode) == (1, 1)
    for said in (seeded.stderr, err):
        assert "The database cannot be used." in said
        assert "Traceback" not in said
