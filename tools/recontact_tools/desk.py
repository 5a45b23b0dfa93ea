"""Where a durable workflow works: the ways down, and a gate that closes before they do."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from recontact_tools.watched import publish_nothing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import timedelta

    from recontact_tools.gateway import Gateway
    from recontact_tools.ledger import Ledger
    from recontact_tools.policy import Policy
    from recontact_tools.runtime import Clock
    from recontact_tools.sealing import Seal
    from recontact_tools.watched import Publish

# ours: long enough for the answer of a POST that is on its way, short enough for a host that waits.
CLOSING_SECONDS = 5.0


@dataclass(slots=True)
class Desk:
    """What the stages of a workflow share; *publish* is told the URIs of what changed.

    A stage does its effects inside `at_work`. Once the desk is closing no effect begins: the stage
    waits until its process ends, its workflow stays pending, and the next process resumes it.
    """

    gateway: Gateway
    ledger: Ledger
    clock: Clock
    pace: float
    policy: Policy
    seal: Seal
    snapshots_kept: timedelta
    publish: Publish = publish_nothing
    _closing: bool = field(default=False, init=False)
    _busy: int = field(default=0, init=False)

    @asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        """Hold the gate open for one effect."""
        if self._closing:
            await anyio.sleep_forever()
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1

    async def close(self) -> None:
        """Let no further effect begin, and wait a little for those under way."""
        self._closing = True
        with anyio.move_on_after(CLOSING_SECONDS):
            while self._busy:  # noqa: ASYNC110 - closing happens once, and an event per effect would cost every one
                await anyio.sleep(0.005)
