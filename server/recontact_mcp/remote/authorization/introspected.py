"""Access tokens that only their issuer can read: it is asked about each (RFC 7662), and believed for seconds.

All who bring a token while it is asked about get that answer. Of tokens that were never good, no more are asked about
than `Strangers` lets; one that was good when it was last asked about never waits for them.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import anyio

from recontact_mcp.remote.authorization.fetching import CannotTell
from recontact_mcp.remote.authorization.tokens import access_token, is_plausible
from recontact_mcp.remote.strangers import Strangers

if TYPE_CHECKING:
    from mcp.server.auth.provider import AccessToken

    from recontact_mcp.remote.addresses import Client

Ask: TypeAlias = Callable[[str], Awaitable[dict[str, Any]]]

# ours: a token that was revoked is refused within five seconds, and a conversation asks a few times a minute.
BELIEVED_SECONDS: Final = 5.0
# ours: a few megabytes; beyond that, tokens are asked about once more.
KEPT_MAX: Final = 4_096


@dataclass(frozen=True, slots=True)
class _Verdict:
    token: AccessToken | None
    until: float


@dataclass(slots=True)
class _Question:
    """One that is being asked; *is_vain* once nobody answered it, and without a verdict if it was not asked."""

    over: anyio.Event = field(default_factory=anyio.Event)
    verdict: _Verdict | None = None
    is_vain: bool = False


@dataclass(frozen=True, slots=True)
class IntrospectedTokens:
    """Asks the issuer about tokens; *ask* sends one there, *wall* is the time that tokens are dated in."""

    ask: Ask
    issuer: str
    audience: str
    leeway_seconds: float
    strangers: Strangers = field(default_factory=Strangers)
    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    _good: OrderedDict[bytes, _Verdict] = field(default_factory=OrderedDict[bytes, _Verdict])
    _bad: OrderedDict[bytes, _Verdict] = field(default_factory=OrderedDict[bytes, _Verdict])
    _asked: dict[bytes, _Question] = field(default_factory=dict[bytes, "_Question"])

    async def verify_token(self, token: str, client: Client = None) -> AccessToken | None:
        """Return what a good token says, None of any other; *client* is where it comes from.

        Raises:
            CannotTell: The issuer gave no usable answer.
            RateLimited: It was not asked: too many unknown tokens came from there, or at once.
        """
        if not is_plausible(token):
            return None
        name = sha256(token.encode()).digest()
        verdict = self._good.get(name) or self._bad.get(name)
        if verdict is None or self.now() >= verdict.until:
            verdict = await self._fresh(name, token, client)
        return verdict.token

    async def _fresh(self, name: bytes, token: str, client: Client) -> _Verdict:
        while (other := self._asked.get(name)) is not None:
            await other.over.wait()
            if other.is_vain:
                raise CannotTell
            if other.verdict is not None:
                return other.verdict
        asked = self._asked[name] = _Question()
        try:
            found = await (self._again(token) if name in self._good else self._first(token, client))
            asked.verdict = _Verdict(found, self.now() + self._believed(found))
            self._keep(name, asked.verdict)
        except CannotTell:
            asked.is_vain = True
            raise
        finally:
            del self._asked[name]
            asked.over.set()
        return asked.verdict

    async def _first(self, token: str, client: Client) -> AccessToken | None:
        """Ask about a token that may be made up."""
        with self.strangers.trying(client) as one:
            async with self.strangers.tokens.asking(client):
                found = await self._again(token)
            one.proved = found is not None
        return found

    async def _again(self, token: str) -> AccessToken | None:
        return self._judged(token, await self.ask(token))

    def _judged(self, token: str, answer: dict[str, Any]) -> AccessToken | None:
        if answer.get("active") is not True or not self._is_valid_now(answer):
            return None
        return access_token(token, answer, issuer=self.issuer, audience=self.audience)

    def _is_valid_now(self, answer: dict[str, Any]) -> bool:
        """Tell whether the issuer's own times agree; one that says no end is asked again each time."""
        begins, ends, wall = answer.get("nbf", 0), answer.get("exp"), self.wall()
        if not isinstance(begins, int | float) or begins > wall + self.leeway_seconds:
            return False
        return ends is None or (isinstance(ends, int | float) and ends > wall - self.leeway_seconds)

    def _believed(self, found: AccessToken | None) -> float:
        if found is None:
            return BELIEVED_SECONDS
        if found.expires_at is None:
            return 0.0
        return max(0.0, min(BELIEVED_SECONDS, found.expires_at - self.wall()))

    def _keep(self, name: bytes, verdict: _Verdict) -> None:
        """Keep a verdict; the good ones apart, so that tokens which somebody makes up take none of their places."""
        for kept in (self._good, self._bad):
            kept.pop(name, None)
        kept = self._bad if verdict.token is None else self._good
        kept[name] = verdict
        while len(kept) > KEPT_MAX:
            kept.popitem(last=False)
