"""The gateway on a real socket: broken exchanges as they happen, and nothing secret in the logs."""

import gzip
import logging
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import anyio
import pytest
from anyio.abc import ByteStream
from anyio.streams.buffered import BufferedByteReceiveStream

from recontact_tools.errors import OutcomeUnknown, Unreachable
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.models import IdType, TargetGroup

pytestmark = pytest.mark.anyio

TOKEN = b'{"access_token": "canary-token", "expires_in": 86400}'
STARTED = b'{"job_id": "J1"}'
HANG = b"hang"


def answered(body: bytes, *, head: bytes = b"HTTP/1.1 200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return head + b"\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % size + body


class Server:
    """Answer token requests, and each other request with the next of *answers*, then hang up."""

    def __init__(self, port: int, answers: list[bytes]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.targets: list[bytes] = []
        self._answers = iter(answers)

    async def serve(self, stream: ByteStream) -> None:
        async with stream:
            received = BufferedByteReceiveStream(stream)
            head = await received.receive_until(b"\r\n\r\n", 65_536)
            sizes = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            await received.receive_exactly(sum(map(int, sizes)))  # a close with unread bytes is a reset
            target = head.split(b" ")[1]
            if target == b"/oauth/token":
                answer = answered(TOKEN)
            else:
                self.targets.append(target)
                answer = next(self._answers)
            if answer == HANG:
                await anyio.sleep_forever()
            await stream.send(answer)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@asynccontextmanager
async def served(*answers: bytes) -> AsyncGenerator[Server]:
    with anyio.fail_after(5):
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
            anyio.create_task_group() as tasks,
        ):
            server = Server(listener.extra_attributes[anyio.abc.SocketAttribute.local_port](), list(answers))
            tasks.start_soon(listener.serve, server.serve)
            yield server
            tasks.cancel_scope.cancel()


async def at_once(_seconds: float) -> None: ...


def gateway_to(
    connection: Connection,
    server: Server,
    *,
    read_seconds: float = 5.0,
    start_read_seconds: float = 5.0,
    exchange_seconds: float = 5.0,
) -> Gateway:
    return Gateway(
        replace(
            connection,
            base_url=server.url,
            token_url=f"{server.url}/oauth/token",
            read_seconds=read_seconds,
            start_read_seconds=start_read_seconds,
            exchange_seconds=exchange_seconds,
        ),
        sleep=at_once,
    )


async def upload(gateway: Gateway, group: TargetGroup) -> str:
    return await gateway.upload_file(group, file_name="a.csv", content=b"canary-id\n", id_type=IdType.RSID)


async def test_a_job_is_started_over_a_socket(connection: Connection, group: TargetGroup) -> None:
    async with served(answered(STARTED)) as server, gateway_to(connection, server) as gateway:
        assert await upload(gateway, group) == "J1"


async def test_a_packed_answer_is_unpacked(connection: Connection, group: TargetGroup) -> None:
    packed = answered(gzip.compress(STARTED), head=b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip")
    async with served(packed) as server, gateway_to(connection, server) as gateway:
        assert await upload(gateway, group) == "J1"


async def test_a_packed_file_is_unpacked(connection: Connection, group: TargetGroup) -> None:
    packed = answered(gzip.compress(b"a\nb\n"), head=b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip")
    async with served(packed) as server, gateway_to(connection, server) as gateway:
        assert await gateway.download_upload_file(group, "J1") == b"a\nb\n"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        pytest.param(b"", "RemoteProtocolError", id="hung up"),
        pytest.param(b"canary-body, not HTTP\r\n\r\n", "RemoteProtocolError", id="another protocol"),
        pytest.param(answered(STARTED, length=100), "RemoteProtocolError", id="cut short"),
        pytest.param(answered(b" " * 8_000_001), "AnswerTooLarge", id="too large"),
        pytest.param(HANG, "ReadTimeout", id="silence"),
    ],
)
async def test_a_broken_exchange_leaves_the_outcome_of_a_start_unknown(
    connection: Connection, group: TargetGroup, caplog: pytest.LogCaptureFixture, *, answer: bytes, cause: str
) -> None:
    caplog.set_level(logging.DEBUG)
    async with served(answer, answered(STARTED)) as server:
        async with gateway_to(connection, server, start_read_seconds=0.2) as gateway:
            with pytest.raises(OutcomeUnknown) as caught:
                await upload(gateway, group)
        assert len(server.targets) == 1
    assert caught.value.details == {"cause": cause}
    assert "canary" not in str(caught.value.as_dict()) + caplog.text
    assert caught.value.__context__ is None


async def test_an_exchange_is_bounded_as_a_whole(connection: Connection, group: TargetGroup) -> None:
    async with served(HANG) as server, gateway_to(connection, server, exchange_seconds=0.2) as gateway:
        with pytest.raises(OutcomeUnknown) as caught:
            await upload(gateway, group)
    assert caught.value.details == {"cause": "TimeoutError"}


async def test_without_a_listener_nothing_is_reached(connection: Connection, group: TargetGroup) -> None:
    async with served() as gone:
        pass
    async with served() as server:
        gateway = gateway_to(connection, server)
        split = replace(connection, base_url=gone.url, token_url=f"{server.url}/oauth/token")
        async with gateway, Gateway(split, sleep=at_once) as gateway_to_nowhere:
            for call in (upload(gateway_to_nowhere, group), gateway_to_nowhere.get_overview(group)):
                with pytest.raises(Unreachable) as caught:
                    await call
                assert caught.value.details == {"cause": "ConnectError"}


async def test_a_read_survives_hang_ups(connection: Connection, group: TargetGroup) -> None:
    answers = (b"", b"HTTP/1.1 503 Busy\r\n\r\n", answered(b'{"saved_respondent_ids_count": 7}'))
    async with served(*answers) as server, gateway_to(connection, server) as gateway:
        assert await gateway.get_overview(group) == 7
        assert len(server.targets) == 3


async def test_a_read_that_meets_silence_is_repeated(connection: Connection, group: TargetGroup) -> None:
    answers = (HANG, answered(b'{"saved_respondent_ids_count": 7}'))
    async with served(*answers) as server, gateway_to(connection, server, read_seconds=0.2) as gateway:
        assert await gateway.get_overview(group) == 7


async def test_no_url_token_or_secret_is_logged(
    connection: Connection, group: TargetGroup, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    page = answered(b'{"data": ["canary-id"], "next_cursor": "canary-next"}')
    async with served(page) as server, gateway_to(connection, server) as gateway:
        await gateway.list_respondents(group, page_size=1, cursor="canary-cursor")
        assert b"canary-cursor" in server.targets[0]
    assert "canary" not in caplog.text
    assert group.target_group_id not in caplog.text


class Watch:
    """Whoever watches the requests of a gateway: hears of each what it was and how it ended."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    @contextmanager
    def exchange(self, operation: str, attempt: int) -> Generator[Callable[[str], None]]:
        """Hear of one request."""
        del attempt
        yield lambda outcome: self.seen.append((operation, outcome))

    @contextmanager
    def job(self, kind: str, stage: str) -> Generator[Callable[[str], None]]:
        """Hear of nothing: a gateway knows no jobs."""
        raise AssertionError(kind, stage)


async def test_a_request_that_got_no_answer_is_told_by_whether_there_was_a_connection(
    connection: Connection, group: TargetGroup
) -> None:
    watch = Watch()
    async with served() as gone:
        pass
    async with served(b"") as server, gateway_to(connection, server) as gateway:
        gateway.be_watched(watch)
        with pytest.raises(OutcomeUnknown):
            await upload(gateway, group)
    async with gateway_to(connection, gone) as gateway:
        gateway.be_watched(watch)
        with pytest.raises(Unreachable):
            await gateway.get_overview(group)
    assert watch.seen[:2] == [("token", "2xx"), ("POST recontacts/jobs/upload-rsids-by-file", "broken")]
    assert {*watch.seen[2:]} == {("token", "not connected")}
