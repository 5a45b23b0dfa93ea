"""How much one caller may ask of this process: so many calls a second, so many at once, so many sessions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio

from recontact_mcp.remote.buckets import Bucket, Pace
from recontact_mcp.remote.callers import caller_of
from recontact_mcp.remote.eras import is_modern
from recontact_mcp.remote.refusals import ending, refusal, too_many_calls, too_many_sessions, too_often
from recontact_mcp.remote.sessions import session_named

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from recontact_mcp.remote.sessions import Sessions
    from recontact_tools.ending import Ending

# ours: some megabytes; buckets that are full again are forgotten first, and nothing is lost with them.
CALLERS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Share:
    """What one caller may have; 0 is no limit."""

    calls_per_second: float
    calls_at_once: int
    sessions: int


class Crowd:
    """Lets a request through if its caller has not had its share; each process counts for itself."""

    def __init__(
        self,
        app: ASGIApp,
        share: Share,
        ending: Ending,
        sessions: Sessions,
        *,
        now: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._app = app
        self._share = share
        self._ending = ending
        self._now = now
        # ours: what a burst may be is two seconds' worth, for agents call in bundles.
        self._pace = Pace(share.calls_per_second, max(1.0, 2 * share.calls_per_second))
        self._buckets: dict[str, Bucket] = {}
        self._busy: Counter[str] = Counter()
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        caller, is_call = caller_of(scope), scope["method"] == "POST"
        refused = self._refused(scope, caller, is_call=is_call)
        opens = is_call and refused is None and not (is_modern(scope) or session_named(scope))
        if opens:
            refused = self._no_session(scope, caller)
        if refused is not None:
            await refused(scope, receive, send)
            return
        if is_call:
            self._busy[caller] += 1
        try:
            await self._sessions.served(caller, self._app, scope, receive, send, now=self._now, opens=opens)
        finally:
            if is_call:
                self._leave(caller)

    def _leave(self, caller: str) -> None:
        self._busy[caller] -= 1
        if not self._busy[caller]:
            del self._busy[caller]

    def _refused(self, scope: Scope, caller: str, *, is_call: bool) -> Response | None:
        share = self._share
        if is_call and share.calls_at_once and self._busy[caller] >= share.calls_at_once:
            return refusal(scope, 429, too_many_calls(share.calls_at_once))
        wait = self._wait(caller) if share.calls_per_second else 0.0
        return refusal(scope, 429, too_often(wait)) if wait else None

    def _no_session(self, scope: Scope, caller: str) -> Response | None:
        """Say why a request of 2025 that opens a session may not."""
        share = self._share
        if self._ending.announced:
            return refusal(scope, 503, ending())
        now = self._now()
        if share.sessions and self._sessions.count(caller, now) >= share.sessions:
            return refusal(scope, 429, too_many_sessions(share.sessions, self._sessions.ends_in(caller, now)))
        return None

    def _wait(self, caller: str) -> float:
        now = self._now()
        if caller not in self._buckets and len(self._buckets) >= CALLERS_MAX:
            kept = {one: bucket for one, bucket in self._buckets.items() if not self._pace.is_full(bucket, now)}
            self._buckets = kept if len(kept) < CALLERS_MAX else {}
        self._buckets[caller], wait = self._pace.spent(self._buckets.get(caller), now)
        return wait
