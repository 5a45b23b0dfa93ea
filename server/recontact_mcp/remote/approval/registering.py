"""Registering a passkey: for who is signed in and was given a code for it by whoever runs the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from recontact_mcp.remote.approval import views
from recontact_mcp.remote.approval.answering import STRANGE, form_of, told
from recontact_mcp.remote.approval.entering import stranger
from recontact_mcp.remote.approval.passkeys import Passkeys
from recontact_mcp.remote.approval.place import PASSKEY_PATH, PATH, may_enrol
from recontact_mcp.remote.approval.views import TROUBLE, alert, visit_of
from recontact_mcp.remote.pages import html, page

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, Response

    from recontact_mcp.remote.approval.passkeys import Challenge
    from recontact_mcp.remote.approval.place import Place
    from recontact_mcp.remote.approval.sessions import Session, Sessions, Visit
    from recontact_tools.deciding import Decisions

_FORM: Final = "a new passkey"
_REFUSED: Final = "The code is not yours or was used, or the device did not answer as asked. Nothing was registered."


class Registering:
    """The endpoints of registration."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._passkeys = Passkeys(place.base_url)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route(PASSKEY_PATH, self.show, methods=["GET"]),
            Route(PASSKEY_PATH, self.register, methods=["POST"]),
        ]

    @told
    async def show(self, request: Request) -> Response:
        """Show the form, to whoever is signed in."""
        decisions, sessions, session, _ = await self._place.received(request)
        if session is None:
            return stranger(self._place, None)
        return await self._asked(decisions, sessions, session)

    @told
    async def register(self, request: Request) -> Response:
        """Keep a passkey for whom the code was made."""
        decisions, sessions, session, now = await self._place.received(request)
        if session is None:
            return stranger(self._place, None)
        form = await form_of(request)
        subject = sessions.subject(session, form.get("token", ""), now=now)
        if subject != _FORM or request.headers.get("origin") not in self._place.origins:
            return views.trouble_page("Nothing was registered", STRANGE, status=403)
        await decisions.check_attempts(f"enrolment {session.principal}")
        if not await self._kept(decisions, session.principal, form):
            return await self._asked(decisions, sessions, session, trouble=_REFUSED)
        return registered()

    async def _kept(self, decisions: Decisions, who: str, form: dict[str, str]) -> bool:
        approvals, now = decisions.ledger.approvals, decisions.clock.now()
        if not await may_enrol(approvals, who, form.get("enrolment", ""), now=now):
            return False
        return await self._passkeys.register(approvals, who, form.get("nonce", ""), form.get("passkey", ""), now=now)

    async def _asked(
        self, decisions: Decisions, sessions: Sessions, session: Session, *, trouble: str | None = None
    ) -> Response:
        approvals, now = decisions.ledger.approvals, decisions.clock.now()
        challenge = await self._passkeys.to_register(approvals, session.principal, now=now)
        token = sessions.form(session, _FORM, now=now)
        status = 200 if trouble is None else 403
        visit = sessions.visit(session, now=now)
        return registration(visit, token, challenge, trouble=trouble, status=status)


REGISTER: Final = """
const form = document.getElementById('register');
form.addEventListener('submit', async event => {
  event.preventDefault();
  try {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(JSON.parse(form.dataset.options));
    const answer = await navigator.credentials.create({ publicKey });
    form.elements.passkey.value = JSON.stringify(answer.toJSON());
    form.submit();
  } catch {
    document.getElementById('passkey-trouble').hidden = false;
  }
});
"""


def registration(
    visit: Visit, token: str, challenge: Challenge, *, trouble: str | None = None, status: int = 200
) -> HTMLResponse:
    """Ask for the code with which a passkey may be registered, and for the passkey."""
    body = html(
        "{trouble}{silent}"
        '<form method="post" id="register" class="panel" data-options="{options}">'
        '<input type="hidden" name="token" value="{token}"><input type="hidden" name="nonce" value="{nonce}">'
        '<input type="hidden" name="passkey"><label for="enrolment">Enrolment code</label>'
        '<input id="enrolment" name="enrolment" required autocomplete="off" spellcheck="false" maxlength="100"'
        ' aria-describedby="enrolment-hint"><p class="hint" id="enrolment-hint">From whoever runs this server.</p>'
        "<button>Register this device</button></form>{visit}",
        trouble=alert(trouble),
        silent=TROUBLE,
        visit=visit_of(visit),
        options=challenge.options,
        token=token,
        nonce=challenge.nonce,
    )
    return page("Register a passkey", body, status=status, script=REGISTER)


def registered() -> HTMLResponse:
    """Say that a passkey is registered."""
    body = html(
        '<p role="status">From now on it is asked for when you approve. <a href="{path}">Go on</a></p>', path=PATH
    )
    return page("Passkey registered", body)
