"""`recontact-mcp doctor` on the way to the API: what is wrong is named in order, on real sockets of this machine."""

import json
import socket
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import BaseRequestHandler
from threading import Thread
from typing import Any

import pytest
import trustme
from scripted_host import HEALTHY, Answering, Scripted, answering, host
from typer.testing import Result

from recontact_mcp.cli.doctor_network import NetworkLooks
from recontact_tools.gateway import Connection
from recontact_tools.gateway.probing import Probe

SECRET = "canary-secret"
CINT = {"CINT_CLIENT_ID": "client", "CINT_CLIENT_SECRET": SECRET, "CINT_ACCOUNT_ID": "7"}
STAGES = ["Name lookup", "Proxy", "Connection", "Credentials", "Clock", "API version", "Account"]
GROUP_STAGES = ["Target group", "Newer operations"]

GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
URL = f"accounts/7/projects/01BTGNYV6HRNK8K8VKZASZCFP0/target-groups/{GROUP}"

Run = Callable[..., Result]
Checks = dict[str, dict[str, Any]]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def tls_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with certificate.private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)
    return context


def at(port: int, scheme: str = "http") -> dict[str, str]:
    url = f"{scheme}://localhost:{port}"
    return {**CINT, "CINT_BASE_URL": f"{url}/v1", "CINT_AUTH_URL": f"{url}/oauth/token"}


def checks(run: Run, variables: Mapping[str, str], *, code: int = 1) -> Checks:
    result = run("doctor", "--json", **variables)
    assert result.exit_code == code, result.output
    assert "canary" not in result.output
    answer = json.loads(result.stdout)
    assert answer["ok"] is (code == 0)
    return {check["name"]: check for check in answer["checks"]}


def failed(found: Checks, stage: str) -> str:
    """Check that *stage* is the only one that fails and that nothing behind it was looked at; return its words."""
    order = [*STAGES, *GROUP_STAGES]
    states = [found[name]["state"] for name in order]
    place = order.index(stage)
    assert states[place] == "fail", found
    assert set(states[:place]) <= {"ok", "warn", "skip"}
    assert states[place + 1 :] == ["skip"] * (len(order) - place - 1)
    return f"{found[stage]['seen']} | {found[stage]['cure']}"


def scripted(run: Run, answers: Mapping[str, Scripted], *, code: int = 1, ahead: float = 0.0, **more: str) -> Checks:
    with host(answering({**HEALTHY, **answers}, [], ahead=ahead)) as port:
        return checks(run, {**at(port), **more}, code=code)


def test_when_nothing_is_wrong_every_stage_is_fine(run: Run) -> None:
    found = scripted(run, {}, code=0)
    assert {name: found[name]["state"] for name in STAGES} == dict.fromkeys(STAGES, "ok")
    assert {name: found[name]["state"] for name in GROUP_STAGES} == dict.fromkeys(GROUP_STAGES, "skip")
    assert "--target-group" in found["Newer operations"]["cure"]


def test_over_tls_a_bundle_of_ones_own_is_trusted(run: Run, authority: trustme.CA, bundle: str) -> None:
    with host(answering(HEALTHY, []), tls=tls_of(authority.issue_cert("localhost"))) as port:
        found = checks(run, {**at(port, "https"), "CINT_CA_BUNDLE": bundle}, code=0)
    assert found["Connection"]["state"] == "ok"


def test_a_name_that_cannot_be_resolved(run: Run) -> None:
    url = f"https://{'x' * 64}.example"
    found = checks(run, {**CINT, "CINT_BASE_URL": f"{url}/v1", "CINT_AUTH_URL": f"{url}/token"})
    words = failed(found, "Name lookup")
    assert "cannot be resolved" in words
    assert "CINT_BASE_URL" in words


@pytest.mark.anyio
async def test_every_name_is_looked_up_before_anything_is_sent() -> None:
    asked: list[tuple[str, int]] = []

    async def lookup(name: str, port: int) -> None:
        asked.append((name, port))
        if name == "auth.example":
            return
        raise socket.gaierror(socket.EAI_NONAME, "canary")

    connection = Connection("https://api.example/v1", "https://auth.example/token", "client", SECRET)
    async with Probe(connection, lookup=lookup) as probe:
        found = await NetworkLooks(probe, version="2025-12-18", account_id=None, project_id=None).names()
    assert asked == [("auth.example", 443), ("api.example", 443)]
    assert (found.state, found.seen) == ("fail", "the name of api.example cannot be resolved")


def test_a_port_where_nobody_listens(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    words = failed(checks(run, at(port)), "Connection")
    assert f"localhost:{port} refuses connections" in words


def test_a_host_that_hangs_up(run: Run) -> None:
    class HangsUp(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1)

    with host(HangsUp) as port:
        assert "breaks the connection off" in failed(checks(run, at(port)), "Connection")


def test_a_certificate_that_nobody_here_vouches_for_names_the_setting_that_helps(
    run: Run, authority: trustme.CA
) -> None:
    with host(answering(HEALTHY, []), tls=tls_of(authority.issue_cert("localhost"))) as port:
        words = failed(checks(run, at(port, "https")), "Connection")
    assert "CINT_CA_BUNDLE" in words


@pytest.mark.parametrize(
    ("valid", "said"), [((-20, -10), "has expired"), ((10, 20), "is not valid yet")], ids=["expired", "not yet valid"]
)
def test_a_certificate_that_is_not_valid_today_makes_one_look_at_the_date(
    run: Run, authority: trustme.CA, bundle: str, valid: tuple[int, int], said: str
) -> None:
    begin, end = (datetime.now(UTC) + timedelta(days=days) for days in valid)
    certificate = authority.issue_cert("localhost", not_before=begin, not_after=end)
    with host(answering(HEALTHY, []), tls=tls_of(certificate)) as port:
        words = failed(checks(run, {**at(port, "https"), "CINT_CA_BUNDLE": bundle}), "Connection")
    assert said in words
    assert "date of this machine" in words


def test_a_certificate_for_another_name(run: Run, authority: trustme.CA, bundle: str) -> None:
    with host(answering(HEALTHY, []), tls=tls_of(authority.issue_cert("other.example"))) as port:
        words = failed(checks(run, {**at(port, "https"), "CINT_CA_BUNDLE": bundle}), "Connection")
    assert "for another name" in words


def test_a_host_that_does_not_speak_tls(run: Run) -> None:
    with host(answering(HEALTHY, [])) as port:
        assert "does not speak TLS" in failed(checks(run, at(port, "https")), "Connection")


def test_a_bundle_that_holds_no_certificate(run: Run, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    found = checks(run, {**at(1, "https"), "CINT_CA_BUNDLE": str(empty)})
    assert found["Connection settings"]["state"] == "fail"
    assert "CA bundle" in found["Connection settings"]["seen"]


NOBODYS = "https://nobody-looks-this-up.invalid"
THROUGH_A_PROXY = {**CINT, "CINT_BASE_URL": NOBODYS, "CINT_AUTH_URL": NOBODYS}


@pytest.mark.parametrize(
    ("variable", "cure"),
    [
        pytest.param("CINT_PROXY", "Check CINT_PROXY, its host and port", id="our setting"),
        pytest.param("HTTPS_PROXY", "Check HTTPS_PROXY of the environment", id="the usual variable"),
        pytest.param("ALL_PROXY", "Check ALL_PROXY of the environment", id="the variable for everything"),
    ],
)
def test_a_proxy_that_is_not_there_makes_one_check_the_setting_that_names_it(
    run: Run, variable: str, cure: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = checks(run, {**THROUGH_A_PROXY, variable: f"http://user:canary-password@localhost:{port}"})
    words = failed(found, "Proxy")
    assert f"the proxy: localhost:{port} refuses connections" in words
    assert cure in words
    assert not [name for name in ("CINT_BASE_URL", "CINT_AUTH_URL") if name in words]
    assert found["Name lookup"]["seen"] == "localhost"


def test_a_proxy_whose_name_cannot_be_resolved_makes_one_check_its_setting(run: Run) -> None:
    words = failed(checks(run, {**THROUGH_A_PROXY, "CINT_PROXY": f"http://{'x' * 64}.example:1"}), "Name lookup")
    assert "the proxy: the name of" in words
    assert "Check CINT_PROXY" in words
    assert "CINT_BASE_URL" not in words


@pytest.mark.parametrize(
    ("status", "said"), [(407, "CINT_PROXY: http://user:password@host:port"), (403, "Ask whoever runs the proxy")]
)
def test_a_proxy_that_lets_nobody_through(run: Run, status: int, said: str) -> None:
    url = "https://nobody-looks-this-up.invalid"
    with host(answering({"CONNECT": Scripted(status)}, [])) as port:
        settings = {**CINT, "CINT_BASE_URL": url, "CINT_AUTH_URL": url, "CINT_PROXY": f"http://localhost:{port}"}
        assert said in failed(checks(run, settings), "Connection")


def test_a_proxy_with_a_password_is_gone_through(run: Run, authority: trustme.CA, bundle: str) -> None:
    asked: list[str] = []
    with (
        host(answering(HEALTHY, []), tls=tls_of(authority.issue_cert("cint.invalid"))) as port,
        host(tunnel(asked, to=port)) as proxy,
    ):
        url = "https://cint.invalid"
        there = {**CINT, "CINT_BASE_URL": f"{url}/v1", "CINT_AUTH_URL": f"{url}/token", "CINT_CA_BUNDLE": bundle}
        through = f"http://user:canary-password@localhost:{proxy}"
        found = checks(run, {**there, "CINT_PROXY": through}, code=0)
    assert found["Proxy"]["seen"] == f"localhost:{proxy} takes connections"
    assert set(asked) == {"cint.invalid:443 Basic dXNlcjpjYW5hcnktcGFzc3dvcmQ="}


def tunnel(asked: list[str], *, to: int) -> type[BaseHTTPRequestHandler]:
    class Tunnel(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            asked.append(f"{self.path} {self.headers['proxy-authorization']}")
            with socket.create_connection(("127.0.0.1", to)) as there:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                back = Thread(target=pour, args=(there, self.connection), daemon=True)
                back.start()
                pour(self.connection, there)
                back.join()
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the signature is that of http.server)
            pass

    return Tunnel


def pour(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


REFUSED = {"error": "access_denied", "error_description": "Unauthorized"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(Scripted(401, REFUSED), "does not accept the client id and secret", id="wrong secret"),
        pytest.param(Scripted(403, REFUSED), "does not accept the client id and secret", id="client is closed"),
        pytest.param(Scripted(403, "<html>no</html>"), "something in front of the token endpoint", id="firewall"),
        pytest.param(Scripted(404, "<html>?</html>"), "no token endpoint (HTTP 404)", id="another page"),
        pytest.param(Scripted(302, "", (("location", "https://a.example"),)), "(HTTP 302)", id="moved"),
        pytest.param(Scripted(302, "", (("location", "https://a:b"),)), "breaks the connection", id="moved nowhere"),
        pytest.param(Scripted(200, "<html>login</html>"), "no token endpoint (HTTP 200)", id="a portal's page"),
        pytest.param(Scripted(200, {"token": "canary"}), "no token endpoint (HTTP 200)", id="no token in it"),
        pytest.param(Scripted(200, {"access_token": "canary\n"}), "no token endpoint", id="not a token"),
        pytest.param(Scripted(200, "[" * 70_000), "no token endpoint", id="endless"),
        pytest.param(Scripted(429), "asks for fewer requests", id="too often"),
        pytest.param(Scripted(503, "<html>later</html>"), "the token endpoint fails (HTTP 503)", id="down"),
    ],
)
def test_a_token_that_is_not_given(run: Run, answer: Scripted, said: str) -> None:
    assert said in failed(scripted(run, {"POST": answer}), "Credentials")


def test_a_token_request_that_breaks_off(run: Run) -> None:
    class Breaks(Answering):
        def answer(self) -> None:
            if self.command == "POST":
                self.close_connection = True
            else:
                super().answer()

    with host(Breaks) as port:
        assert "breaks the connection off" in failed(checks(run, at(port)), "Credentials")


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        pytest.param(3_600, "this machine's clock is 60 minutes behind the API's", id="an hour behind"),
        pytest.param(-3_600, "this machine's clock is 60 minutes ahead of the API's", id="an hour ahead"),
        pytest.param(-86_400, "1,440 minutes ahead of", id="a day ahead"),
    ],
)
def test_a_clock_that_is_wrong(run: Run, ahead: float, said: str) -> None:
    words = failed(scripted(run, {}, ahead=ahead), "Clock")
    assert said in words
    assert "Set this machine's clock" in words


def test_a_clock_that_is_a_little_off_is_right(run: Run) -> None:
    assert scripted(run, {}, code=0, ahead=240)["Clock"]["state"] == "ok"


def test_answers_that_a_cache_kept_say_nothing_about_the_clock(run: Run) -> None:
    kept = {name: Scripted(answer.status, answer.body, (("age", "90000"),)) for name, answer in HEALTHY.items()}
    assert scripted(run, kept, code=0, ahead=-90_000)["Clock"]["state"] == "skip"


@pytest.mark.parametrize("date", ["soon", "Tue, 24 Nov 2026 03:36:36 -0000"], ids=["no date", "no time zone"])
def test_answers_without_a_usable_date_say_nothing_about_the_clock(run: Run, date: str) -> None:
    class Undated(Answering):
        def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002 (the signature is another's)
            return date

    with host(Undated) as port:
        assert checks(run, at(port), code=0)["Clock"]["state"] == "skip"


FORBIDDEN = Scripted(403, {"object": "authorization_error", "detail": "canary"})


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        pytest.param(
            {"GET": Scripted(403, {"object": "required_header_missing", "detail": "canary"})},
            "A proxy removes the header",
            id="header removed",
        ),
        pytest.param(
            {"GET 2025-12-18": FORBIDDEN}, "2025-12-18 is refused, 2025-05-27 is accepted", id="version not enabled"
        ),
        pytest.param(
            {"GET 2025-12-18": Scripted(400, {"object": "bad_request_error"})}, "CINT_API_VERSION=2025-05-27", id="400"
        ),
        pytest.param({"GET": Scripted(403, "<html>no</html>")}, "something in front of the API", id="firewall"),
        pytest.param(
            {"GET": Scripted(302, "", (("location", "/"),))},
            "(HTTP 302, not in its form) | Check CINT_BASE_URL",
            id="moved",
        ),
        pytest.param({"GET": Scripted(503, "<html></html>")}, "the API fails (HTTP 503)", id="down"),
        pytest.param({"GET": Scripted(429)}, "the API asks for fewer requests", id="too often"),
    ],
)
def test_a_version_that_is_not_accepted(run: Run, answers: Mapping[str, Scripted], said: str) -> None:
    assert said in failed(scripted(run, answers), "API version")


def test_a_version_that_nobody_tried_is_let_through_with_a_warning(run: Run) -> None:
    found = scripted(run, {}, code=0, CINT_API_VERSION="2027-01-01")
    assert found["API version"]["state"] == "warn"
    assert "2025-12-18 and 2025-05-27" in found["API version"]["cure"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Scripted(404, {"error": "Not Found"}), id="a gateway without this path"),
        pytest.param(Scripted(404, {"object": "error", "detail": "canary"}), id="the envelope of another API"),
        pytest.param(Scripted(404, "<html>no such page</html>"), id="a web page"),
        pytest.param(Scripted(200, {}), id="an empty object"),
        pytest.param(Scripted(200, {"saved_respondent_ids_count": "canary"}), id="a count that is none"),
        pytest.param(Scripted(204), id="nothing at all"),
    ],
)
@pytest.mark.parametrize("version", ["2025-12-18", "2027-01-01"])
def test_an_answer_that_is_not_the_apis_own_names_the_base_url_and_nothing_behind_it_is_looked_at(
    run: Run, answer: Scripted, version: str
) -> None:
    variables = {"CINT_API_VERSION": version}
    with host(answering({**HEALTHY, "GET": answer}, [])) as port:
        result = run("doctor", "--json", "--target-group", URL, **at(port), **variables)
    found = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    words = failed(found, "API version")
    assert (result.exit_code, "canary" in result.output) == (1, False)
    assert f"what answers at localhost:{port} is not the Cint API" in words
    assert "Check CINT_BASE_URL" in words


@pytest.mark.parametrize("answer", [Scripted(200, {"saved_respondent_ids_count": 0}), HEALTHY["GET"]])
def test_a_count_and_the_apis_own_not_found_show_that_the_api_answers(run: Run, answer: Scripted) -> None:
    found = scripted(run, {"GET": answer}, code=0)
    assert (found["API version"]["state"], found["Account"]["state"]) == ("ok", "ok")


@pytest.mark.parametrize(("path", "state", "code"), [("/v1", "warn", 0), ("", "fail", 1), ("/v2/", "fail", 1)])
def test_an_api_that_knows_no_path_at_all_makes_one_look_at_the_path_of_the_base_url(
    run: Run, path: str, state: str, code: int
) -> None:
    with host(answering({**HEALTHY, "GET study-types": HEALTHY["GET"]}, [])) as port:
        found = checks(run, {**at(port), "CINT_BASE_URL": f"http://localhost:{port}{path}"}, code=code)
    assert found["API version"]["state"] == state
    assert "Check CINT_BASE_URL, with its path" in found["API version"]["cure"]


def test_a_list_of_study_types_that_breaks_off_is_told(run: Run) -> None:
    class Breaks(Answering):
        def answer(self) -> None:
            if self.path.endswith("/study-types"):
                self.close_connection = True
            else:
                super().answer()

    with host(Breaks) as port:
        assert "breaks the connection off" in failed(checks(run, at(port)), "API version")


@pytest.mark.parametrize("status", [403, 429, 503])
def test_a_list_of_study_types_that_is_refused_or_fails_says_nothing_about_the_base_url(run: Run, status: int) -> None:
    assert scripted(run, {"GET study-types": Scripted(status)}, code=0)["API version"]["state"] == "ok"


def test_a_refusal_in_another_form_than_the_apis_makes_one_look_at_the_base_url_as_well(run: Run) -> None:
    found = scripted(run, {"GET": Scripted(403, {"error": "Access to this API has been disallowed"})})
    assert (found["API version"]["state"], found["Account"]["state"]) == ("warn", "fail")
    assert "CINT_BASE_URL" in found["API version"]["cure"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(FORBIDDEN, "may not use account 7", id="another account"),
        pytest.param(Scripted(401, {"object": "authorization_error"}), "does not accept the token", id="another place"),
        pytest.param(Scripted(400, {"object": "bad_request_error"}), "finds a mistake", id="not understood"),
    ],
)
def test_an_account_that_may_not_be_used(run: Run, answer: Scripted, said: str) -> None:
    words = failed(scripted(run, {"GET": answer}), "Account")
    assert said in words
    assert "CINT_" in words


def test_without_an_account_a_missing_permission_is_only_a_warning(run: Run) -> None:
    found = scripted(run, {"GET": FORBIDDEN}, code=0, CINT_ACCOUNT_ID="")
    assert found["Account"]["state"] == "warn"
    assert "CINT_ACCOUNT_ID" in found["Account"]["cure"]


def test_an_api_that_breaks_off_after_the_token(run: Run) -> None:
    class Breaks(Answering):
        def answer(self) -> None:
            if "authorization" in self.headers:
                self.close_connection = True
            else:
                super().answer()

    with host(Breaks) as port:
        assert "breaks the connection off" in failed(checks(run, at(port)), "API version")


def test_a_target_group_that_cannot_be_read_fails_with_the_apis_reason(run: Run) -> None:
    class Forbids(Answering):
        def answer(self) -> None:
            if GROUP in self.path:
                self.answers = {"GET": FORBIDDEN}  # type: ignore[misc] # of this request only
            super().answer()

    with host(Forbids) as port:
        result = run("doctor", "--json", "--target-group", URL, **at(port))
    found = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert (result.exit_code, found["Account"]["state"], found["Target group"]["state"]) == (1, "ok", "fail")
    assert found["Newer operations"]["state"] == "skip"


def test_a_target_group_that_is_there_without_recontacts_makes_one_look_at_its_study_type(run: Run) -> None:
    class There(Answering):
        def answer(self) -> None:
            if self.path.endswith(f"/demand/target-groups/{GROUP}/overview"):
                place = {"account_id": 7, "project_id": "01BTGNYV6HRNK8K8VKZASZCFP0"}
                self.answers = {"GET": Scripted(200, place)}  # type: ignore[misc] # of this request only
            super().answer()

    with host(There) as port:
        result = run("doctor", "--json", "--target-group", URL, **at(port))
    found = {check["name"]: check for check in json.loads(result.stdout)["checks"]}["Target group"]
    assert (result.exit_code, found["state"]) == (1, "fail")
    assert "study type" in found["cure"]


def test_no_look_changes_anything(run: Run) -> None:
    seen: list[str] = []
    with host(answering({**HEALTHY, "GET": FORBIDDEN}, seen)) as port:
        checks(run, at(port))
    assert [line for line in seen if line.startswith("POST") and "/oauth/token" not in line] == []
    assert any("/recontacts/overview" in line for line in seen)
