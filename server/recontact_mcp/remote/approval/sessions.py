"""Who sits at the browser, for a few minutes: a sealed cookie of ours, and a token in every form."""

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
_KIND: Final = "session"
_NAME: Final = "recontact-approval"


@dataclass(frozen=True, slots=True)
class Session:
    """A person, by what they were known, and the name of this visit."""

    principal: str
    method: str
    visit: str


@dataclass(frozen=True, slots=True)
class Sessions:
    """Reads and writes the cookies of one place; only over https can they be kept from everything else on the host."""

    tokens: Tokens
    secure: bool

    def named(self, name: str) -> str:
        """Return a cookie's name; the prefix makes browsers refuse it from any other origin, path or scheme."""
        return f"__Host-{name}" if self.secure else name

    def of(self, request: Request, *, now: datetime) -> Session | None:
        """Return whose request this is; None for a stranger."""
        said = self.tokens.read(_KIND, request.cookies.get(self.named(_NAME)), now=now)
        return None if said is None else Session(said["principal"], said["method"], said["visit"])

    def begin(self, response: Response, principal: str, method: str, *, now: datetime) -> None:
        """Let a person in."""
        said = {"principal": principal, "method": method, "visit": secrets.token_urlsafe(16)}
        self.set(response, _NAME, self.tokens.made(_KIND, said, now=now, lasts=SESSION_LASTS))

    def set(self, response: Response, name: str, value: str) -> None:
        """Set a cookie that no script reads and no other site's page sends with a form."""
        response.set_cookie(
            self.named(name),
            value,
            max_age=int(SESSION_LASTS.total_seconds()),
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def form(self, session: Session, subject: str, *, now: datetime) -> str:
        """Return the token of a form about one *subject*, which is worth nothing in any other visit."""
        said = {"visit": session.visit, "subject": subject}
        return self.tokens.made("form", said, now=now, lasts=SESSION_LASTS)

    def subject(self, session: Session, text: str, *, now: datetime) -> str | None:
        """Return what a form's token is about; None if it is not of this visit."""
        said = self.tokens.read("form", text, now=now)
        if said is None or not hmac.compare_digest(said["visit"], session.visit):
            return None
        return said["subject"]
