"""The load of the bench: what it counts, and whose fault it is when a server stands still."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import TypeAlias

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from bench.load import Request, busy, modern_call, steady

Answer: TypeAlias = Callable[[int], Awaitable[bytes]]
PAUSE = 0.3


def http(body: bytes, status: str = "200 OK") -> bytes:
    """Write an answer."""
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


@asynccontextmanager
async def server(answer: Answer) -> AsyncGenerator[Request]:
    """Serve what *answer* returns for the n-th request; yield what is sent to it."""
    numbers = count(1)

    async def serve(stream: SocketStream) -> None:
        reader = BufferedByteReceiveStream(stream)
        async with stream:
            with suppress(anyio.IncompleteRead, anyio.EndOfStream, anyio.BrokenResourceError):
                while head := await reader.receive_until(b"\r\n\r\n", 10_000):
                    await reader.receive_exactly(int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]))
                    await stream.send(await answer(next(numbers)))

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - the name says nothing of Django
        async with anyio.create_task_group() as serving:
            serving.start_soon(listener.serve, serve)
            yield modern_call(f"http://127.0.0.1:{port}/mcp", "echo", {"text": "x"})
            serving.cancel_scope.cancel()


@pytest.mark.anyio
async def test_good_answers_are_counted_and_others_are_errors_that_can_be_read() -> None:
    bad = [http(b"no", "500 Oops"), http(b'{"result":{"isError":true}}'), http(b'{"error":{}}')]

    async def answer(number: int) -> bytes:
        return bad[number - 1] if number <= len(bad) else http(b'{"result":{}}')

    async with server(answer) as request:
        run = await busy([request], seconds=0.2, connections=4)

    assert run.errors == len(bad)
    assert len(run.latencies) > 0
    assert any(problem.startswith("500") for problem in run.problems)


@pytest.mark.anyio
async def test_at_a_fixed_rate_every_request_is_sent_and_answered() -> None:
    async def answer(_number: int) -> bytes:
        return http(b'{"result":{}}')

    async with server(answer) as one, server(answer) as other:
        run = await steady([one, other], rate=200, seconds=0.2, connections=2)

    assert (len(run.latencies), run.errors) == (40, 0)
    assert 0 < run.percentile(0.5) <= run.percentile(0.99)


@pytest.mark.anyio
async def test_a_server_that_stands_still_has_made_every_request_late_that_was_due_meanwhile() -> None:
    async def answer(number: int) -> bytes:
        if number == 1:
            await anyio.sleep(PAUSE)
        return http(b'{"result":{}}')

    async with server(answer) as request:
        run = await steady([request], rate=100, seconds=PAUSE, connections=1)

    # The one that was due at the middle of the pause waited for the other half of it at least.
    assert sum(latency >= PAUSE / 2 for latency in run.latencies) >= 15


@pytest.mark.anyio
async def test_a_server_that_hangs_up_is_an_error_and_not_the_end() -> None:
    async def answer(number: int) -> bytes:
        return b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 11\r\n\r\n" + (
            b'{"result":}' if number != 1 else b'{"error":1}'
        )

    async with server(answer) as request:
        run = await steady([request], rate=100, seconds=0.1, connections=1)

    assert (len(run.latencies), run.errors) == (9, 1)
