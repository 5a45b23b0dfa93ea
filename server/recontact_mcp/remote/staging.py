"""Files that people send: a single-use address for a PUT, and a page for whoever has no terminal.

The address is a capability: whoever knows its secret may send one file, and hear what became of that, but read nothing.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route

from recontact_mcp.data_directory import anticipating_faults
from recontact_mcp.remote import staging_answers as answers
from recontact_mcp.remote.staging_page import staging_page
from recontact_tools.errors import RecontactError
from recontact_tools.receiving import awaited_by, fate_of, receive

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.types import Receive, Scope, Send

    from recontact_mcp.remote.parts import Parts
    from recontact_mcp.remote.staging_answers import Answer
    from recontact_tools.ledger import Ticket
    from recontact_tools.runtime import Runtime

PATH = "/staged"
# The page sends its secret in a header of its own: so it stands in no log, and no page of another site can send it.
SECRET_HEADER = "recontact-upload"  # noqa: S105 - a name
# ours: five megabytes each while they arrive; more people than that seldom send a file within the same second.
AT_ONCE = 16
# ours: a person sends one file at a time, and must not take the places of all others.
AT_ONCE_EACH = 4


def routes(parts: Parts) -> list[BaseRoute]:
    """Return the routes of staged files; each answers every method, so that no address tells what it is for."""
    door = Door(parts)
    return [Route(f"{PATH}/{{secret}}", endpoint=door), Route(PATH, endpoint=door)]


class Door:
    """Where files come in: a file for a ticket that waits for one, and otherwise one uniform refusal."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._arriving: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            response = await self._response(request)
        except ClientDisconnect:  # nobody is there to be answered, and nothing was kept
            return
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        in_path, in_header = request.path_params.get("secret"), request.headers.get(SECRET_HEADER)
        looks = in_path is None and request.method in {"GET", "HEAD"}
        if looks and in_header is None:
            return staging_page(self._parts.settings)
        answer = answers.NO_SUCH_ADDRESS
        if looks or request.method == "PUT":
            answer = await self._answered(request, in_path or in_header or "", looks=looks)
        return answers.response(answer, accept=request.headers.get("accept", ""))

    async def _answered(self, request: Request, secret: str, *, looks: bool) -> Answer:
        try:
            with anticipating_faults():
                runtime = await self._parts.opening.receiving()
                with self._parts.strangers.trying(request.scope.get("client")) as one:
                    fate = await fate_of(runtime, secret) if looks else None
                    ticket = None if looks else await awaited_by(runtime, secret)
                    one.proved = (fate or ticket) is not None
                if fate is not None:
                    return answers.fate(*fate)
                if ticket is None:
                    return answers.NO_SUCH_ADDRESS
                return answers.refusal_of(request.headers, ticket) or await self._taken(request, runtime, ticket)
        except RecontactError as refusal:
            return answers.refused(refusal)

    async def _taken(self, request: Request, runtime: Runtime, ticket: Ticket) -> Answer:
        if self._arriving.total() >= AT_ONCE or self._arriving[ticket.principal] >= AT_ONCE_EACH:
            return answers.BUSY
        try:
            with self._place(ticket.principal):
                received = await receive(runtime, ticket, self._chunks(request))
        except TimeoutError:
            return answers.TOO_SLOW
        return answers.NO_SUCH_ADDRESS if received is None else answers.received(received)

    async def _chunks(self, request: Request) -> AsyncGenerator[bytes]:
        """Yield the body as it comes, as long as it does come.

        Raises:
            TimeoutError: It came too slowly.
            ClientDisconnect: It broke off.
        """
        began, received, more = anyio.current_time(), 0, True
        while more:
            deadline = self._parts.limits.body_deadline(began, received)
            with anyio.fail_after(deadline - anyio.current_time()):
                message = await request.receive()
            if message["type"] != "http.request":
                raise ClientDisconnect
            chunk, more = message.get("body", b""), message.get("more_body", False)
            received += len(chunk)
            yield chunk

    @contextmanager
    def _place(self, principal: str) -> Generator[None]:
        self._arriving[principal] += 1
        try:
            yield
        finally:
            self._arriving[principal] -= 1
            self._arriving += Counter()  # forgets who sends nothing
