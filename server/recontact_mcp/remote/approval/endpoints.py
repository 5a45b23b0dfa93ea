"""The approval page itself: what is shown about a plan, and what a person decides about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from recontact_mcp.remote.approval import entrance, views
from recontact_mcp.remote.approval.answering import STATUS, STRANGE, form_of, told
from recontact_mcp.remote.approval.entering import Entering, stranger
from recontact_mcp.remote.approval.passkeys import Passkeys
from recontact_mcp.remote.approval.place import PATH
from recontact_mcp.remote.approval.registering import Registering
from recontact_mcp.remote.approval.signing_out import SigningOut
from recontact_mcp.remote.approval.status import StatusPages
from recontact_mcp.remote.approval.views import Shown, Signing
from recontact_tools.deciding import PASSKEY, passkey_needed
from recontact_tools.errors import NotAllowed, NotFound, RateLimited
from recontact_tools.ledger import Standing
from recontact_tools.models import JobKind
from recontact_tools.rates import estimated

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from recontact_mcp.remote.approval.place import Place
    from recontact_mcp.remote.approval.sessions import Session, Sessions
    from recontact_tools.deciding import Decisions
    from recontact_tools.ledger import Approval, Passkey


class Pages:
    """The endpoints of one place."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._passkeys = Passkeys(place.base_url)

    def routes(self) -> list[Route]:
        """Return the routes of the place, and of the ways into it."""
        return [
            Route(PATH, self.show, methods=["GET"]),
            Route(PATH, self.decide, methods=["POST"]),
            *Entering(self._place).routes(),
            *SigningOut(self._place).routes(),
            *StatusPages(self._place).routes(),
            *(Registering(self._place).routes() if self._place.passkeys else []),
        ]

    @told
    async def show(self, request: Request) -> Response:
        """Show what is asked under a code, or ask for the code."""
        decisions, sessions, session, now = await self._place.received(request)
        code = request.query_params.get("code")
        if session is None:
            return stranger(self._place, code)
        visit = sessions.visit(session, now=now)
        if not code:
            return entrance.code_form(visit, PATH)
        try:
            approval = await decisions.find(code, who=session.principal)
        except (NotAllowed, NotFound, RateLimited) as error:
            status = STATUS[type(error)]
            return entrance.code_form(visit, PATH, trouble=f"{error.message} {error.next_step}", status=status)
        return self._shown(await self._seen(decisions, sessions, session, approval))

    @told
    async def decide(self, request: Request) -> Response:
        """Approve or deny what the form is about, once."""
        decisions, sessions, session, now = await self._place.received(request)
        if session is None:
            return stranger(self._place, None)
        form = await form_of(request)
        plan_id = sessions.subject(session, form.get("token", ""), now=now)
        if plan_id is None or request.headers.get("origin") not in self._place.origins:
            return views.trouble_page("Nothing was decided", STRANGE, status=403)
        try:
            approval = await self._decided(decisions, session, plan_id, form)
        except NotAllowed as error:
            seen = await decisions.plan(plan_id, who=session.principal)
            return self._shown(await self._seen(decisions, sessions, session, seen), trouble=error.message)
        return self._shown(await self._seen(decisions, sessions, session, approval))

    async def _decided(self, decisions: Decisions, session: Session, plan_id: str, form: dict[str, str]) -> Approval:
        who, method = session.principal, session.method
        if "approve" not in {form.get("decision"), form.get("chosen")}:
            return await decisions.deny(plan_id, who=who)
        keys = await self._keys(decisions, session)
        if keys:
            approvals, now = decisions.ledger.approvals, decisions.clock.now()
            nonce, answer = form.get("nonce", ""), form.get("passkey", "")
            if not await self._passkeys.proved(approvals, keys, plan_id, nonce, answer, now=now):
                raise passkey_needed()
            method = f"{method}+{PASSKEY}"
        return await decisions.approve(plan_id, who=who, typed=form.get("phrase", ""), method=method)

    async def _keys(self, decisions: Decisions, session: Session) -> tuple[Passkey, ...]:
        return await decisions.ledger.approvals.passkeys(session.principal) if self._place.passkeys else ()

    async def _signing(self, decisions: Decisions, session: Session, approval: Approval) -> Signing:
        """Return what the browser has to have signed before this plan may be approved."""
        now = decisions.clock.now()
        if approval.standing(now) is not Standing.AWAITING:
            return Signing()
        keys = await self._keys(decisions, session)
        if not keys:
            return Signing(missing=decisions.rules.passkey)
        plan_id = approval.plan.plan_id
        return Signing(await self._passkeys.to_approve(decisions.ledger.approvals, keys, plan_id, now=now))

    async def _seen(self, decisions: Decisions, sessions: Sessions, session: Session, approval: Approval) -> Shown:
        plan, now = approval.plan, decisions.clock.now()
        restoring = await estimated(
            decisions.ledger, {JobKind.UPLOAD: plan.count}, plan.group.account_id, pace=decisions.pace
        )
        token = sessions.form(session, plan.plan_id, now=now)
        signing = await self._signing(decisions, session, approval)
        visit = sessions.visit(session, now=now)
        return Shown(approval, approval.standing(now), visit, restoring, decisions.kept, token, signing)

    def _shown(self, shown: Shown, *, trouble: str | None = None) -> Response:
        if shown.standing is not Standing.AWAITING:
            return views.settled(shown)
        return views.decision(shown, PATH, trouble=trouble, status=200 if trouble is None else 409)
