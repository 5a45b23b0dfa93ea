"""The access file: who may do what, strictly read, and read again when it changes."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recontact_mcp.access import claims_of
from recontact_mcp.access_file import read_access
from recontact_mcp.access_source import AccessSource, FreezeSource
from recontact_mcp.settings_file import SettingsError
from recontact_tools.errors import NotAllowed
from recontact_tools.models import Caps

if TYPE_CHECKING:
    from collections.abc import Callable

WHOLE = """
[[principals]]
subject = "ann"
accounts = [101]
projects = ["01btgnyv6hrnk8k8vkzaszcfp0"]
target_groups = ["01BTGNYV6HRNK8K8VKZASZCFP1"]
credentials = "ours"
caps_per_day = { uploads = 3, ids = 1000, removals = 1 }

[[principals]]
claim = "groups"
value = "readers"
accounts = [202]
read_only = true

[default]
accounts = []
read_only = true

[[credentials]]
name = "ours"
client_id = "our client"
client_secret_command = ["/bin/echo", "secret"]
"""


@pytest.fixture
def write(tmp_path: Path) -> "Callable[[str], Path]":
    def written(text: str) -> Path:
        path, new = tmp_path / "access.toml", tmp_path / "access.toml.new"
        new.write_text(text, encoding="utf-8")
        new.chmod(0o600)
        new.rename(path)
        return path

    return written


def test_everything_that_the_file_can_say_is_read(write: "Callable[[str], Path]") -> None:
    access = read_access(write(WHOLE))
    ann = access.entry_of("ann", claims_of({"groups": ["readers"]}, access.claim_names))
    assert ann.where == "principals[0]"
    assert (ann.accounts, ann.projects) == (frozenset({101}), frozenset({"01BTGNYV6HRNK8K8VKZASZCFP0"}))
    assert ann.target_groups == frozenset({"01BTGNYV6HRNK8K8VKZASZCFP1"})
    assert ann.caps == Caps(3, 1000, 1)
    assert ann.credentials is not None
    assert ann.credentials.client_id == "our client"
    reader = access.entry_of("bob", claims_of({"groups": ["others", "readers"], "more": "x"}, access.claim_names))
    assert (reader.where, reader.read_only, reader.credentials, reader.caps) == ("principals[1]", True, None, Caps())
    assert access.entry_of("bob", claims_of({"groups": "readers"}, access.claim_names)).where == "principals[1]"
    assert access.entry_of("bob", claims_of({"groups": 7}, access.claim_names)).where == "default"


def test_without_a_default_whoever_is_not_named_may_do_nothing(write: "Callable[[str], Path]") -> None:
    access = read_access(write('[[principals]]\nsubject = "ann"\n'))
    with pytest.raises(NotAllowed) as refused:
        access.entry_of("bob", frozenset())
    assert refused.value.details["rule"] == "no entry of the access file"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[[principals]", "not TOML", id="no TOML"),
        pytest.param('[[principals]]\nsubject = "a"\nreadonly = true\n', "readonly", id="misspelt"),
        pytest.param("[[principal]]\n", "principal", id="unknown table"),
        pytest.param("[[principals]]\nread_only = true\n", "exactly one", id="about nobody"),
        pytest.param('[[principals]]\nsubject = "a"\nclaim = "c"\nvalue = "v"\n', "exactly one", id="about two"),
        pytest.param('[[principals]]\nclaim = "groups"\n', "exactly one", id="a claim without a value"),
        pytest.param('[[principals]]\nsubject = "a"\naccounts = ["x"]\n', "account ids", id="no account"),
        pytest.param('[[principals]]\nsubject = "a"\nprojects = ["x"]\n', "ULID", id="no project"),
        pytest.param('[[principals]]\nsubject = "a"\ncaps_per_day = { uploads = -1 }\n', "uploads", id="negative cap"),
        pytest.param('[[principals]]\nsubject = "a"\ncredentials = "x"\n', "not in the file", id="unknown credentials"),
        pytest.param(
            '[[credentials]]\nname = "x"\nclient_id = "c"\nclient_secret_file = "/s"\n[default]\n',
            "must say its `accounts`",
            id="accounts left open beside credentials",
        ),
        pytest.param(
            '[[credentials]]\nname = "x"\nclient_id = "c"\nclient_secret_command = ["echo", "s"]\n',
            "absolute path",
            id="a command that is looked for",
        ),
        pytest.param('[[credentials]]\nname = "x"\nclient_id = "c"\n', "exactly one", id="no secret"),
        pytest.param(
            '[[credentials]]\nname = "x"\nclient_id = "c"\nclient_secret_file = "/s"\n' * 2,
            "the same name",
            id="two of a name",
        ),
    ],
)
def test_what_the_file_cannot_say_is_refused_with_the_place_and_without_its_contents(
    write: "Callable[[str], Path]", text: str, words: str
) -> None:
    with pytest.raises(SettingsError, match=words) as refused:
        read_access(write(f"# canary-comment\n{text}"))
    assert "canary" not in str(refused.value)
    assert all(problem.startswith("RECONTACT_ACCESS_FILE: ") for problem in refused.value.problems)


def test_a_file_that_others_can_reach_or_that_is_not_there_is_refused(write: "Callable[[str], Path]") -> None:
    path = write(WHOLE)
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_access(path)
    path.unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        read_access(path)


def test_a_changed_file_counts_at_once_and_a_broken_one_keeps_the_last_good_one(
    write: "Callable[[str], Path]", caplog: pytest.LogCaptureFixture
) -> None:
    source = AccessSource(write('[[principals]]\nsubject = "ann"\n'), embedded=True)
    assert source.current().default is None
    write("[default]\nread_only = true\n")
    with caplog.at_level(logging.INFO, "recontact_mcp"):
        assert source.current().default is not None
        write("[default]\nread_onl = true\n")
        assert source.current().default is not None
        assert source.current().default is not None
    assert [record.levelname for record in caplog.records] == ["INFO", "ERROR"]
    write('[[principals]]\nsubject = "ann"\n')
    assert source.current().default is None


def test_a_file_that_is_broken_from_the_start_stops_the_start(write: "Callable[[str], Path]") -> None:
    with pytest.raises(SettingsError):
        AccessSource(write("x = 1"), embedded=True)


def test_credentials_of_the_file_need_an_api_that_takes_them(write: "Callable[[str], Path]") -> None:
    path = write(WHOLE)
    with pytest.raises(SettingsError, match="CINT_CLIENT_ID is not set"):
        AccessSource(path, embedded=True)
    assert AccessSource(path, embedded=False).current().entries


def test_the_freeze_file_freezes_everybody_or_those_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "freeze"
    source = FreezeSource(path)
    assert not source.is_frozen("i#ann")
    path.write_text("\n# while we look into it\n", encoding="utf-8")
    assert source.is_frozen("i#ann")
    path.write_text("# only\ni#bob\n", encoding="utf-8")
    assert source.is_frozen("i#bob")
    assert not source.is_frozen("i#ann")
    path.unlink()
    assert not source.is_frozen("i#bob")
    path.mkdir()
    assert source.is_frozen("i#ann")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"i#bob\n" * 20_000], ids=["no text", "too long"])
def test_a_freeze_file_that_makes_no_sense_freezes_everybody(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "freeze"
    path.write_bytes(content)
    assert FreezeSource(path).is_frozen("i#ann")
    assert FreezeSource(tmp_path / "freeze" / "below").is_frozen("i#ann") is False


def test_a_freeze_file_that_cannot_be_looked_at_freezes_everybody(tmp_path: Path) -> None:
    path = tmp_path / "freeze"
    source = FreezeSource(path)
    assert not source.is_frozen("i#ann")
    path.symlink_to(path)
    assert source.is_frozen("i#ann")


def test_the_file_that_the_guide_shows_can_be_used(write: "Callable[[str], Path]") -> None:
    guide = Path(__file__).resolve().parents[2] / "docs" / "authorization.md"
    shown = guide.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    access = read_access(write(shown))
    assert [entry.where for entry in access.everybody] == ["principals[0]", "principals[1]", "default"]


@pytest.mark.parametrize("words", [("serve",), ("serve", "--transport", "http", "--port", "0")])
def test_a_server_whose_access_file_is_broken_does_not_start_and_says_why(
    write: "Callable[[str], Path]", tmp_path: Path, words: tuple[str, ...]
) -> None:
    environment = {
        **os.environ,
        "RECONTACT_DATA_DIR": str(tmp_path / "data"),
        "RECONTACT_AUTH_ISSUER": "https://issuer.example",
        "RECONTACT_ACCESS_FILE": str(write("[[principal]]")),
    }
    done = subprocess.run(
        [sys.executable, "-m", "recontact_mcp", *words],
        env=environment,
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "RECONTACT_ACCESS_FILE: principal" in done.stderr
    assert "Traceback" not in done.stderr
