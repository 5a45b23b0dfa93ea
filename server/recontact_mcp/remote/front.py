"""What every request passes first: only under our own names, and only with headers of a bearable size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recontact_mcp.remote.refusals import refusal, too_large, wrong_name

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from recontact_mcp.remote.limits import Limits
    from recontact_mcp.remote.names import Names
    from recontact_tools.ending import Ending


class Front:
    """Checks the host, the origin and the size of what every request brings, and lets go of clients at the end."""

    def __init__(self, app: ASGIApp, names: Names, limits: Limits, ending: Ending) -> None:
        self._app = app
        self._hosts = frozenset(host.encode("latin-1") for host in names.hosts)
        self._origins = frozenset(origin.encode("latin-1") for origin in names.origins)
        self._limits = limits
        self._ending = ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = self._refused(scope)
        if refused is not None:
            await refused(scope, receive, send)
            return
        # source: RFC 9110 5.5: blanks around a value are none of it; the parser leaves the last ones there
        scope["headers"] = [(name, value.strip(b" \t")) for name, value in scope["headers"]]
        await self._app(scope, receive, _parting(send) if self._ending.announced else send)

    def _refused(self, scope: Scope) -> Response | None:
        limits, headers = self._limits, scope["headers"]
        size = sum(len(name) + len(value) for name, value in headers)
        if len(headers) > limits.headers or size > limits.header_bytes:
            most = f"{limits.headers} headers of {limits.header_bytes} bytes in all"
            return refusal(scope, 431, too_large("The head", most), close=True)
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > limits.url_bytes:
            return refusal(scope, 414, too_large("The URL", f"{limits.url_bytes} bytes"), close=True)
        return self._misnamed(scope)

    def _misnamed(self, scope: Scope) -> Response | None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return refusal(scope, 421, wrong_name(), close=True)
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        if any(origin not in self._origins for origin in origins):
            return refusal(scope, 403, wrong_name())
        return None


def _parting(send: Send) -> Send:
    """Let a client of a server that is ending go elsewhere with its next request."""

    async def parting(message: Message) -> None:
        if message["type"] == "http.response.start":
            others = [(name, value) for name, value in message.get("headers", []) if name.lower() != b"connection"]
            message["headers"] = [*others, (b"connection", b"close")]
        await send(message)

    return parting
