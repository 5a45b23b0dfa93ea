"""Where a client secret may stand: in the environment, or in a file that nobody else can reach."""

import os
from base64 import b64encode
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import typer.main
from hypothesis import given
from hypothesis import strategies as st
from typer.core import TyperGroup

from recontact_mcp.cli.commands import app
from recontact_mcp.settings import Settings, SettingsError, load_settings, unfamiliar, variable
from recontact_mcp.settings_file import SECRET_CHARACTERS_MAX
from recontact_mcp.settings_private import BYTES_MAX, content, exposure

SECRET = "canary-secret"
FILE = "CINT_CLIENT_SECRET_FILE"


@pytest.fixture
def base(tmp_path: Path) -> dict[str, str]:
    return {"RECONTACT_DATA_DIR": str(tmp_path), "CINT_CLIENT_ID": "client"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n", encoding="utf-8")
    path.chmod(0o600)
    return path


def secret_of(settings: Settings) -> str:
    assert settings.cint_client_secret is not None
    return settings.cint_client_secret.get_secret_value()


def problem(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    (line,) = caught.value.problems
    assert SECRET not in line
    return line


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_a_secret_is_read_from_a_file_of_its_own_without_the_line_end(
    base: dict[str, str], file: Path, end: str
) -> None:
    file.write_text(f"{SECRET}{end}", encoding="utf-8", newline="")
    assert secret_of(load_settings({**base, FILE: f" {file} "})) == SECRET


def test_a_secret_file_may_be_named_in_the_toml_file_that_anybody_may_read(base: dict[str, str], file: Path) -> None:
    toml = file.with_name("recontact.toml")
    toml.write_text(f'cint_client_secret_file = "{file}"', encoding="utf-8")
    toml.chmod(0o644)
    assert secret_of(load_settings(base)) == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o601, 0o610])
def test_a_secret_file_that_others_can_reach_is_refused_with_the_command_that_closes_it(
    base: dict[str, str], file: Path, mode: int
) -> None:
    file.chmod(mode)
    line = problem({**base, FILE: str(file)})
    assert line.startswith(f"{FILE}: ")
    assert f"`chmod 600 {file}`" in line


def test_the_command_that_closes_a_file_can_be_pasted_whatever_the_name(base: dict[str, str], file: Path) -> None:
    odd = file.rename(file.with_name("my secret; rm"))
    odd.chmod(0o644)
    assert f"`chmod 600 '{odd}'`" in problem({**base, FILE: str(odd)})


def test_a_link_of_ones_own_to_a_closed_file_is_followed(base: dict[str, str], file: Path) -> None:
    link = file.with_name("link")
    link.symlink_to(file)
    assert secret_of(load_settings({**base, FILE: str(link)})) == SECRET


def test_a_link_to_an_open_file_is_refused(base: dict[str, str], file: Path) -> None:
    link = file.with_name("link")
    link.symlink_to(file)
    file.chmod(0o644)
    assert "chmod 600" in problem({**base, FILE: str(link)})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_file_or_link_of_another_user_is_refused(base: dict[str, str], file: Path) -> None:
    link = file.with_name("link")
    link.symlink_to(file)
    os.chown(link, 65_534, 65_534, follow_symlinks=False)
    assert "link of another user" in problem({**base, FILE: str(link)})
    os.chown(file, 65_534, 65_534)
    assert "belongs to another user" in problem({**base, FILE: str(file)})


@given(mode=st.integers(0, 0o777), owner=st.integers(0, 3), user=st.integers(0, 3))
def test_a_file_is_private_only_if_it_is_ours_and_closed_to_everybody_else(mode: int, owner: int, user: int) -> None:
    status = cast("os.stat_result", SimpleNamespace(st_mode=0o100000 | mode, st_uid=owner))
    private = exposure(status, user=user, path=Path("f")) is None
    assert private is (owner == user and mode & 0o077 == 0)


@pytest.mark.parametrize(
    "held",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\n", id="a blank line"),
        pytest.param(b"canary-secret\nmore\n", id="two lines"),
        pytest.param(b"canary secret", id="a blank"),
        pytest.param(b"\xef\xbb\xbfcanary-secret", id="a byte order mark"),
        pytest.param(b"CINT_CLIENT_SECRET=\tcanary-secret", id="a tab"),
        pytest.param(b"x" * (SECRET_CHARACTERS_MAX + 1), id="too long"),
    ],
)
def test_a_file_that_holds_something_else_than_a_secret_is_refused(
    base: dict[str, str], file: Path, held: bytes
) -> None:
    file.write_bytes(held)
    assert "one line is expected" in problem({**base, FILE: str(file)})


def test_what_is_no_file_is_refused_without_being_repeated(base: dict[str, str], file: Path) -> None:
    fifo = file.with_name("fifo")
    os.mkfifo(fifo, 0o600)
    large = file.with_name("large")
    large.write_bytes(b"x" * (BYTES_MAX + 1))
    for given_, said in {
        SECRET: "there is no such file",
        f"{file}/{SECRET}": "there is no such file",
        f"~nobody-here/{SECRET}": "not a file",
        f"{SECRET}\0": "not a file",
        str(fifo): "not a file",
        str(file.parent): "not a file",
        str(large): "not a file",
    }.items():
        assert said in problem({**base, FILE: given_})


def test_what_a_file_holds_is_not_in_its_repr(file: Path) -> None:
    assert SECRET not in repr(content(file))


def test_a_secret_given_twice_is_refused_for_one_of_them_may_be_old(base: dict[str, str], file: Path) -> None:
    assert "set only one" in problem({**base, FILE: str(file), "CINT_CLIENT_SECRET": "other"})


def test_the_environment_wins_over_the_file_whichever_way_it_gives_the_secret(base: dict[str, str], file: Path) -> None:
    toml = file.with_name("recontact.toml")
    toml.write_text('cint_client_secret = "old"', encoding="utf-8")
    toml.chmod(0o600)
    assert secret_of(load_settings({**base, FILE: str(file)})) == SECRET
    toml.write_text('cint_client_secret_file = "/nowhere"', encoding="utf-8")
    assert secret_of(load_settings({**base, "CINT_CLIENT_SECRET": "new"})) == "new"


@pytest.mark.parametrize(
    "line", ['cint_client_secret = "canary-secret"', 'cint_proxy = "http://u:canary-secret@proxy.example"']
)
def test_a_secret_in_the_toml_file_needs_a_file_that_is_closed(base: dict[str, str], tmp_path: Path, line: str) -> None:
    toml = tmp_path / "recontact.toml"
    toml.write_text(line, encoding="utf-8")
    toml.chmod(0o600)
    whole = {**base, "CINT_CLIENT_SECRET": "x"} if "proxy" in line else base
    assert load_settings(whole).cint_client_secret is not None
    toml.chmod(0o644)
    assert f"chmod 600 {toml}" in problem(whole)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:canary-secret@h/n",
        "postgresql://u@h/n?password=canary-secret",
        "postgresql://h/n?user=u&password=canary-secret",
        "postgresql://h/n?%70assword=canary-secret",
        "postgresql://h/n?passfile=/canary-secret",
        "postgresql://h/n?sslpassword=canary-secret",
        "postgresql://h/n?sslmode=verify-full",  # whatever comes to stand there later
    ],
)
def test_an_address_of_a_database_that_may_hold_a_password_needs_a_file_that_is_closed(
    base: dict[str, str], tmp_path: Path, url: str
) -> None:
    toml = tmp_path / "recontact.toml"
    toml.write_text(f'database_url = "{url}"', encoding="utf-8")
    whole = {**base, "CINT_CLIENT_SECRET": "x"}
    toml.chmod(0o600)
    assert load_settings(whole).database_url is not None
    toml.chmod(0o644)
    assert f"chmod 600 {toml}" in problem(whole)
    assert "canary-secret" not in problem(whole)


def test_settings_without_a_secret_need_no_closed_file(base: dict[str, str], tmp_path: Path) -> None:
    toml = tmp_path / "recontact.toml"
    addresses = 'cint_proxy = "http://proxy.example:3128"\ndatabase_url = "postgresql://h/n"'
    toml.write_text(f"read_only = true\n{addresses}", encoding="utf-8")
    toml.chmod(0o664)
    assert load_settings({**base, "CINT_CLIENT_SECRET": "x"}).read_only


def test_a_secret_file_without_a_client_id_belongs_to_nobody(file: Path, tmp_path: Path) -> None:
    assert "belong together" in problem({"RECONTACT_DATA_DIR": str(tmp_path), FILE: str(file)})


def test_a_malformed_entry_for_the_secret_file_is_named(base: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "recontact.toml").write_text("cint_client_secret_file = 5", encoding="utf-8")
    with pytest.raises(SettingsError, match="cint_client_secret_file in the TOML file"):
        load_settings({**base, "CINT_CLIENT_SECRET": ""})


def options_of(group: TyperGroup) -> set[str]:
    found = {option for parameter in group.params for option in parameter.opts}
    for command in group.commands.values():
        found |= options_of(command) if isinstance(command, TyperGroup) else set()
        found |= {option for parameter in command.params for option in parameter.opts}
    return found


def test_no_command_takes_a_secret_as_an_argument() -> None:
    options = options_of(typer.main.get_group(app))
    assert {"--json", "--host"} <= options
    # The one option that is about a secret takes the name of a variable.
    told = {option for option in options if any(word in option for word in ("secret", "password", "proxy"))}
    assert told == {"--client-secret-from-env"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("CINT_API_VERSON", ("CINT_API_VERSON is not read. Did you mean CINT_API_VERSION?",)),
        ("CINT_CLIENT_SECRETFILE", ("CINT_CLIENT_SECRETFILE is not read. Did you mean CINT_CLIENT_SECRET_FILE?",)),
        ("CINT_SUPPLY_KEY", ()),
        ("CINEMA", ()),
    ],
)
def test_a_variable_that_looks_like_one_of_cints_settings_is_named_and_not_refused(
    base: dict[str, str], name: str, said: tuple[str, ...]
) -> None:
    environ = {**base, "CINT_CLIENT_SECRET": "x", name: SECRET}
    assert load_settings(environ).cint_client_id == "client"
    assert unfamiliar(environ) == said
    assert unfamiliar({variable(field): "x" for field in Settings.model_fields}) == ()


KEY = b64encode(bytes(32)).decode()
# Every setting that is a secret, with a value.
OF_ONE_S_OWN = {
    "CINT_CLIENT_SECRET": SECRET,
    "CINT_PROXY": "http://user:canary@proxy.example:8080",
    "RECONTACT_APPROVAL_CLIENT_SECRET": SECRET,
    "RECONTACT_AUTH_CLIENT_SECRET": SECRET,
    "RECONTACT_DATABASE_URL": "postgresql://user:canary@host.example/name",
    "RECONTACT_SNAPSHOT_KEY": KEY,
    "RECONTACT_STATE_KEY": f"{KEY},{b64encode(bytes([1] * 32)).decode()}",
}


def test_every_secret_is_among_those_that_may_stand_in_a_file_of_its_own() -> None:
    secrets = {variable(name) for name, one in Settings.model_fields.items() if "SecretStr" in str(one.annotation)}
    assert secrets == set(OF_ONE_S_OWN)


@pytest.mark.parametrize("name", OF_ONE_S_OWN)
def test_every_secret_may_stand_in_a_file_of_its_own_and_in_one_place_only(
    base: dict[str, str], file: Path, name: str
) -> None:
    others = {"CINT_CLIENT_SECRET": SECRET, "RECONTACT_APPROVAL_CLIENT_ID": "pages"}
    others |= {"RECONTACT_APPROVAL_CLIENT_SECRET": SECRET}
    file.write_text(f"{OF_ONE_S_OWN[name]}\n", encoding="utf-8")
    told = {**base, **others, f"{name}_FILE": str(file)}
    found = load_settings({key: value for key, value in told.items() if key != name})
    [field] = [field for field in Settings.model_fields if variable(field) == name]
    assert getattr(found, field).get_secret_value() == OF_ONE_S_OWN[name]
    with pytest.raises(SettingsError, match="set only one"):
        load_settings({**told, name: OF_ONE_S_OWN[name]})
    file.chmod(0o640)
    with pytest.raises(SettingsError, match=f"{name}_FILE: the file can be reached by others"):
        load_settings({key: value for key, value in told.items() if key != name})
