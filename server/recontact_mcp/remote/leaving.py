"""Clients that go away: what runs for them alone ends with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from recontact_mcp.remote.bodies import body_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


async def until_gone(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a request whose body is read; cancel it when its client hangs up."""
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_watch, receive, group.cancel_scope)
        try:
            await app(scope, _Read(body_of(scope)), send)
        except Exception as error:  # noqa: BLE001 - a group would wrap it
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _watch(receive: Receive, serving: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    serving.cancel()


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
