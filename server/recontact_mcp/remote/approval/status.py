"""What waits and runs, for whoever is signed in: their own jobs and plans, and what they may decide about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse
from starlette.routing import Route

from recontact_mcp.history import history, line_of
from recontact_mcp.remote.approval import status_views, views
from recontact_mcp.remote.approval.answering import told
from recontact_mcp.remote.approval.entering import stranger
from recontact_mcp.remote.approval.place import STATUS_PATH
from recontact_mcp.remote.approval.status_views import Decidable

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from recontact_mcp.remote.approval.place import Place
    from recontact_mcp.remote.approval.status_views import News

LAST: Final = 20  # ours: a few screens of a phone; the command line shows more
_NONE: Final = "There is no such job of yours. What you asked assistants for, and what runs, the list shows."


class StatusPages:
    """The endpoints of the list and of one job; each answers a script of ours in JSON with what has changed."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(STATUS_PATH, self.everything, methods=["GET"]),
            Route(f"{STATUS_PATH}/{{work_id}}", self.one, methods=["GET"]),
        ]

    @told
    async def everything(self, request: Request) -> Response:
        """Show what waits and runs, and what has ended lately."""
        decisions, sessions, session, now = await self._place.received(request, looking=True)
        if session is None:
            return stranger(self._place, None, to=request.url.path)
        who = session.principal
        started = await history(decisions.ledger, principal=who, last=LAST, now=now, pace=decisions.pace)
        lines = tuple(line for line in started if decisions.sees(who, line.group))
        found = await decisions.pending(who=who)
        pending = tuple(Decidable(one, one.standing(now), decisions.may(one, who=who)) for one in found)
        news = status_views.news_of_all(pending, lines)
        if _wants_news(request):
            return _told(news)
        return status_views.overview(sessions.visit(session, now=now), pending, lines, news)

    @told
    async def one(self, request: Request) -> Response:
        """Show one job, to whoever asked for it and to nobody else."""
        decisions, sessions, session, now = await self._place.received(request, looking=True)
        if session is None:
            return stranger(self._place, None, to=request.url.path)
        line = await line_of(decisions.ledger, request.path_params["work_id"], now=now, pace=decisions.pace)
        if line is None or line.principal != session.principal or not decisions.sees(line.principal, line.group):
            return views.trouble_page("No such job", _NONE, status=404)
        news = status_views.news_of_one(line)
        visit = sessions.visit(session, now=now)
        return _told(news) if _wants_news(request) else status_views.job(visit, line, news)


def _wants_news(request: Request) -> bool:
    return request.headers.get("accept") == "application/json"


def _told(news: News) -> Response:
    said = {"texts": dict(news.texts), "told": news.told, "shown": news.shown, "changing": news.changing}
    return JSONResponse(said, headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
