"""Whom the gateway trusts and through which proxy it goes, on real sockets with certificates of our own."""

import base64
import logging
import ssl
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
import trustme
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSListener

from recontact_tools.errors import InvalidInput, NotPermitted, Unreachable
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.gateway.clients import CONNECTIONS_MAX
from recontact_tools.models import TargetGroup

pytestmark = pytest.mark.anyio

ANSWER = b'{"access_token": "canary-token", "expires_in": 86400, "saved_respondent_ids_count": 7}'
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class Server:
    """Answer every request with the same answer, which is a token and a count at once; remember what was asked."""

    def __init__(self, *, status: bytes = b"200 OK") -> None:
        self.heads: list[bytes] = []
        self.port = 0
        self._answer = b"HTTP/1.1 %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (
            status,
            len(ANSWER),
            ANSWER,
        )

    async def serve(self, stream: ByteStream) -> None:
        async with stream:
            received = BufferedByteReceiveStream(stream)
            head = await received.receive_until(b"\r\n\r\n", 65_536)
            self.heads.append(head)
            sizes = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            await received.receive_exactly(sum(map(int, sizes)))
            await stream.send(await self.answered(head))

    async def answered(self, head: bytes) -> bytes:
        assert head
        return self._answer


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "canary-bundle.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@asynccontextmanager
async def served(server: Server, certificate: trustme.LeafCert | None = None) -> AsyncGenerator[Server]:
    with anyio.fail_after(10):
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
            anyio.create_task_group() as tasks,
        ):
            server.port = listener.extra_attributes[SocketAttribute.local_port]()
            if certificate is None:
                tasks.start_soon(listener.serve, server.serve)
            else:
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                with certificate.private_key_and_cert_chain_pem.tempfile() as path:
                    context.load_cert_chain(path)
                tasks.start_soon(TLSListener(listener, context, standard_compatible=False).serve, server.serve)
            yield server
            tasks.cancel_scope.cancel()


def to(connection: Connection, base_url: str, *, ca_bundle: str | None = None, proxy: str | None = None) -> Connection:
    return replace(
        connection,
        base_url=base_url,
        token_url=f"{base_url}/oauth/token",
        ca_bundle=ca_bundle,
        proxy=proxy,
        reads_retried=1,
    )


async def test_a_certificate_of_the_bundle_is_trusted(
    connection: Connection, group: TargetGroup, authority: trustme.CA, bundle: str
) -> None:
    async with served(Server(), authority.issue_cert("localhost", "127.0.0.1")) as server:
        way = to(connection, f"https://localhost:{server.port}", ca_bundle=bundle)
        async with Gateway(way) as gateway:
            assert await gateway.get_overview(group) == 7


@pytest.mark.parametrize("name", ["localhost", "other.example"])
async def test_a_certificate_of_nobody_known_or_for_another_name_is_not_trusted(
    connection: Connection, group: TargetGroup, authority: trustme.CA, bundle: str, *, name: str
) -> None:
    known = None if name == "localhost" else bundle
    async with served(Server(), authority.issue_cert(name)) as server:
        async with Gateway(to(connection, f"https://localhost:{server.port}", ca_bundle=known)) as gateway:
            with pytest.raises(Unreachable) as caught:
                await gateway.get_overview(group)
        assert server.heads == []
    assert caught.value.details == {"cause": "ConnectError"}


async def test_a_bundle_adds_to_what_is_trusted_anyway(
    connection: Connection,
    group: TargetGroup,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    system, bundle = tmp_path / "system.pem", tmp_path / "bundle.pem"
    authority.cert_pem.write_to_path(str(system))
    trustme.CA().cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    async with served(Server(), authority.issue_cert("localhost")) as server:
        way = to(connection, f"https://localhost:{server.port}", ca_bundle=str(bundle))
        async with Gateway(way) as gateway:
            assert await gateway.get_overview(group) == 7


@pytest.mark.parametrize("content", [None, b"", b"canary, no certificate", b"\xff\x00"])
def test_a_bundle_that_holds_no_certificate_is_invalid(
    connection: Connection, tmp_path: Path, *, content: bytes | None
) -> None:
    path = tmp_path / "canary.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInput, match="CA bundle") as caught:
        Gateway(replace(connection, ca_bundle=str(path)))
    assert "canary" not in "".join(traceback.format_exception_only(caught.value)) + str(caught.value.as_dict())
    assert caught.value.__context__ is None


async def test_requests_go_through_the_proxy_with_its_password_which_nobody_reads(
    connection: Connection, group: TargetGroup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "api.example")
    async with served(Server()) as proxy:
        way = to(connection, "http://api.example", proxy=f"http://user:canary-password@127.0.0.1:{proxy.port}")
        async with Gateway(way) as gateway:
            assert await gateway.get_overview(group) == 7
            assert "canary" not in repr(way) + repr(gateway) + caplog.text
    credentials = base64.b64encode(b"user:canary-password")
    assert all(b"Basic " + credentials in head for head in proxy.heads)
    assert [head.split(b" ")[1].split(b"?")[0][:23] for head in proxy.heads] == [
        b"http://api.example/oaut",
        b"http://api.example/dema",
    ]


async def test_without_a_proxy_of_ours_that_of_the_environment_is_used(
    connection: Connection, group: TargetGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(Server()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with Gateway(to(connection, "http://api.example")) as gateway:
            assert await gateway.get_overview(group) == 7
        assert len(proxy.heads) == 2


async def test_a_proxy_over_tls_is_trusted_by_the_bundle_too(
    connection: Connection, group: TargetGroup, authority: trustme.CA, bundle: str
) -> None:
    async with served(Server(), authority.issue_cert("localhost")) as proxy:
        through = f"https://localhost:{proxy.port}"
        async with Gateway(to(connection, "http://api.example", ca_bundle=bundle, proxy=through)) as gateway:
            assert await gateway.get_overview(group) == 7


async def test_a_proxy_that_wants_other_credentials_is_named(connection: Connection, group: TargetGroup) -> None:
    async with served(Server(status=b"407 Proxy Authentication Required")) as proxy:
        for base_url, kind in (("http://api.example", NotPermitted), ("https://api.example", Unreachable)):
            way = to(connection, base_url, proxy=f"http://user:canary@127.0.0.1:{proxy.port}")
            async with Gateway(way) as gateway:
                with pytest.raises(kind) as caught:
                    await gateway.get_overview(group)
            assert "canary" not in str(caught.value.as_dict())


@pytest.mark.parametrize(
    "url",
    ["canary", "ftp://canary.example", "socks5://canary.example", "http://", "//canary", "http://canary:port", "\x00"],
)
def test_a_proxy_that_is_no_url_is_invalid(connection: Connection, *, url: str) -> None:
    with pytest.raises(InvalidInput, match="proxy") as caught:
        Gateway(replace(connection, proxy=url))
    assert "canary" not in str(caught.value.as_dict())
    assert caught.value.__context__ is None


@pytest.mark.parametrize("url", ["ftp://canary.example", "socks5://canary.example:1"])
def test_a_proxy_of_the_environment_that_cannot_be_used_is_invalid_and_one_of_ours_wins(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, *, url: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", url)
    with pytest.raises(InvalidInput, match="environment") as caught:
        Gateway(connection)
    assert "canary" not in str(caught.value.as_dict())
    Gateway(replace(connection, proxy="http://proxy.example:3128"))


class Gathering(Server):
    """Answer no read before so many of them are here."""

    def __init__(self, wanted: int) -> None:
        super().__init__()
        self._missing = wanted
        self._all_here = anyio.Event()

    async def answered(self, head: bytes) -> bytes:
        if head.startswith(b"GET"):
            self._missing -= 1
            if self._missing == 0:
                self._all_here.set()
            await self._all_here.wait()
        return await super().answered(head)


async def test_as_many_connections_are_open_as_requests_may_go_at_once(
    connection: Connection, group: TargetGroup
) -> None:
    wanted = CONNECTIONS_MAX + 5
    async with served(Gathering(wanted)) as server:
        way = replace(to(connection, f"http://127.0.0.1:{server.port}"), requests_at_once=wanted)
        async with Gateway(way) as gateway, anyio.create_task_group() as tasks:
            for _ in range(wanted):
                tasks.start_soon(gateway.get_overview, group)
