"""Where the outside world enters a server: what a test, or another way to serve, can replace."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from recontact_tools.runtime import Clock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from recontact_mcp.settings import Settings
    from recontact_tools.deciding import Decisions
    from recontact_tools.gateway import Gateway
    from recontact_tools.ledger import Approval, Ledger
    from recontact_tools.observing import Observer


def new_ulid() -> str:
    """Return a fresh ULID."""
    # Imported here: a first tools/list needs no ids.
    from ulid import ULID  # noqa: PLC0415 (the reason is the line above)

    return str(ULID())


class Pages(Protocol):
    """Where a person is shown what they are asked about a plan."""

    async def show(self, approval: Approval) -> bool:
        """Show it; tell whether anybody can see it."""
        ...


@dataclass(frozen=True, slots=True)
class Effects:
    """Where the outside world enters: time, ids, the way to the API and the ledger (None: by the settings).

    *pages* opens what shows people the plans they are to decide about, when the first one awaits them; None: nothing.
    """

    clock: Clock = field(default_factory=Clock)
    new_id: Callable[[], str] = new_ulid
    gateway: Callable[[Settings], AbstractAsyncContextManager[Gateway]] | None = None
    ledger: Callable[[Settings], Awaitable[Ledger]] | None = None
    observers: tuple[Observer, ...] = ()
    pages: Callable[[Callable[[], Awaitable[Decisions]]], AbstractAsyncContextManager[Pages]] | None = None
