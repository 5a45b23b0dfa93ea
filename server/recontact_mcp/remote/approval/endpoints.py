"""The requests of the approval pages: who is let in, what they are shown, and what they decide."""

from __future__ import annotations

from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from recontact_mcp.remote.approval import views
from recontact_mcp.remote.approval.place import LINK_PATH, PATH, SIGN_IN_PATH, SIGNED_IN_PATH, let_in_by
from recontact_mcp.remote.approval.signing_in import CannotTell
from recontact_mcp.remote.approval.views import Shown
from recontact_tools.errors import NotAllowed, NotFound, RateLimited, RecontactError
from recontact_tools.ledger import LedgerFault, Standing
from recontact_tools.models import JobKind
from recontact_tools.rates import estimated
from recontact_tools.sealing import KeyUnusable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from recontact_mcp.remote.approval.place import Place
    from recontact_mcp.remote.approval.sessions import Session, Sessions
    from recontact_tools.deciding import Decisions
    from recontact_tools.ledger import Approval

_SIGNING_IN: Final = "recontact-sign-in"
_BEGUN: Final = "signing in"
_SIGN_IN_LASTS: Final = timedelta(minutes=10)  # ours: to find the phone for the second factor
_STATUS: Final = {NotFound: 404, RateLimited: 429, NotAllowed: 409}


def told(endpoint: Callable[[Pages, Request], Awaitable[Response]]) -> Callable[[Pages, Request], Awaitable[Response]]:
    """Answer what goes wrong in our own words, and never with an error's text."""

    @wraps(endpoint)
    async def answering(self: Pages, request: Request) -> Response:
        try:
            return await endpoint(self, request)
        except RecontactError as error:
            status = _STATUS.get(type(error), 503)
            answer = views.trouble_page("That did not work", f"{error.message} {error.next_step}", status=status)
        except CannotTell:
            answer = views.trouble_page("Nobody can sign in now", _NO_ISSUER, status=503)
        except (LedgerFault, KeyUnusable, OSError):
            answer = views.trouble_page("That did not work", _NO_LEDGER, status=503)
        return answer

    return answering


_NO_ISSUER: Final = "The sign-in service gave no usable answer. Nothing was decided; try again in a minute."
_NO_LEDGER: Final = "The server cannot use its data now. Nothing was decided; tell whoever runs it."
_NOT_SIGNED_IN: Final = "The sign-in does not belong to this browser, or took too long. Open the page again."
_STRANGE: Final = "This form is not of this visit, or is too old. Nothing was decided; open the page again."


class Pages:
    """The endpoints of one place."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def routes(self) -> list[Route]:
        """Return the routes of the place; those of the ways in that it does not have are left out."""
        found = [Route(PATH, self.show, methods=["GET"]), Route(PATH, self.decide, methods=["POST"])]
        if self._place.links:
            found.append(Route(LINK_PATH, self.follow_link, methods=["GET"]))
        if self._place.sign_in is None:
            return found
        return [
            *found,
            Route(SIGN_IN_PATH, self.begin_signing_in, methods=["GET"]),
            Route(SIGNED_IN_PATH, self.finish_signing_in, methods=["GET"]),
        ]

    @told
    async def show(self, request: Request) -> Response:
        """Show what is asked under a code, or ask for the code."""
        decisions = await self._place.decisions()
        sessions, now = self._place.sessions(decisions), decisions.clock.now()
        session, code = sessions.of(request, now=now), request.query_params.get("code")
        if session is None:
            return self._stranger(code)
        if not code:
            return views.code_form(session.principal, PATH)
        try:
            approval = await decisions.find(code, who=session.principal)
        except (NotFound, RateLimited) as error:
            status = _STATUS[type(error)]
            return views.code_form(session.principal, PATH, trouble=error.message, status=status)
        return self._shown(await self._seen(decisions, sessions, session, approval))

    @told
    async def decide(self, request: Request) -> Response:
        """Approve or deny what the form is about, once."""
        decisions = await self._place.decisions()
        sessions, now = self._place.sessions(decisions), decisions.clock.now()
        session = sessions.of(request, now=now)
        if session is None:
            return self._stranger(None)
        form = {name: str(value) for name, value in (await request.form()).items()}
        plan_id = sessions.subject(session, form.get("token", ""), now=now)
        if plan_id is None or request.headers.get("origin") not in self._place.origins:
            return views.trouble_page("Nothing was decided", _STRANGE, status=403)
        try:
            approval = await self._decided(decisions, session, plan_id, form)
        except NotAllowed as error:
            seen = await decisions.plan(plan_id, who=session.principal)
            return self._shown(await self._seen(decisions, sessions, session, seen), trouble=error.message)
        return self._shown(await self._seen(decisions, sessions, session, approval))

    async def _decided(self, decisions: Decisions, session: Session, plan_id: str, form: dict[str, str]) -> Approval:
        who = session.principal
        if form.get("decision") != "approve":
            return await decisions.deny(plan_id, who=who)
        return await decisions.approve(plan_id, who=who, typed=form.get("phrase", ""), method=session.method)

    @told
    async def follow_link(self, request: Request) -> Response:
        """Let whoever opens the link first in."""
        decisions = await self._place.decisions()
        principal = await let_in_by(request.query_params.get("key", ""), decisions)
        if principal is None:
            return self._stranger(None)
        answer = RedirectResponse(_with_code(PATH, request.query_params.get("code")), status_code=303)
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
        said = {**kept, "code": request.query_params.get("code", "")[:20]}
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
            return views.trouble_page("Nobody was signed in", _NOT_SIGNED_IN, status=403)
        answer = RedirectResponse(_with_code(PATH, begun["code"]), status_code=303)
        answer.delete_cookie(name, path="/", secure=sessions.secure, httponly=True, samesite="lax")
        sessions.begin(answer, principal, "oidc", now=now)
        return answer

    def _stranger(self, code: str | None) -> Response:
        if self._place.sign_in is not None:
            return views.sign_in(_with_code(SIGN_IN_PATH, code))
        return views.link_needed() if self._place.links else views.nobody_can()

    async def _seen(self, decisions: Decisions, sessions: Sessions, session: Session, approval: Approval) -> Shown:
        plan, now = approval.plan, decisions.clock.now()
        restoring = await estimated(
            decisions.ledger, {JobKind.UPLOAD: plan.count}, plan.group.account_id, pace=decisions.pace
        )
        token = sessions.form(session, plan.plan_id, now=now)
        return Shown(approval, approval.standing(now), session.principal, restoring, decisions.kept, token)

    def _shown(self, shown: Shown, *, trouble: str | None = None) -> Response:
        if shown.standing is not Standing.AWAITING:
            return views.settled(shown)
        return views.decision(shown, PATH, trouble=trouble, status=200 if trouble is None else 409)


def _with_code(path: str, code: str | None) -> str:
    return f"{path}?{urlencode({'code': code})}" if code else path
