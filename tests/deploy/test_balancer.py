"""deploy/nginx.conf in front of two real replicas: where requests go, in both eras."""

import ssl
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from balancer import Balancer, balancing, free_port
from http_process import Served, served

LEGACY, MODERN = "2025-11-25", "2026-07-28"
ACCEPT = "application/json, text/event-stream"
CLIENT = {"name": "test", "version": "1"}


@dataclass(frozen=True)
class Fleet:
    """Two replicas, the balancer in front of them, and a client of it."""

    replicas: list[Served]
    balancer: Balancer
    client: httpx.Client

    def legacy(self, session: str | None, method: str, **params: Any) -> httpx.Response:
        """Send a request as a client of 2025 does."""
        named = {"Mcp-Session-Id": session, "MCP-Protocol-Version": LEGACY} if session else {}
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return self.client.post("/mcp", json=body, headers={"Accept": ACCEPT, **named})

    def begun(self) -> str:
        """Begin a session of 2025; return its id."""
        answer = self.legacy(None, "initialize", protocolVersion=LEGACY, capabilities={}, clientInfo=CLIENT)
        assert answer.status_code == 200, answer.text
        return answer.headers["mcp-session-id"]

    def modern(self) -> httpx.Response:
        """Ask for the tools as a client of 2026 does."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientInfo": CLIENT,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
        headers = {"Accept": ACCEPT, "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/list"}
        return self.client.post("/mcp", json=body, headers=headers)


@pytest.fixture
def fleet(tmp_path: Path) -> Generator[Fleet]:
    port = free_port()
    with ExitStack() as stack:
        replicas: list[Served] = []
        for number in (1, 2):
            home = tmp_path / f"replica-{number}"
            home.mkdir()
            url = f"https://localhost:{port}"
            replicas.append(stack.enter_context(served(home, RECONTACT_PUBLIC_URL=url)))
        folder = tmp_path / "balancer"
        folder.mkdir()
        balancer = stack.enter_context(balancing(folder, port, [replica.address[1] for replica in replicas]))
        trusted = ssl.create_default_context(cafile=str(balancer.authority))
        client = stack.enter_context(httpx.Client(base_url=balancer.base, verify=trusted, timeout=20))
        yield Fleet(replicas, balancer, client)


def test_a_session_of_2025_stays_on_the_replica_that_began_it(fleet: Fleet) -> None:
    sessions = [fleet.begun() for _ in range(16)]
    began = fleet.balancer.served_by()

    answers = [fleet.legacy(session, "tools/list").status_code for session in sessions]

    assert answers == [200] * 16
    assert fleet.balancer.served_by()[16:] == began
    assert len(set(began)) == 2
    assert {session[:3] for session in sessions} == {"r1-", "r2-"}


def test_calls_of_2026_are_spread_over_the_replicas(fleet: Fleet) -> None:
    assert [fleet.modern().status_code for _ in range(10)] == [200] * 10

    by = fleet.balancer.served_by()
    assert sorted(by.count(replica.address[1]) for replica in fleet.replicas) == [5, 5]


def test_while_a_replica_is_away_the_other_one_answers_and_lost_sessions_begin_anew(fleet: Fleet) -> None:
    sessions = [fleet.begun() for _ in range(16)]
    fleet.replicas[0].process.kill()
    fleet.replicas[0].process.wait()

    answers = {session: fleet.legacy(session, "tools/list").status_code for session in sessions}
    modern = [fleet.modern().status_code for _ in range(6)]

    # source: MCP 2025-11-25: 404 tells a client that its session has ended, and it begins a new one
    assert answers == {session: 404 if session.startswith("r1-") else 200 for session in sessions}
    assert fleet.legacy(fleet.begun(), "tools/list").status_code == 200
    assert modern == [200] * 6


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_what_is_for_platforms_is_not_shown_to_people(fleet: Fleet, path: str) -> None:
    assert fleet.client.get(path).status_code == 404
    assert fleet.balancer.served_by() == []
