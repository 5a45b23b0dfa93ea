"""What `doctor` says of an authorization server that is away, speaks otherwise, or has another time."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import anyio
import pytest
from typer.testing import Result

from recontact_mcp.cli.doctor_checks import upload_roots
from recontact_mcp.cli.doctor_issuer import issuer_looks, now_utc
from recontact_mcp.cli.findings import Finding
from recontact_mcp.settings import load_settings

Run = Callable[..., Result]
METADATA = "/.well-known/oauth-authorization-server"
KEYS = {"keys": [{"kty": "RSA", "kid": "1"}]}


@dataclass
class Issuer:
    """A server that says what it is told to, by path; anything else is not found."""

    url: str = ""
    says: dict[str, Any] = field(default_factory=dict[str, Any])


@contextmanager
def issuer() -> Generator[Issuer]:
    """Speak on a free port of this machine until the block is left."""
    found = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            said = found.says.get(self.path)
            body = json.dumps(said).encode()
            self.send_response(404 if said is None else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_HEAD = answer  # noqa: N815 (the names are the library's)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (as above)
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def looked(tmp_path: Path, url: str, **variables: str) -> tuple[Finding, ...]:
    """Make the looks at an issuer."""
    return looked_at(tmp_path, url, now_utc, **variables)


def looked_at(tmp_path: Path, url: str, now: Callable[[], datetime], **variables: str) -> tuple[Finding, ...]:
    """Make the looks at an issuer at a time of this machine's clock."""
    settings = load_settings({"RECONTACT_DATA_DIR": str(tmp_path), "RECONTACT_AUTH_ISSUER": url, **variables})

    async def look() -> tuple[Finding, ...]:
        return await issuer_looks(settings, url, now=now)

    return anyio.run(look)


def test_an_issuer_whose_keys_can_be_read_is_fine_and_the_audience_of_its_tokens_is_said(tmp_path: Path) -> None:
    with issuer() as there:
        there.says = {METADATA: {"issuer": there.url, "jwks_uri": f"{there.url}/keys"}, "/keys": KEYS}
        [plain] = looked(tmp_path, there.url)
        [public] = looked(tmp_path, there.url, RECONTACT_PUBLIC_URL="https://r.example.com")
        [named] = looked(tmp_path, there.url, RECONTACT_AUTH_AUDIENCE="urn:api")
    assert {plain.state, public.state, named.state} == {"ok"}
    assert "the address that is listened on" in plain.seen
    assert public.seen.endswith("https://r.example.com/mcp")
    assert named.seen.endswith("urn:api")


def test_an_issuer_that_cannot_be_reached_is_said_to_be_away(tmp_path: Path) -> None:
    with issuer() as gone:
        pass
    keys = {"RECONTACT_AUTH_JWKS_URL": f"{gone.url}/keys"}
    asking = {"RECONTACT_AUTH_INTROSPECTION_URL": f"{gone.url}/ask", "RECONTACT_AUTH_CLIENT_ID": "us"}
    for variables in ({}, keys, asking):
        [found] = looked(tmp_path, gone.url, **variables)
        assert (found.state, "nobody can be reached at 127.0.0.1" in found.seen) == ("fail", True)
        assert "NetworkPolicy" in (found.cure or "")


def test_an_issuer_that_calls_itself_otherwise_is_named_as_it_does(tmp_path: Path) -> None:
    with issuer() as there:
        there.says = {METADATA: {"issuer": f"{there.url}/", "jwks_uri": f"{there.url}/keys"}, "/keys": KEYS}
        [found] = looked(tmp_path, there.url)
        there.says = {METADATA: {"issuer": "\x1b[2J"}}
        [strange] = looked(tmp_path, there.url)
        there.says = {}
        [silent] = looked(tmp_path, there.url)
    assert found.state == strange.state == silent.state == "fail"
    assert (found.cure or "").endswith(f"exactly that: {there.url}/")
    assert "does not say where its keys are" in strange.seen
    assert "does not say where its keys are" in silent.seen


@pytest.mark.parametrize("keys", [None, {}, {"keys": []}, {"keys": "none"}])
def test_an_issuer_without_keys_fails(tmp_path: Path, keys: object) -> None:
    with issuer() as there:
        there.says = {METADATA: {"issuer": there.url, "jwks_uri": f"{there.url}/keys"}, "/keys": keys}
        [found] = looked(tmp_path, there.url)
    assert (found.state, "holds no keys that can be read" in found.seen) == ("fail", True)


def test_who_is_asked_about_tokens_must_take_our_credentials(tmp_path: Path) -> None:
    with issuer() as there:
        asking = {
            "RECONTACT_AUTH_INTROSPECTION_URL": f"{there.url}/ask",
            "RECONTACT_AUTH_CLIENT_ID": "us",
            "RECONTACT_AUTH_CLIENT_SECRET": "canary-secret",
        }
        [refusing] = looked(tmp_path, there.url, **asking)
        there.says = {"/ask": {"active": False}}
        [fine] = looked(tmp_path, there.url, **asking)
    assert (refusing.state, "or not to this client" in refusing.seen, fine.state) == ("fail", True, "ok")
    assert "canary-secret" not in f"{refusing}{fine}"


@pytest.mark.parametrize(("seconds", "said"), [(3_600, "ahead of"), (-3_600, "behind"), (20, None)])
def test_a_clock_that_would_make_good_tokens_bad_fails(tmp_path: Path, seconds: int, said: str | None) -> None:
    with issuer() as there:
        there.says = {METADATA: {"issuer": there.url, "jwks_uri": f"{there.url}/keys"}, "/keys": KEYS}
        clock = lambda: datetime.now(UTC) + timedelta(seconds=seconds)  # noqa: E731 (said where it is used)
        found = {one.name: one for one in looked_at(tmp_path, there.url, clock)}
    assert found["Issuer of tokens"].state == "ok"
    assert ("Clock" in found) is (said is not None)
    if said is not None:
        assert (found["Clock"].state, said in found["Clock"].seen) == ("fail", True)


def test_a_database_that_is_away_is_told_from_one_that_lets_nobody_in(run: Run, database_url: str) -> None:
    def seen(url: str) -> str:
        checks = json.loads(run("doctor", "--json", RECONTACT_DATABASE_URL=url).stdout)["checks"]
        return next(str(one["seen"]) for one in checks if one["name"] == "PostgreSQL")

    assert seen("postgresql://u:canary-secret@127.0.0.1:1/name") == "nobody can be reached at 127.0.0.1, port 1"
    with issuer() as speaking:  # something listens there, and it is no PostgreSQL
        address = speaking.url.removeprefix("http://")
        assert "failed" in seen(f"postgresql://u:canary-secret@{address}/name")
    separator = "&" if "?" in database_url else "?"
    assert "failed" in seen(f"{database_url}{separator}nonsense=1")


def test_who_serves_over_http_needs_no_upload_root(tmp_path: Path) -> None:
    here = load_settings({"RECONTACT_DATA_DIR": str(tmp_path)})
    served = load_settings({"RECONTACT_DATA_DIR": str(tmp_path), "RECONTACT_AUTH_ISSUER": "https://login.example.com"})
    assert [one.state for one in (*upload_roots(here), *upload_roots(served))] == ["warn", "ok"]
