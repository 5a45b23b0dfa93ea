"""The ways in: a link that works once, or signing in at the issuer."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from recontact_mcp.remote.approval import entrance, views
from recontact_mcp.remote.approval.answering import NOT_SIGNED_IN, STRANGE, form_of, told, with_query
from recontact_mcp.remote.approval.place import LINK_PATH, PATH, SIGN_IN_PATH, SIGNED_IN_PATH, let_in_by
from recontact_mcp.remote.approval.signing_in import CannotTell, NotGranted
from recontact_mcp.remote.strangers import Once
from recontact_tools.errors import RateLimited

if TYPE_CHECKING:
    from starlette.requests import Request

    from recontact_mcp.remote.addresses import Client
    from recontact_mcp.remote.approval.place import Place
    from recontact_mcp.remote.approval.signing_in import SignIn

_SIGNING_IN: Final = "recontact-sign-in"
_BEGUN: Final = "signing in"
# ours: a megabyte. A stranger who begins more sign-ins has to wait for a place to ask for each of them.
_ENDED_MAX: Final = 4_096
_SIGN_IN_LASTS: Final = timedelta(minutes=10)  # ours: to find the phone for the second factor


# Where somebody may be sent after signing in, besides to the approval page: to what waits and runs, or to one job.
_TO: Final = re.compile(r"/status(/[0-9A-Za-z-]{1,64})?")


def stranger(place: Place, code: str | None, *, to: str | None = None) -> Response:
    """Tell whoever is not let in how they would be; *to* is the page of status that they are sent to then."""
    if place.sign_in is not None:
        return entrance.sign_in(with_query(SIGN_IN_PATH, code=code, to=to), looking=to is not None)
    return entrance.link_needed() if place.links else entrance.nobody_can()


def _to(request: Request) -> str:
    """Return where a stranger wanted to go, if it is one of our pages."""
    wanted = request.query_params.get("to", "")
    return wanted if _TO.fullmatch(wanted) else ""


class Entering:
    """The endpoints that let people in."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._ended = Once(_ENDED_MAX)

    def routes(self) -> list[Route]:
        """Return the routes of the ways in that the place has."""
        links = [
            Route(LINK_PATH, self.show_link, methods=["GET"]),
            Route(LINK_PATH, self.follow_link, methods=["POST"]),
        ]
        signing_in = [
            Route(SIGN_IN_PATH, self.begin_signing_in, methods=["GET"]),
            Route(SIGNED_IN_PATH, self.finish_signing_in, methods=["GET"]),
        ]
        return [*(links if self._place.links else ()), *(signing_in if self._place.sign_in is not None else ())]

    @told
    async def show_link(self, request: Request) -> Response:
        """Have the browser follow the link: who only looks at it, as programs do beforehand, does not use it up."""
        return entrance.link(LINK_PATH, request.query_params.get("key", ""), request.query_params.get("code", ""))

    @told
    async def follow_link(self, request: Request) -> Response:
        """Let whoever follows the link first in."""
        decisions, form = await self._place.decisions(), await form_of(request)
        if request.headers.get("origin") not in self._place.origins:
            return views.trouble_page("Nobody was let in", STRANGE, status=403)
        with self._place.strangers.trying(request.scope.get("client")) as one:
            principal = await let_in_by(form.get("key", ""), decisions)
            one.proved = principal is not None
        if principal is None:
            return stranger(self._place, None)
        answer = RedirectResponse(with_query(PATH, code=form.get("code")), status_code=303)
        self._place.sessions(decisions).begin(answer, principal, "link", now=decisions.clock.now())
        return answer

    @told
    async def begin_signing_in(self, request: Request) -> Response:
        """Send the browser to the issuer, with what it must bring back in a cookie."""
        decisions = await self._place.decisions()
        sessions, now = self._place.sessions(decisions), decisions.clock.now()
        sign_in = self._place.sign_in
        if sign_in is None:
            raise AssertionError("there is no such route")
        begun = await sign_in.begin()
        kept = {"state": begun.state, "nonce": begun.nonce, "verifier": begun.verifier}
        said = {**kept, "code": request.query_params.get("code", "")[:20], "to": _to(request)}
        answer = RedirectResponse(begun.url, status_code=303, headers={"Cache-Control": "no-store"})
        sessions.set(answer, _SIGNING_IN, sessions.tokens.made(_BEGUN, said, now=now, lasts=_SIGN_IN_LASTS))
        return answer

    @told
    async def finish_signing_in(self, request: Request) -> Response:
        """Let in whom the issuer says it is."""
        decisions = await self._place.decisions()
        sessions, now = self._place.sessions(decisions), decisions.clock.now()
        sign_in, name = self._place.sign_in, sessions.named(_SIGNING_IN)
        if sign_in is None:
            raise AssertionError("there is no such route")
        brought, begun = dict(request.query_params), sessions.tokens.read(_BEGUN, request.cookies.get(name), now=now)
        principal = None
        if begun is not None and sign_in.belongs(brought, begun):
            principal = await self._asked(sign_in, brought, begun, request.scope.get("client"))
        if begun is None or principal is None:
            return views.trouble_page("Nobody was signed in", NOT_SIGNED_IN, status=403)
        answer = RedirectResponse(begun["to"] or with_query(PATH, code=begun["code"]), status_code=303)
        sessions.unset(answer, _SIGNING_IN)
        sessions.begin(answer, principal, "oidc", now=now)
        return answer

    async def _asked(
        self, sign_in: SignIn, brought: dict[str, str], begun: dict[str, str], client: Client
    ) -> str | None:
        """Ask the issuer who has signed in, once for each sign-in that was begun.

        Raises:
            RateLimited: Too many strangers ask, from there or at once.
            CannotTell: The issuer gave no usable answer.
        """
        with self._place.strangers.trying(client) as one:
            one.proved = False
            try:
                principal = await self._finished(sign_in, brought, begun, client)
            except NotGranted:
                return None
            except (CannotTell, RateLimited):
                one.proved = None
                raise
            one.proved = principal is not None
        return principal

    async def _finished(
        self, sign_in: SignIn, brought: dict[str, str], begun: dict[str, str], client: Client
    ) -> str | None:
        async with self._place.strangers.sign_ins.asking(client):
            return await sign_in.finish(brought, begun) if self._ended.is_first(begun["state"]) else None
