"""Who sits at the browser: for minutes to decide, for an hour to look; sealed cookies, and a token in every form."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from recontact_mcp.remote.approval.tokens import Tokens

# ours: enough to read and to type; whoever comes back later signs in again.
SESSION_LASTS: Final = timedelta(minutes=10)
# ours: as long as Cint takes for the largest list; whoever only looks need not sign in again meanwhile.
LOOKING_LASTS: Final = timedelta(hours=1)
_KIND: Final = "session"
_NAME: Final = "recontact-approval"
_LOOKING_KIND: Final = "looking"
_LOOKING_NAME: Final = "recontact-status"
LEAVING: Final = "the end of a visit"


@dataclass(frozen=True, slots=True)
class Session:
    """A person, by what they were known, and the name of this visit."""

    principal: str
    method: str
    visit: str


@dataclass(frozen=True, slots=True)
class Visit:
    """Who looks at a page, and the token of the form that ends their visit."""

    viewer: str
    leaving: str


@dataclass(frozen=True, slots=True)
class Sessions:
    """Reads and writes the cookies of one place; only over https can they be kept from everything else on the host."""

    tokens: Tokens
    secure: bool

    def named(self, name: str) -> str:
        """Return a cookie's name; the prefix makes browsers refuse it from any other origin, path or scheme."""
        return f"__Host-{name}" if self.secure else name

    def of(self, request: Request, *, now: datetime) -> Session | None:
        """Return whose request this is, who may decide; None for a stranger."""
        return self._read(_KIND, _NAME, request, now)

    def looking(self, request: Request, *, now: datetime) -> Session | None:
        """Return whose request this is, who may only look; None for a stranger."""
        return self._read(_LOOKING_KIND, _LOOKING_NAME, request, now)

    def _read(self, kind: str, name: str, request: Request, now: datetime) -> Session | None:
        said = self.tokens.read(kind, request.cookies.get(self.named(name)), now=now)
        return None if said is None else Session(said["principal"], said["method"], said["visit"])

    def begin(self, response: Response, principal: str, method: str, *, now: datetime) -> None:
        """Let a person in: to decide for a few minutes, to look for longer."""
        said = {"principal": principal, "method": method, "visit": secrets.token_urlsafe(16)}
        self.set(response, _NAME, self.tokens.made(_KIND, said, now=now, lasts=SESSION_LASTS))
        looking = self.tokens.made(_LOOKING_KIND, said, now=now, lasts=LOOKING_LASTS)
        self.set(response, _LOOKING_NAME, looking, lasts=LOOKING_LASTS)

    def forget(self, response: Response) -> None:
        """Let the browser forget whom it was let in as."""
        for name in (_NAME, _LOOKING_NAME):
            self.unset(response, name)

    def unset(self, response: Response, name: str) -> None:
        """Delete a cookie of ours."""
        response.delete_cookie(self.named(name), path="/", secure=self.secure, httponly=True, samesite="lax")

    def set(self, response: Response, name: str, value: str, *, lasts: timedelta = SESSION_LASTS) -> None:
        """Set a cookie that no script reads and no other site's page sends with a form."""
        response.set_cookie(
            self.named(name),
            value,
            max_age=int(lasts.total_seconds()),
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def form(self, session: Session, subject: str, *, now: datetime, lasts: timedelta = SESSION_LASTS) -> str:
        """Return the token of a form about one *subject*, which is worth nothing in any other visit."""
        said = {"visit": session.visit, "subject": subject}
        return self.tokens.made("form", said, now=now, lasts=lasts)

    def visit(self, session: Session, *, now: datetime) -> Visit:
        """Return who looks, with the token of the form that ends their visit."""
        return Visit(session.principal, self.form(session, LEAVING, now=now, lasts=LOOKING_LASTS))

    def subject(self, session: Session, text: str, *, now: datetime) -> str | None:
        """Return what a form's token is about; None if it is not of this visit."""
        said = self.tokens.read("form", text, now=now)
        if said is None or not hmac.compare_digest(said["visit"], session.visit):
            return None
        return said["subject"]
