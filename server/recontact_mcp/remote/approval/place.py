"""A place where people decide in a browser: one on the server's own address, or one on this machine alone."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from recontact_mcp.remote.approval.sessions import LOOKING_LASTS, Sessions
from recontact_mcp.remote.approval.tokens import Tokens
from recontact_mcp.remote.strangers import Strangers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from starlette.requests import Request

    from recontact_mcp.remote.approval.sessions import Session
    from recontact_mcp.remote.approval.signing_in import SignIn
    from recontact_tools.deciding import Decisions
    from recontact_tools.ledger import Approvals

PATH: Final = "/approve"
LINK_PATH: Final = f"{PATH}/link"
SIGN_IN_PATH: Final = f"{PATH}/sign-in"
PASSKEY_PATH: Final = f"{PATH}/passkey"
SIGNED_IN_PATH: Final = f"{PATH}/signed-in"
SIGN_OUT_PATH: Final = f"{PATH}/sign-out"
STATUS_PATH: Final = "/status"
ENROLMENT_LASTS: Final = timedelta(hours=1)  # ours: to hand it over in person
# ours: as long as an approval may take; it works once, whoever comes first.
LINK_LASTS: Final = timedelta(minutes=30)
_LINK: Final = "link"
_ENROL: Final = "enrol"
_ENDED: Final = "ended visit"


class Received(NamedTuple):
    """What decides, what reads cookies and forms, who has come (None: a stranger), and when."""

    decisions: Decisions
    sessions: Sessions
    session: Session | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is, from which origins its forms come, and how people are let in: by signing in, or by *links*.

    *passkeys* is whether people who sign in may register passkeys, which they are then asked for.
    """

    base_url: str
    origins: frozenset[str]
    decisions: Callable[[], Awaitable[Decisions]]
    sign_in: SignIn | None = None
    links: bool = False
    passkeys: bool = False
    strangers: Strangers = field(default_factory=Strangers)

    @property
    def secure(self) -> bool:
        """Whether browsers reach it over https."""
        return self.base_url.startswith("https://")

    def sessions(self, decisions: Decisions) -> Sessions:
        """Return what reads and writes its cookies."""
        return Sessions(Tokens.under(decisions.seal), secure=self.secure)

    async def _visitor(self, decisions: Decisions, request: Request, *, looking: bool = False) -> Session | None:
        """Return who has signed in and not out again, to decide or only *looking*; None for a stranger."""
        sessions, now = self.sessions(decisions), decisions.clock.now()
        session = sessions.looking(request, now=now) if looking else sessions.of(request, now=now)
        ended = decisions.ledger.approvals.issued
        if session is None or await ended(digest_of(session.visit), _ENDED, now=now):
            return None
        return session

    async def received(self, request: Request, *, looking: bool = False) -> Received:
        """Return what an endpoint begins with."""
        decisions = await self.decisions()
        session = await self._visitor(decisions, request, looking=looking)
        return Received(decisions, self.sessions(decisions), session, decisions.clock.now())

    async def end(self, decisions: Decisions, session: Session) -> None:
        """End a visit, whoever still has its cookies."""
        now, issue = decisions.clock.now(), decisions.ledger.approvals.issue
        await issue(digest_of(session.visit), _ENDED, session.principal, now=now, expires_at=now + LOOKING_LASTS)

    async def link(self, code: str, principal: str) -> str:
        """Make a link that lets whoever opens it first in as *principal*, with the code filled in."""
        decisions, secret = await self.decisions(), secrets.token_urlsafe(32)
        now = decisions.clock.now()
        await decisions.ledger.approvals.issue(
            digest_of(secret), _LINK, principal, now=now, expires_at=now + LINK_LASTS
        )
        return f"{self.base_url}{LINK_PATH}?key={secret}&code={code}"


async def let_in_by(key: str, decisions: Decisions) -> str | None:
    """Return whom a link lets in, and use it up; None if it was used, has expired, or never was."""
    return await decisions.ledger.approvals.redeem(digest_of(key), _LINK, now=decisions.clock.now())


async def enrolment(approvals: Approvals, principal: str, *, now: datetime, lasts: timedelta) -> str:
    """Make a code with which a principal may register a passkey, once."""
    code = secrets.token_urlsafe(16)
    await approvals.issue(digest_of(code), _ENROL, principal, now=now, expires_at=now + lasts)
    return code


async def may_enrol(approvals: Approvals, principal: str, code: str, *, now: datetime) -> bool:
    """Tell whether a code was made for this principal, and use it up."""
    return await approvals.redeem(digest_of(code.strip()), _ENROL, now=now) == principal


def digest_of(secret: str) -> str:
    """Return what is kept of a secret that works once."""
    return sha256(secret.encode()).hexdigest()
