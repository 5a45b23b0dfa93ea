"""Under which hosts and origins the HTTP server may be called."""

import pytest
from pydantic import ValidationError

from recontact_mcp.remote.names import names_of
from recontact_mcp.settings import Settings, SettingsError, load_settings


def test_on_this_machine_its_own_names_are_served_with_the_port() -> None:
    names = names_of(Settings(), "127.0.0.1:5")
    assert names.base_url == "http://127.0.0.1:5"
    assert names.hosts == {"127.0.0.1:5", "localhost:5", "[::1]:5"}
    assert names.origins == {"http://127.0.0.1:5", "http://localhost:5", "http://[::1]:5"}


def test_an_address_of_version_six_is_written_in_brackets() -> None:
    names = names_of(Settings(), "[::1]:5")
    assert names.base_url == "http://[::1]:5"
    assert "[::1]:5" in names.hosts


def test_beyond_this_machine_only_the_public_name_is_served() -> None:
    names = names_of(Settings(public_url="https://recontact.example.com"), "0.0.0.0:8765")
    assert names.base_url == "https://recontact.example.com"
    assert names.hosts == {"recontact.example.com"}
    assert names.origins == {"https://recontact.example.com"}


def test_further_names_come_from_the_settings() -> None:
    settings = load_settings(
        {
            "RECONTACT_ALLOWED_HOSTS": "inner.example.com, Probe:8080",
            "RECONTACT_ALLOWED_ORIGINS": "https://console.example.com",
        }
    )
    names = names_of(settings, "0.0.0.0:8765")
    assert names.hosts == {"inner.example.com", "probe:8080"}
    assert names.origins == {"https://console.example.com"}


@pytest.mark.parametrize("host", ["*", "*.example.com", "a/b", "a@b", "a:b", "a:99999"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match="RECONTACT_ALLOWED_HOSTS"):
        load_settings({"RECONTACT_ALLOWED_HOSTS": host})


@pytest.mark.parametrize(
    "origin", ["example.com", "ftp://example.com", "https://example.com/page", "https://*", "null"]
)
def test_an_origin_that_is_none_is_refused(origin: str) -> None:
    with pytest.raises(SettingsError, match="RECONTACT_ALLOWED_ORIGINS"):
        load_settings({"RECONTACT_ALLOWED_ORIGINS": origin})


def test_names_that_are_no_list_are_refused() -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"allowed_hosts": 5, "allowed_origins": 5})
