"""`recontact-mcp explain`: the rule that would refuse a call, and who may lift it, before anybody calls."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from recontact_mcp.cli.commands import app

ISSUER = "https://issuer.example"
ACCESS = """
[[principals]]
subject = "ann"
accounts = [101]
caps_per_day = { uploads = 5, ids = 1000 }

[[principals]]
claim = "groups"
value = "readers"
read_only = true
accounts = [101]
target_groups = ["01BTGNYV6HRNK8K8VKZASZCFP1"]
"""

Explain = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with an issuer and an access file."""
    path = tmp_path / "access.toml"
    path.write_text(ACCESS, encoding="utf-8")
    path.chmod(0o600)
    monkeypatch.setenv("RECONTACT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("RECONTACT_AUTH_ISSUER", ISSUER)
    monkeypatch.setenv("RECONTACT_ACCESS_FILE", str(path))
    monkeypatch.setenv("RECONTACT_FREEZE_FILE", str(tmp_path / "freeze"))
    return tmp_path


@pytest.fixture
def explain(environment: Path) -> Explain:
    """Run the command with --json, and return its exit code and what it said."""
    del environment  # it is read by the command

    def explained(*arguments: str) -> tuple[int, dict[str, Any]]:
        done = CliRunner().invoke(app, ["explain", *arguments, "--json"])
        return done.exit_code, json.loads(done.stdout)

    return explained


def test_what_is_allowed_is_said_with_the_entry_that_counts_and_its_caps(explain: Explain) -> None:
    code, said = explain("upload_recontacts", "--subject", "ann", "--account", "101")
    assert (code, said["allowed"], said["entry"]) == (0, True, "principals[0]")
    assert said["caps_per_day"] == {"uploads": 5, "ids": 1000, "removals": None}


READER = ("--subject", "bob", "--claim", "groups=readers")


@pytest.mark.parametrize(
    ("arguments", "code", "rule", "lifter"),
    [
        (("upload_recontacts", *READER), "READ_ONLY", "principals[1].read_only", "access file"),
        (
            ("list_recontacts", "--subject", "ann", "--account", "7"),
            "POLICY_DENIED",
            "principals[0].accounts",
            "access",
        ),
        (
            ("list_recontacts", *READER, "--target-group", "01BTGNYV6HRNK8K8VKZASZCFP2"),
            "POLICY_DENIED",
            "principals[1].target_groups",
            "access file",
        ),
        (("list_recontacts", "--subject", "eve"), "POLICY_DENIED", "no entry of the access file", "access file"),
        (
            ("upload_recontacts", "--subject", "ann", "--scope", "recontacts:read openid"),
            "INSUFFICIENT_SCOPE",
            "the scopes of the access token",
            "user",
        ),
    ],
)
def test_what_is_refused_is_said_with_the_rule_and_who_may_lift_it(
    explain: Explain, arguments: tuple[str, ...], code: str, rule: str, lifter: str
) -> None:
    exit_code, said = explain(*arguments)
    assert (exit_code, said["allowed"], said["error"]["code"], said["error"]["rule"]) == (1, False, code, rule)
    assert lifter in said["error"]["lifted_by"]


@pytest.mark.parametrize("rule", ["accounts", "projects", "target_groups"])
@pytest.mark.parametrize("tool", ["upload_recontacts", "list_recontacts"])
def test_whoever_is_allowed_nowhere_is_refused_though_no_place_is_named(
    explain: Explain, environment: Path, rule: str, tool: str
) -> None:
    (environment / "access.toml").write_text(f"[default]\n{rule} = []\n", encoding="utf-8")
    code, said = explain(tool, "--subject", "nobody")
    assert (code, said["allowed"], said["entry"]) == (1, False, "default")
    assert (said["error"]["code"], said["error"]["rule"]) == ("POLICY_DENIED", f"default.{rule}")
    assert "with any " in said["error"]["message"]
    assert "access file" in said["error"]["lifted_by"]


def test_reading_is_allowed_where_changing_is_not(explain: Explain) -> None:
    assert explain("list_recontacts", *READER, "--target-group", "01BTGNYV6HRNK8K8VKZASZCFP1")[0] == 0


def test_a_freeze_is_seen(explain: Explain, environment: Path) -> None:
    (environment / "freeze").touch()
    assert explain("upload_recontacts", "--subject", "ann")[1]["error"]["code"] == "FROZEN"
    assert explain("upload_recontacts")[1]["error"]["rule"] == "RECONTACT_FREEZE_FILE"


def test_the_local_user_is_bound_by_the_settings_alone(explain: Explain, monkeypatch: pytest.MonkeyPatch) -> None:
    assert explain("upload_recontacts") == (0, {"allowed": True, "entry": None, "caps_per_day": None})
    monkeypatch.setenv("RECONTACT_READ_ONLY", "true")
    assert explain("upload_recontacts")[1]["error"]["rule"] == "RECONTACT_READ_ONLY"
    assert explain("upload_recontacts", "--subject", "ann")[1]["error"]["rule"] == "RECONTACT_READ_ONLY"


def test_of_a_removal_it_is_said_who_has_to_agree(explain: Explain, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(tool: str = "remove_all_recontacts") -> object:
        return explain(tool, "--subject", "ann")[1].get("approval")

    anybody = told()
    monkeypatch.setenv("RECONTACT_APPROVAL_APPROVERS", "https://issuer.example#boss")
    either = told("replace_recontacts")
    monkeypatch.setenv("RECONTACT_APPROVAL_TWO_PERSON", "true")
    monkeypatch.setenv("RECONTACT_PUBLIC_URL", "https://recontacts.example")
    monkeypatch.setenv("RECONTACT_APPROVAL_CLIENT_ID", "me")
    monkeypatch.setenv("RECONTACT_APPROVAL_CLIENT_SECRET", "canary")
    monkeypatch.setenv("RECONTACT_APPROVAL_PASSKEY", "required")
    approver = told()
    shown = CliRunner().invoke(app, ["explain", "remove_all_recontacts", "--subject", "ann"]).stdout
    words = "Then a person has to agree (human-oob): RECONTACT_APPROVAL_APPROVERS, with a passkey"
    assert anybody == {"minimum": "human-oob", "by": ["whoever asks"], "passkey": False}
    assert either == {"minimum": "human-oob", "by": ["whoever asks", "RECONTACT_APPROVAL_APPROVERS"], "passkey": False}
    assert approver == {"minimum": "human-oob", "by": ["RECONTACT_APPROVAL_APPROVERS"], "passkey": True}
    assert (words in shown, told("upload_recontacts")) == (True, None)
    for name in ("AUTH_ISSUER", "ACCESS_FILE", "APPROVAL_CLIENT_ID", "APPROVAL_CLIENT_SECRET", "APPROVAL_PASSKEY"):
        monkeypatch.delenv(f"RECONTACT_{name}")
    assert "(human-oob)" in CliRunner().invoke(app, ["explain", "remove_all_recontacts"]).stdout
    monkeypatch.delenv("RECONTACT_APPROVAL_TWO_PERSON")
    assert "(client-elicited)" in CliRunner().invoke(app, ["explain", "remove_all_recontacts"]).stdout


@pytest.mark.usefixtures("environment")
def test_a_person_reads_it_in_words() -> None:
    denied = CliRunner().invoke(app, ["explain", "upload_recontacts", *READER])
    allowed = CliRunner().invoke(app, ["explain", "upload_recontacts", "--subject", "ann"])
    assert "Rule: principals[1].read_only" in denied.stdout
    assert "Who may lift it: whoever edits the access file" in denied.stdout
    assert denied.exit_code == 1
    assert "Allowed." in allowed.stdout
    assert "5 uploads, 1000 IDs" in allowed.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("no_such_tool",),
        ("list_recontacts", "--claim", "groups"),
        ("list_recontacts", "--target-group", "nonsense"),
    ],
)
@pytest.mark.usefixtures("environment")
def test_what_makes_no_sense_ends_with_code_two(arguments: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, ["explain", *arguments]).exit_code == 2


@pytest.mark.usefixtures("environment")
def test_without_an_issuer_there_are_no_subjects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECONTACT_AUTH_ISSUER")
    assert CliRunner().invoke(app, ["explain", "list_recontacts", "--subject", "ann"]).exit_code == 2


def test_a_broken_access_file_is_said(environment: Path) -> None:
    (environment / "access.toml").write_text("nonsense", encoding="utf-8")
    done = CliRunner().invoke(app, ["explain", "list_recontacts"])
    assert done.exit_code == 2
    assert "not TOML" in done.stderr


def test_a_project_alone_is_judged(explain: Explain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONTACT_ALLOWED_PROJECTS", "01BTGNYV6HRNK8K8VKZASZCFP0")
    assert explain("list_recontacts", "--project", "01btgnyv6hrnk8k8vkzaszcfp0")[0] == 0
    assert explain("list_recontacts", "--project", "01BTGNYV6HRNK8K8VKZASZCFP9")[1]["error"]["code"] == "POLICY_DENIED"
