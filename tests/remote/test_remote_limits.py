"""How much one caller may ask, and how slow a request may be, with limits that a test can reach."""

import json
import signal
import socket
import tracemalloc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recontact_mcp.remote.app import Application, build_app
from recontact_mcp.remote.binding import listen
from recontact_mcp.remote.buckets import Bucket, Pace
from recontact_mcp.remote.connections import Peers
from recontact_mcp.remote.crowd import CALLERS_MAX, Crowd, Share
from recontact_mcp.remote.leaving import Leaving
from recontact_mcp.remote.limits import Limits
from recontact_mcp.remote.serving import Serving, config_of
from recontact_mcp.remote.sessions import Sessions
from recontact_tools.ending import Ending

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send
    from tests.remote.conftest import Front

    from recontact_mcp.remote.parts import Parts

pytestmark = pytest.mark.anyio

MODERN = {
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/list",
}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
LEGACY = {"accept": "application/json, text/event-stream"}


def error_in(body: dict[str, Any]) -> dict[str, Any]:
    """Return our error inside the one of JSON-RPC."""
    assert body["jsonrpc"] == "2.0"
    error: dict[str, Any] = body["error"]["data"]["error"]
    assert error["message"] in body["error"]["message"]
    return error


async def test_who_calls_too_fast_is_told_when_to_call_again(front: "Front") -> None:
    async with front(calls_per_second=0.5) as client:
        answers = [await client.post("/mcp", json=LIST, headers=MODERN) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].headers["retry-after"] == "2"
    error = error_in(answers[1].json())
    assert (error["code"], error["changed"], error["safe_to_repeat"]) == ("RATE_LIMITED", "no", True)
    assert error["retry_after_seconds"] == 2


async def test_limits_that_are_nought_do_not_limit(front: "Front") -> None:
    async with front(calls_per_second=0.0, calls_at_once=0) as client:
        statuses = {(await client.post("/mcp", json=LIST, headers=MODERN)).status_code for _ in range(5)}
    assert statuses == {200}


async def test_a_caller_has_so_many_calls_at_once(parts: "Callable[..., Parts]") -> None:
    made = parts(calls_at_once=1)
    app = build_app(made)
    held, second = Held(app), 0
    async with app.running(), anyio.create_task_group() as group:
        group.start_soon(held.call)
        await held.waiting.wait()
        second = await held.status_of_another()
        held.release.set()
    assert (second, held.status) == (429, 200)


async def test_of_who_has_no_token_a_large_body_is_read_and_not_kept(parts: "Callable[..., Parts]") -> None:
    pieces, piece = 48, 65_536
    app, left, most, seen = build_app(parts(auth_issuer="http://127.0.0.1:9")), [*range(pieces)], [0], [0]

    async def receive() -> "Message":
        number = left.pop()
        most.append(tracemalloc.get_traced_memory()[0])
        return {"type": "http.request", "body": bytes(piece), "more_body": number > 0}

    async def send(message: "Message") -> None:
        seen.append(message.get("status", 0))

    tracemalloc.start()
    try:
        await app(scope_of(), receive, send)
    finally:
        tracemalloc.stop()
    assert (max(seen), left) == (401, [])
    assert max(most) < pieces * piece / 4


class Held:
    """A call whose answer nobody takes for a while."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self.waiting = anyio.Event()
        self.release = anyio.Event()
        self.status = 0

    async def call(self) -> None:
        """Call, and take the answer when it is released."""

        async def send(message: "Message") -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.waiting.set()
                await self.release.wait()

        await self._app(scope_of(), receive_all(), send)

    async def status_of_another(self) -> int:
        """Call once more meanwhile."""
        seen: list[int] = []

        async def send(message: "Message") -> None:
            seen.extend([message["status"]] if message["type"] == "http.response.start" else [])

        await self._app(scope_of(), receive_all(), send)
        return seen[0]


def scope_of() -> "Scope":
    """Return what a server says of a call."""
    told = {"host": "127.0.0.1:8765", "content-type": "application/json", **MODERN}
    headers = [(name.encode(), value.encode()) for name, value in told.items()]
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/mcp",
        "raw_path": b"/mcp",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8765),
        "state": {},
    }


def receive_all() -> Callable[[], Any]:
    """Return the whole body at once, and then nothing."""
    left: list[Message] = [{"type": "http.request", "body": json.dumps(LIST).encode(), "more_body": False}]

    async def receive() -> "Message":
        if not left:
            await anyio.sleep_forever()
        return left.pop()

    return receive


async def test_a_caller_has_so_many_sessions_until_some_end(front: "Front") -> None:
    async with front(http_sessions_per_caller=2) as client:
        opened = [await client.post("/mcp", json=INITIALIZE, headers=LEGACY) for _ in range(3)]
        ended = await client.delete("/mcp", headers={"mcp-session-id": opened[0].headers["mcp-session-id"], **LEGACY})
        again = await client.post("/mcp", json=INITIALIZE, headers=LEGACY)
    assert [answer.status_code for answer in opened] == [200, 200, 429]
    assert "sessions" in error_in(opened[2].json())["message"]
    assert (ended.status_code, again.status_code) == (200, 200)


async def test_a_session_that_was_not_ended_still_counts(front: "Front") -> None:
    async with front(http_sessions_per_caller=1) as client:
        opened = await client.post("/mcp", json=INITIALIZE, headers=LEGACY)
        session = {"mcp-session-id": opened.headers["mcp-session-id"]}
        refused = await client.delete("/mcp", headers={**LEGACY, **session, "mcp-protocol-version": "2026-07-28"})
        again = await client.post("/mcp", json=INITIALIZE, headers=LEGACY)
    assert (opened.status_code, refused.status_code, again.status_code) == (200, 405, 429)


async def test_nobody_ends_the_session_of_somebody_else() -> None:
    sessions = Sessions(idle_seconds=60.0)

    async def ended(_scope: "Scope", _receive: "Receive", send: "Send") -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    opens = scope_of()
    await sessions.served("ann", opening_a_session, opens, receive_all(), ignoring, now=float)
    named = {**scope_of(), "method": "DELETE", "headers": [(b"mcp-session-id", opens["client"][0].encode())]}
    await sessions.served("bob", ended, named, receive_all(), ignoring, now=float)
    assert sessions.count("ann", 0.0) == 1
    await sessions.served("ann", ended, named, receive_all(), ignoring, now=float)
    assert sessions.count("ann", 0.0) == 0


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
async def test_every_method_has_the_pace_of_its_caller(front: "Front", method: str) -> None:
    async with front(calls_per_second=1.0) as client:
        answers = [await client.request(method, "/mcp", headers=LEGACY) for _ in range(4)]
    assert [answer.status_code == 429 for answer in answers] == [False, False, True, True]


async def test_who_may_open_no_further_session_is_told_when_the_first_idle_one_ends() -> None:
    now, statuses = [0.0], list[tuple[int, str | None]]()
    crowd = Crowd(opening_a_session, Share(0.0, 0, 1), Ending(), Sessions(idle_seconds=1_800.0), now=lambda: now[0])

    async def told(message: "Message") -> None:
        if message["type"] == "http.response.start":
            headers = dict(message.get("headers", []))
            statuses.append((message["status"], headers.get(b"retry-after", b"").decode()))

    of_2025: Scope = {**scope_of(), "headers": list[tuple[bytes, bytes]]()}
    for moment in (0.0, 0.0, 600.5, 1_800.0, 1_800.5):
        now[0] = moment
        await crowd(of_2025, receive_all(), told)
    assert statuses == [(200, ""), (429, "1800"), (429, "1200"), (429, "1"), (200, "")]


async def test_a_session_that_is_busy_is_not_said_to_end_soon() -> None:
    sessions, said = Sessions(idle_seconds=60.0), list[float]()

    async def lasting(_scope: "Scope", _receive: "Receive", _send: "Send") -> None:
        said.append(sessions.ends_in("ann", 50.0))

    await sessions.served("ann", opening_a_session, scope_of(), receive_all(), ignoring, now=float)
    in_it = {**scope_of(), "headers": [(b"mcp-session-id", b"127.0.0.1")]}
    await sessions.served("ann", lasting, in_it, receive_all(), ignoring, now=float)
    assert [*said, sessions.ends_in("ann", 50.0), sessions.ends_in("bob", 50.0)] == [60.0, 10.0, 60.0]


async def test_callers_who_open_sessions_at_once_do_not_get_more_than_one_after_the_other(front: "Front") -> None:
    answers: list[int] = []
    async with front(http_sessions_per_caller=2) as client, anyio.create_task_group() as tasks:

        async def one() -> None:
            answers.append((await client.post("/mcp", json=INITIALIZE, headers=LEGACY)).status_code)

        for _ in range(8):
            tasks.start_soon(one)
    assert sorted(answers) == [200, 200, *[429] * 6]


@pytest.mark.parametrize("opens", [True, False])
async def test_a_session_that_is_being_opened_counts_until_it_is_known_not_to_be(
    opens: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    sessions, seen = Sessions(idle_seconds=60.0), list[int]()

    async def opening_none(_scope: "Scope", _receive: "Receive", send: "Send") -> None:
        seen.append(sessions.count("ann", 0.0))
        await send({"type": "http.response.start", "status": 400, "headers": []})

    for app in (opening_none, opening_a_session):
        await sessions.served("ann", app, scope_of(), receive_all(), ignoring, now=float, opens=opens)
    assert (seen, sessions.count("ann", 0.0)) == ([int(opens)], 1)


async def test_a_page_of_another_origin_is_refused_on_every_path(front: "Front") -> None:
    async with front() as client:
        for path in ("/mcp", "/livez", "/nothing"):
            answer = await client.get(path, headers={"origin": "https://evil.example"})
            assert answer.status_code == 403
            assert "evil" not in answer.text


@pytest.mark.parametrize("came", [0, 1])
async def test_of_a_client_that_hangs_up_in_a_body_nothing_is_served_and_nobody_is_answered(
    parts: "Callable[..., Parts]", came: int
) -> None:
    app = build_app(parts())
    sent: list[Message] = []
    piece: Message = {"type": "http.request", "body": json.dumps(LIST).encode(), "more_body": True}
    left: list[Message] = [{"type": "http.disconnect"}, *[piece] * came]

    async def receive() -> "Message":
        return left.pop()

    async def send(message: "Message") -> None:
        sent.append(message)

    async with app.running():
        await app(scope_of(), receive, send)
    assert (left, sent) == ([], [])


async def test_a_stream_that_comes_when_the_server_ends_is_answered_that_it_has_none(
    parts: "Callable[..., Parts]", front: "Front"
) -> None:
    made = parts()
    async with front(made) as client:
        made.opening.ending.begin()
        answer = await client.get("/mcp", headers={"accept": "text/event-stream"})
    assert (answer.status_code, answer.content) == (503, b"")


async def test_who_waits_for_more_than_the_whole_body_waits_until_the_client_goes() -> None:
    leaving, heard = Leaving(), list[bytes]()

    async def app(_scope: "Scope", receive: "Receive", _send: "Send") -> None:
        while True:
            heard.append((await receive())["body"])

    async def gone() -> "Message":
        return {"type": "http.disconnect"}

    with anyio.fail_after(30):
        async with leaving.running():
            await leaving.serve(app, scope_of(), gone, ignoring)
    assert heard == [b""]


async def ignoring(_message: "Message") -> None:
    """Send nothing."""


async def opening_a_session(scope: "Scope", _receive: "Receive", send: "Send") -> None:
    """Answer as MCP does when it opens a session: here one for each address."""
    name = scope["client"][0].encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"mcp-session-id", name)]})
    await send({"type": "http.response.body", "body": b""})


async def test_a_session_that_was_idle_for_too_long_is_not_counted() -> None:
    sessions, now = Sessions(idle_seconds=60.0), [0.0]
    for moment, peer in ((0.0, "192.0.2.1"), (50.0, "192.0.2.2")):
        now[0] = moment
        scope = {**scope_of(), "client": (peer, 1)}
        await sessions.served("ann", opening_a_session, scope, receive_all(), ignoring, now=lambda: now[0])
    assert sessions.count("ann", 60.0) == 2
    assert sessions.count("ann", 61.0) == 1
    assert sessions.total(111.0) == 0


@pytest.mark.parametrize(("later", "again"), [(0.5, 200), (2.0, 200), (1.0, 429)])
async def test_of_very_many_callers_those_are_remembered_who_have_spent_their_share(later: float, again: int) -> None:
    """After half a second all have spent some and all are forgotten; after one, all are but those who called twice."""
    now, statuses = [0.0], list[int]()
    crowd = Crowd(opening_a_session, Share(1.0, 0, 0), Ending(), Sessions(idle_seconds=0.0), now=lambda: now[0])

    async def noting(message: "Message") -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    async def call(peer: str) -> int:
        await crowd({**scope_of(), "client": (peer, 1)}, receive_all(), noting)
        return statuses[-1]

    first = [await call("first") for _ in range(2)]
    for number in range(CALLERS_MAX - 1):
        await call(f"peer {number}")
    now[0] = later
    assert await call("new") == 200
    now[0] = later
    spent = [await call("first") for _ in range(2)]
    assert first == [200, 200]
    assert spent == [200, again]


class Noting(Serving):
    """A server that tells when it begins to stop."""

    stops: anyio.Event

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, and tell so first."""
        self.stops.set()
        await super().shutdown(sockets)


@pytest.mark.parametrize("lingers", [True, False])
async def test_a_second_ctrl_c_ends_a_server_at_once_also_while_it_lingers(
    parts: "Callable[..., Parts]", *, lingers: bool
) -> None:
    made, listening, ready = parts(), listen("127.0.0.1", 0), anyio.Event()
    server = Noting(config_of(build_app(made), made), made.opening.ending, linger=3_600.0, ready=ready.set)
    server.stops = anyio.Event()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve, [listening])
            await ready.wait()
            server.handle_exit(signal.SIGINT, None)
            if lingers:
                await server.stops.wait()
            server.handle_exit(signal.SIGINT, None)
    assert made.opening.ending.begun


def test_a_body_that_drips_runs_out_of_time_and_one_that_flows_does_not() -> None:
    limits = Limits(body_seconds=10.0, body_bytes_per_second=100.0)
    assert limits.body_deadline(5.0, 0) == 15.0
    assert limits.body_deadline(5.0, 50) == 15.5
    assert limits.body_deadline(5.0, 4_000_000) > 40_000


@given(st.lists(st.floats(0, 10), max_size=60), st.floats(0.1, 50), st.floats(1, 20))
def test_no_caller_ever_has_more_than_the_rate_and_the_burst(pauses: list[float], rate: float, burst: float) -> None:
    pace, bucket, now, let_through = Pace(rate, burst), None, 0.0, 0
    for pause in pauses:
        now += pause
        bucket, wait = pace.spent(bucket, now)
        let_through += not wait
        assert 0.0 <= bucket.tokens <= burst
    assert let_through <= burst + rate * now + 1e-6


@given(st.floats(0, 0.99), st.floats(0.1, 50))
def test_after_the_wait_that_was_told_a_call_goes_through(tokens: float, rate: float) -> None:
    pace = Pace(rate, 1.0)
    bucket, wait = pace.spent(Bucket(tokens, 0.0), 0.0)
    assert wait > 0
    assert pace.spent(bucket, wait * 1.000001 + 1e-9)[1] == 0.0


def test_a_clock_that_goes_back_fills_no_bucket() -> None:
    pace = Pace(1.0, 2.0)
    bucket, wait = pace.spent(Bucket(0.5, 100.0), 50.0)
    assert (bucket.tokens, wait) == (0.5, 0.5)
    assert pace.is_full(Bucket(1.0, 0.0), 1.0)


def test_connections_are_counted_by_address_and_in_all() -> None:
    peers = Peers(most=4, each=2, trusted=("10.0.0.0/8",))
    assert [peers.arrive("192.0.2.1") for _ in range(3)] == [True, True, False]
    peers.leave("192.0.2.1")
    peers.leave("192.0.2.1")
    assert [peers.arrive("10.1.2.3") for _ in range(4)] == [True, True, True, False]
    assert not Peers(most=4, each=0, trusted=("10.0.0.0/8",)).arrive("not an address")
