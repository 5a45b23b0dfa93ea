"""A host on a real socket of this machine that answers as a test says, over TLS if it has a certificate."""

import json
import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from time import time
from typing import Any, ClassVar

TOKEN = {"access_token": "canary-token", "expires_in": 86_400, "token_type": "Bearer"}


@dataclass(frozen=True, slots=True)
class Scripted:
    """One answer; *body* is JSON unless it is a text."""

    status: int = 200
    body: Mapping[str, Any] | str = "{}"
    headers: tuple[tuple[str, str], ...] = ()


# What Cint answers to someone who may use everything, and asks for a target group that nobody has.
HEALTHY: Mapping[str, Scripted] = {
    "POST": Scripted(200, TOKEN),
    "GET": Scripted(404, {"object": "not_found_error", "detail": "resource not found"}),
    "GET study-types": Scripted(200, {"study_types": [{"id": 1, "code": "recontact", "name": "Recontact"}]}),
}


class Answering(BaseHTTPRequestHandler):
    """Answer from *answers*, which are named by a method, alone or with an API version or the end of a path."""

    answers: ClassVar[Mapping[str, Scripted]] = HEALTHY
    seen: ClassVar[list[str]] = []
    ahead: ClassVar[float] = 0.0

    def do_GET(self) -> None:
        """Answer a GET."""
        self.answer()

    def do_POST(self) -> None:
        """Answer a POST."""
        self.answer()

    def do_CONNECT(self) -> None:
        """Answer a CONNECT."""
        self.answer()

    def answer(self) -> None:
        """Give the answer for this method and version, and remember what was asked."""
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.seen.append(f"{self.command} {self.path}")
        named = (self.headers.get("cint-api-version"), self.path.rpartition("/")[2])
        found = (self.answers.get(f"{self.command} {name}") for name in named)
        answer = next((one for one in found if one), self.answers[self.command])
        body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Date an answer by a clock that is *ahead* by some seconds."""
        return super().date_time_string((timestamp or time()) + self.ahead)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the signature is that of http.server)
        """Say nothing."""


def answering(answers: Mapping[str, Scripted], seen: list[str], *, ahead: float = 0.0) -> type[BaseHTTPRequestHandler]:
    """Return a handler of these answers, which writes what it was asked into *seen*."""
    return type("Scripting", (Answering,), {"answers": answers, "seen": seen, "ahead": ahead})


class Host(ThreadingTCPServer):
    """A server that says nothing of clients that hang up: that is what some tests are about."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


@contextmanager
def host(handler: type[BaseRequestHandler], *, tls: ssl.SSLContext | None = None) -> Generator[int]:
    """Serve on a free port of this machine, and yield the port."""
    server = Host(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
