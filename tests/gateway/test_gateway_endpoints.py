"""Where a connection leads to, and through which proxy."""

import httpx
import pytest
from scripted_host import HEALTHY, answering, host

from recontact_tools.errors import NotFound
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.gateway.endpoints import endpoint, proxy_of
from recontact_tools.models import TargetGroup


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.example/v1", "api.example:443"),
        ("http://user:canary@proxy.example", "proxy.example:80"),
        ("http://proxy.example:3128", "proxy.example:3128"),
        ("http://[::1]:8764/v1", "[::1]:8764"),
    ],
)
def test_an_endpoint_is_a_host_and_a_port_and_no_password(url: str, shown: str) -> None:
    assert str(endpoint(httpx.URL(url))) == shown
    assert "canary" not in repr(endpoint(httpx.URL(url)))


@pytest.mark.parametrize(
    ("base_url", "given", "environment", "proxy"),
    [
        ("https://api.example", None, {}, None),
        ("https://api.example", None, {"https": "http://p.example:1"}, "p.example:1"),
        ("https://api.example", None, {"https": "p.example:1"}, "p.example:1"),
        ("https://api.example", None, {"all": "http://p.example:1"}, "p.example:1"),
        ("https://api.example", None, {"http": "http://p.example:1"}, None),
        ("https://api.example", "http://own.example:2", {"https": "http://p.example:1", "no": "*"}, "own.example:2"),
        ("https://api.example", None, {"https": "http://p.example:1", "no": "*"}, None),
        ("https://api.example", None, {"https": "http://p.example:1", "no": "a.example, api.example"}, None),
        ("https://api.example", None, {"https": "http://p.example:1", "no": ".example"}, None),
        ("https://api.example", None, {"https": "http://p.example:1", "no": "pi.example,"}, "p.example:1"),
        ("http://127.0.0.1:8764", "http://own.example:2", {"all": "http://p.example:1"}, None),
    ],
)
def test_the_proxy_is_the_connections_else_that_of_the_environment(
    base_url: str, given: str | None, environment: dict[str, str], proxy: str | None
) -> None:
    connection = Connection(f"{base_url}/v1", "https://auth.example", "client", "secret", proxy=given)
    found = proxy_of(connection, environment)
    assert (found and str(found.host)) == proxy


@pytest.mark.parametrize(
    ("given", "environment", "variable"),
    [
        ("http://own.example:2", {"https": "http://p.example:1"}, None),
        (None, {"https": "http://p.example:1", "all": "http://a.example:1"}, "HTTPS_PROXY"),
        (None, {"https": "", "all": "http://a.example:1"}, "ALL_PROXY"),
    ],
)
def test_the_variable_that_names_the_proxy_is_known(
    given: str | None, environment: dict[str, str], variable: str | None
) -> None:
    found = proxy_of(Connection("https://api.example", "https://auth.example", "x", "y", proxy=given), environment)
    assert found is not None
    assert found.variable == variable


@pytest.mark.anyio
async def test_a_service_on_this_machine_is_reached_without_any_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    through: list[str] = []
    with host(answering(HEALTHY, [])) as port, host(answering(HEALTHY, through)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://localhost:{proxy}")
        for given in (None, f"http://localhost:{proxy}"):
            url = f"http://127.0.0.1:{port}"
            async with Gateway(Connection(f"{url}/v1", f"{url}/token", "client", "canary", proxy=given)) as gateway:
                with pytest.raises(NotFound):
                    await gateway.get_overview(TargetGroup(101, "0" * 26, "0" * 26))
    assert through == []
