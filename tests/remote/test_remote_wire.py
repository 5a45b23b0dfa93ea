"""What no client of HTTP may do to a server process: smuggle, flood, drip, or take all connections."""

import json
from collections.abc import Generator
from typing import Any

import pytest
from http_process import Served, all_of, served

ERROR_FIELDS = {"code", "message", "changed", "safe_to_repeat", "next_step"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """One server for all tests here, with room for few connections."""
    folder = tmp_path_factory.mktemp("wire")
    with served(folder, RECONTACT_HTTP_CONNECTIONS_PER_PEER="5", RECONTACT_HTTP_BODY_BYTES="70000") as running:
        yield running


def head(server: Served, line: str = "POST /mcp HTTP/1.1", **headers: str) -> bytes:
    """Write the head of a request."""
    host, port = server.address
    told = {"Host": f"{host}:{port}", "Content-Type": "application/json", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in told.items())
    return f"{line}\r\n{lines}\r\n".encode()


def refused(answer: bytes) -> tuple[int, dict[str, Any]]:
    """Return the status of a refusal and our error in it."""
    top, _, body = answer.partition(b"\r\n\r\n")
    found = json.loads(body)
    error = found["error"]["data"]["error"] if "jsonrpc" in found else found["error"]
    assert error.keys() >= ERROR_FIELDS
    assert b"canary" not in answer
    return int(top.split()[1]), error


def test_a_body_that_two_servers_could_cut_differently_is_refused(server: Served) -> None:
    sent = head(server, Content_Length="6", Transfer_Encoding="chunked") + b"0\r\n\r\nX"
    status, error = refused(server.exchange(sent))
    assert status == 400
    assert "well-formed" in error["message"]


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"canary\r\n\r\n", id="no request"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: a\r\n folded: canary\r\n\r\n", id="a folded header"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost : canary\r\n\r\n", id="a blank before the colon"),
        pytest.param(
            b"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", id="two lengths"
        ),
        pytest.param(b"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", id="a length below nothing"),
        pytest.param(b"POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: canary\r\n\r\n", id="another encoding"),
    ],
)
def test_what_is_no_request_is_refused_without_an_echo(server: Served, sent: bytes) -> None:
    status, _ = refused(server.exchange(sent))
    assert status in {400, 421}


def test_a_flood_of_headers_is_cut_off_while_it_comes(server: Served) -> None:
    line, padding = b"X-Canary: " + b"c" * 1_000 + b"\r\n", 200
    sent = f"GET /livez HTTP/1.1\r\nHost: {server.address[0]}:{server.address[1]}\r\n".encode() + line * padding
    status, _ = refused(server.exchange(sent))  # its end never comes
    assert status == 431


def test_too_many_small_headers_are_refused(server: Served) -> None:
    status, _ = refused(server.exchange(head(server, "GET /livez HTTP/1.1", **{f"X-{n}": "c" for n in range(150)})))
    assert status == 431


def test_an_oversized_url_is_refused(server: Served) -> None:
    status, _ = refused(server.exchange(head(server, f"GET /livez?canary={'c' * 9_000} HTTP/1.1")))
    assert status == 414


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", ""])
@pytest.mark.parametrize("path", ["/livez", "/mcp", "/nothing"])
def test_another_host_is_refused_on_every_path(server: Served, path: str, host: str) -> None:
    status, error = refused(server.exchange(head(server, f"GET {path} HTTP/1.1", Host=host)))
    assert (status, error["code"]) == (421, "POLICY_DENIED")


def test_a_declared_body_that_is_too_large_is_refused_before_it_comes(server: Served) -> None:
    status, error = refused(server.exchange(head(server, Content_Length="70001")))
    assert status == 413
    assert "70000 bytes" in error["message"]


def test_an_undeclared_body_that_is_too_large_is_refused_while_it_comes(server: Served) -> None:
    chunk = b"1000\r\n" + b"c" * 4_096 + b"\r\n"
    status, _ = refused(server.exchange(head(server, Transfer_Encoding="chunked") + chunk * 18))
    assert status == 413


def test_other_routes_take_small_bodies_only(server: Served) -> None:
    status, _ = refused(server.exchange(head(server, "POST /livez HTTP/1.1", Content_Length="65537")))
    assert status == 413


def test_one_address_does_not_get_all_connections(server: Served) -> None:
    held = [server.connection() for _ in range(5)]
    try:
        with server.connection() as more:
            status, _ = refused(all_of(more))
    finally:
        for wire in held:
            wire.close()
    assert status == 503


@pytest.mark.parametrize(
    "early",
    [
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n", id="a request"),
        pytest.param(b"canary canary canary\r\n\r\n", id="no request"),
        pytest.param(b"GET /livez HT", id="a piece of one"),
    ],
)
def test_what_comes_before_the_answer_to_a_request_is_not_read(server: Served, early: bytes) -> None:
    once = head(server, "GET /livez HTTP/1.1")
    sent = early.replace(b"{host}", "{}:{}".format(*server.address).encode())
    answer = server.exchange(once + sent)  # it ends with the answer
    assert answer.count(b"HTTP/1.1") == answer.count(b"HTTP/1.1 200 OK") == 1
    assert answer.endswith(b'{"status":"alive"}')
    assert b"connection: close" in answer


def test_requests_that_wait_for_their_answers_share_a_connection(server: Served) -> None:
    with server.connection() as wire:
        for _ in range(3):
            wire.sendall(head(server, "GET /livez HTTP/1.1"))
            answer = b""
            while not answer.endswith(b'{"status":"alive"}'):
                answer += wire.recv(4_096)
            assert answer.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    "told", [{"Content_Length": "1"}, {"Transfer_Encoding": "chunked"}], ids=["a length", "chunks"]
)
@pytest.mark.parametrize("path", ["/mcp", "/livez"])
def test_a_body_is_refused_where_none_is_read(server: Served, path: str, told: dict[str, str]) -> None:
    status, _ = refused(server.exchange(head(server, f"GET {path} HTTP/1.1", Accept="text/event-stream", **told)))
    assert status == 400


@pytest.mark.parametrize("depth", [200, 2_000, 30_000])
@pytest.mark.parametrize("version", ["2026-07-28", "2025-06-18"])
def test_json_in_great_depth_is_refused_and_the_server_lives(server: Served, version: str, depth: int) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_recontact_overview","arguments":'
    body += b"[" * depth + b"]" * depth + b"}}"
    told = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": version, "Connection": "close"}
    answer = server.exchange(head(server, Content_Length=str(len(body)), **told) + body)
    assert int(answer.split()[1]) in {400, 422}
    assert b"Traceback" not in answer
    alive = server.exchange(head(server, "GET /livez HTTP/1.1", Connection="close"))
    assert b'{"status":"alive"}' in alive


def test_a_number_of_many_digits_is_refused(server: Served) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"n":' + b"9" * 60_000 + b"}}"
    told = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28"}
    answer = server.exchange(head(server, Content_Length=str(len(body)), Connection="close", **told) + body)
    assert int(answer.split()[1]) == 400
