"""A place where people decide in a browser: one on the server's own address, or one on this machine alone."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from recontact_mcp.remote.approval.sessions import Sessions
from recontact_mcp.remote.approval.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from recontact_mcp.remote.approval.signing_in import SignIn
    from recontact_tools.deciding import Decisions

PATH: Final = "/approve"
LINK_PATH: Final = f"{PATH}/link"
SIGN_IN_PATH: Final = f"{PATH}/sign-in"
SIGNED_IN_PATH: Final = f"{PATH}/signed-in"
# ours: as long as an approval may take; it works once, whoever comes first.
LINK_LASTS: Final = timedelta(minutes=30)
_LINK: Final = "link"


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is, from which origins its forms come, and how people are let in: by signing in, or by *links*."""

    base_url: str
    origins: frozenset[str]
    decisions: Callable[[], Awaitable[Decisions]]
    sign_in: SignIn | None = None
    links: bool = False

    @property
    def secure(self) -> bool:
        """Whether browsers reach it over https."""
        return self.base_url.startswith("https://")

    def sessions(self, decisions: Decisions) -> Sessions:
        """Return what reads and writes its cookies."""
        return Sessions(Tokens.under(decisions.seal), secure=self.secure)

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


def digest_of(secret: str) -> str:
    """Return what is kept of a secret that works once."""
    return sha256(secret.encode()).hexdigest()
