"""The way out: a visit ends for the browser, and for whoever may have copied what the browser has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from recontact_mcp.remote.approval import views
from recontact_mcp.remote.approval.answering import form_of, told
from recontact_mcp.remote.approval.place import PATH, SIGN_OUT_PATH
from recontact_mcp.remote.approval.sessions import LEAVING
from recontact_mcp.remote.pages import html, page

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, Response

    from recontact_mcp.remote.approval.place import Place

_STAYS: Final = "This form is not of this visit, or is too old: you are still signed in. Open the page again."


class SigningOut:
    """The endpoint of leaving."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def routes(self) -> list[Route]:
        """Return the route; only a form of ours leads there."""
        return [Route(SIGN_OUT_PATH, self.leave, methods=["POST"])]

    @told
    async def leave(self, request: Request) -> Response:
        """End the visit, unless another site's page asks for it; who was not let in is out already."""
        decisions, sessions, session, now = await self._place.received(request, looking=True)
        if session is not None:
            form = await form_of(request)
            subject = sessions.subject(session, form.get("leaving", ""), now=now)
            if subject != LEAVING or request.headers.get("origin") not in self._place.origins:
                return views.trouble_page("You are still signed in", _STAYS, status=403)
            await self._place.end(decisions, session)
        answer = left(signs_in=self._place.sign_in is not None)
        sessions.forget(answer)
        return answer


def left(*, signs_in: bool) -> HTMLResponse:
    """Say that this browser is nobody any more, and what that does not end."""
    return page("Signed out", _TO_SIGN_IN if signs_in else _BY_LINK)


_TO_SIGN_IN: Final = html(
    '<p role="status">Nothing can be seen or decided here any more without signing in again.</p>'
    "<p>At the sign-in service this browser may still be known: on a machine that others use, sign out there, too.</p>"
    '<p><a href="{path}">Come back</a></p>',
    path=PATH,
)
_BY_LINK: Final = html(
    '<p role="status">Nothing can be seen or decided here any more without a new link.</p>'
    "<p>To come back, ask the assistant to repeat its call: it makes a new link. On a terminal of this machine,"
    " <code>recontact-mcp approve</code> and <code>recontact-mcp jobs</code> do without.</p>"
)
