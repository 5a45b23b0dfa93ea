"""Clients that go away: what runs for them alone ends with them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio

from recontact_mcp.remote.bodies import body_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# ours: nearly all calls have ended by then, and a task for each of them would cost them a tenth of their time.
LOOK_SECONDS: Final = 0.25


@dataclass(eq=False, slots=True)
class _Request:
    """One request under way; *watch* is what waits for its client to go, once it has lasted for a while."""

    receive: Receive
    serving: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    watch: anyio.CancelScope | None = None
    seen: bool = False

    async def watched(self, watch: anyio.CancelScope) -> None:
        """Cancel the request when its client hangs up."""
        with watch:
            while (await self.receive())["type"] != "http.disconnect":
                pass
            self.serving.cancel()


class Leaving:
    """Serves requests whose body is read, and cancels those that last when their clients hang up."""

    def __init__(self) -> None:
        self._requests: set[_Request] = set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Look after requests for as long as the block lasts."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._look, group)
            yield
            group.cancel_scope.cancel()

    async def serve(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = _Request(receive)
        self._requests.add(request)
        try:
            with request.serving:
                await app(scope, _Read(body_of(scope)), send)
        finally:
            self._requests.discard(request)
            if request.watch is not None:
                request.watch.cancel()

    async def _look(self, group: anyio.abc.TaskGroup) -> None:
        while True:
            await anyio.sleep(LOOK_SECONDS)
            for request in self._requests:
                if request.seen and request.watch is None:
                    request.watch = anyio.CancelScope()
                    group.start_soon(request.watched, request.watch)
                request.seen = True


class _Read:
    """What an application receives of a body that is read: all of it, and then nothing more."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body

    async def __call__(self) -> Message:
        """Return the body; there is nothing else to come."""
        if self._body is None:
            await anyio.sleep_forever()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}
