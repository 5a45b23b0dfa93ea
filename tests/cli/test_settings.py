"""What the operator decides, and what is said when it does not fit together."""

import json
import os
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recontact_mcp.connecting import connection_for
from recontact_mcp.settings import Settings, SettingsError, default_data_dir, load_settings, secret_from, variable
from recontact_mcp.settings_addresses import api_url
from recontact_tools.loopback import is_loopback

PROJECT = "01BTGNYV6HRNK8K8VKZASZCFP0"
SECRET = "canary-secret"
CINT = {"CINT_CLIENT_ID": "client", "CINT_CLIENT_SECRET": SECRET}


@pytest.fixture
def base(tmp_path: Path) -> dict[str, str]:
    return {"RECONTACT_DATA_DIR": str(tmp_path)}


def problems(environ: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return caught.value.problems


def test_nothing_set_means_the_embedded_service_and_its_defaults(base: dict[str, str]) -> None:
    found = load_settings(base)
    assert found.embedded
    assert (found.account_id, found.project_id) == (101, PROJECT)
    assert (found.upload_roots, found.read_only, found.pace) == ((), False, 0.0)
    assert found.allowed_accounts is None
    assert found.allowed_projects is None
    assert found.allowed_target_groups is None


def test_the_default_data_directory_is_the_systems_place_for_application_data() -> None:
    assert default_data_dir().name == "recontact-mcp"
    assert Settings().data_dir == default_data_dir()


def test_every_variable_is_read(tmp_path: Path) -> None:
    root = tmp_path / "in"
    found = load_settings(
        {
            **CINT,
            "RECONTACT_DATA_DIR": str(tmp_path),
            "RECONTACT_UPLOAD_ROOTS": f"{root}{os.pathsep} {root} {os.pathsep}~/recontacts{os.pathsep}",
            "RECONTACT_READ_ONLY": "true",
            "RECONTACT_ALLOWED_ACCOUNTS": "101, 102",
            "RECONTACT_ALLOWED_PROJECTS": PROJECT.lower(),
            "RECONTACT_ALLOWED_TARGET_GROUPS": "",
            "RECONTACT_PACE": "0.5",
            "RECONTACT_CONFIRM_SECONDS": "20",
            "RECONTACT_PLAN_SECONDS": "60",
            "RECONTACT_LOG_LEVEL": "debug",
            "RECONTACT_LOG_FORMAT": "json",
            "CINT_ACCOUNT_ID": "7",
            "CINT_PROJECT_ID": PROJECT,
            "CINT_API_VERSION": "2025-05-27",
            "CINT_BASE_URL": "http://127.0.0.1:8764/v1/",
            "CINT_AUTH_URL": "http://localhost:8764/oauth/token",
            "CINT_CA_BUNDLE": __file__,
            "CINT_PROXY": f"http://user:{SECRET}@proxy.example:3128",
            "CINT_CONNECT_SECONDS": "1",
            "CINT_READ_SECONDS": "2.5",
            "CINT_WRITE_SECONDS": "3",
            "CINT_REQUESTS_AT_ONCE": "2",
            "CINT_REQUESTS_PER_SECOND": "0.5",
        }
    )
    assert found.upload_roots == (root, Path.home() / "recontacts")
    assert found.allowed_accounts == frozenset({101, 102})
    assert found.allowed_projects == frozenset({PROJECT})
    assert found.allowed_target_groups == frozenset()
    assert (found.read_only, found.pace, found.confirm_seconds, found.plan_seconds) == (True, 0.5, 20.0, 60.0)
    assert (found.log_level, found.log_format) == ("DEBUG", "json")
    assert (found.embedded, found.account_id, found.project_id) == (False, 7, PROJECT)
    assert (found.cint_api_version, found.cint_base_url) == ("2025-05-27", "http://127.0.0.1:8764/v1")
    assert found.cint_client_secret is not None
    assert found.cint_client_secret.get_secret_value() == SECRET


def test_what_a_connection_needs_goes_to_the_connection(base: dict[str, str]) -> None:
    wanted = {
        "CINT_CA_BUNDLE": __file__,
        "CINT_PROXY": f"http://user:{SECRET}@proxy.example:3128",
        "CINT_CONNECT_SECONDS": "1",
        "CINT_READ_SECONDS": "2.5",
        "CINT_WRITE_SECONDS": "3",
        "CINT_REQUESTS_AT_ONCE": "2",
        "CINT_REQUESTS_PER_SECOND": "0.5",
    }
    found = connection_for(load_settings({**base, **CINT, **wanted}))
    assert (found.client_id, found.client_secret, found.api_version) == ("client", SECRET, "2025-12-18")
    assert (found.base_url, found.token_url) == ("https://api.cint.com/v1", "https://auth.cint.com/oauth/token")
    assert (found.ca_bundle, found.proxy) == (__file__, wanted["CINT_PROXY"])
    assert (found.connect_seconds, found.read_seconds, found.write_seconds) == (1, 2.5, 3)
    assert (found.requests_at_once, found.requests_per_second) == (2, 0.5)
    assert SECRET not in repr(found)


def test_a_connection_is_gentle_and_trusts_the_usual_authorities_unless_told_otherwise(base: dict[str, str]) -> None:
    found = connection_for(load_settings({**base, **CINT}))
    assert (found.ca_bundle, found.proxy) == (None, None)
    assert (found.requests_at_once, found.requests_per_second) == (8, 10)


def test_what_was_begun_stays_where_it_was_when_only_the_way_to_the_api_changes(base: dict[str, str]) -> None:
    home = load_settings({**base, **CINT}).home
    assert home.name == "api-a88331469e16adae"
    assert (
        load_settings({**base, **CINT, "CINT_PROXY": "http://proxy.example:1", "CINT_READ_SECONDS": "1"}).home == home
    )


def test_at_cint_there_is_no_default_account_or_project(base: dict[str, str]) -> None:
    found = load_settings({**base, **CINT})
    assert (found.account_id, found.project_id) == (None, None)


def test_a_variable_that_a_host_left_blank_counts_as_unset(base: dict[str, str]) -> None:
    assert load_settings({**base, "CINT_CLIENT_ID": " ", "RECONTACT_PACE": ""}).embedded


def test_approvers_are_read_as_a_list_of_whom_an_issuer_vouches_for(base: dict[str, str]) -> None:
    two_person = {"RECONTACT_APPROVAL_TWO_PERSON": "true"}
    found = load_settings(
        {**base, **two_person, "RECONTACT_APPROVAL_APPROVERS": "https://i.example#ann, https://i.example#bob,"}
    )
    assert found.approval_two_person
    assert found.approval_approvers == {"https://i.example#ann", "https://i.example#bob"}


def test_an_approver_whose_name_holds_a_comma_is_given_as_json(base: dict[str, str], tmp_path: Path) -> None:
    approvers = ["https://i.example#CN=Ann, OU=Panel", "https://i.example#bob"]
    by_variable = load_settings({**base, "RECONTACT_APPROVAL_APPROVERS": json.dumps(approvers)})
    (tmp_path / "recontact.toml").write_text(f"approval_approvers = {json.dumps(approvers)}", encoding="utf-8")
    by_file = load_settings({**base, "RECONTACT_CONFIG": str(tmp_path / "recontact.toml")})
    assert by_variable.approval_approvers == by_file.approval_approvers == frozenset(approvers)


@pytest.mark.parametrize("value", ["[]", '["https://i.example#ann"', "[7]", '[""]', '["ann"]', "[" * 100_000])
def test_what_is_no_list_of_approvers_is_refused(base: dict[str, str], value: str) -> None:
    with pytest.raises(SettingsError, match="RECONTACT_APPROVAL_APPROVERS: not a list"):
        load_settings({**base, "RECONTACT_APPROVAL_APPROVERS": value})


def test_algorithms_are_read_in_their_order_and_each_once(base: dict[str, str]) -> None:
    found = load_settings({**base, "RECONTACT_AUTH_ALGORITHMS": "ES256, RS256, ES256"})
    assert found.auth_algorithms == ("ES256", "RS256")


def test_keys_of_rounds_are_read_in_their_order_for_the_first_one_seals(base: dict[str, str]) -> None:
    one, other = bytes(32), bytes([1]) * 32
    written = ",".join(b64encode(key).decode() for key in (one, other))
    assert load_settings({**base, "RECONTACT_STATE_KEY": written}).state_keys == (one, other)


def test_a_secret_is_never_shown(base: dict[str, str]) -> None:
    found = load_settings({**base, **CINT})
    assert SECRET not in f"{found!r} {found} {found.model_dump()} {found.model_dump_json()}"


def test_the_password_of_a_proxy_is_never_shown(base: dict[str, str]) -> None:
    found = load_settings({**base, "CINT_PROXY": f"http://user:{SECRET}@proxy.example"})
    assert SECRET not in f"{found!r} {found} {found.model_dump()} {found.model_dump_json()}"


def test_the_environment_wins_over_the_file_in_the_data_directory(tmp_path: Path, base: dict[str, str]) -> None:
    (tmp_path / "recontact.toml").write_text(
        f'pace = 2.0\nread_only = true\nupload_roots = ["{tmp_path}"]\nallowed_accounts = [5]\n'
        f'allowed_projects = ["{PROJECT}"]\n',
        encoding="utf-8",
    )
    found = load_settings({**base, "RECONTACT_PACE": "1"})
    assert (found.pace, found.read_only, found.upload_roots) == (1.0, True, (tmp_path,))
    assert found.allowed_accounts == frozenset({5})
    assert found.allowed_projects == frozenset({PROJECT})


def test_recontact_config_names_another_file(tmp_path: Path, base: dict[str, str]) -> None:
    other = tmp_path / "other.toml"
    other.write_text("pace = 3", encoding="utf-8")
    assert load_settings({**base, "RECONTACT_CONFIG": str(other)}).pace == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "RECONTACT_CONFIG: there is no such file.", id="missing"),
        pytest.param(b"pace = ", "The file with the settings is not TOML.", id="not TOML"),
        pytest.param(b"\xff\xfe", "The TOML file with the settings cannot be read.", id="not UTF-8"),
    ],
)
def test_a_named_file_that_cannot_be_used_is_refused(
    tmp_path: Path, base: dict[str, str], content: bytes | None, said: str
) -> None:
    other = tmp_path / "other.toml"
    if content is not None:
        other.write_bytes(content)
    assert problems({**base, "RECONTACT_CONFIG": str(other)}) == (said,)


def test_a_problem_in_the_file_is_named_as_such(tmp_path: Path, base: dict[str, str]) -> None:
    (tmp_path / "recontact.toml").write_text(
        "pase = 1\nupload_roots = 5\nallowed_accounts = 5\nlog_level = 3", encoding="utf-8"
    )
    assert [line.split(":")[0] for line in problems(base)] == [
        "upload_roots in the TOML file",
        "allowed_accounts in the TOML file",
        "log_level in the TOML file",
        "pase in the TOML file",
    ]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        pytest.param({"CINT_CLIENT_ID": "x"}, "CINT_CLIENT_ID and CINT_CLIENT_SECRET belong together", id="no secret"),
        pytest.param({"CINT_CLIENT_SECRET": SECRET}, "belong together", id="no client id"),
        pytest.param({"CINT_BASE_URL": "https://a.example"}, "CINT_BASE_URL is set but CINT_CLIENT_ID", id="url only"),
        pytest.param({**CINT, "CINT_AUTH_URL": "https://a.example"}, "CINT_BASE_URL and CINT_AUTH_URL", id="one url"),
        pytest.param({"CINT_BASE_URL": "http://api.cint.com/v1"}, "CINT_BASE_URL: plain http", id="http elsewhere"),
        pytest.param({"CINT_BASE_URL": "https://u:p@a.example"}, "without user name", id="credentials in a url"),
        pytest.param({"CINT_BASE_URL": "ftp://a.example"}, "CINT_BASE_URL: not a URL", id="not http"),
        pytest.param({"CINT_BASE_URL": "https://a.example:x"}, "CINT_BASE_URL: not a URL", id="bad port"),
        pytest.param({"CINT_PROJECT_ID": SECRET}, "CINT_PROJECT_ID: not a ULID", id="bad project"),
        pytest.param({"CINT_ACCOUNT_ID": SECRET}, "CINT_ACCOUNT_ID: ", id="bad account"),
        pytest.param({"CINT_API_VERSION": SECRET}, "CINT_API_VERSION: ", id="bad version"),
        pytest.param({"CINT_CA_BUNDLE": f"/{SECRET}"}, "CINT_CA_BUNDLE: there is no such file", id="no bundle"),
        pytest.param({"CINT_CA_BUNDLE": f"/{'x' * 5_000}"}, "CINT_CA_BUNDLE: there is no such", id="no name of a file"),
        pytest.param({"CINT_CA_BUNDLE": "/"}, "CINT_CA_BUNDLE: there is no such file", id="bundle is a folder"),
        pytest.param({"CINT_PROXY": SECRET}, "CINT_PROXY: not the URL of a proxy", id="proxy is no url"),
        pytest.param({"CINT_PROXY": f"http://u:{SECRET}@[x"}, "CINT_PROXY: not a URL", id="proxy is half a url"),
        pytest.param({"CINT_PROXY": f"socks5://u:{SECRET}@a.example"}, "CINT_PROXY: not the URL", id="proxy of a kind"),
        pytest.param({"CINT_PROXY": f"http://a.example/{SECRET}"}, "CINT_PROXY: not the URL", id="proxy with a path"),
        pytest.param({"CINT_CONNECT_SECONDS": "11"}, "CINT_CONNECT_SECONDS: ", id="slow connections"),
        pytest.param({"CINT_READ_SECONDS": "26"}, "CINT_READ_SECONDS: ", id="slow reads"),
        pytest.param({"CINT_WRITE_SECONDS": "0"}, "CINT_WRITE_SECONDS: ", id="no time to write"),
        pytest.param({"CINT_REQUESTS_AT_ONCE": "21"}, "CINT_REQUESTS_AT_ONCE: ", id="too many requests"),
        pytest.param({"CINT_REQUESTS_PER_SECOND": "0"}, "CINT_REQUESTS_PER_SECOND: ", id="no requests"),
        pytest.param({"RECONTACT_ALLOWED_ACCOUNTS": SECRET}, "RECONTACT_ALLOWED_ACCOUNTS: not a", id="bad accounts"),
        pytest.param({"RECONTACT_ALLOWED_TARGET_GROUPS": SECRET}, "not a ULID", id="bad target groups"),
        pytest.param(
            {"RECONTACT_UPLOAD_ROOTS": "files"}, "RECONTACT_UPLOAD_ROOTS: every directory", id="relative root"
        ),
        pytest.param({"RECONTACT_UPLOAD_ROOTS": "/"}, "RECONTACT_UPLOAD_ROOTS: the root of a disk", id="whole disk"),
        pytest.param({"RECONTACT_UPLOAD_ROOTS": "~nobody-here/x"}, "~ cannot be expanded", id="unknown home"),
        pytest.param(
            {"RECONTACT_APPROVAL_APPROVERS": SECRET}, "not a list of principals", id="approver is no principal"
        ),
        pytest.param(
            {"RECONTACT_APPROVAL_APPROVERS": f"https://{SECRET}#"}, "not a list of pr", id="nobody's principal"
        ),
        pytest.param(
            {"RECONTACT_APPROVAL_CLIENT_ID": SECRET},
            "RECONTACT_APPROVAL_CLIENT_SECRET belong together",
            id="half a client",
        ),
        pytest.param(
            {"RECONTACT_APPROVAL_PASSKEY": "optional"}, "needs RECONTACT_APPROVAL_CLIENT_ID", id="nobody's passkeys"
        ),
        pytest.param(
            {"RECONTACT_APPROVAL_TWO_PERSON": "true"}, "needs RECONTACT_APPROVAL_APPROVERS", id="nobody to approve"
        ),
        pytest.param(
            {
                "RECONTACT_APPROVAL_TWO_PERSON": "true",
                "RECONTACT_APPROVAL_APPROVERS": "https://i.example#boss",
                "RECONTACT_APPROVAL_MINIMUM": "client-elicited",
            },
            "RECONTACT_APPROVAL_MINIMUM=client-elicited would let a client answer",
            id="a client as the second person",
        ),
        pytest.param(
            {
                "RECONTACT_APPROVAL_PASSKEY": "required",
                "RECONTACT_APPROVAL_CLIENT_ID": "me",
                "RECONTACT_APPROVAL_CLIENT_SECRET": "canary",
                "RECONTACT_APPROVAL_MINIMUM": "client-elicited",
            },
            "RECONTACT_APPROVAL_MINIMUM=client-elicited would let a client answer",
            id="a client as the passkey",
        ),
        pytest.param({"RECONTACT_PUBLIC_URL": f"https://{SECRET}.example/mcp"}, "without a path", id="public path"),
        pytest.param({"RECONTACT_PUBLIC_URL": "http://a.example"}, "plain http", id="public url that is not https"),
        *(
            pytest.param({"RECONTACT_DATABASE_URL": url}, f"RECONTACT_DATABASE_URL: {said}", id=url)
            for url, said in (
                (f"mysql://u:{SECRET}@a.example/name", "not the URL of a PostgreSQL database"),
                (f"postgresql+psycopg://u:{SECRET}@a.example/name", "not the URL of a PostgreSQL database"),
                (f"postgresql:u:{SECRET}@a.example/name", "not the URL of a PostgreSQL database"),
                (f"postgresql://u:{SECRET}@a.example:x/name", "not the URL of a PostgreSQL database"),
                (f"postgresql://u:{SECRET}@a.example,b.example:5432/name", "not the URL of a PostgreSQL database"),
                (f"postgresql://u:{SECRET}@[x/name", "not the URL of a PostgreSQL database"),
                (f"host=a.example password={SECRET}", "not the URL of a PostgreSQL database"),
                (f"postgresql://u:{SECRET}@a.example", "names no database"),
                (f"postgresql://u:{SECRET}@a.example/", "names no database"),
                (f"postgres://u:{SECRET}@a.example?sslmode=require", "names no database"),
                (f"postgresql://u:{SECRET}%@a.example/name", "not a URL: in a user name or password"),
                (f"postgresql://u:a#{SECRET}@a.example/name", "not a URL: in a user name or password"),
                (f"postgresql://u:a@{SECRET}@a.example/name", "not a URL: in a user name or password"),
                (f"postgresql://u:1/{SECRET}@a.example/name", "not a URL: in a user name or password"),
            )
        ),
        pytest.param({"RECONTACT_PACE": "-1"}, "RECONTACT_PACE: ", id="negative pace"),
        pytest.param({"RECONTACT_PACE": "nan"}, "RECONTACT_PACE: ", id="not a number"),
        pytest.param({"RECONTACT_READ_ONLY": SECRET}, "RECONTACT_READ_ONLY: ", id="not a boolean"),
        pytest.param({"RECONTACT_LOG_LEVEL": SECRET}, "RECONTACT_LOG_LEVEL: ", id="bad level"),
    ],
)
def test_what_does_not_fit_is_named_without_its_value(
    base: dict[str, str], variables: dict[str, str], said: str
) -> None:
    (line,) = problems({**base, **variables})
    assert said in line
    assert SECRET not in line


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:p%40ss@a.example:5432/name?sslmode=verify-full",
        "postgres://user@[::1]/name",
        "postgresql:///name?host=/var/run/postgresql",
    ],
)
def test_a_url_of_postgresql_is_taken_as_it_is_written(base: dict[str, str], url: str) -> None:
    found = load_settings({**base, "RECONTACT_DATABASE_URL": url}).database_url
    assert found is not None
    assert found.get_secret_value() == url


def test_every_problem_gets_its_line(base: dict[str, str]) -> None:
    assert len(problems({**base, "RECONTACT_PACE": "x", "CINT_PROJECT_ID": "y"})) == 2


def test_every_field_is_described_and_has_a_variable() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert variable(name).startswith(("RECONTACT_", "CINT_"))


def test_a_secret_can_be_read_from_a_named_variable() -> None:
    found = secret_from("NAME", {"NAME": f" {SECRET}\n"})
    assert found is not None
    assert found.get_secret_value() == SECRET
    assert secret_from("NAME", {"NAME": ""}) is None


@pytest.mark.parametrize(
    ("host", "local"),
    [("localhost", True), ("127.9.9.9", True), ("::1", True), ("0.0.0.0", False), ("localhost.evil.example", False)],  # noqa: S104 (a host that must be refused)
)
def test_only_this_machine_is_loopback(host: str, local: bool) -> None:  # noqa: FBT001 (a table's column)
    assert is_loopback(host) is local


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_url_takes_credentials_in_plain_text_off_this_machine(text: str) -> None:
    try:
        url = api_url(f"http://{text}")
    except ValueError:
        return
    host = url.removeprefix("http://").split("/")[0]
    assert host.startswith(("localhost", "127.", "[")), url


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("RECONTACT_READONLY", "Did you mean RECONTACT_READ_ONLY?", id="misspelt"),
        pytest.param("RECONTACT_ZZZZZZZZZZZZ", "there is no such setting.", id="unknown"),
    ],
)
def test_a_setting_that_does_not_exist_is_refused(name: str, said: str) -> None:
    with pytest.raises(SettingsError, match="no such setting") as refused:
        load_settings({name: "true"})

    assert refused.value.problems[0].endswith(said)


def test_the_key_of_the_snapshots_is_32_bytes_in_base64(base: dict[str, str]) -> None:
    key = bytes(range(32))
    found = load_settings({**base, "RECONTACT_SNAPSHOT_KEY": f" {b64encode(key).decode()} "})
    assert found.snapshot_key_bytes == key
    assert str(key) not in repr(found)
    assert load_settings(base).snapshot_key_bytes is None


@pytest.mark.parametrize("written", ["no base64 at all", b64encode(bytes(31)).decode()])
def test_what_is_no_key_of_the_snapshots_stops_the_start(base: dict[str, str], written: str) -> None:
    with pytest.raises(SettingsError, match=r"RECONTACT_SNAPSHOT_KEY.*openssl rand"):
        load_settings({**base, "RECONTACT_SNAPSHOT_KEY": written})
