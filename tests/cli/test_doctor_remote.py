"""What `doctor` says of a server over HTTP, and of the key that servers on one database share."""

import json
from base64 import b64encode
from collections.abc import Callable, Generator
from pathlib import Path

import anyio
import pytest
from authorization_server import AuthorizationServer, authorization_server
from typer.testing import Result

from recontact_mcp.cli.doctor_remote import remote
from recontact_mcp.decided import held_seal_of
from recontact_mcp.settings import load_settings
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.shared_key import check_shared_key

Run = Callable[..., Result]
KEY, OTHER_KEY = (b64encode(bytes([one]) * 32).decode() for one in (1, 2))
PUBLIC = "http://127.0.0.1:8765"
SIGNS_IN = {"RECONTACT_APPROVAL_CLIENT_ID": "recontact-mcp", "RECONTACT_APPROVAL_CLIENT_SECRET": "secret"}


@pytest.fixture(scope="module")
def issuer() -> Generator[AuthorizationServer]:
    """Run an authorization server."""
    with authorization_server() as server:
        yield server


def looked(tmp_path: Path, **variables: str) -> dict[str, str]:
    """Return the state of each look."""
    settings = load_settings({"RECONTACT_DATA_DIR": str(tmp_path), **variables})
    return {one.name: one.state for one in anyio.run(remote, settings)}


def key_state(run: Run, **variables: str) -> str | None:
    """Return what the doctor says of the key of the snapshots."""
    checks = json.loads(run("doctor", "--json", **variables).stdout)["checks"]
    return next((one["state"] for one in checks if one["name"] == "Key of the snapshots"), None)


def test_who_sets_nothing_of_http_is_told_nothing_of_it(tmp_path: Path) -> None:
    assert looked(tmp_path) == {}


def test_a_complete_set_up_is_fine(tmp_path: Path, issuer: AuthorizationServer) -> None:
    told = {"RECONTACT_AUTH_ISSUER": issuer.issuer, "RECONTACT_PUBLIC_URL": PUBLIC, **SIGNS_IN}
    assert looked(tmp_path, **told) == {"Issuer of tokens": "ok", "Approval page": "ok"}


def test_an_issuer_without_a_client_for_the_approval_page_is_warned_of(
    tmp_path: Path, issuer: AuthorizationServer
) -> None:
    told = {"RECONTACT_AUTH_ISSUER": issuer.issuer}
    assert looked(tmp_path, **told) == {"Issuer of tokens": "ok", "Public URL": "warn", "Approval page": "warn"}
    assert "Approval page" not in looked(tmp_path, **told, RECONTACT_APPROVAL_MINIMUM="client-elicited")


def test_an_issuer_that_calls_itself_otherwise_fails(tmp_path: Path, issuer: AuthorizationServer) -> None:
    told = {"RECONTACT_AUTH_ISSUER": f"{issuer.issuer}/other", "RECONTACT_PUBLIC_URL": PUBLIC, **SIGNS_IN}
    assert looked(tmp_path, **told)["Issuer of tokens"] == "fail"
    keys = {"RECONTACT_AUTH_JWKS_URL": f"{issuer.issuer}/jwks.json"}
    assert looked(tmp_path, **told, **keys)["Issuer of tokens"] == "ok"


def test_a_public_url_without_an_issuer_fails(tmp_path: Path) -> None:
    assert looked(tmp_path, RECONTACT_PUBLIC_URL="https://recontact.example.com") == {"Public URL": "fail"}


def test_settings_of_authorization_that_nobody_reads_are_warned_of(tmp_path: Path) -> None:
    assert looked(tmp_path, RECONTACT_AUTH_AUDIENCE="api") == {"Issuer of tokens": "warn"}


def test_a_freeze_file_is_warned_of_while_it_is_there(tmp_path: Path) -> None:
    file = tmp_path / "freeze"
    assert looked(tmp_path, RECONTACT_FREEZE_FILE=str(file)) == {}
    file.touch()
    assert looked(tmp_path, RECONTACT_FREEZE_FILE=str(file)) == {"Freeze file": "warn"}


def test_an_access_file_that_cannot_be_used_is_the_whole_report(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "access.toml"
    file.write_text("nonsense = 1\n")
    file.chmod(0o600)
    result = run("doctor", "--json", RECONTACT_ACCESS_FILE=str(file))
    [check] = json.loads(result.stdout)["checks"]
    assert (result.exit_code, "RECONTACT_ACCESS_FILE: nonsense" in check["seen"]) == (1, True)


def test_servers_on_one_database_need_one_key(run: Run, database_url: str, tmp_path: Path) -> None:
    there = {"RECONTACT_DATABASE_URL": database_url}
    assert (key_state(run), key_state(run, **there)) == (None, "warn")
    assert key_state(run, **there, RECONTACT_SNAPSHOT_KEY=KEY) == "ok"
    _serve_with(KEY, database_url, tmp_path)
    assert key_state(run, **there, RECONTACT_SNAPSHOT_KEY=KEY) == "ok"
    assert key_state(run, **there, RECONTACT_SNAPSHOT_KEY=OTHER_KEY) == "fail"
    assert key_state(run, **there) == "fail"
    assert key_state(run, RECONTACT_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none") is None


def test_the_key_of_receipts_is_that_of_the_servers_or_none(run: Run, database_url: str, tmp_path: Path) -> None:
    there = {"RECONTACT_DATABASE_URL": database_url}
    shown = run("receipt", "key", **there, RECONTACT_SNAPSHOT_KEY=KEY).stdout  # before any server was there
    _serve_with(KEY, database_url, tmp_path)
    assert run("receipt", "key", **there, RECONTACT_SNAPSHOT_KEY=KEY).stdout == shown
    other = run("receipt", "key", **there, RECONTACT_SNAPSHOT_KEY=OTHER_KEY)
    assert (other.exit_code, other.stdout) == (1, "")
    assert "have another key" in other.stderr
    unreachable = run("receipt", "key", RECONTACT_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert (unreachable.exit_code, "doctor" in unreachable.stderr) == (1, True)


def test_looking_for_the_key_of_receipts_makes_none(run: Run, tmp_path: Path) -> None:
    result = run("receipt", "key")
    assert (result.exit_code, result.stdout) == (1, "")
    assert list(tmp_path.rglob("snapshots.key")) == []


def _serve_with(key: str, database_url: str, tmp_path: Path) -> None:
    """Do what a server does that is the first on a database."""
    settings = load_settings({"RECONTACT_DATA_DIR": str(tmp_path / "first"), "RECONTACT_SNAPSHOT_KEY": key})

    async def pin() -> None:
        ledger = await SqlLedger.connect(database_url, settings.namespace)
        await check_shared_key(ledger, held_seal_of(settings))
        await ledger.aclose()

    anyio.run(pin)
