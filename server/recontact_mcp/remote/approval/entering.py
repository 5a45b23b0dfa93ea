"""The ways in: a link that works once, or signing in at the issuer."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from recontact_mcp.remote.approval import entrance, views
from recontact_mcp.remote.approval.answering import NOT_SIGNED_IN, told, with_query
from recontact_mcp.remote.approval.place import LINK_PATH, PATH, SIGN_IN_PATH, SIGNED_IN_PATH, let_in_by

if TYPE_CHECKING:
    from starlette.requests import Request

    from recontact_mcp.remote.approval.place import Place

_SIGNING_IN: Final = "recontact-sign-in"
_BEGUN: Final = "signing in"
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

    def routes(self) -> list[Route]:
        """Return the routes of the ways in that the place has."""
        links = [Route(LINK_PATH, self.follow_link, methods=["GET"])] if self._place.links else []
        if self._place.sign_in is None:
            return links
        return [
            *links,
            Route(SIGN_IN_PATH, self.begin_signing_in, methods=["GET"]),
            Route(SIGNED_IN_PATH, self.finish_signing_in, methods=["GET"]),
        ]

    @told
    async def follow_link(self, request: Request) -> Response:
        """Let whoever opens the link first in."""
        decisions = await self._place.decisions()
        principal = await let_in_by(request.query_params.get("key", ""), decisions)
        if principal is None:
            return stranger(self._place, None)
        answer = RedirectResponse(with_query(PATH, code=request.query_params.get("code")), status_code=303)
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
        begun = sessions.tokens.read(_BEGUN, request.cookies.get(name), now=now)
        principal = None if begun is None else await sign_in.finish(dict(request.query_params), begun)
        if begun is None or principal is None:
            return views.trouble_page("Nobody was signed in", NOT_SIGNED_IN, status=403)
        answer = RedirectResponse(begun["to"] or with_query(PATH, code=begun["code"]), status_code=303)
        sessions.unset(answer, _SIGNING_IN)
        sessions.begin(answer, principal, "oidc", now=now)
        return answer
