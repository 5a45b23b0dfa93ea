"""Replicas that are restarted one after the other behind deploy/nginx.conf, while clients go on calling."""

import json
import signal
import ssl
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

from balancer import Balancer, balancing, free_port
from http_process import Served, served

CALLERS = 16
# Longer than the balancer keeps a connection that nobody uses, as the 5 s of compose.yaml are.
LINGER_SECONDS = "3"
ROUNDS = (0, 1)
BODY = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "get_recontact_overview",
        "arguments": {"target_group_id": "01BTGNYV6HRNK8K8VKZASZCFP1"},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    },
}
HEADERS = {
    "Accept": "application/json, text/event-stream",
    "Content-Type": "application/json",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "get_recontact_overview",
}


class Replica:
    """A replica that can be restarted on its port."""

    def __init__(self, stack: ExitStack, home: Path, public_port: int) -> None:
        self._stack, self._home = stack, home
        self.port = free_port()
        self._variables = {
            "RECONTACT_PUBLIC_URL": f"https://localhost:{public_port}",
            "RECONTACT_LINGER_SECONDS": LINGER_SECONDS,
            "RECONTACT_CALLS_PER_SECOND": "0",
            "RECONTACT_TRUSTED_PROXIES": "127.0.0.1",
        }
        home.mkdir()
        self._served = self._started()

    def _started(self) -> Served:
        return self._stack.enter_context(served(self._home, "--port", str(self.port), **self._variables))

    def restart(self) -> int:
        """Stop it as platforms do, and start it again; return how it ended."""
        self._served.process.send_signal(signal.SIGTERM)
        code, _ = self._served.ended()
        self._served = self._started()
        return code


class Load:
    """Clients that call without a pause; *answers* counts what each call came to."""

    def __init__(self, balancer: Balancer) -> None:
        self._balancer = balancer
        self._trusted = ssl.create_default_context(cafile=str(balancer.authority))
        self._over = threading.Event()
        self.answers: Counter[str] = Counter()

    @contextmanager
    def going_on(self) -> Generator[None]:
        """Call until the block is left."""
        callers = [threading.Thread(target=self._call) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        try:
            yield
        finally:
            self._over.set()
            for caller in callers:
                caller.join()

    def _call(self) -> None:
        connection = HTTPSConnection("localhost", self._balancer.port, timeout=20, context=self._trusted)
        while not self._over.is_set():
            self.answers[self._answer(connection)] += 1
        connection.close()

    @staticmethod
    def _answer(connection: HTTPSConnection) -> str:
        try:
            connection.request("POST", "/mcp", json.dumps(BODY), HEADERS)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, HTTPException) as error:
            connection.close()
            return type(error).__name__
        served_well = response.status == 200 and b'"isError":false' in answer
        return "answered" if served_well else f"{response.status} {answer[:200]!r}"


def test_a_rolling_restart_under_load_fails_no_call(tmp_path: Path) -> None:
    port = free_port()
    with ExitStack() as stack:
        replicas = [Replica(stack, tmp_path / f"replica-{number}", port) for number in (1, 2)]
        (tmp_path / "balancer").mkdir()
        balancer = stack.enter_context(balancing(tmp_path / "balancer", port, [replica.port for replica in replicas]))
        load = Load(balancer)
        with load.going_on():
            codes = [replicas[number].restart() for number in ROUNDS]
        ports = set(balancer.served_by())

    assert codes == [0] * len(ROUNDS)
    assert set(load.answers) == {"answered"}
    assert ports == {replica.port for replica in replicas}
