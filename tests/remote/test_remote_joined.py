"""What a connection writes: together what belongs together, and nothing late, lost or out of order."""

import asyncio

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recontact_mcp.remote.joined import KEPT_BYTES, Joined

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Sent(asyncio.Transport):
    """The transport of a socket, as far as it is written to."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Note what is sent; nothing can be sent after the end."""
        assert not self.closed
        self.pieces.append(bytes(data))

    def close(self) -> None:
        """End."""
        self.closed = True

    def is_closing(self) -> bool:
        """Tell whether this has ended."""
        return self.closed


def joined() -> tuple[Joined, Sent]:
    """Return a transport, and what it writes to."""
    sent = Sent()
    return Joined(sent, asyncio.get_running_loop()), sent


async def turn() -> None:
    """Let the loop turn once."""
    with anyio.fail_after(5):
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()


async def test_the_head_of_an_answer_leaves_together_with_its_body() -> None:
    transport, sent = joined()
    transport.write(HEAD)
    transport.write(b"{}")
    await turn()
    assert sent.pieces == [HEAD + b"{}"]


async def test_a_head_whose_body_takes_its_time_does_not_wait_for_it() -> None:
    transport, sent = joined()
    transport.write(HEAD)
    await turn()
    assert sent.pieces == [HEAD]
    transport.write(b"{}")
    await turn()
    assert sent.pieces == [HEAD, b"{}"]


async def test_what_was_written_is_sent_before_the_connection_closes() -> None:
    transport, sent = joined()
    transport.write(HEAD)
    transport.close()
    assert sent.pieces == [HEAD]
    assert transport.is_closing()
    await turn()
    assert sent.pieces == [HEAD]


async def test_a_connection_that_has_nothing_to_send_just_closes() -> None:
    transport, sent = joined()
    transport.close()
    assert (sent.pieces, sent.closed) == ([], True)


async def test_much_is_sent_at_once() -> None:
    transport, sent = joined()
    transport.write(HEAD)
    transport.write(b"x" * KEPT_BYTES)
    assert sent.pieces == [HEAD + b"x" * KEPT_BYTES]
    await turn()
    assert len(sent.pieces) == 1


@given(steps=st.lists(st.one_of(st.binary(max_size=20), st.none(), st.just(b"y" * KEPT_BYTES))))
async def test_whatever_is_written_arrives_once_and_in_order(steps: list[bytes | None]) -> None:
    transport, sent = joined()
    for step in steps:
        if step is None:
            await turn()
        else:
            transport.write(step)
    transport.close()
    assert b"".join(sent.pieces) == b"".join(step for step in steps if step)
