"""Where a durable workflow works: the ways down, and a gate that closes before they do."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio

from recontact_tools.observing import UNWATCHED
from recontact_tools.watched import publish_nothing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from datetime import timedelta

    from recontact_tools.errors import NotAllowed
    from recontact_tools.gateway import Gateway
    from recontact_tools.ledger import Ledger
    from recontact_tools.observing import Observer
    from recontact_tools.policy import Policy
    from recontact_tools.runtime import Clock
    from recontact_tools.sealing import Seal
    from recontact_tools.watched import Publish

# ours: long enough for the answer of a POST that is on its way, short enough for a host that waits.
CLOSING_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Mandate:
    """In whose name a workflow acts: the way to the API and the rules of whoever asked for it.

    *objection* is why nothing may be sent for them any more.
    """

    gateway: Gateway
    policy: Policy
    objection: NotAllowed | None = None


@dataclass(slots=True)
class Gate:
    """Lets effects begin until it closes, and knows how many are under way."""

    is_closing: bool = False
    busy: int = 0


@dataclass(slots=True)
class Desk:
    """What the stages of a workflow share; *publish* is told the URIs of what changed.

    A stage does its effects inside `at_work`. Once the desk is closing no effect begins: the stage
    waits until its process ends, its workflow stays pending, and the next process resumes it.
    *mandates* finds in whose name one acts, by principal, account and the claims that are kept with the work; without
    it, all act as the desk says.
    """

    gateway: Gateway
    ledger: Ledger
    clock: Clock
    pace: float
    policy: Policy
    seal: Seal
    snapshots_kept: timedelta
    publish: Publish = publish_nothing
    mandates: Callable[[str, int, str | None], Awaitable[Mandate]] | None = None
    objection: NotAllowed | None = None
    observer: Observer = UNWATCHED
    gate: Gate = field(default_factory=Gate)

    async def acting_for(self, principal: str, account_id: int, claims: str | None) -> Desk:
        """Return this desk with the way to the API and the rules, as they are now, of whoever asked with *claims*."""
        if self.mandates is None:
            return self
        mandate = await self.mandates(principal, account_id, claims)
        return replace(self, gateway=mandate.gateway, policy=mandate.policy, objection=mandate.objection)

    @asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        """Hold the gate open for one effect."""
        if self.gate.is_closing:
            await anyio.sleep_forever()
        self.gate.busy += 1
        try:
            yield
        finally:
            self.gate.busy -= 1

    async def close(self) -> None:
        """Let no further effect begin, and wait a little for those under way."""
        self.gate.is_closing = True
        with anyio.move_on_after(CLOSING_SECONDS):
            while self.gate.busy:  # noqa: ASYNC110 - closing happens once, and an event per effect would cost every one
                await anyio.sleep(0.005)
